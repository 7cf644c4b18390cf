"""Numbers about metrics where each step has one value: of its points the one with the greatest (time, arrival).

Only finite values count. The stored summaries serve wherever no step was written twice; otherwise the points are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stepwell.core.model import EVERYTHING, Selector
from stepwell.core.store import Store
from stepwell.core.summary import Summary

_TOGETHER: Final = 16  # metrics whose points are read at once
_ALL: Final = 2**62  # a sample of so many leaves nothing out


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStatistics:
    """Of the finite values of a metric, one a step. `variance` is that of the whole population; `count` is never 0."""

    count: int
    min: float
    max: float
    mean: float
    variance: float
    last_step: int
    last_value: float

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.variance)


def of_metrics(
    store: Store, *, workspace: str, known: Mapping[str, Mapping[str, Summary]]
) -> dict[str, dict[str, StepStatistics]]:
    """run id -> metric -> statistics, for the summaries that are known; metrics without a finite value are left out."""
    found: dict[str, dict[str, StepStatistics]] = {run_id: {} for run_id in known}
    reading: list[Selector] = []
    for run_id, metrics in known.items():
        for metric, summary in metrics.items():
            if summary.repeated_steps or not math.isfinite(summary.last.value):
                reading.append(Selector(run_id=run_id, metric=metric))
            elif summary.finite_count:
                found[run_id][metric] = _of_summary(summary, summary.last.step, summary.last.value)
    for selector, statistics in _read(store, workspace, reading):
        found[selector.run_id][selector.metric] = statistics
    return found


def _read(store: Store, workspace: str, reading: Sequence[Selector]) -> Iterable[tuple[Selector, StepStatistics]]:
    for place in range(0, len(reading), _TOGETHER):
        selectors = reading[place : place + _TOGETHER]
        for selector, each in zip(
            selectors,
            store.sample(workspace=workspace, selectors=selectors, window=EVERYTHING, limit=_ALL),
            strict=True,
        ):
            finite = np.flatnonzero(np.isfinite(each.points.value))
            if len(finite):
                points = each.points.take(finite)
                yield selector, _of_summary(Summary.of(points), int(points.step[-1]), float(points.value[-1]))


def _of_summary(summary: Summary, last_step: int, last_value: float) -> StepStatistics:
    return StepStatistics(
        count=summary.finite_count,
        min=summary.min.value,
        max=summary.max.value,
        mean=summary.mean,
        variance=summary.m2 / summary.finite_count,
        last_step=last_step,
        last_value=last_value,
    )
