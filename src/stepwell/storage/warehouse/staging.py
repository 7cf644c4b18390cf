"""Points of some writes on their way into the journal: freed of what is stored already, numbered, summed up.

Repeats go before the journal, so that neither it nor ClickHouse ever holds two points of one identity, and summaries
are plain increments. However many writes there are, PostgreSQL is asked as often as for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets
from stepwell.core.model import PointBatch
from stepwell.core.series import I64, Points, ascending, canonical, value_key, value_keys
from stepwell.core.summary import Sample, Summary, repeated_steps
from stepwell.storage.catalog import series, summaries
from stepwell.storage.catalog.quotas import Quotas
from stepwell.storage.catalog.series import Name
from stepwell.storage.pacing import Pace
from stepwell.storage.warehouse import cuts, journal
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.names import KnownNames
from stepwell.storage.warehouse.points import Cut, PointTables, Rows, hidden, rising
from stepwell.storage.warehouse.prepared import Blobs
from stepwell.storage.warehouse.remembered import Remembered

_PLACE: Final = 4  # columns of an identity but the occurrence
_SEARCHED: Final = ("lasts", "mins", "maxs", "means", "metric_counts")  # as `summaries.searched` tells them
Ensure: TypeAlias = Callable[[Connection, int, Sequence[Name]], list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """What is known of a series: its metric, whether any series of that has labels, and its summary."""

    metric: int
    labelled: bool
    summary: Summary | None


class Stage:
    """Where points go from a transaction that has locked the rows of their runs. For the thread that writes."""

    def __init__(self, tables: PointTables, *, quotas: Quotas, remembered: Remembered, pace: Pace) -> None:
        """`remembered` is told what goes into the journal, `pace` how much."""
        self._tables = tables
        self._quotas = quotas
        self._remembered = remembered
        self._pace = pace
        self._names = KnownNames()
        self.counters = {"points": 0, "duplicates": 0}

    def admit(self, connection: Connection, workspace: str, run_key: int, batch: PointBatch) -> None:
        """Let points in before they are added. QuotaExceeded."""
        self._quotas.admit_points(connection, workspace, run_key, batch.series, len(batch))

    def rolled_back(self) -> None:
        """The transaction that added last is not to be."""
        self._names.forget()

    def add(
        self,
        connection: Connection,
        writes: Sequence[tuple[int, PointBatch]],
        *,
        append: bool = False,
        server: int | None = None,
    ) -> None:
        """Put points of runs, each named by its key, into the journal and into the summaries. `server`: a number that
        the server has until it is started again; None where the transaction may go on after this has failed, and then
        nothing that is made here is remembered."""
        if server is not None:
            self._names.meet(server)
        ensure = series.ensure if server is None else self._names.ensure
        parts = [
            _rows(run_key, _keys(ensure, connection, run_key, batch), batch)
            for run_key, batch in sorted(writes, key=itemgetter(0))
            if len(batch)
        ]
        rows = _arrived(parts)
        given = len(rows)
        if not given:
            return
        grouped = _Grouped.of(rows)
        stored, first = _load(connection, grouped.keys, given)
        if not grouped.follows(stored):
            rows = self._freed(connection, rows, stored, append=append)
            grouped = _Grouped.of(rows)
        if len(rows):
            for part, number in _store(connection, rows, grouped, stored, first):
                self._remembered.add(part, first_arrival=number)
            self._pace.took(len(rows))
        self._quotas.settled()  # whoever counts in this transaction sees them
        self.counters["points"] += len(rows)
        self.counters["duplicates"] += given - len(rows)

    def _freed(self, connection: Connection, rows: Rows, stored: Mapping[int, _Series], *, append: bool) -> Rows:
        """Those that are not stored yet; with `append` all, with the occurrences that they get."""
        old = ~_above(rows, stored)
        if append:
            return _numbered(rows, _free(connection, self._tables, rows, old))
        rows, old = _once(rows, old)
        hiding = list(cuts.of_series(connection, stored).values()) if old.any() else []
        again = old & hidden(rows, hiding, whenever=True)
        fresh = ~_stored(connection, self._tables, rows, old, hiding)
        rows, again = rows.take(fresh), again[fresh]
        if again.any():  # what is hidden has the same identity, and is perhaps still there
            rows = _numbered(rows, _free(connection, self._tables, rows, again))
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grouped:
    """Points by run, series and key: from one edge to the next those of one series."""

    rows: Rows
    edges: I64
    different: bool  # whether no two are known to be the same

    @classmethod
    def of(cls, rows: Rows) -> _Grouped:
        columns = (rows.run, *rows.identities())
        places = rising(columns, lead=2)
        grouped = rows.take(np.lexsort(columns[::-1]) if places is None else places)
        begins = np.flatnonzero(grouped.series[1:] != grouped.series[:-1]) + 1
        edges = np.concatenate([[0], begins, [len(rows)]]).astype(np.int64) if len(rows) else np.zeros(1, np.int64)
        return cls(rows=grouped, edges=edges, different=places is not None)

    @property
    def keys(self) -> I64:
        """Of the series, each once."""
        return self.rows.series[self.edges[:-1]]

    def follows(self, stored: Mapping[int, _Series]) -> bool:
        """Whether all are different and above the greatest of their series: then none of them can be stored yet."""
        firsts = self.rows.take(self.edges[:-1])
        columns = (firsts.series, firsts.points.step, firsts.points.time, value_keys(firsts.points.value))
        return self.different and all(
            (summary := stored[key].summary) is None or (step, time, value) > _place(summary.last)
            for key, step, time, value in zip(*(column.tolist() for column in columns), strict=True)
        )


def _keys(ensure: Ensure, connection: Connection, run_key: int, batch: PointBatch) -> I64:
    """For each point the key of its series."""
    if len(batch.series) == 1:
        return np.full(len(batch), ensure(connection, run_key, batch.series)[0], np.int64)
    used = np.bincount(batch.which, minlength=len(batch.series)) > 0
    names = batch.series if used.all() else [batch.series[number] for number in np.flatnonzero(used).tolist()]
    keys = np.zeros(len(used), np.int64)
    keys[used] = ensure(connection, run_key, names)
    return keys[batch.which]


def _rows(run_key: int, keys: I64, batch: PointBatch) -> Rows:
    none = np.zeros(len(batch), np.int64)
    points = Points(step=batch.step, time=batch.time, value=canonical(batch.value), occurrence=none, arrival=none)
    return Rows(run=np.full(len(batch), run_key, np.int64), series=keys, points=points)


def _arrived(parts: Sequence[Rows]) -> Rows:
    """All one behind another, numbered so."""
    rows = Rows.concat(parts)
    return replace(rows, points=replace(rows.points, arrival=np.arange(len(rows))))


def _load(connection: Connection, keys: I64, count: int) -> tuple[dict[int, _Series], int]:
    """What is known of some series, and the first of so many arrival numbers. Those of repeats are given to nobody."""
    found = connection.ask(journal.SQL["stored"], {"keys": keys, "count": count})
    stored = {
        key: _Series(metric=metric, labelled=bool(labelled), summary=None if body is None else summaries.decode(body))
        for key, metric, labelled, body, _ in found
    }
    return stored, found[0][-1]


def _store(
    connection: Connection, rows: Rows, grouped: _Grouped, stored: Mapping[int, _Series], first: int
) -> list[tuple[Rows, int]]:
    """Store points, numbered from the first number on, with what they change of the summaries. The points of each run,
    and the first number of those."""
    merged = _merged(grouped, stored)
    alone = [(key, run, each) for key, run, each in merged if not stored[key].labelled]
    ends = _ends(rows)
    firsts = first + ends[:-1]
    parts = [rows.take(slice(low, high)) for low, high in pairwise(ends.tolist())]
    payloads = Blobs(
        journal.encode(part, run_key=int(part.run[0]), first_arrival=number)
        for part, number in zip(parts, firsts.tolist(), strict=True)
    )
    values: dict[str, Any] = {
        "runs": rows.run[ends[:-1]],
        "firsts": firsts,
        "counts": np.diff(ends),
        "ends": firsts + np.diff(ends),
        "payloads": payloads,
        "series": np.array([key for key, *_ in alone], np.int64),
        "bodies": Blobs(summaries.encode(summary) for *_, summary in alone),
        "metrics": np.array([stored[key].metric for key, *_ in alone], np.int64),
        "metric_runs": np.array([run for _, run, _ in alone], np.int64),
    }
    searched = np.array([summaries.searched(summary) for *_, summary in alone], np.int64).reshape(-1, 5)
    values |= zip(_SEARCHED, searched.T, strict=True)
    connection.ask(journal.SQL["add"], values)
    shared = [(key, summary) for key, _, summary in merged if stored[key].labelled]
    if shared:  # what is searched of their metrics is the union of several
        summaries.store(connection, shared)
    return list(zip(parts, firsts.tolist(), strict=True))


def _ends(rows: Rows) -> I64:
    """Where each run begins, and the last one ends. The rows of each run stand together."""
    return np.concatenate([[0], np.flatnonzero(rows.run[1:] != rows.run[:-1]) + 1, [len(rows)]]).astype(np.int64)


def _above(rows: Rows, stored: Mapping[int, _Series]) -> NDArray[np.bool_]:
    """Which points are above the greatest of their series: those cannot be stored yet."""
    keys, which = np.unique(rows.series, return_inverse=True)
    found = [stored[key].summary for key in keys.tolist()]
    known = np.array([summary is not None for summary in found], np.bool_)
    lasts = [(0, 0, 0) if summary is None else _place(summary.last) for summary in found]
    above, equal = ~known[which], known[which]
    bounds = [np.array(column, np.int64) for column in zip(*lasts, strict=True)]
    columns = (rows.points.step, rows.points.time, value_keys(rows.points.value))
    for column, bound in zip(columns, bounds, strict=True):
        above |= equal & (column > bound[which])
        equal &= column == bound[which]
    return above


def _once(rows: Rows, old: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.bool_]]:
    """Each point once: the first of those that are equal, in the order of arrival."""
    columns = rows.identities()[:_PLACE]
    if ascending(columns).all():
        return rows, old
    order = np.lexsort((rows.points.arrival, *columns[::-1]))
    same = np.all([column[order][1:] == column[order][:-1] for column in columns], axis=0)
    if not same.any():
        return rows, old
    kept = np.sort(order[np.concatenate([[True], ~same])])
    return rows.take(kept), old[kept]


def _stored(
    connection: Connection, tables: PointTables, rows: Rows, old: NDArray[np.bool_], hiding: Sequence[Cut]
) -> NDArray[np.bool_]:
    """Which points are stored already, and not hidden. The journal is read first: what is moved meanwhile is then in
    both."""
    found = np.zeros(len(rows), np.bool_)
    if not old.any():
        return found
    asked = rows.take(old)
    waits = _waiting(connection, asked)
    waiting = {place[:_PLACE] for place in _places(waits.take(~hidden(waits, hiding)))}
    here = np.array([place[:_PLACE] in waiting for place in _places(asked)], np.bool_)
    if not here.all():
        here[~here] = tables.stored(asked.take(~here), hiding)
    found[old] = here
    return found


def _free(connection: Connection, tables: PointTables, rows: Rows, old: NDArray[np.bool_]) -> I64:
    """For each point the least occurrence that no stored one has."""
    free = np.zeros(len(rows), np.int64)
    if not old.any():
        return free
    asked = rows.take(old)
    waiting: dict[tuple[int, ...], int] = {}
    for *place, occurrence in _places(_waiting(connection, asked)):
        waiting[tuple(place)] = max(occurrence, waiting.get(tuple(place), -1))
    here = np.array([waiting.get(place[:_PLACE], -1) + 1 for place in _places(asked)], np.int64)
    free[old] = np.maximum(here, tables.occurrences(asked))
    return free


def _numbered(rows: Rows, free: I64) -> Rows:
    """Equal points one behind another, from the first free occurrence on."""
    columns = rows.identities()[:_PLACE]
    order = np.lexsort((rows.points.arrival, *columns[::-1]))
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    begins = np.flatnonzero(fresh)
    occurrence = free.copy()
    occurrence[order] += np.arange(len(order)) - begins[np.cumsum(fresh) - 1]
    return replace(rows, points=replace(rows.points, occurrence=occurrence))


def _merged(grouped: _Grouped, stored: Mapping[int, _Series]) -> list[tuple[int, int, Summary]]:
    """The keys of the series with new points, those of their runs, and their summaries with these points."""
    edges, fresh = grouped.edges, _summaries(grouped.rows.points, grouped.edges)
    named = zip(grouped.keys.tolist(), grouped.rows.run[edges[:-1]].tolist(), fresh, strict=True)
    return [
        (key, run, summary if (last := stored[key].summary) is None else last.merge(summary))
        for key, run, summary in named
    ]


def _summaries(points: Points, edges: I64) -> list[Summary]:
    """Of the points from each edge to the next."""
    if len(points) == len(edges) - 1:  # one of each series: columns would take longer
        columns = points.step.tolist(), points.time.tolist(), points.value.tolist()
        return [Summary.of_one(*each) for each in zip(*columns, strict=True)]
    return Summary.rows(Buckets.of(points, edges), repeated_steps(points, edges))


def _place(last: Sample) -> tuple[int, int, int]:
    return last.step, last.time, value_key(last.value)


def _waiting(connection: Connection, asked: Rows) -> Rows:
    """What waits in the journal of the series of some points."""
    runs = np.unique(asked.run).tolist()
    return journal.of_runs(connection, runs).of_series([int(key) for key in np.unique(asked.series)])


def _places(rows: Rows) -> list[tuple[int, ...]]:
    return list(zip(*(column.tolist() for column in rows.identities()), strict=True))
