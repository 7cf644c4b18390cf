"""What a store must do, told with dictionaries: slow, obvious, and with nothing in common with an engine."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np

from stepwell.core.bounds import Kept
from stepwell.core.errors import AlreadyExists, Conflict, NotFound, StepwellError
from stepwell.core.filter_match import RowValues
from stepwell.core.filters import Aggregate
from stepwell.core.model import Lifecycle, PointBatch, Repeats, RunWrite, Selector, Window
from stepwell.core.series import Labels, Order, Points, value_key, value_of
from stepwell.core.summary import Summary

Name = tuple[str, Labels]
Stored = tuple[int, int, int, int, int]  # step, time, value key, occurrence, arrival


@dataclass(kw_only=True)
class ModelRun:
    """A run and all of its points, each series in the order of arrival."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    series: dict[Name, list[Stored]] = field(default_factory=dict)

    def points(self, metric: str, labels: Labels | None) -> list[Stored]:
        """Points of one series, or of all label sets of a metric."""
        names = [name for name in self.series if name[0] == metric and labels in (None, name[1])]
        return [point for name in names for point in self.series[name]]


class Model:
    """The runs of one workspace."""

    def __init__(self) -> None:
        self.runs: dict[str, ModelRun] = {}
        self.arrived = 0

    def create(self, run_id: str, params: dict[str, str], tags: dict[str, str]) -> type[StepwellError] | None:
        """Make a run; what is refused with."""
        if run_id in self.runs:
            return AlreadyExists
        self.runs[run_id] = ModelRun(params=dict(params), tags=dict(tags))
        return None

    def purge(self, run_ids: Sequence[str]) -> int:
        """Forget runs; how many there were."""
        return sum(self.runs.pop(run_id, None) is not None for run_id in dict.fromkeys(run_ids))

    def write(self, writes: Sequence[RunWrite]) -> type[StepwellError] | None:
        """All or nothing; what is refused with."""
        before = copy.deepcopy(self.runs), self.arrived
        for write in writes:
            refused = self._apply(write)
            if refused is not None:
                self.runs, self.arrived = before
                return refused
        return None

    def _apply(self, write: RunWrite) -> type[StepwellError] | None:
        run = self.runs.get(write.run_id)
        if run is None:
            return NotFound
        only_deletes = write == RunWrite(
            run_id=write.run_id, lifecycle=Lifecycle.DELETED, repeats=write.repeats, at=write.at
        )
        if run.deleted and write.lifecycle is not Lifecycle.ACTIVE and not only_deletes:
            return Conflict
        if any(run.params.get(name, value) != value for name, value in write.params.items()):
            return Conflict
        if any(name not in run.tags for name in write.remove_tags):
            return NotFound
        if write.lifecycle is not None:
            run.deleted = write.lifecycle is Lifecycle.DELETED
        if write.points is not None and run.deleted:
            return Conflict
        run.params |= write.params
        for name in write.remove_tags:
            del run.tags[name]
        run.tags |= write.set_tags
        if write.points is not None:
            self._add(run, write.points, append=write.repeats is Repeats.APPEND)
        return None

    def _add(self, run: ModelRun, batch: PointBatch, *, append: bool) -> None:
        for which, step, time, value in zip(
            batch.which.tolist(), batch.step.tolist(), batch.time.tolist(), batch.value.tolist(), strict=True
        ):
            series = run.series.setdefault(batch.series[which], [])
            key = value_key(value)
            equal = max((point[3] + 1 for point in series if point[:3] == (step, time, key)), default=0)
            if not equal or append:
                series.append((step, time, key, equal, self.arrived))
                self.arrived += 1

    def expire(self, kept: Kept) -> int:
        """Forget points that are not to be kept; how many."""
        gone = 0
        for run in self.runs.values():
            for name, points in run.series.items():
                ordered = sorted(points)
                stays = [
                    point
                    for point in ordered
                    if kept.since is None or point[1] >= kept.since or point[:3] == ordered[-1][:3]
                ]
                run.series[name] = sorted(stays[-(kept.latest or len(stays)) :], key=itemgetter(4))
                gone += len(points) - len(run.series[name])
        return gone

    def points(self, which: Selector) -> list[Stored]:
        """What a selector selects, in no order."""
        run = self.runs.get(which.run_id)
        return [] if run is None else run.points(which.metric, which.labels)

    def read(self, which: Selector, order: Order, window: Window) -> list[Stored]:
        """Points of a window in an order."""
        inside = [
            point
            for point in self.points(which)
            if window.min_step <= point[0] <= window.max_step and window.min_time <= point[1] <= window.max_time
        ]
        return sorted(inside, key=lambda point: place(point, order))

    def values(self, run_id: str) -> RowValues:
        """What a search sees of a run."""
        run = self.runs[run_id]
        metrics = {}
        for metric in {metric for metric, _ in run.series}:
            whole = Summary.of(columns(sorted(run.points(metric, None))))
            metrics[metric] = {
                Aggregate.LAST: whole.last.value,
                Aggregate.MIN: whole.min.value,
                Aggregate.MAX: whole.max.value,
                Aggregate.MEAN: whole.mean,
                Aggregate.COUNT: float(whole.count),
            }
        return RowValues(metrics=metrics, params=run.params, tags=run.tags, attributes={"run_id": run_id})


def place(point: Stored, order: Order) -> tuple[int, ...]:
    """Where a point stands in an order: what a cursor remembers of it."""
    step, time, key, occurrence, arrival = point
    match order:
        case Order.KEY:
            return (step, time, key, occurrence, arrival)
        case Order.TIME:
            return (time, step, key, occurrence, arrival)
    return (arrival,)


def columns(points: Iterable[Stored]) -> Points:
    """Points as the core has them."""
    rows = np.array(list(points), np.int64).reshape(-1, 5)
    return Points(
        step=rows[:, 0].copy(),
        time=rows[:, 1].copy(),
        value=np.array([value_of(key) for key in rows[:, 2].tolist()], np.float64),
        occurrence=rows[:, 3].copy(),
        arrival=rows[:, 4].copy(),
    )
