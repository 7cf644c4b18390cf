"""One group commit's points: resolved to series, freed of duplicates, numbered, journalled, then published to the head.

Duplicates go before the journal, so that journal, head and blocks never hold one and summaries are plain increments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import apsw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stepwell.core.errors import Corrupt
from stepwell.core.model import OnePoint, PointBatch
from stepwell.core.series import F64, I64, Points, canonical, value_keys
from stepwell.core.summary import Summary
from stepwell.storage.embedded import journal
from stepwell.storage.embedded.blocks import having
from stepwell.storage.embedded.head import Head, Name, Series
from stepwell.storage.embedded.pieces import (
    ARRIVAL,
    BITS,
    COLUMNS,
    OCCURRENCE,
    STEP,
    TIME,
    Piece,
    edges_of,
    identities,
    keys_of,
    points_of,
)


class SeriesTable(Protocol):
    """The database's series, by name and by key."""

    def ensure(
        self, connection: apsw.Connection, run_key: int, names: Sequence[Name]
    ) -> list[tuple[int, Summary | None]]:
        """Key and stored summary of each, made where missing."""
        ...


# Points in blocks: series key, steps, least and greatest time.
Stored = Callable[[apsw.Connection, int, I64, int, int], Points]


@dataclass(slots=True)
class _Added:
    run_key: int
    batch: PointBatch
    append: bool


class Stage:
    """The points of the group that is being committed. Made anew for each group; used by the writer thread alone."""

    def __init__(self, *, head: Head, table: SeriesTable, stored: Stored, compressor: journal.Compressor) -> None:
        self._head = head
        self._table = table
        self._stored = stored
        self._compressor = compressor
        self._added: list[_Added] = []
        self._piece: Piece | None = None
        self._end = 0
        self.duplicates = 0
        head.begin()

    def add(self, run_key: int, batch: PointBatch, *, append: bool) -> None:
        """Take a batch. `append`: exact repeats get the next free occurrence instead of being dropped."""
        if len(batch):
            self._added.append(_Added(run_key, batch, append))

    def mark(self) -> int:
        """Where to return to with `reset`."""
        return len(self._added)

    def reset(self, mark: int) -> None:
        """Forget what was added since `mark`: its request failed."""
        del self._added[mark:]

    def journal(self, connection: apsw.Connection, *, first_arrival: int) -> int:
        """Write the group's points into the open transaction; how many are new."""
        if not self._added:
            return 0
        rows = self._rows(self._resolve(connection))
        edges = edges_of(rows.which)
        keep = self._judge(connection, rows, edges)
        rises = keep is None
        if keep is not None:
            self.duplicates = len(rows) - int(keep.sum())
            if self.duplicates == len(rows):
                return 0
        rows = rows.numbered(keep, first_arrival)
        if keep is not None:
            edges = edges_of(rows.which)
        count = len(rows)
        payload = self._compressor.encode(rows.came[:-1], first_arrival=first_arrival)
        journal.append(connection, first_arrival=first_arrival, count=count, payload=payload)
        self._piece, self._end = Piece(rows.which[edges[:-1]], edges, rows.columns, rises), first_arrival + count
        return count

    def publish(self) -> None:
        """The transaction is durable: let the head show it."""
        self._head.committed()
        if self._piece is not None:
            self._head.publish([self._piece], end=self._end)

    def _resolve(self, connection: apsw.Connection) -> I64:
        """For each point of the group the slot of its series."""
        which = []
        for added in self._added:
            run_key, batch = added.run_key, added.batch
            slots = self._head.listed(run_key, batch.series)
            if slots is None:
                batch = batch.used()  # a name without a point makes no series
                slots = self._head.remember(run_key, self._find(connection, run_key, batch.series))
            which.append(slots if len(slots) == len(batch) == 1 else slots[batch.which])
        return which[0] if len(which) == 1 else np.concatenate(which)

    def _find(self, connection: apsw.Connection, run_key: int, names: Sequence[Name]) -> list[Series]:
        """The series of these names, made where they are missing. Corrupt when one of them is damaged."""
        found = self._head.find(run_key, names)
        missing = [place for place, one in enumerate(found) if one is None]
        if missing:
            wanted = [names[place] for place in missing]
            stored = self._table.ensure(connection, run_key, wanted)
            known = self._head.find(run_key, wanted)  # by now: their points may have come back
            for place, there, (key, summary) in zip(missing, known, stored, strict=True):
                found[place] = series = there or Series(key=key, run_key=run_key, name=names[place], stored=summary)
                if there is None:
                    self._head.admit(series)
        every = [one for one in found if one is not None]
        for one in every:
            if one.damage:
                raise Corrupt(one.damage)
        return every

    def _rows(self, which: I64) -> _Rows:
        batches = [added.batch for added in self._added]
        columns = np.empty((1 + COLUMNS, len(which)), np.int64)
        columns[0] = self._head.slots.keys[which]
        columns[1 + STEP], columns[1 + TIME], values = _joined(batches)
        columns[1 + BITS] = canonical(values).view(np.int64)
        columns[1 + OCCURRENCE] = 0
        columns[1 + ARRIVAL] = np.arange(len(which))
        append = None
        if any(added.append for added in self._added):
            append = np.repeat([added.append for added in self._added], [len(batch) for batch in batches])
        order = _order(which, columns[1 + STEP], columns[1 + TIME], columns[1 + BITS])
        if order is None:
            # One array for both: they differ in the arrival alone, which the journal does not write.
            return _Rows(came=columns, which=which, columns=columns[1:], append=append)
        return _Rows(
            came=columns,
            which=which[order],
            columns=columns[1:].take(order, axis=1),
            append=None if append is None else append[order],
        )

    def _judge(self, connection: apsw.Connection, rows: _Rows, edges: I64) -> NDArray[np.bool_] | None:
        """Which rows to keep; None for all. Repeats that are appended get their occurrence."""
        slots = rows.which[edges[:-1]]
        late = self._head.slots.late(slots, identities(rows.columns, edges[:-1]))
        repeated = rows.repeated()
        doubtful = late if repeated is None else late | np.logical_or.reduceat(repeated, edges[:-1])
        if not doubtful.any():
            return None
        keep = np.ones(len(rows), np.bool_)
        for place in np.flatnonzero(doubtful).tolist():
            part = slice(int(edges[place]), int(edges[place + 1]))
            known = self._existing(connection, int(slots[place]), rows, part) if late[place] else {}
            _judge_series(rows, part, known, keep)
        return keep

    def _existing(self, connection: apsw.Connection, slot: int, rows: _Rows, part: slice) -> dict[_Triple, int]:
        """Stored points that equal rows of `part`: (step, time, value key) -> greatest occurrence."""
        steps = np.unique(rows.columns[STEP, part])
        wanted = set(zip(*(column.tolist() for column in rows.triples(part)), strict=True))
        times = int(rows.columns[TIME, part].min()), int(rows.columns[TIME, part].max())
        series = self._head.slots.items[slot]
        assert series is not None
        state = self._head.state(series)
        found = [having(steps, *times, points_of(state.rows[:, : state.n]))]
        if state.stored is not None:
            found.append(self._stored(connection, series.key, steps, *times))
        known: dict[_Triple, int] = {}
        for points in found:
            columns = (points.step, points.time, value_keys(points.value), points.occurrence)
            for step, time, key, occurrence in zip(*(c.tolist() for c in columns), strict=True):
                if (step, time, key) in wanted:
                    known[step, time, key] = max(occurrence, known.get((step, time, key), 0))
        return known


_Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Points twice: as they came, and sorted by (series, step, time, value key), then by arrival."""

    came: I64  # as in a journal entry, and below that the arrival
    which: I64  # slots of the sorted ones, as the rest
    columns: I64  # as in the head
    append: NDArray[np.bool_] | None  # None: none of them is

    def __len__(self) -> int:
        return len(self.which)

    def triples(self, part: slice) -> tuple[I64, I64, I64]:
        """Step, time and value key of some."""
        step, time, bits = self.columns[:OCCURRENCE, part]
        return step, time, keys_of(bits)

    def repeated(self) -> NDArray[np.bool_] | None:
        """Rows that equal the one before; None when there is none."""
        if len(self) == 1:
            return None
        same = np.zeros(len(self), np.bool_)
        same[1:] = self.columns[STEP, 1:] == self.columns[STEP, :-1]
        if not same.any():
            return None
        for column in (self.which, self.columns[TIME], self.columns[BITS]):
            same[1:] &= column[1:] == column[:-1]
        return same if same.any() else None

    def numbered(self, keep: NDArray[np.bool_] | None, first_arrival: int) -> _Rows:
        """Those to keep (None: all), with the numbers that they get, and where they came with their occurrence."""
        if keep is None:
            self.columns[ARRIVAL] += first_arrival
            return self
        columns = self.columns.compress(keep, axis=1)
        places = columns[ARRIVAL]  # where they came
        self.came[1 + OCCURRENCE, places] = columns[OCCURRENCE]
        arrived = np.sort(places)
        columns[ARRIVAL] = np.searchsorted(arrived, places) + first_arrival
        return _Rows(
            came=self.came.take(arrived, axis=1),
            which=self.which[keep],
            columns=columns,
            append=None,
        )


def _joined(batches: Sequence[PointBatch]) -> tuple[ArrayLike, ArrayLike, F64]:
    """Steps, times and values of all. Those of points alone are put together as numbers: to make and to join arrays of
    one number each takes longer.
    """
    alone = [batch.numbers for batch in batches if isinstance(batch, OnePoint)]
    if len(alone) == len(batches):
        steps, times, values = zip(*alone, strict=True)
        return steps, times, np.array(values, np.float64)
    if len(batches) == 1:
        return batches[0].step, batches[0].time, batches[0].value
    return (
        np.concatenate([batch.step for batch in batches]),
        np.concatenate([batch.time for batch in batches]),
        np.concatenate([batch.value for batch in batches]),
    )


def _order(which: I64, step: I64, time: I64, bits: I64) -> I64 | None:
    """What sorts the points by all of these, and by arrival where all are equal; None when they stand so."""
    if len(which) == 1:
        return None
    low = int(step.min())
    span = int(step.max()) - low + 1
    if span * (int(which.max()) + 1) < 2**63:  # nearly always a series has one point of a step
        joined = which * span + (step - low)
        if (joined[1:] > joined[:-1]).all():
            return None
        order = np.argsort(joined, kind="stable")
        joined = joined[order]
        if (joined[1:] > joined[:-1]).all():
            return order
    return np.lexsort((keys_of(bits), time, step, which))


def _judge_series(rows: _Rows, part: slice, known: dict[_Triple, int], keep: NDArray[np.bool_]) -> None:
    """Say which rows of one series to keep, and their occurrence; `known` has the stored points among them and learns
    the kept ones.
    """
    append = np.zeros(len(rows), np.bool_) if rows.append is None else rows.append
    columns = (*rows.triples(part), append[part])
    for position, (step, time, key, again) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True), part.start
    ):
        triple = (step, time, key)
        if triple not in known:
            known[triple] = 0
        elif again:
            known[triple] += 1
            rows.columns[OCCURRENCE, position] = known[triple]
        else:
            keep[position] = False
