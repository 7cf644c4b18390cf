"""From the head into blocks, and fewer, fuller blocks out of many: what to move, in steps that never hold up a commit
for long.

A step reads and encodes in the background; only the insertion of its rows is a request to the writer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeVar

import apsw

from stepwell.core.errors import Corrupt
from stepwell.core.series import Order, Points
from stepwell.core.summary import Summary
from stepwell.storage.catalog import summaries
from stepwell.storage.embedded import blocks, journal, mending, tiles
from stepwell.storage.embedded.backlog import Backlog
from stepwell.storage.embedded.blocks import POINTS, Blocks, Encoded, Header, headers_of_many
from stepwell.storage.embedded.head import Head, Series, State
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.embedded.statements import POINTS as SQL
from stepwell.storage.embedded.summing import sum_up
from stepwell.storage.embedded.writer import Request

STEP_POINTS: Final = 65_536
STEP_SERIES: Final = 500
INSERTED: Final = 50  # series whose blocks and summaries go in at a time: commits wait meanwhile, some milliseconds
BACKLOG_SERIES: Final = 20_000  # brought into the head before what is there moves on
TRIM_ROWS: Final = 256
YOUNG: Final = 4  # blocks of a series that are not full, before some are joined: fewer are read and written again
OVERLAP: Final = 8  # ranges of blocks that may cover one key before they are merged
MERGE_BLOCKS: Final = 32  # at most, in one step
GARBAGE_BLOCKS: Final = 500

T = TypeVar("T")
_log = logging.getLogger("stepwell.storage")

Submit = Callable[[Request], Future[object]]
Snapshot = Callable[[], AbstractContextManager[apsw.Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What becomes of the head's points of a series: one alone, or what the new blocks will hold."""

    series: Series
    n: int
    summary: Summary
    kept: list[Header]
    gone: list[Header]
    points: Points | None  # None: one point, of a series without blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    series: Series
    n: int
    summary: Summary
    gone: list[Header]
    made: list[Encoded]


class Flusher:
    """Used by one background thread, and by whoever asks for a flush; the caller keeps them apart."""

    def __init__(
        self,
        *,
        head: Head,
        backlog: Backlog,
        cache: Blocks,
        packer: Packer,
        submit: Submit,
        snapshot: Snapshot,
    ) -> None:
        self._head = head
        self._backlog = backlog
        self._cache = cache
        self._packer = packer
        self._submit = submit
        self._snapshot = snapshot
        self._crowded: set[int] = set()  # series whose blocks overlap too deeply
        self._long: set[int] = set()  # series with blocks that a tile should stand for
        # Whether the journal may hold what is in blocks: after a flush that ended early, and so at first.
        self._untrimmed = True
        self.counters = {"flushes": 0, "blocks_written": 0, "merges": 0}

    def flush(self) -> bool:
        """Move everything that is in the head now or owed to it; False when there was nothing."""
        while self._backlog.series:
            self._backlog.bring_back(self._backlog.keys()[:BACKLOG_SERIES], self._submit)
            self._flush()
        return self._flush()

    def _flush(self) -> bool:
        whole = not self._backlog.series  # before the head is taken: what comes back after that is not in `dirty`
        end, dirty = self._head.everything()
        if not dirty:
            if whole and self._untrimmed and self._waits_in_journal():
                self._trim(end)
            return False
        self._untrimmed = True
        moved = [_apart(self._step, step) for step in _steps(dirty)]
        if all(moved) and whole:
            self._trim(end)
        self.counters["flushes"] += 1
        for series_key in list(self._crowded):
            self.merge(series_key)
        for series_key in list(self._long):
            self.cover(series_key)
        return True

    def _step(self, step: Sequence[tuple[Series, State]]) -> bool:
        with self._snapshot() as connection:
            there = _by_series(headers_of_many(connection, [s.key for s, state in step if state.stored is not None]))
            plans = [
                self._plan(connection, series, state, total, there.get(series.key, []))
                for (series, state), total in zip(step, sum_up(step), strict=True)
            ]
        moves = self._encoded(step, plans)
        moved = [_apart(self._insert, moves[at : at + INSERTED]) for at in range(0, len(moves), INSERTED)]
        return all(moved)

    def _insert(self, moves: Sequence[_Move]) -> bool:
        def run(connection: apsw.Connection, stage: Stage) -> list[_Move]:
            return _move(connection, moves, self._cache)

        def committed(moved: list[_Move]) -> None:
            self._head.flushed((m.series, m.n, m.summary) for m in moved)

        self._submit(Request(run=run, alone=True, essential=True, committed=committed)).result()
        self.counters["blocks_written"] += sum(len(m.made) for m in moves)
        return True

    def _plan(
        self,
        connection: apsw.Connection,
        series: Series,
        state: State,
        summary: Summary | None,
        existing: list[Header],
    ) -> _Plan:
        """Join the points with the youngest small blocks, so that a series written slowly has few blocks, each
        rewritten O(log n) times.
        """
        if summary is None:
            raise AssertionError("a series in the head has points")
        if state.n == 1 and not existing:
            return _Plan(series=series, n=1, summary=summary, kept=[], gone=[], points=None)
        points = state.points()
        gone = _tail(existing, points)
        old = self._opened(connection, gone)
        if old:
            points = Points.concat([*old, points]).sorted(Order.KEY)
        else:
            gone = []
        kept = [header for header in existing if header not in gone] if gone else existing
        return _Plan(series=series, n=state.n, summary=summary, kept=kept, gone=gone, points=points)

    def _encoded(self, step: Sequence[tuple[Series, State]], plans: Sequence[_Plan]) -> list[_Move]:
        """The blocks of all plans, made together: most series are short."""
        parts = [(plan.series.key, plan.points) for plan in plans if plan.points is not None]
        blocks_of = iter(blocks.encode_many([key for key, _ in parts], [part for _, part in parts], self._packer))
        moves = []
        for plan, (series, state) in zip(plans, step, strict=True):
            made = [blocks.encode_one(series.key, state.one())] if plan.points is None else next(blocks_of)
            self._look(series.key, [*plan.kept, *(each.header for each in made)])
            moves.append(_Move(series=series, n=plan.n, summary=plan.summary, gone=plan.gone, made=made))
        return moves

    def _look(self, series_key: int, after: list[Header]) -> None:
        """What a series will need once these are its blocks."""
        if len(after) > OVERLAP and len(_crowd(after)) > OVERLAP:
            self._crowded.add(series_key)
        if len(after) > tiles.FIRST:
            self._long.add(series_key)

    def _opened(self, connection: apsw.Connection, headers: list[Header]) -> list[Points]:
        """The points of blocks that are about to go. Nothing when one is damaged: then all stay as they are, since
        what stays can be told and perhaps be saved, and other series must not wait for it.
        """
        try:
            return [self._cache.points(connection, header, keep=False) for header in headers]
        except Corrupt as error:
            _log.error(error.message, extra={"action": "block_damaged"})
            return []

    def _trim(self, end: int) -> None:
        """The journal below `end` is in blocks. Else, once those of its points that arrived last are not to be kept and
        go, recovery would take them for points that never came to a block."""
        kept = self._backlog.keep_from
        below = end if kept is None else min(end, kept)

        def run(connection: apsw.Connection, stage: Stage) -> int:
            SQL.run(connection, "raise_next_arrival", (end,))
            return journal.trim(connection, below=below, rows=TRIM_ROWS)

        while self._submit(Request(run=run, alone=True, essential=True, guarded=False)).result():
            pass
        self._untrimmed = False

    def _waits_in_journal(self) -> bool:
        with self._snapshot() as connection:
            self._untrimmed = journal.end(connection) > 0
        return self._untrimmed

    def merge(self, series_key: int) -> bool:
        """Sort overlapping blocks of a series into disjoint ones, and small neighbours into larger; False when nothing
        is to do.
        """
        with self._snapshot() as connection:
            opened, gone = self._to_merge(connection, series_key)
            parts = self._opened(connection, gone)
        if not parts:
            self._crowded.discard(series_key)
            return False
        made = blocks.encode(series_key, Points.concat(parts).sorted(Order.KEY), self._packer)

        def run(connection: apsw.Connection, stage: Stage) -> bool:
            if not alive(connection, [series_key]):
                return False  # purged: its blocks are garbage, and a merge would never come to an end
            for tile in opened:
                tiles.uncover(connection, tile)
            blocks.delete(connection, [header._replace(parent=0) for header in gone])
            blocks.insert(connection, made)
            return True

        if not self._submit(Request(run=run, alone=True, guarded=False)).result():
            self._crowded.discard(series_key)
            return False
        self.counters["merges"] += 1
        return True

    def _to_merge(self, connection: apsw.Connection, series_key: int) -> tuple[list[Header], list[Header]]:
        """The tiles that have to go, from the top down, so that the blocks can be merged; and these."""
        roots, opened = blocks.headers(connection, [series_key]), list[Header]()
        while True:
            gone = _overlapping(roots) or _small(roots)
            above = [header for header in gone if header.level]
            if not above:
                return opened, gone
            try:
                below = [child._replace(parent=0) for tile in above for child in blocks.children(connection, tile)]
            except Corrupt as error:
                _log.error(error.message, extra={"action": "block_damaged"})
                return [], []
            opened += above
            roots = [header for header in roots if header not in above] + below

    def cover(self, series_key: int) -> None:
        """Put tiles above the blocks of a series, and tiles above those, as far as there are enough."""
        self._long.discard(series_key)
        while self._cover(series_key):
            pass

    def _cover(self, series_key: int) -> bool:
        with self._snapshot() as connection:
            due = tiles.due(blocks.headers(connection, [series_key]))
            made = [(tile, run) for run in due if (tile := self._tile(connection, run)) is not None]

        def run(connection: apsw.Connection, stage: Stage) -> bool:
            roots = set(blocks.headers(connection, [series_key])) if alive(connection, [series_key]) else set[Header]()
            there = [(tile, run) for tile, run in made if roots.issuperset(run)]
            tiles.cover(connection, there)
            return bool(there)

        return bool(made) and bool(self._submit(Request(run=run, alone=True, guarded=False)).result())

    def _tile(self, connection: apsw.Connection, run: list[Header]) -> Encoded | None:
        """None when one of the blocks is damaged: they stay as they are."""
        try:
            return tiles.make(connection, self._cache, self._packer, run)
        except Corrupt as error:
            _log.error(error.message, extra={"action": "block_damaged"})
            return None

    def compact(self) -> None:
        """Merge in every series that has something to merge, and put tiles above what is long."""
        with self._snapshot() as connection:
            keys = [key for (key,) in SQL.all(connection, "series_with_blocks")]
        for key in keys:
            while self.merge(key):
                pass
            self.cover(key)

    def collect_garbage(self) -> bool:
        """Remove some blocks of purged runs; False when there are none left."""

        def run(connection: apsw.Connection, stage: Stage) -> bool:
            found = SQL.all(connection, "garbage_blocks", (GARBAGE_BLOCKS,))
            if found:
                blocks.delete(connection, [blocks.header_from(row) for row in found])
                return True
            SQL.run(connection, "drop_garbage")
            return False

        with self._snapshot() as connection:
            if SQL.one(connection, "any_garbage") is None:
                return False
        return bool(self._submit(Request(run=run, alone=True, essential=True, guarded=False)).result())


def _apart(do: Callable[[Sequence[T]], bool], items: Sequence[T]) -> bool:
    """Whether it is done with all of them now. What meets damage stays in the head and the journal, alone."""
    try:
        return do(items)
    except Corrupt as error:
        if len(items) > 1:
            half = len(items) // 2
            return all([_apart(do, items[:half]), _apart(do, items[half:])])
        _log.error(error.message, extra={"action": "flush_damaged"})
        return False


def _steps(dirty: list[tuple[Series, State]]) -> Iterator[list[tuple[Series, State]]]:
    step: list[tuple[Series, State]] = []
    points = 0
    for item in dirty:
        step.append(item)
        points += item[1].n
        if points >= STEP_POINTS or len(step) >= STEP_SERIES:
            yield step
            step, points = [], 0
    if step:
        yield step


def _move(connection: apsw.Connection, moves: Sequence[_Move], cache: Blocks) -> list[_Move]:
    """Inside the transaction: what still exists moves; purged series have nothing to move."""
    there = alive(connection, [m.series.key for m in moves])
    moved = [m for m in moves if m.series.key in there]
    blocks.delete(connection, [header for move in moved for header in move.gone])
    blocks.insert(connection, [made for move in moved for made in move.made])
    store_summaries(connection, cache, [(m.series.key, m.summary) for m in moved], [m.series.run_key for m in moved])
    SQL.run(connection, "count_flush")
    return moved


def store_summaries(
    connection: apsw.Connection, cache: Blocks, totals: Sequence[tuple[int, Summary]], run_keys: Sequence[int]
) -> None:
    """Replace the summaries of series, by key, of some runs."""
    try:
        summaries.store(connection, totals)
    except Corrupt:  # of another label set of a metric, with which a total is joined
        mending.mend_runs(connection, cache, list(set(run_keys)))
        summaries.store(connection, totals)


def alive(connection: apsw.Connection, series_keys: list[int]) -> set[int]:
    """Those of the series that were not purged."""
    return {key for (key,) in SQL.all(connection, "existing_series", (json.dumps(series_keys),))}


def _by_series(headers: list[Header]) -> dict[int, list[Header]]:
    found: dict[int, list[Header]] = {}
    for header in headers:
        found.setdefault(header.series_key, []).append(header)
    return found


def _tail(existing: list[Header], points: Points) -> list[Header]:
    """The last blocks of a series that are small beside what would join them, if the points are not older; none as long
    as there are few that are not full, and all would not fill one. As a rule the order in which they are given is that
    of their points.
    """
    total = len(points)
    found: list[Header] = []
    for header in sorted(existing, key=lambda h: (h.max_step, h.max_time), reverse=True):
        if header.length >= POINTS or header.length > 2 * total or int(points.step[0]) < header.min_step:
            break
        found.append(header)
        total += header.length
    if total < POINTS and sum(header.length < POINTS for header in existing) < YOUNG:
        return []
    return found[::-1]


def _crowd(headers: list[Header]) -> list[Header]:
    """The blocks over the most covered key.

    A full block of a single step and time is left out: it cannot be sorted apart from others of that moment, so there
    may be any number of them, and merging them would make them anew for ever.
    """
    spans = [((h.min_step, h.min_time), (h.max_step, h.max_time)) for h in headers]
    counted = [n for n, (low, high) in enumerate(spans) if low < high or headers[n].length < POINTS]
    events = sorted([(spans[n][0], 0, n) for n in counted] + [(spans[n][1], 1, n) for n in counted])
    over: set[int] = set()
    most: list[int] = []
    for _, ends, n in events:
        if ends:
            over.remove(n)
        else:
            over.add(n)
            if len(over) > len(most):
                most = list(over)
    return [headers[n] for n in most]


def _overlapping(headers: list[Header]) -> list[Header]:
    """Blocks over one key, the smallest ones, when any key is covered too often."""
    found = _crowd(headers)
    return sorted(found, key=lambda h: h.length)[:MERGE_BLOCKS] if len(found) > OVERLAP else []


def _small(headers: list[Header]) -> list[Header]:
    """Neighbours that fit one block together and do not overlap others."""
    found: list[Header] = []
    total = 0
    ordered = sorted(headers, key=lambda h: (h.min_step, h.min_time))
    for header in ordered:
        if total + header.length > POINTS:
            if len(found) > 1:
                break
            found, total = [], 0
        found.append(header)
        total += header.length
    return found if len(found) > 1 and len(_crowd(ordered)) <= 1 else []
