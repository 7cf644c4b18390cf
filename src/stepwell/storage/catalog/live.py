"""What waits in memory, laid over what is stored: a live summary is the total of its series and wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from stepwell.core.filters import Aggregate
from stepwell.core.series import Labels, value_keys
from stepwell.core.summary import Summary
from stepwell.storage.catalog import summaries
from stepwell.storage.catalog.sql import Connection
from stepwell.storage.catalog.summaries import UNLABELLED, StoredRun


class Live(NamedTuple):
    """A series with points that are not in blocks yet, and the summary of all its points."""

    run_key: int
    metric: str
    labels: Labels
    summary: Summary


# (run keys, metrics) -> live series of these, None standing for all. To be called before the snapshot that it is laid
# over: what is flushed in between is then in both, and neither is older than the call.
LiveSeries: TypeAlias = Callable[[Collection[int] | None, Collection[str] | None], Sequence[Live]]
_METRIC: Final = attrgetter("metric")
_LABELS: Final = attrgetter("labels")
ByRunAndMetric: TypeAlias = dict[tuple[int, str], dict[Labels, Summary]]
_NUMBER: Final[Mapping[Aggregate, Callable[[Summary], Any]]] = {
    Aggregate.LAST: attrgetter("last.value"),
    Aggregate.MIN: attrgetter("min.value"),
    Aggregate.MAX: attrgetter("max.value"),
    Aggregate.MEAN: attrgetter("mean"),
    Aggregate.COUNT: attrgetter("count"),
}


def lay_over(stored: ByRunAndMetric, live: Iterable[Live]) -> ByRunAndMetric:
    """`stored`, changed: live summaries put over it."""
    for series in live:
        stored.setdefault((series.run_key, series.metric), {})[series.labels] = series.summary
    return stored


def metrics_of_runs(
    conn: Connection, run_keys: Collection[int], metrics: Collection[str] | None, live: Sequence[Live]
) -> tuple[list[StoredRun], Sequence[Live]]:
    """Each metric of the runs once: its stored body or, where it has labels or is live, what sums up all of it."""
    runs, labels = summaries.bodies_of_runs(conn, run_keys, metrics)
    if len(labels) == 1 and not any(map(_LABELS, live)):  # as mostly: a live series is all there is of its metric
        return _without(runs, live), live
    joined = {(series.run_key, series.metric) for series in live}
    for run in runs:
        joined.update((run.key, metric) for metric, labels_id, _ in run.each() if labels_id != UNLABELLED)
    parts: ByRunAndMetric = {}
    for run in runs:
        for metric, labels_id, body in run.each():
            if (run.key, metric) in joined:
                parts.setdefault((run.key, metric), {})[labels[labels_id]] = summaries.decode(body)
    unions = [Live(*which, (), summaries.union(by_labels)) for which, by_labels in lay_over(parts, live).items()]
    return _without(runs, unions), unions


def _without(runs: list[StoredRun], live: Sequence[Live]) -> list[StoredRun]:
    known = defaultdict[int, set[str]](set)
    if runs:
        for series in live:
            known[series.run_key].add(series.metric)
    left = [run.without(known[run.key]) if run.key in known else run for run in runs]
    return [run for run in left if run.metrics]


class LiveValues:
    """The searched numbers of metrics in runs with live series, over all their label sets, as a search needs them."""

    def __init__(self, conn: Connection, live: Sequence[Live]) -> None:
        self._by_metric: dict[str, dict[int, Summary]] = {}
        labelled = summaries.labelled(conn, set(map(_METRIC, live)))
        for run_key, metric, _, summary in live:
            self._by_metric.setdefault(metric, {})[run_key] = summary
        if labelled:  # what is stored of the other label sets counts too; elsewhere the live series is all there is
            some = [series for series in live if series.metric in labelled]
            stored = summaries.load_runs(conn, {series.run_key for series in some}, sorted(labelled))
            for (run_key, metric), by_labels in lay_over(stored, some).items():
                self._by_metric[metric][run_key] = summaries.union(by_labels)

    def of(self, metric: str, aggregate: Aggregate) -> dict[int, int]:
        """Run key -> number, as in the table `run_metric`."""
        found = self._by_metric.get(metric, {})
        numbers = list(map(_NUMBER[aggregate], found.values()))
        if aggregate is not Aggregate.COUNT:
            numbers = value_keys(np.array(numbers, np.float64)).tolist()
        return dict(zip(found, numbers, strict=True))

    def runs_of(self, metric: str) -> list[int]:
        """Keys of the runs of which a metric is live."""
        return list(self._by_metric.get(metric, ()))

    def keep(self, metric: str, meets: Callable[[float], bool]) -> None:
        """Forget a metric of the runs of which the last value does not meet a condition."""
        found = self._by_metric.get(metric, {})
        self._by_metric[metric] = {key: summary for key, summary in found.items() if meets(summary.last.value)}
