"""From the native API's requests to core's values. Pure: no HTTP, no services. The other direction is in `render`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain, compress, repeat
from typing import Any

import numpy as np

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.ids import new_run_id, new_run_name
from stepwell.core.model import (
    Columns,
    Event,
    LogLine,
    NewExperiment,
    NewRun,
    PointBatch,
    RunWrite,
    Selector,
    Status,
    Window,
)
from stepwell.core.resources import Resource, Samples
from stepwell.core.series import F64, I64, INT64_MAX, INT64_MIN, Labels
from stepwell.dialects import note_tags
from stepwell.dialects.native import wire

ORIGIN = "native"
ALL_COLUMNS_RUNS = 1000  # runs whose every column one answer may hold
_ENDED = frozenset({Status.FINISHED, Status.FAILED, Status.KILLED})


def new_experiment(body: wire.NewExperiment, *, now: int) -> NewExperiment:
    """An experiment to make."""
    return NewExperiment(name=body.name, artifact_location=body.artifact_location, tags=body.tags, at=now)


def new_run(body: wire.NewRun, *, now: int) -> NewRun:
    """A run to make; what is not given is made here."""
    return NewRun(
        id=new_run_id() if body.id is None else body.id,
        experiment_id=body.experiment_id,
        name=new_run_name() if body.name is None else body.name,
        user=body.user,
        status=Status(body.status),
        artifact_uri=body.artifact_uri,
        origin=ORIGIN,
        start_time=now if body.start_time_us is None else body.start_time_us,
        params=body.params,
        tags=body.tags if body.note is None else {**body.tags, **note_tags(body.note)[0]},
        at=now,
    )


def points_write(run_id: str, body: wire.PointsWrite, *, now: int) -> RunWrite:
    """Points and changes of a run."""
    return run_write(run_id, body, now=now, batch=points(body.series, now=now) if body.series else None)


def raw_points_write(run_id: str, head: wire.RawPointsWrite, cells: I64, *, now: int) -> RunWrite:
    """The same, of the raw form."""
    return run_write(run_id, head, now=now, batch=raw_points(head.series, cells, now=now))


def run_write(run_id: str, body: wire.RunChange, *, now: int, batch: PointBatch | None = None) -> RunWrite:
    """Changes of a run, with points when there are some."""
    status = None if body.status is None else Status(body.status)
    ends_now = status in _ENDED and body.end_time_us is None
    setting, clearing = ({}, ()) if body.note is None else note_tags(body.note)
    return RunWrite(
        run_id=run_id,
        points=batch,
        params=body.params,
        set_tags={**body.set_tags, **setting},
        remove_tags=tuple(body.remove_tags),
        clear_tags=clearing,
        set_custom_info=body.set_custom_info,
        name=body.name,
        status=status,
        status_reason=body.status_reason,
        start_time=body.start_time_us,
        end_time=now if ends_now else body.end_time_us,
        at=now,
    )


def events(found: Sequence[wire.NewEvent], *, now: int) -> tuple[Event, ...]:
    """Events of a run. Invalid: a detail that is no text."""
    for position, each in enumerate(found):
        if "\0" in each.detail:
            raise Invalid(f"events[{position}].detail: holds a NUL", field=f"events[{position}].detail")
    return tuple(
        Event(time=now if e.time_us is None else e.time_us, kind=e.kind, text=e.text, detail=e.detail) for e in found
    )


def lines(found: Sequence[wire.NewLine], *, now: int) -> list[LogLine]:
    """Console lines."""
    return [
        LogLine(
            stream=each.stream,
            line=each.line,
            time=now if each.time_us is None else each.time_us,
            text=each.text,
            level=each.level,
        )
        for each in found
    ]


def points(series: Sequence[wire.SeriesPoints], *, now: int) -> PointBatch:
    """The points of a request. Invalid: columns of unequal length, a series named twice."""
    names = _names(series)
    for position, each in enumerate(series):
        _check_lengths(each, position)
    lengths = [len(each.steps) for each in series]
    if all(each.times_us is None for each in series):
        time = np.full(sum(lengths), now, np.int64)
    else:
        times = (repeat(now, len(each.steps)) if each.times_us is None else each.times_us for each in series)
        time = _column(times, np.int64, sum(lengths))
    return PointBatch(
        series=names,
        which=np.repeat(np.arange(len(series), dtype=np.int64), lengths),
        step=_column((each.steps for each in series), np.int64, sum(lengths)),
        time=time,
        value=_column((each.values for each in series), np.float64, sum(lengths)),  # reads the words of Number too
    )


def raw_points(series: Sequence[wire.RawSeries], cells: I64, *, now: int) -> PointBatch | None:
    """The same points in the raw form, which `raw.points` describes; None without series. Invalid: there are more or
    fewer cells than the rows need, a series is named twice."""
    names = _names(series)
    rows = [each.rows for each in series]
    timed = [each.times_us for each in series]
    count = sum(rows)
    needed = 2 * count + sum(compress(rows, timed))
    if needed != len(cells):
        raise Invalid(f"series: the rows of all need {needed} cells, the columns have {len(cells)}", field="series")
    if not series:
        return None
    time = cells[2 * count :]
    if not all(timed):
        given, time = time, np.full(count, now, np.int64)
        time[np.repeat(timed, rows)] = given
    return PointBatch(
        series=names,
        which=np.repeat(np.arange(len(rows)), rows),
        step=cells[:count],
        time=time,
        value=cells[count : 2 * count].view(np.float64),
    )


def _names(series: Sequence[wire.SeriesPoints] | Sequence[wire.RawSeries]) -> tuple[tuple[str, Labels], ...]:
    """Invalid: a series is named twice."""
    names = tuple([(each.metric, labels(each.labels) if each.labels else ()) for each in series])
    if len(set(names)) != len(names):
        raise Invalid("series: one metric with the same labels is there twice", field="series")
    return names


def _column(parts: Iterable[Iterable[Any]], kind: type[np.int64 | np.float64], length: int) -> Any:
    """One column of all parts at once: of many short series a column each would cost more than the numbers."""
    return np.fromiter(chain.from_iterable(parts), kind, length)


def _check_lengths(each: wire.SeriesPoints, position: int) -> None:
    count = len(each.steps)
    for name, column in (("values", each.values), ("times_us", each.times_us)):
        if column is not None and len(column) != count:
            field = f"series[{position}].{name}"
            raise Invalid(f"{field} has {len(column)} items, steps has {count}; they must be equally long", field=field)


def samples(given: Sequence[wire.ResourceSample]) -> Samples:
    """Samples of a task. Invalid: a percentage or time that is not finite, an empty device."""
    for i, each in enumerate(given):
        if each.device == "":
            raise Invalid(f"samples[{i}].device is empty", field=f"samples[{i}].device")
    return Samples(
        time=np.array([milliseconds(each.time, f"samples[{i}].time") for i, each in enumerate(given)], np.int64),
        device=tuple(each.device or "" for each in given),
        usage={resource: _usage(given, resource) for resource in Resource},
    )


def _usage(given: Sequence[wire.ResourceSample], resource: Resource) -> F64:
    column: list[float | None] = [getattr(each, resource.value) for each in given]
    for i, value in enumerate(column):
        if value is not None and not math.isfinite(value):
            field = f"samples[{i}].{resource.value}"
            raise Invalid(f"{field} is not a finite number", field=field)
    return np.array([math.nan if value is None else value for value in column], np.float64)


def milliseconds(time: float, field: str = "start_time") -> int:
    """A time in milliseconds, with the fraction as it was written, in whole microseconds, rounded down. Invalid."""
    if not math.isfinite(time):
        raise Invalid(f"{field} is not a finite number", field=field)
    return int(time) * 1000 if time.is_integer() else math.floor(Decimal(repr(time)) * 1000)


def labels(pairs: Mapping[str, str]) -> Labels:
    """Labels in their order."""
    return tuple(sorted(pairs.items()))


def label_arguments(arguments: Sequence[str]) -> Labels | None:
    """Labels from `label=name=value` arguments; None without any; () for one that is empty. Invalid."""
    if not arguments:
        return None
    if list(arguments) == [""]:
        return ()
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not name or name in pairs:
            raise Invalid(f"label {argument!r} is not of the form name=value, or names a label twice", field="label")
        pairs[name] = value
    return labels(pairs)


def selector(choice: wire.SeriesChoice) -> Selector:
    """The series that a body chooses."""
    return Selector(
        run_id=choice.run_id,
        metric=choice.metric,
        labels=None if choice.labels is None else labels(choice.labels),
    )


def window(asked: wire.Window | wire.PointsQuery | wire.BucketsQuery) -> Window:
    """Closed intervals; open ends are the ends of int64."""

    def bound(value: int | None, otherwise: int) -> int:
        return otherwise if value is None else value

    return Window(
        min_step=bound(asked.min_step, INT64_MIN),
        max_step=bound(asked.max_step, INT64_MAX),
        min_time=bound(asked.min_time_us, INT64_MIN),
        max_time=bound(asked.max_time_us, INT64_MAX),
    )


def columns(choice: wire.ColumnChoice, *, limit: int) -> Columns:
    """What a search of `limit` runs brings along. TooLarge: "*" for more than ALL_COLUMNS_RUNS of them."""
    if "*" in (choice.metrics, choice.params, choice.tags) and limit > ALL_COLUMNS_RUNS:
        raise TooLarge(
            f'limit is {limit}; with "*" for columns it may be {ALL_COLUMNS_RUNS} at most',
            field="limit",
            limit=ALL_COLUMNS_RUNS,
        )

    def names(chosen: wire.Names) -> tuple[str, ...] | None:
        return None if chosen == "*" else tuple(dict.fromkeys(chosen))

    return Columns(metrics=names(choice.metrics), params=names(choice.params), tags=names(choice.tags))


def buckets_request(query: wire.BucketsQuery) -> wire.BucketsRequest:
    """Every named metric of every named run, run by run."""
    return wire.BucketsRequest(
        series=[wire.SeriesChoice(run_id=run, metric=metric) for run in query.run_id for metric in query.metric],
        window=wire.Window(
            min_step=query.min_step,
            max_step=query.max_step,
            min_time_us=query.min_time_us,
            max_time_us=query.max_time_us,
        ),
        budget=query.budget,
        columns=query.column,
    )


def number(text: str, *, field: str) -> int:
    """An int64 in a path. Invalid."""
    if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise Invalid(f"{field} {text!r} is not a whole number", field=field)
    return int(text)
