"""Inputs and outputs between MLflow's shapes and core's values, both ways. Pure: no HTTP, no services."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from stepwell.core.entities import Dataset, DatasetInput, DatasetUse, Links, ModelInput, ModelOutput, ModelPoint
from stepwell.core.errors import Invalid, TooLarge
from stepwell.dialects.mlflow import lineage_wire as wire
from stepwell.dialects.mlflow import rules, translate
from stepwell.dialects.mlflow import wire as tracking

CONTEXT_TAG: Final = "mlflow.data.context"
HISTORY_TAG: Final = "mlflow.log-model.history"
_LIMITS: Final = (
    ("name", rules.DATASET_NAME_LENGTH),
    ("digest", rules.DATASET_DIGEST_LENGTH),
    ("source", rules.DATASET_SOURCE_LENGTH),
    ("schema", rules.DATASET_SCHEMA_LENGTH),
    ("profile", rules.DATASET_PROFILE_LENGTH),
)
_OF_A_MODEL: Final = ("artifact_path", "flavors", "utc_time_created", "run_id")  # what the text of a model must have


def inputs(message: wire.LogInputs) -> Links:
    """What a run used."""
    return Links(
        datasets=tuple(_dataset(each, f"datasets[{i}]") for i, each in enumerate(message.datasets)),
        models_used=tuple(ModelInput(model_id=_model_id(m.model_id, i)) for i, m in enumerate(message.models)),
    )


def outputs(message: wire.LogOutputs) -> Links:
    """What a run made."""
    made = enumerate(message.models)
    return Links(models_made=tuple(ModelOutput(model_id=_model_id(m.model_id, i), step=m.step) for i, m in made))


def model_points(metrics: Iterable[tracking.MetricIn | tracking.LogMetric], run_id: str) -> list[ModelPoint]:
    """The points that say which model, or which data set, they measured."""
    return [
        ModelPoint(
            model_id=m.model_id,
            run_id=run_id,
            metric=m.key,
            step=m.step,
            time=m.timestamp * 1000,
            value=m.value,
            dataset_name=rules.check_length(m.dataset_name, "dataset_name", rules.DATASET_NAME_LENGTH),
            dataset_digest=rules.check_length(m.dataset_digest, "dataset_digest", rules.DATASET_DIGEST_LENGTH),
        )
        for m in metrics
        if m.model_id or m.dataset_name
    ]


def model_history(message: wire.LogModel, known: str) -> str:
    """The tag that lists the models of a run, with one more at its end. Invalid: the text of the model, or the tag."""
    model = _object(message.model_json)
    missing = [name for name in _OF_A_MODEL if name not in model]
    if missing:
        raise Invalid(f"'model_json' lacks {', '.join(missing)}.", field="model_json")
    try:
        models = json.loads(known or "[]")
    except ValueError:
        models = None
    if not isinstance(models, list):
        raise Invalid(f"The tag {HISTORY_TAG!r} of the run holds no list of models.", field="model_json")
    return rules.check_length(json.dumps([*models, model]), "model_json", rules.MODEL_HISTORY_LENGTH)


def experiment_ids(message: wire.SearchDatasets) -> list[int]:
    """The experiments whose data sets are asked for."""
    if not message.experiment_ids:
        raise Invalid("Missing value for required parameter 'experiment_ids': name one.", field="experiment_ids")
    if len(message.experiment_ids) > rules.DATASET_EXPERIMENTS:
        raise TooLarge(
            f"'experiment_ids' can name at most {rules.DATASET_EXPERIMENTS}; "
            f"this request names {len(message.experiment_ids)}.",
            field="experiment_ids",
            limit=rules.DATASET_EXPERIMENTS,
        )
    return [translate.experiment_id(text, f"experiment_ids[{i}]") for i, text in enumerate(message.experiment_ids)]


def _dataset(message: wire.DatasetInput, place: str) -> DatasetInput:
    told = message.dataset
    translate.required(told.name, f"{place}.dataset.name")
    translate.required(told.digest, f"{place}.dataset.digest")
    for name, limit in _LIMITS:
        rules.check_length(getattr(told, name), name, limit)
    for i, tag in enumerate(message.tags):
        translate.required(tag.key, f"{place}.tags[{i}].key")
        rules.check_length(tag.key, f"{place}.tags[{i}].key", rules.INPUT_TAG_KEY_LENGTH)
        rules.check_length(tag.value, f"{place}.tags[{i}].value", rules.INPUT_TAG_LENGTH)
    tags = {tag.key: tag.value for tag in message.tags}
    dataset = Dataset(
        name=told.name,
        digest=told.digest,
        source_type=told.source_type,
        source=told.source,
        schema=told.schema,
        profile=told.profile,
    )
    return DatasetInput(dataset=dataset, context=tags.get(CONTEXT_TAG, ""), tags=tags)


def _model_id(model_id: str, place: int) -> str:
    return translate.required(model_id, f"models[{place}].model_id")


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid("'model_json' is not the JSON of an object.", field="model_json")
    return found


# --- answers ----------------------------------------------------------------------------------------------------------


def run_inputs(links: Links) -> wire.RunInputs:
    """What a run used."""
    return wire.RunInputs(
        dataset_inputs=[_dataset_input(each) for each in links.datasets],
        model_inputs=[wire.ModelInput(each.model_id) for each in links.models_used],
    )


def run_outputs(links: Links) -> wire.RunOutputs:
    """What a run made."""
    return wire.RunOutputs(model_outputs=[wire.ModelOutput(each.model_id, each.step) for each in links.models_made])


def dataset_summaries(uses: Sequence[DatasetUse]) -> wire.DatasetsAnswer:
    """The data sets of experiments."""
    return wire.DatasetsAnswer(
        dataset_summaries=[
            wire.DatasetSummary(str(each.experiment_id), each.name, each.digest, each.context) for each in uses
        ]
    )


def _dataset_input(each: DatasetInput) -> wire.DatasetInput:
    told = each.dataset
    dataset = wire.Dataset(
        name=told.name,
        digest=told.digest,
        source_type=told.source_type,
        source=told.source,
        schema=told.schema,
        profile=told.profile,
    )
    return wire.DatasetInput(dataset=dataset, tags=[wire.InputTag(k, v) for k, v in each.tags.items()])
