"""Core's values as MLflow's answers. Pure: no HTTP, no services. The other direction lives in translate.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import Final

import msgspec
import numpy as np

from stepwell.core.buckets import Samples
from stepwell.core.entities import Links
from stepwell.core.model import BlobInfo, Experiment, Run, RunRow
from stepwell.core.series import F64, Points
from stepwell.dialects.mlflow import lineage, translate, wire

_ENCODER: Final = msgspec.json.Encoder()
_NAME: Final = "mlflow"  # in `RunRow.made`
_NO_LINKS: Final = Links()
_NO_INPUTS: Final = lineage.run_inputs(_NO_LINKS)
_NO_OUTPUTS: Final = lineage.run_outputs(_NO_LINKS)


def encode(answer: msgspec.Struct) -> bytes:
    """The JSON of an answer."""
    return _ENCODER.encode(answer)


def experiment(found: Experiment) -> wire.Experiment:
    """An experiment; times in milliseconds."""
    return wire.Experiment(
        experiment_id=str(found.id),
        name=found.name,
        artifact_location=translate.artifact_location(found),
        lifecycle_stage=found.lifecycle.value,
        last_update_time=found.updated_at // 1000,
        creation_time=found.created_at // 1000,
        tags=pairs(found.tags),
        workspace=found.workspace,
    )


def run_json(row: RunRow, links: Links | None = None) -> msgspec.Raw:
    """The JSON of `run`. That of a row without links is made once: a store gives out the same row again."""
    if links is not None:
        return msgspec.Raw(_ENCODER.encode(run(row, links)))
    made = row.made.get(_NAME)
    if made is None:
        made = row.made[_NAME] = _ENCODER.encode(run(row))
    return msgspec.Raw(made)


def run(row: RunRow, links: Links | None = None) -> wire.Run:
    """A run with the latest value of each of its metrics (`row.last`), what it used and what it made."""
    last = row.last
    # The sum of what is not all finite is not finite.
    values = last.values if math.isfinite(sum(last.values)) else map(double, last.values)
    times = [time // 1000 for time in last.times]
    data = wire.RunData(
        metrics=list(map(wire.Metric, last.metrics, values, times, last.steps)),
        params=pairs(row.params),
        tags=pairs(row.tags),
    )
    inputs = lineage.run_inputs(links) if links else _NO_INPUTS
    outputs = lineage.run_outputs(links) if links else _NO_OUTPUTS
    return wire.Run(info=run_info(row.run), data=data, inputs=inputs, outputs=outputs)


def run_info(found: Run) -> wire.RunInfo:
    """What a run is. A run that came through another interface has its artifacts in this server."""
    return wire.RunInfo(
        run_uuid=found.id,
        run_id=found.id,
        experiment_id=str(found.experiment_id),
        run_name=found.name,
        user_id=found.user,
        status=found.status.value,
        artifact_uri=artifact_uri(found),
        lifecycle_stage=found.lifecycle.value,
        start_time=None if found.start_time is None else found.start_time // 1000,
        end_time=None if found.end_time is None else found.end_time // 1000,
    )


def artifact_uri(found: Run) -> str:
    """Where a run's artifacts are."""
    return found.artifact_uri or f"{translate.ARTIFACT_SCHEME}:/{found.experiment_id}/{found.id}/artifacts"


def pairs(values: Mapping[str, str]) -> list[wire.Pair]:
    """Params or tags."""
    return list(map(wire.Pair, values.keys(), values.values()))


def files(found: Iterable[BlobInfo], *, relative_to: str = "") -> list[wire.FileInfo]:
    """Files and folders, with their paths relative to a folder of their owner."""
    skip = len(relative_to) + 1 if relative_to else 0
    return [wire.FileInfo(path=each.path[skip:], is_dir=each.size is None, file_size=each.size) for each in found]


# --- points -----------------------------------------------------------------------------------------------------------


def metrics(key: str, points: Points) -> list[wire.Metric]:
    """The points of a series, in their order."""
    times = (points.time // 1000).tolist()
    return list(map(wire.Metric, repeat(key), doubles(points.value), times, points.step.tolist()))


def metrics_of_run(key: str, run_id: str, points: Points | Samples) -> list[wire.MetricOfRun]:
    """The points of a series, in their order, each with its run."""
    times = (points.time // 1000).tolist()
    columns = (repeat(key), doubles(points.value), times, points.step.tolist(), repeat(run_id))
    return list(map(wire.MetricOfRun, *columns))


def history(
    chunks: Iterable[list[wire.Metric]] | Iterable[list[wire.MetricOfRun]],
    *,
    token: Callable[[], str | None] = lambda: None,
    empty: bytes = b"{}",
) -> Iterator[bytes]:
    """The JSON of {"metrics": [...]} piece by piece, one for each chunk; `empty` when there are no points at all.

    `token` is asked after the last chunk for the next_page_token.
    """
    first = True
    for chunk in chunks:
        if not chunk:
            continue
        yield (b'{"metrics":[' if first else b",") + _ENCODER.encode(chunk)[1:-1]
        first = False
    if first:
        yield empty
        return
    following = token()
    yield b"]," + b'"next_page_token":' + _ENCODER.encode(following) + b"}" if following else b"]}"


def doubles(values: F64) -> list[wire.Double]:
    """The values as JSON can carry them: numbers, and words where it has none."""
    found: list[wire.Double] = values.tolist()
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        found[i] = double(float(values[i]))
    return found


def double(value: float) -> wire.Double:
    """One value as JSON can carry it."""
    if math.isfinite(value):
        return value
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
