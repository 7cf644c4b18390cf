"""What a start found in the journal, until it is in the head. Reading the journal is in recovery.py.

To bring back a series costs a look into four tables and some objects, so of very many series each waits until it is
asked for, written to or flushed. A series comes back whole, so nobody sees a part of it. The writer thread alone brings
series back; others ask it to and wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple, Self

import apsw
import numpy as np
from numpy.typing import NDArray

from stepwell.core.errors import Corrupt
from stepwell.core.series import I64, INT64_MAX, Order, distinct
from stepwell.storage.catalog import series as series_table
from stepwell.storage.embedded import blocks, journal, mending
from stepwell.storage.embedded.blocks import Blocks
from stepwell.storage.embedded.database import database_errors
from stepwell.storage.embedded.head import Head, Series
from stepwell.storage.embedded.pieces import ARRIVAL, Piece, points_of
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.embedded.writer import Request

PIECE: Final = 2_000  # series brought back at a time: commits wait meanwhile

Submit = Callable[[Request], Future[Any]]
_log = logging.getLogger("stepwell.storage")


class Part(NamedTuple):
    """Points that arrived one after another, sorted by series and key. `keys` are the series, rising; the rows of
    series i are those between edges[i] and edges[i+1].
    """

    keys: I64
    edges: I64
    rows: I64  # as in the head

    @classmethod
    def of(cls, columns: I64, arrivals: I64) -> Self:
        """Columns as in `journal.Entry`, and the arrival numbers."""
        rows = np.concatenate((columns[1:], arrivals[np.newaxis]))
        order = np.lexsort((*points_of(rows).sort_columns(Order.KEY)[::-1], columns[0]))
        keys = columns[0][order]
        edges = np.flatnonzero(np.diff(keys, prepend=-1, append=-1))
        return cls(keys[edges[:-1]], edges, rows.take(order, axis=1))  # in C order, which answers are made of

    def take(self, series_keys: I64) -> Self:
        """Those of the series that are in here."""
        which = _places(self.keys, series_keys)
        starts, lengths = self.edges[which], np.diff(self.edges)[which]
        edges = np.append(0, np.cumsum(lengths))
        places = np.arange(edges[-1]) + np.repeat(starts - edges[:-1], lengths)
        return type(self)(self.keys[which], edges, self.rows.take(places, axis=1))

    def after(self, moved: I64) -> Self:
        """Without the points whose arrival is not above the number of their series."""
        kept = self.rows[ARRIVAL] > np.repeat(moved, np.diff(self.edges))
        if kept.all():
            return self
        keys = np.repeat(self.keys, np.diff(self.edges))[kept]
        edges = np.flatnonzero(np.diff(keys, prepend=-1, append=-1))
        return type(self)(keys[edges[:-1]], edges, self.rows.compress(kept, axis=1))

    def piece(self, head: Head, series: dict[int, Series | None]) -> Piece:
        """The same for the head, which learns of the series."""
        found = [one for key in self.keys.tolist() if (one := series[key]) is not None]
        for one in found:
            if one.slot < 0:
                head.admit(one)
        return Piece(np.fromiter((one.slot for one in found), np.int64, len(found)), self.edges, self.rows)


class Backlog:
    """Series of the journal that are not in the head yet.

    keep_from: the journal from this arrival on holds points that only a repair can move; None: it holds none.
    """

    def __init__(self, head: Head, cache: Blocks, parts: Sequence[Part]) -> None:
        self._head = head
        self._cache = cache
        self._parts = list(parts)
        self._keys = _joined([part.keys for part in parts])
        self._waits = np.ones(len(self._keys), np.bool_)
        self.series = len(self._keys)
        self.keep_from: int | None = None
        head.owe(points=sum(part.rows.shape[1] for part in parts), series=self.series)

    def keys(self) -> I64:
        """All series that wait, rising."""
        return self._keys[self._waits]

    def among(self, series_keys: Iterable[int]) -> I64:
        """Those of the series that wait, rising."""
        places = _places(self._keys, distinct(np.fromiter(series_keys, np.int64)))
        return self._keys[places[self._waits[places]]]

    def bring_back(self, series_keys: Iterable[int], submit: Submit) -> None:
        """Have the writer thread bring back those of the series that wait; all are in the head afterwards."""
        keys = self.among(series_keys)
        for first in range(0, len(keys), PIECE):
            run = partial(self._run, keys[first : first + PIECE])
            submit(Request(run=run, alone=True, essential=True, guarded=False)).result()

    def _run(self, series_keys: I64, connection: apsw.Connection, stage: Stage) -> None:
        self.load(connection, series_keys)

    def load(self, connection: apsw.Connection, series_keys: Iterable[int]) -> None:
        """Bring series back into the head. Others may have been brought meanwhile. The writer thread alone calls this.

        Points of purged runs are left out, and those that a flush had moved before the power went. The blocks behind a
        damaged summary give it anew. Points of a series of which too much is damaged stay in the journal: reading the
        series tells of the damage, and nothing can be added to it.
        """
        keys = self.among(series_keys)
        if not len(keys):
            return
        found = _Found()
        _load(connection, self._head, self._cache, keys, found)
        taken = [part.take(keys) for part in self._parts]
        self._keep(connection, taken, found)
        moved = [part.after(np.array([found.moved_up_to(key) for key in part.keys.tolist()])) for part in taken]
        self._head.publish([part.piece(self._head, found.series) for part in moved], end=self._head.end)
        self._waits[_places(self._keys, keys)] = False
        self.series -= len(keys)
        self._head.owe(points=-sum(part.rows.shape[1] for part in taken), series=-len(keys))
        if not self.series:
            self._parts.clear()

    def _keep(self, connection: apsw.Connection, taken: list[Part], found: _Found) -> None:
        waiting = np.array(sorted(found.waiting), np.int64)
        arrivals = _joined([part.take(waiting).rows[ARRIVAL] for part in taken])
        if len(arrivals):
            first = journal.row_of(connection, int(arrivals[0]))
            self.keep_from = first if self.keep_from is None else min(first, self.keep_from)


@dataclass(slots=True)
class _Found:
    """What the database knows of series in the journal. None: of a purged run, or its points must wait."""

    series: dict[int, Series | None] = field(default_factory=dict)
    flushed: dict[int, int] = field(default_factory=dict)  # the greatest arrival in blocks
    waiting: set[int] = field(default_factory=set)

    def moved_up_to(self, key: int) -> int:
        """The arrival up to which nothing of a series belongs into the head."""
        return INT64_MAX if self.series[key] is None else self.flushed.get(key, -1)


def _load(connection: apsw.Connection, head: Head, cache: Blocks, keys: I64, found: _Found) -> None:
    try:
        _look_up(connection, cache, keys.tolist(), found)
    except Corrupt:
        for key in keys.tolist():
            try:
                _look_up(connection, cache, [key], found)
            except Corrupt as error:
                found.series[key] = None
                found.waiting.add(key)
                _hold(connection, head, key, f"points of series {key} wait in the journal: {error.message}")


def _hold(connection: apsw.Connection, head: Head, key: int, damage: str) -> None:
    _log.error(damage, extra={"action": "series_damaged"})
    try:
        with database_errors():
            described = series_table.describe(connection, [key], by_index=True).get(key)
    except Corrupt:
        head.nameless = damage
        return
    if described is not None:
        name = (described.metric, described.labels)
        head.hold(Series(key=key, run_key=described.run_key, name=name, stored=None, damage=damage))


def _look_up(connection: apsw.Connection, cache: Blocks, keys: list[int], found: _Found) -> None:
    """Corrupt, and nothing changed but summaries mended, when something about them cannot be read."""
    with database_errors():
        described = series_table.describe(connection, keys)
        stored = mending.load(connection, cache, keys)
        headers = blocks.headers_of_many(connection, stored) if stored else []
    for key in keys:
        found.series[key] = None
        if (one := described.get(key)) is not None:
            name = (one.metric, one.labels)
            found.series[key] = Series(key=key, run_key=one.run_key, name=name, stored=stored.get(key))
    for header in headers:
        found.flushed[header.series_key] = max(header.max_arrival, found.flushed.get(header.series_key, -1))


def _places(keys: I64, wanted: I64) -> I64:
    """Where those of the wanted are that are among the keys; both rise."""
    places = np.searchsorted(keys, wanted)
    there = places < len(keys)
    there[there] = keys[places[there]] == wanted[there]
    found: I64 = places[there]
    return found


def _joined(columns: Sequence[NDArray[np.int64]]) -> I64:
    """What is in some of them, each once, rising."""
    return distinct(np.concatenate([np.empty(0, np.int64), *columns]))
