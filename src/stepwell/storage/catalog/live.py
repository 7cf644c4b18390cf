"""What waits in memory, laid over what is stored: a live summary is the total of its series and wins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from stepwell.core.filters import Aggregate
from stepwell.core.series import Labels, value_key
from stepwell.core.summary import Summary
from stepwell.storage.catalog import summaries
from stepwell.storage.catalog.sql import Connection


class Live(NamedTuple):
    """A series with points that are not in blocks yet, and the summary of all its points."""

    run_key: int
    metric: str
    labels: Labels
    summary: Summary


# (run keys, metrics) -> live series of these, None standing for all. To be called before the snapshot that it is laid
# over: what is flushed in between is then in both, and neither is older than the call.
LiveSeries: TypeAlias = Callable[[Collection[int] | None, Collection[str] | None], Sequence[Live]]
ByRunAndMetric: TypeAlias = dict[tuple[int, str], dict[Labels, Summary]]
_NUMBER: Final[Mapping[Aggregate, Callable[[Summary], int]]] = {
    Aggregate.LAST: lambda summary: value_key(summary.last.value),
    Aggregate.MIN: lambda summary: value_key(summary.min.value),
    Aggregate.MAX: lambda summary: value_key(summary.max.value),
    Aggregate.MEAN: lambda summary: value_key(summary.mean),
    Aggregate.COUNT: lambda summary: summary.count,
}


def lay_over(stored: ByRunAndMetric, live: Iterable[Live]) -> ByRunAndMetric:
    """`stored`, changed: live summaries put over it."""
    for series in live:
        stored.setdefault((series.run_key, series.metric), {})[series.labels] = series.summary
    return stored


class LiveValues:
    """The searched numbers of metrics in runs with live series, over all their label sets, as a search needs them."""

    def __init__(self, conn: Connection, live: Sequence[Live]) -> None:
        over = lay_over(_stored_siblings(conn, live), live)
        self._by_metric: dict[str, dict[int, Summary]] = {}
        for (run_key, metric), by_labels in over.items():
            self._by_metric.setdefault(metric, {})[run_key] = summaries.union(by_labels)

    def of(self, metric: str, aggregate: Aggregate) -> dict[int, int]:
        """Run key -> number, as in the table `run_metric`."""
        number = _NUMBER[aggregate]
        return {run_key: number(summary) for run_key, summary in self._by_metric.get(metric, {}).items()}


def _stored_siblings(conn: Connection, live: Sequence[Live]) -> ByRunAndMetric:
    """What is stored of the live metrics that have labels somewhere; of the others the live series is all there is."""
    labelled = summaries.labelled(conn, {series.metric for series in live})
    if not labelled:
        return {}
    return summaries.load_runs(conn, {series.run_key for series in live if series.metric in labelled}, sorted(labelled))
