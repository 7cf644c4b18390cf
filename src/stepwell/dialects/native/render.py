"""From core's values to the native API's answers: dicts of columns that the encoder takes as they are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets
from stepwell.core.model import BlobInfo, Event, Experiment, LabelSet, Run, RunRow, SeriesInfo, Workspace
from stepwell.core.series import F64, Labels, Points
from stepwell.core.summary import Summary, SummaryTable, columns_of
from stepwell.dialects import NOTE_TAG
from stepwell.dialects.native.columns import Column, Table, table

_EXPERIMENT: Final[Mapping[str, Callable[[Experiment], Any]]] = {
    "id": lambda e: e.id,
    "name": lambda e: e.name,
    "artifact_location": lambda e: e.artifact_location,
    "lifecycle": lambda e: e.lifecycle.value,
    "created_at_us": lambda e: e.created_at,
    "updated_at_us": lambda e: e.updated_at,
    "tags": lambda e: dict(e.tags),
}
_RUN: Final[Mapping[str, Callable[[Run], Any]]] = {
    "id": lambda r: r.id,
    "key": lambda r: r.key,
    "experiment_id": lambda r: r.experiment_id,
    "number": lambda r: r.project_number,
    "name": lambda r: r.name,
    "user": lambda r: r.user,
    "status": lambda r: r.status.value,
    "status_reason": lambda r: r.status_reason,
    "lifecycle": lambda r: r.lifecycle.value,
    "artifact_uri": lambda r: r.artifact_uri,
    "origin": lambda r: r.origin,
    "start_time_us": lambda r: r.start_time,
    "end_time_us": lambda r: r.end_time,
    "created_at_us": lambda r: r.created_at,
    "updated_at_us": lambda r: r.updated_at,
}
_ENDS: Final = ("first", "last", "min", "max")
_COUNTS: Final = ("count", "finite_count", "nan_count", "pos_inf_count", "neg_inf_count")
_TIMES: Final = {"least_time_us": "min_time", "greatest_time_us": "max_time"}
_FINITE_ONLY: Final = ("min_value", "max_value", "mean", "m2")


def workspaces(found: Sequence[Workspace]) -> Table:
    """WorkspaceTable."""
    return {"name": [w.name for w in found], "created_at_us": [w.created_at for w in found]}


def experiment(found: Experiment) -> Table:
    """Experiment."""
    return {name: value(found) for name, value in _EXPERIMENT.items()}


def experiments(found: Sequence[Experiment], cursor: str | None) -> Table:
    """ExperimentPage."""
    columns = {name: [value(e) for e in found] for name, value in _EXPERIMENT.items()}
    return {"experiments": columns, "cursor": cursor}


def run(found: Run) -> Table:
    """RunInfo."""
    return {name: value(found) for name, value in _RUN.items()}


def run_detail(row: RunRow) -> Table:
    """RunDetail."""
    return {
        "run": run(row.run),
        "params": dict(row.params),
        "tags": dict(row.tags),
        "note": row.tags.get(NOTE_TAG) or None,
        "metrics": {
            "run_id": [row.run.id] * len(row.metrics),
            "metric": list(row.metrics),
            **buckets(columns_of(list(row.metrics.values()))),
        },
    }


def runs(
    rows: Sequence[RunRow],
    cursor: str | None,
    *,
    total: int | None = None,
    metrics: Sequence[str] | None,
    params: Sequence[str] | None,
    tags: Sequence[str] | None,
) -> Table:
    """RunPage. Names None: all that occur in these rows, sorted."""
    return {
        "runs": {name: [value(row.run) for row in rows] for name, value in _RUN.items()},
        "metrics": {
            name: _metric([row.metrics.get(name) for row in rows])
            for name in (_names(row.metrics for row in rows) if metrics is None else metrics)
        },
        "params": {
            name: [row.params.get(name) for row in rows]
            for name in (_names(row.params for row in rows) if params is None else params)
        },
        "tags": {
            name: [row.tags.get(name) for row in rows]
            for name in (_names(row.tags for row in rows) if tags is None else tags)
        },
        "cursor": cursor,
        "total": total,
    }


def series(found: Sequence[SeriesInfo]) -> Table:
    """MetricTable."""
    return {
        "metric": [each.metric for each in found],
        "labels": [dict(each.labels) for each in found],
        **buckets(columns_of([each.summary for each in found])),
    }


def label_sets(found: Sequence[LabelSet]) -> Table:
    """LabelSetTable."""
    return {
        "run_id": [each.run_id for each in found],
        "metric": [each.metric for each in found],
        "labels": [dict(each.labels) for each in found],
    }


def summaries(found: SummaryTable, columns: Sequence[str] = ()) -> Table:
    """SummaryTable: run by run, metric by metric."""
    rows = buckets(found.rows, columns)
    whole = {name: _whole(each) if isinstance(each, np.ndarray) else each for name, each in rows.items()}
    return {"run_id": found.run_ids, "metric": found.metrics, **whole}


def _whole(column: NDArray[Any]) -> NDArray[Any]:
    """A column that was a view into rows, as the encoder takes it."""
    return column.astype(column.dtype.newbyteorder("="))


def points(found: Points) -> Table:
    """PointColumns."""
    return table({"steps": found.step, "times_us": found.time, "values": found.value})


def buckets(found: Buckets, columns: Sequence[str] = ()) -> Table:
    """Aggregates, of the columns named or of all."""
    every: dict[str, Column] = {}
    for end in _ENDS:
        samples = getattr(found, end)
        every |= {f"{end}_step": samples.step, f"{end}_time_us": samples.time, f"{end}_value": samples.value}
    every |= {name: getattr(found, name) for name in (*_COUNTS, "mean", "m2")}
    every |= {name: getattr(found, source) for name, source in _TIMES.items()}
    return _chosen(every, columns, nothing=found.finite_count == 0)


def events(found: Sequence[Event]) -> Table:
    """EventTable."""
    return {
        "time_us": [e.time for e in found],
        "kind": [e.kind for e in found],
        "text": [e.text for e in found],
        "detail": [e.detail for e in found],
    }


def files(found: Sequence[BlobInfo]) -> Table:
    """FileTable."""
    return {
        "path": [f.path for f in found],
        "size": [f.size for f in found],
        "sha256": [None if f.size is None else f.sha256.hex() for f in found],
        "stored_at_us": [None if f.size is None else f.stored_at for f in found],
    }


def labels(found: Labels | None) -> dict[str, str] | None:
    """Labels as an object; null for the union of all."""
    return None if found is None else dict(found)


def _chosen(every: Mapping[str, Column], columns: Sequence[str], *, nothing: NDArray[np.bool_]) -> Table:
    """`nothing`: rows without a finite value, whose extremes and mean do not exist."""
    wanted = every if not columns else {name: every[name] for name in columns}
    return table(wanted, absent=dict.fromkeys(_FINITE_ONLY, nothing))


def _metric(found: Sequence[Summary | None]) -> Table:
    """MetricColumns."""
    missing = np.array([one is None for one in found], np.bool_)
    nothing = np.array([one is None or not one.finite_count for one in found], np.bool_)
    nan = float("nan")
    columns: dict[str, Column] = {
        "last": _doubles(nan if one is None else one.last.value for one in found),
        "min": _doubles(nan if one is None else one.min.value for one in found),
        "max": _doubles(nan if one is None else one.max.value for one in found),
        "mean": _doubles(nan if one is None else one.mean for one in found),
        "count": [None if one is None else one.count for one in found],
        "last_step": [None if one is None else one.last.step for one in found],
        "last_time_us": [None if one is None else one.last.time for one in found],
    }
    return table(columns, absent={"last": missing, "min": nothing, "max": nothing, "mean": nothing})


def _names(rows: Iterable[Mapping[str, object]]) -> list[str]:
    return sorted({name for row in rows for name in row})


def _doubles(values: Iterable[float]) -> F64:
    return np.fromiter(values, np.float64)
