"""Points of one write on their way into the journal: freed of what is stored already, numbered, summed up.

Repeats go before the journal, so that neither it nor ClickHouse ever holds two points of one identity, and summaries
are plain increments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets
from stepwell.core.model import PointBatch
from stepwell.core.series import I64, INT64_MAX, Points, canonical, value_key, value_keys
from stepwell.core.summary import Summary, repeated_steps
from stepwell.storage.catalog import series, summaries
from stepwell.storage.warehouse import journal
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.points import PointTables, Rows

_PLACE: Final = 4  # columns of an identity but the occurrence


def add(connection: Connection, tables: PointTables, run_key: int, batch: PointBatch, *, append: bool) -> int:
    """Put points into the journal and into the summaries; how many were new. The run's row is locked."""
    if not len(batch):
        return 0
    used, which = np.unique(batch.which, return_inverse=True)
    keys = series.ensure(connection, run_key, [batch.series[number] for number in used.tolist()])
    stored = summaries.load(connection, keys)
    rows = _rows(run_key, np.array(keys, np.int64)[which], batch)
    old = ~_above(rows, stored)
    if append:
        rows = _numbered(rows, _free(connection, tables, run_key, rows, old))
    else:
        rows, old = _once(rows, old)
        rows = rows.take(~_stored(connection, tables, run_key, rows, old))
    if len(rows):
        journal.add(connection, run_key, rows)
        summaries.store(connection, _merged(rows, stored))
    return len(rows)


def _rows(run_key: int, keys: I64, batch: PointBatch) -> Rows:
    none = np.zeros(len(batch), np.int64)
    points = Points(
        step=batch.step, time=batch.time, value=canonical(batch.value), occurrence=none, arrival=np.arange(len(batch))
    )
    return Rows(run=np.full(len(batch), run_key, np.int64), series=keys, points=points)


def _above(rows: Rows, stored: Mapping[int, Summary]) -> NDArray[np.bool_]:
    """Which points are above the greatest of their series: those cannot be stored yet."""
    keys, which = np.unique(rows.series, return_inverse=True)
    known = np.array([key in stored for key in keys.tolist()], np.bool_)
    lasts = [stored[key].last if key in stored else (0, 0, 0.0) for key in keys.tolist()]
    above, equal = ~known[which], known[which]
    bounds = [np.array(column, np.int64) for column in zip(*((s, t, value_key(v)) for s, t, v in lasts), strict=True)]
    columns = (rows.points.step, rows.points.time, value_keys(rows.points.value))
    for column, bound in zip(columns, bounds, strict=True):
        above |= equal & (column > bound[which])
        equal &= column == bound[which]
    return above


def _once(rows: Rows, old: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.bool_]]:
    """Each point once: the first of those that are equal, in the order of arrival."""
    columns = rows.identities()[:_PLACE]
    order = np.lexsort((rows.points.arrival, *columns[::-1]))
    same = np.all([column[order][1:] == column[order][:-1] for column in columns], axis=0)
    if not same.any():
        return rows, old
    kept = np.sort(order[np.concatenate([[True], ~same])])
    return rows.take(kept), old[kept]


def _stored(
    connection: Connection, tables: PointTables, run_key: int, rows: Rows, old: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which points are stored already. The journal is read first: what is moved meanwhile is then in both."""
    found = np.zeros(len(rows), np.bool_)
    if not old.any():
        return found
    asked = rows.take(old)
    waiting = {place[:_PLACE] for place in _places(journal.of_runs(connection, [run_key]).of_series(_keys(asked)))}
    here = np.array([place[:_PLACE] in waiting for place in _places(asked)], np.bool_)
    if not here.all():
        here[~here] = tables.arrivals(asked.take(~here)) != INT64_MAX
    found[old] = here
    return found


def _free(connection: Connection, tables: PointTables, run_key: int, rows: Rows, old: NDArray[np.bool_]) -> I64:
    """For each point the least occurrence that no stored one has."""
    free = np.zeros(len(rows), np.int64)
    if not old.any():
        return free
    asked = rows.take(old)
    waiting: dict[tuple[int, ...], int] = {}
    for *place, occurrence in _places(journal.of_runs(connection, [run_key]).of_series(_keys(asked))):
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


def _merged(rows: Rows, stored: Mapping[int, Summary]) -> list[tuple[int, Summary]]:
    """The summaries of the series with their new points."""
    keys, points = rows.series, rows.points
    order = np.lexsort((points.occurrence, value_keys(points.value), points.time, points.step, keys))
    keys, points = keys[order], points.take(order)
    begins = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    edges = np.append(begins, len(keys)).astype(np.int64)
    fresh = Summary.rows(Buckets.of(points, edges), repeated_steps(points, edges))
    return [
        (key, stored[key].merge(summary) if key in stored else summary)
        for key, summary in zip(keys[begins].tolist(), fresh, strict=True)
    ]


def _keys(rows: Rows) -> Sequence[int]:
    return [int(key) for key in np.unique(rows.series)]


def _places(rows: Rows) -> list[tuple[int, ...]]:
    return list(zip(*(column.tolist() for column in rows.identities()), strict=True))
