"""Logged models between MLflow's shapes and core's values, both ways. Pure: no HTTP, no services."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stepwell.core import ids
from stepwell.core.entities import DatasetChoice, LoggedModel, ModelOrder, ModelPoint, ModelStatus
from stepwell.core.errors import Invalid
from stepwell.core.model import Experiment
from stepwell.dialects.mlflow import models_wire as wire
from stepwell.dialects.mlflow import render, rules, translate

_STATUS: Final = "LOGGED_MODEL_"  # in front of the name of a status
_UPLOAD_FAILED: Final = "UPLOAD_FAILED"
_NUMBERS: Final = {0: "STATUS_UNSPECIFIED", 1: "PENDING", 2: "READY", 3: _UPLOAD_FAILED}
_STATUSES: Final = {
    "STATUS_UNSPECIFIED": ModelStatus.UNSPECIFIED,
    "PENDING": ModelStatus.PENDING,
    "READY": ModelStatus.READY,
    _UPLOAD_FAILED: ModelStatus.FAILED,
}
_WORDS: Final = {status: _STATUS + word for word, status in _STATUSES.items()}
VERSIONS_TAG: Final = "mlflow.modelVersions"  # of a model: the versions of registered models that it became
_FORBIDDEN: Final = frozenset("/:.%\"'")


def new_model(message: wire.CreateModel, *, experiment: Experiment, at: int) -> LoggedModel:
    """The model to keep. Without a name it gets one that can be said."""
    if not _FORBIDDEN.isdisjoint(message.name):
        raise Invalid(
            f"Invalid value {message.name!r} for parameter 'name' supplied: a model's name has none of / : . % \" '",
            field="name",
        )
    rules.check_length(message.name, "name", rules.MODEL_NAME_LENGTH)
    model_id = f"m-{ids.new_run_id()}"
    return LoggedModel(
        id=model_id,
        experiment_id=experiment.id,
        name=message.name or ids.new_run_name(),
        model_type=rules.check_length(message.model_type, "model_type", rules.MODEL_NAME_LENGTH),
        source_run_id=message.source_run_id,
        artifact_uri=translate.under(translate.artifact_location(experiment), f"models/{model_id}/artifacts"),
        params=pairs(message.params, "params"),
        tags=pairs(message.tags, "tags"),
        created_at=at,
        updated_at=at,
    )


def status(word: str | int) -> ModelStatus:
    """Where a model stands, by name or number."""
    name = _NUMBERS.get(word, "") if isinstance(word, int) else word.removeprefix(_STATUS)
    if name not in _STATUSES:
        raise Invalid(
            f"Invalid value {word!r} for parameter 'status' supplied: it is one of {', '.join(_WORDS.values())}",
            field="status",
        )
    return _STATUSES[name]


def pairs(given: Sequence[wire.Pair], field: str) -> Mapping[str, str]:
    """Params or tags. The last of those with one key counts."""
    return {translate.required(pair.key, f"{field}[{i}].key"): pair.value for i, pair in enumerate(given)}


def tags(given: Sequence[wire.Pair]) -> Mapping[str, str]:
    """Tags to set. The client adds to the versions that a model became the one that is there already."""
    found = dict(pairs(given, "tags"))
    if VERSIONS_TAG in found:
        found[VERSIONS_TAG] = _each_once(found[VERSIONS_TAG])
    return found


def with_version(text: str, name: str, number: int) -> str:
    """The value of VERSIONS_TAG with one version more. What is no list is written over."""
    return json.dumps([*_versions(text), {"name": name, "version": number}])


def _each_once(text: str) -> str:
    """Clients write a number as text where we wrote a number: the same version. Another text stays as it is."""
    found = _versions(text)
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for each in found:
        once.setdefault((str(each.get("name")), str(each.get("version"))), each)
    return text if len(once) == len(found) else json.dumps([*once.values()])


def _versions(text: str) -> list[dict[str, Any]]:
    """Empty where a text is no list of versions."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else []


def datasets(given: Sequence[wire.DatasetFilter]) -> list[DatasetChoice]:
    """The data sets of a search."""
    return [
        DatasetChoice(
            name=translate.required(each.dataset_name, f"datasets[{i}].dataset_name"), digest=each.dataset_digest
        )
        for i, each in enumerate(given)
    ]


def order(given: Sequence[wire.ModelOrder]) -> list[ModelOrder]:
    """The sort keys of a search."""
    return [_order(each, f"order_by[{i}]") for i, each in enumerate(given)]


def _order(each: wire.ModelOrder, place: str) -> ModelOrder:
    dataset = DatasetChoice(name=each.dataset_name, digest=each.dataset_digest) if each.dataset_name else None
    if each.dataset_digest and dataset is None:
        raise Invalid(f"'{place}' has a dataset_digest but no dataset_name.", field=f"{place}.dataset_name")
    text = translate.required(each.field_name, f"{place}.field_name")
    prefix, dot, name = text.partition(".")
    quoted = text if not dot or "`" in name or '"' in name else f"{prefix}.`{name}`"  # names come bare here
    return ModelOrder(text=quoted, descending=not each.ascending, dataset=dataset)


# --- answers ----------------------------------------------------------------------------------------------------------


def model(found: LoggedModel, points: Sequence[ModelPoint]) -> wire.Model:
    """A model with the points that measured it; times in milliseconds."""
    info = wire.ModelInfo(
        model_id=found.id,
        experiment_id=str(found.experiment_id),
        name=found.name,
        creation_timestamp_ms=found.created_at // 1000,
        last_updated_timestamp_ms=found.updated_at // 1000,
        artifact_uri=found.artifact_uri,
        status=_WORDS[found.status],
        model_type=found.model_type,
        source_run_id=found.source_run_id,
        tags=_pairs(found.tags),
    )
    return wire.Model(info=info, data=wire.ModelData(params=_pairs(found.params), metrics=[*map(_metric, points)]))


def _pairs(values: Mapping[str, str]) -> list[wire.Pair]:
    return [wire.Pair(key, value) for key, value in values.items()]


def _metric(point: ModelPoint) -> wire.ModelMetric:
    return wire.ModelMetric(
        key=point.metric,
        value=render.double(point.value),
        timestamp=point.time // 1000,
        step=point.step,
        dataset_name=point.dataset_name,
        dataset_digest=point.dataset_digest,
        model_id=point.model_id,
        run_id=point.run_id,
    )
