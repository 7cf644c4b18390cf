"""One group commit's points: resolved to series, freed of duplicates, numbered, journalled, then published to the head.

Duplicates go before the journal, so that journal, head and blocks never hold one and summaries are plain increments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import apsw
import numpy as np
from numpy.typing import NDArray

from stepwell.core.errors import Corrupt
from stepwell.core.model import PointBatch
from stepwell.core.series import I64, Key, Points, value_keys, values_of
from stepwell.core.summary import Summary
from stepwell.storage.embedded import journal
from stepwell.storage.embedded.blocks import having
from stepwell.storage.embedded.head import (
    ARRIVAL,
    BITS,
    COLUMNS,
    OCCURRENCE,
    STEP,
    TIME,
    Appended,
    Head,
    Name,
    Series,
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        self._appended: list[Appended] = []
        self._end = 0
        self.duplicates = 0

    def add(self, run_key: int, batch: PointBatch, *, append: bool) -> None:
        """Take a batch. `append`: exact repeats get the next free occurrence instead of being dropped."""
        if len(batch):
            self._added.append(_Added(run_key=run_key, batch=batch, append=append))

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
        series, which = self._resolve(connection)
        rows = self._rows(which)
        verdict = self._judge(connection, series, rows)
        self.duplicates = len(rows) - int(verdict.keep.sum())
        if self.duplicates == len(rows):
            return 0
        return self._write(connection, series, rows, verdict, first_arrival)

    def publish(self) -> None:
        """The transaction is durable: let the head show it."""
        if self._appended:
            self._head.publish(self._appended, end=self._end)

    def _resolve(self, connection: apsw.Connection) -> tuple[list[Series], I64]:
        """All series of the group, each once, and for each point the position of its series among them."""
        series: list[Series] = []
        at: dict[tuple[int, Name], int] = {}
        which: list[I64] = []
        for added in self._added:
            run_key, names = added.run_key, added.batch.series
            missing = [n for n in names if (run_key, n) not in at and not self._known(run_key, n, series, at)]
            if missing:
                for name, (key, summary) in zip(missing, self._table.ensure(connection, run_key, missing), strict=True):
                    if not self._known(run_key, name, series, at):  # by now: its points may have come back
                        at[run_key, name] = len(series)
                        series.append(Series(key=key, run_key=run_key, name=name, stored=summary))
            positions = np.fromiter((at[run_key, n] for n in names), np.int64, len(names))
            which.append(positions[added.batch.which])
        return series, which[0] if len(which) == 1 else np.concatenate(which)

    def _known(self, run_key: int, name: Name, series: list[Series], at: dict[tuple[int, Name], int]) -> bool:
        found = self._head.find(run_key, name)
        if found is None:
            return False
        if found.damage:
            raise Corrupt(found.damage)
        at[run_key, name] = len(series)
        series.append(found)
        return True

    def _rows(self, which: I64) -> _Rows:
        added = self._added
        batches = [a.batch for a in added]
        step, time, value = batches[0].step, batches[0].time, batches[0].value
        append = np.full(len(step), added[0].append)
        if len(added) > 1:
            step = np.concatenate([b.step for b in batches])
            time = np.concatenate([b.time for b in batches])
            value = np.concatenate([b.value for b in batches])
            append = np.repeat([a.append for a in added], [len(b) for b in batches])
        key = value_keys(value)
        order = np.lexsort((key, time, step, which)) if len(step) > 1 else np.zeros(1, np.int64)
        return _Rows(
            order=order, which=which[order], step=step[order], time=time[order], key=key[order], append=append[order]
        )

    def _judge(self, connection: apsw.Connection, series: list[Series], rows: _Rows) -> _Verdict:
        verdict = _Verdict(keep=np.ones(len(rows), np.bool_), occurrence=np.zeros(len(rows), np.int64), late=set())
        repeated = rows.repeated()
        edges = rows.edges().tolist()
        for start, end in pairwise(edges):
            one = series[rows.which[start]]
            late = one.greatest is not None and rows.first(start) <= one.greatest
            if late:
                verdict.late.add(start)
            if late or (repeated is not None and repeated[start:end].any()):
                part = slice(start, end)
                known = self._existing(connection, one, rows, part) if late else {}
                _judge_series(rows, part, known, verdict)
        return verdict

    def _existing(self, connection: apsw.Connection, series: Series, rows: _Rows, part: slice) -> dict[_Triple, int]:
        """Stored points that equal rows of `part`: (step, time, value key) -> greatest occurrence."""
        steps = np.unique(rows.step[part])
        wanted = set(zip(*(c[part].tolist() for c in (rows.step, rows.time, rows.key)), strict=True))
        times = int(rows.time[part].min()), int(rows.time[part].max())
        state = series.state
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

    def _write(
        self, connection: apsw.Connection, series: list[Series], rows: _Rows, verdict: _Verdict, first_arrival: int
    ) -> int:
        keep = verdict.keep
        which, key = rows.which[keep], rows.key[keep]
        count = len(which)
        self._end = first_arrival + count
        arrived = np.argsort(rows.order[keep], kind="stable")  # places in the sorted rows, in the order of arrival
        columns = np.empty((COLUMNS, count), np.int64)
        columns[STEP], columns[TIME], columns[OCCURRENCE] = rows.step[keep], rows.time[keep], verdict.occurrence[keep]
        columns[BITS] = values_of(key).view(np.int64)
        columns[ARRIVAL][arrived] = np.arange(first_arrival, first_arrival + count)
        keys = np.fromiter((s.key for s in series), np.int64, len(series))[which]
        entry = np.stack((keys, columns[STEP], columns[TIME], columns[BITS], columns[OCCURRENCE]))[:, arrived]
        payload = self._compressor.encode(np.ascontiguousarray(entry), first_arrival=first_arrival)
        journal.append(connection, first_arrival=first_arrival, count=count, payload=payload)
        late = {int(rows.which[start]) for start in verdict.late}
        edges = np.flatnonzero(np.diff(which, prepend=-1, append=-1))
        lasts = (columns[STEP], columns[TIME], key, columns[OCCURRENCE])
        greatest: list[Key] = list(zip(*(c[edges[1:] - 1].tolist() for c in lasts), strict=True))
        bounds = edges.tolist()
        for (start, end), last in zip(pairwise(bounds), greatest, strict=True):
            place = int(which[start])
            one = series[place]
            part = columns[:, start:end]
            self._appended.append(Appended(series=one, rows=part, in_order=place not in late, greatest=last))
        return count


_Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Points sorted by (series, step, time, value key), then by arrival; `order` has their original positions."""

    order: I64
    which: I64
    step: I64
    time: I64
    key: I64
    append: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.order)

    def edges(self) -> I64:
        """Where a series begins, and the end."""
        return np.flatnonzero(np.diff(self.which, prepend=-1, append=-1))

    def first(self, position: int) -> Key:
        """The identity of a row, with the least occurrence."""
        return (int(self.step[position]), int(self.time[position]), int(self.key[position]), 0)

    def repeated(self) -> NDArray[np.bool_] | None:
        """Rows that equal the one before; None when there is none."""
        same = np.zeros(len(self), np.bool_)
        same[1:] = (
            (self.step[1:] == self.step[:-1])
            & (self.key[1:] == self.key[:-1])
            & (self.time[1:] == self.time[:-1])
            & (self.which[1:] == self.which[:-1])
        )
        return same if same.any() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """Which rows to keep, with which occurrence; `late` has the first rows of series that reach back behind their
    greatest point.
    """

    keep: NDArray[np.bool_]
    occurrence: I64
    late: set[int]


def _judge_series(rows: _Rows, part: slice, known: dict[_Triple, int], verdict: _Verdict) -> None:
    """Fill in the verdict on the rows of one series; `known` has the stored points among them and learns the kept
    ones.
    """
    columns = (rows.step, rows.time, rows.key, rows.append)
    for position, (step, time, key, append) in enumerate(
        zip(*(c[part].tolist() for c in columns), strict=True), part.start
    ):
        triple = (step, time, key)
        if triple not in known:
            known[triple] = 0
        elif append:
            known[triple] += 1
            verdict.occurrence[position] = known[triple]
        else:
            verdict.keep[position] = False
