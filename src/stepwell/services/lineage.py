"""What a run used, made and measured: data sets, models, and points that belong to a model. Kept with the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stepwell.core import limits
from stepwell.core.entities import Dataset, DatasetInput, DatasetUse, Links, ModelInput, ModelOutput, ModelPoint
from stepwell.core.errors import NotFound
from stepwell.core.model import NO_COLUMNS, Record, RunWrite
from stepwell.core.series import value_key, values_of
from stepwell.core.store import Store
from stepwell.services import ingest, runs
from stepwell.services.checks import check_count, check_name, check_pairs, check_text
from stepwell.services.entity_records import Body, decode, encode, every

DATASET_INPUT: Final = "dataset_input"  # engines find runs by its values name, digest and context
MODEL_INPUT: Final = "model_input"
MODEL_OUTPUT: Final = "model_output"
MODEL_POINTS: Final = "model_points"
LOGGED_MODEL: Final = "logged_model"
_LINKS: Final = (DATASET_INPUT, MODEL_INPUT, MODEL_OUTPUT)


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of one write that measured one model on one data set: metric, step, time, key of the value."""

    points: tuple[tuple[str, int, int, int], ...]
    dataset_name: str
    dataset_digest: str


# --- links ------------------------------------------------------------------------------------------------------------


def log_links(store: Store, *, workspace: str, run_id: str, links: Links, at: int) -> Future[None]:
    """Tie data sets and models to a run. A link that is there already takes the new tags or step.

    NotFound, Conflict: the run is missing or deleted; Invalid, TooLarge: a name or text.
    """
    count = len(links.datasets) + len(links.models_used) + len(links.models_made)
    check_count(count, field="links", limit=limits.LINKS_PER_WRITE)
    for each in links.datasets:
        _check_dataset(each)
    for model_id in (*(m.model_id for m in links.models_used), *(m.model_id for m in links.models_made)):
        check_name(model_id, field="model_id")
    run = runs.get_run(store, workspace=workspace, run_id=run_id, columns=NO_COLUMNS).run
    records = (
        *_dataset_records(run_id, run.experiment_id, links.datasets, at),
        *(_model_record(MODEL_INPUT, run_id, each, at + i) for i, each in enumerate(links.models_used)),
        *(_model_record(MODEL_OUTPUT, run_id, each, at + i) for i, each in enumerate(links.models_made)),
    )
    return ingest.write(store, workspace=workspace, write=RunWrite(run_id=run_id, records=records, at=at))


def links_of_runs(store: Store, *, workspace: str, run_ids: Sequence[str]) -> dict[str, Links]:
    """run id -> what it used and made, oldest first. Runs without any are absent."""
    found = store.records_of_runs(workspace=workspace, kinds=_LINKS, run_ids=run_ids)
    return {run_id: _links(records) for run_id, records in found.items()}


def search_datasets(store: Store, *, workspace: str, experiment_ids: Sequence[int], limit: int) -> list[DatasetUse]:
    """The data sets that runs of the experiments used, each once a context, oldest first."""
    found: dict[DatasetUse, None] = {}
    for number in dict.fromkeys(experiment_ids):
        for record in every(store, workspace=workspace, kind=DATASET_INPUT, where={"experiment": str(number)}):
            names = record.indexed
            use = DatasetUse(
                experiment_id=number,
                name=names["name"],
                digest=names["digest"],
                context=names.get("context", ""),
            )
            found.setdefault(use)
            if len(found) == limit:
                return list(found)
    return list(found)


def _dataset_records(run_id: str, experiment_id: int, inputs: Sequence[DatasetInput], at: int) -> list[Record]:
    """One for each, in their order. A data set that comes twice in one context keeps what came first."""
    records: dict[str, Record] = {}
    for each in inputs:
        names = {"name": each.dataset.name, "digest": each.dataset.digest}
        if each.context:
            names["context"] = each.context
        number = f"{run_id}/{_digest(names)}"
        time = at + len(records)  # so that they are read back in this order
        records.setdefault(
            number,
            Record(
                kind=DATASET_INPUT,
                id=number,
                body=encode(each),
                parent=run_id,
                indexed={**names, "experiment": str(experiment_id)},
                created_at=time,
                updated_at=time,
            ),
        )
    return list(records.values())


def _model_record(kind: str, run_id: str, link: ModelInput | ModelOutput, at: int) -> Record:
    number = f"{run_id}/{link.model_id}"
    return Record(
        kind=kind,
        id=number,
        body=encode(link),
        parent=run_id,
        indexed={"model": link.model_id},
        created_at=at,
        updated_at=at,
    )


def _links(records: Sequence[Record]) -> Links:
    return Links(
        datasets=tuple(decode(each, _dataset_input) for each in records if each.kind == DATASET_INPUT),
        models_used=tuple(
            decode(each, lambda body: ModelInput(**body)) for each in records if each.kind == MODEL_INPUT
        ),
        models_made=tuple(
            decode(each, lambda body: ModelOutput(**body)) for each in records if each.kind == MODEL_OUTPUT
        ),
    )


def _dataset_input(body: Body) -> DatasetInput:
    return DatasetInput(**{**body, "dataset": Dataset(**body["dataset"])})


def _check_dataset(each: DatasetInput) -> None:
    check_name(each.dataset.name, field="dataset.name")
    check_name(each.dataset.digest, field="dataset.digest")
    check_text(each.dataset.source_type, field="dataset.source_type", limit=limits.NAME_LENGTH)
    for field in ("source", "schema", "profile"):
        check_text(getattr(each.dataset, field), field=f"dataset.{field}", limit=limits.DATASET_TEXT_LENGTH)
    check_text(each.context, field="context", limit=limits.TAG_VALUE_LENGTH)
    check_pairs(each.tags, field="tags", value_limit=limits.TAG_VALUE_LENGTH)


# --- points of models -------------------------------------------------------------------------------------------------


def write_measured(store: Store, *, workspace: str, write: RunWrite, points: Sequence[ModelPoint]) -> Future[None]:
    """Apply a write of points, of which `points` measured models or were measured on data sets, all or none.

    NotFound: there is no such model; otherwise as ingest.write.
    """
    wanted = list(dict.fromkeys(each.model_id for each in points if each.model_id))
    found = store.get_records(workspace=workspace, kind=LOGGED_MODEL, ids=wanted)
    for model_id, record in zip(wanted, found, strict=True):
        if record is None:
            raise NotFound(f"there is no model {model_id!r}", field="model_id")
    records = (*write.records, *point_records(points, at=write.at))
    return ingest.write(store, workspace=workspace, write=replace(write, records=records))


def point_records(points: Iterable[ModelPoint], *, at: int) -> tuple[Record, ...]:
    """The records that tie points of one run's write to models: as many as there are pairs of model and data set."""
    groups: dict[tuple[str, str, str, str], dict[tuple[str, int, int, int], None]] = {}
    for each in points:
        group = groups.setdefault((each.run_id, each.model_id, each.dataset_name, each.dataset_digest), {})
        group[each.metric, each.step, each.time, value_key(each.value)] = None
    return tuple(
        _points_record(run_id, model_id, _Points(tuple(sorted(group)), name, digest), at)
        for (run_id, model_id, name, digest), group in groups.items()
    )


def points_of_model(store: Store, *, workspace: str, model_id: str) -> list[ModelPoint]:
    """The points that measured a model, each once, by metric, time, step, value."""
    found: set[ModelPoint] = set()
    for record in every(store, workspace=workspace, kind=MODEL_POINTS, where={"model": model_id}):
        found.update(_points(record, model_id))
    return sorted(found, key=lambda p: (p.metric, p.time, p.step, value_key(p.value), p.run_id, p.dataset_name))


def _points_record(run_id: str, model_id: str, points: _Points, at: int) -> Record:
    body = encode(points)
    return Record(
        kind=MODEL_POINTS,
        id=f"{run_id}/{_digest({'model': model_id, 'body': body})}",  # the same points again are the same record
        body=body,
        parent=run_id,
        indexed={"model": model_id},
        created_at=at,
        updated_at=at,
    )


def _points(record: Record, model_id: str) -> list[ModelPoint]:
    held = decode(record, lambda body: _Points(**body))
    values = values_of(np.array([key for _, _, _, key in held.points], np.int64)).tolist()
    return [
        ModelPoint(
            model_id=model_id,
            run_id=record.parent,
            metric=metric,
            step=step,
            time=time,
            value=value,
            dataset_name=held.dataset_name,
            dataset_digest=held.dataset_digest,
        )
        for (metric, step, time, _), value in zip(held.points, values, strict=True)
    ]


def _digest(names: Mapping[str, str]) -> str:
    return hashlib.blake2b(json.dumps(sorted(names.items())).encode(), digest_size=16).hexdigest()
