"""Points that are not to be kept any more: which blocks go, which are written anew without some, in bounded steps.

A step reads and encodes in the background; only the change of the rows is a request to the writer. All of a series that
a step is about changes in one transaction, summary included, so nobody sees a half. When and why is not decided here.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from stepwell.core import acting
from stepwell.core.bounds import Expired, Kept
from stepwell.core.clock import Clock
from stepwell.core.errors import Corrupt
from stepwell.core.series import Order, Points, value_key, value_keys
from stepwell.core.summary import Sample, Summary
from stepwell.storage.catalog import audit, runs, summaries
from stepwell.storage.catalog.series import of_runs
from stepwell.storage.embedded import blocks, tiles
from stepwell.storage.embedded.blocks import Blocks, Encoded, Header
from stepwell.storage.embedded.flushing import alive, store_summaries
from stepwell.storage.embedded.head import Head
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.embedded.statements import POINTS as SQL
from stepwell.storage.embedded.writer import Request

RUNS: Final = 50  # whose series are listed at a time
SERIES: Final = 500  # looked at in one step
BLOCKS: Final = 256  # that one step removes or writes anew, about

Snapshot = Callable[[], AbstractContextManager[apsw.Connection]]
_log = logging.getLogger("stepwell.storage")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What happens to one series. `opened`: tiles that go, from the top down; `whole`: nothing more is to do after."""

    series_key: int
    run_key: int
    opened: list[Header]
    gone: list[Header]
    made: list[Encoded]
    summary: Summary
    points: int
    whole: bool


class Expirer:
    """Used by one thread at a time, never beside a flush or a merge: the caller keeps them apart."""

    def __init__(
        self,
        *,
        head: Head,
        cache: Blocks,
        packer: Packer,
        submit: Callable[[Request], Future[Any]],
        snapshot: Snapshot,
        cover: Callable[[int], None],
        clock: Clock,
    ) -> None:
        """`cover` puts tiles above the blocks of a series again."""
        self._head = head
        self._cache = cache
        self._packer = packer
        self._submit = submit
        self._snapshot = snapshot
        self._cover = cover
        self._clock = clock

    def batches(self, workspace: str, experiment_id: int) -> Iterator[dict[int, int]]:
        """The series of an experiment's runs, some at a time: series key -> run key."""
        with self._snapshot() as connection:
            run_keys = runs.keys_of_experiment(connection, workspace, experiment_id)
        for first in range(0, len(run_keys), RUNS):
            with self._snapshot() as connection:
                found = [(each.key, each.run_key) for each in of_runs(connection, run_keys[first : first + RUNS])]
            for at in range(0, len(found), SERIES):
                yield dict(found[at : at + SERIES])

    def would(self, batch: dict[int, int], kept: Kept) -> Expired:
        """What would go of some series."""
        counts = []
        with self._snapshot() as connection:
            for key, roots in _by_series(connection, batch).items():
                try:
                    counts.append(self._count(connection, key, roots, kept))
                except Corrupt as error:
                    _log.error(error.message, extra={"action": "expiry_damaged"})
        return Expired(points=sum(counts), series=sum(map(bool, counts)))

    def step(self, workspace: str, experiment_id: int, batch: dict[int, int], kept: Kept) -> tuple[Expired, list[int]]:
        """One transaction; what it removed, and the series of which more is to go. Without any the batch is done."""
        plans, rest, room = list[_Plan](), list[int](), BLOCKS
        with self._snapshot() as connection:
            for key, roots in _by_series(connection, batch).items():
                if room <= 0:
                    rest.append(key)
                elif (plan := self._planned(connection, key, batch[key], roots, kept, room)) is not None:
                    plans.append(plan)
                    room -= len(plan.gone)
                    rest += [] if plan.whole else [key]
        return self._done(workspace, experiment_id, plans), rest

    def _done(self, workspace: str, experiment_id: int, plans: Sequence[_Plan]) -> Expired:
        if not plans:
            return Expired(points=0, series=0)

        def run(connection: apsw.Connection, stage: Stage) -> list[_Plan]:
            there = alive(connection, [plan.series_key for plan in plans])
            done = [plan for plan in plans if plan.series_key in there]
            for plan in done:
                for tile in plan.opened:
                    tiles.uncover(connection, tile)
                blocks.delete(connection, plan.gone)
                blocks.insert(connection, plan.made)
            totals = [(plan.series_key, plan.summary) for plan in done]
            store_summaries(connection, self._cache, totals, [plan.run_key for plan in done])
            SQL.run(connection, "count_flush")
            if done:
                told = {"points": str(sum(plan.points for plan in done)), "series": str(len(done))}
                audit.note(connection, "points.expire", workspace=workspace, subject=str(experiment_id), **told)
            return done

        def committed(done: list[_Plan]) -> None:
            self._head.restate((plan.series_key, plan.summary) for plan in done)

        noted = acting.carried(run, at=self._clock())
        request = Request(run=noted, alone=True, essential=True, committed=committed)
        done: list[_Plan] = self._submit(request).result()
        for plan in done:
            if plan.opened:
                self._cover(plan.series_key)
        return Expired(points=sum(plan.points for plan in done), series=len(done))

    def _planned(
        self, connection: apsw.Connection, key: int, run_key: int, roots: list[Header], kept: Kept, room: int
    ) -> _Plan | None:
        """None: nothing goes, or what would have to be read is damaged and stays."""
        try:
            stored = summaries.load(connection, [key])[key]
            forest = _Forest(connection, roots)
            cut = None if kept.since is None else self._aged(connection, forest, kept.since, stored.last, room)
            if cut is None and kept.latest is not None:
                cut = self._oldest(connection, forest, stored.count - kept.latest, room)
            if cut is None:
                return None
            return _Plan(
                series_key=key,
                run_key=run_key,
                opened=forest.opened,
                gone=cut.gone,
                made=blocks.encode(key, cut.stays, self._packer),
                summary=self._summary(connection, forest.without(cut.gone), cut.stays, stored.repeated_steps),
                points=stored.count - sum(header.length for header in forest.without(cut.gone)) - len(cut.stays),
                whole=cut.whole and (kept.since is None or kept.latest is None),
            )
        except Corrupt as error:
            _log.error(error.message, extra={"action": "expiry_damaged"})
            return None

    def _aged(self, connection: apsw.Connection, forest: _Forest, since: int, last: Sample, room: int) -> _Cut | None:
        """Points before a time. Blocks that hold no others are not opened."""
        found = sorted(forest.aged(since), key=lambda header: _may_hold(header, last))  # that which stays comes last
        gone, parts = list[Header](), [Points.empty()]
        for header in found[:room]:
            if header.max_time < since and not _may_hold(header, last):
                gone.append(header)
                continue
            points = self._cache.points(connection, header)
            keep = _young(points, since, last)
            if not keep.all():
                gone.append(header)
                parts.append(points.take(keep))
        if not gone:
            return None
        return _Cut(gone=gone, stays=Points.concat(parts).sorted(Order.KEY), whole=len(found) <= room)

    def _oldest(self, connection: apsw.Connection, forest: _Forest, excess: int, room: int) -> _Cut | None:
        """The first `excess` points in key order, or as many of them as a step may remove."""
        if excess <= 0:
            return None
        taken, count = list[Header](), 0
        while count < excess and len(taken) < room and (header := forest.take()) is not None:
            taken.append(header)
            count += header.length
        final = [taken.pop()] if count > excess else []
        pivot = _low(final[0]) if final else forest.bound()
        # Before the pivot are `excess` points at most, so what ends before it goes unseen.
        gone = [header for header in taken if pivot is None or _high(header) < pivot]
        need = excess - sum(header.length for header in gone)
        if need == 0 or (gone and not final):
            return _Cut(gone=gone, stays=Points.empty(), whole=need == 0)
        opened = [*(header for header in taken if header not in gone), *final]
        while True:
            points = Points.concat([self._cache.points(connection, header) for header in opened]).sorted(Order.KEY)
            n = min(need, _before(points, forest.bound()))
            if n:
                return _Cut(gone=[*gone, *opened], stays=points.take(slice(n, None)), whole=n == need)
            if gone:
                return _Cut(gone=gone, stays=Points.empty(), whole=False)
            more = forest.take()  # blocks lie over one another: which of their points comes first, all of them tell
            assert more is not None, "what has a bound has a block"
            opened.append(more)

    def _summary(self, connection: apsw.Connection, roots: list[Header], stays: Points, repeated: bool) -> Summary:
        nodes = (self._cache.nodes(connection, root).buckets() for root in roots)
        found = [Summary.rows(each.merge(np.array([0, len(each)])), np.array([repeated]))[0] for each in nodes]
        if len(stays):
            found.append(Summary.of(stays))
        return reduce(lambda a, b: a.merge(b, repeated=repeated), found)

    def _count(self, connection: apsw.Connection, key: int, roots: list[Header], kept: Kept) -> int:
        stored = summaries.load(connection, [key])[key]
        aged = 0 if kept.since is None else self._count_aged(connection, roots, kept.since, stored.last)
        return aged if kept.latest is None else aged + max(stored.count - aged - kept.latest, 0)

    def _count_aged(self, connection: apsw.Connection, roots: list[Header], since: int, last: Sample) -> int:
        found = 0
        for header in _Forest(connection, roots).aged(since):
            if header.max_time < since and not _may_hold(header, last):
                found += header.length
            else:
                found += header.length - int(_young(self._cache.points(connection, header), since, last).sum())
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """Blocks that go, those of their points that stay (in key order), and whether that is all that should go."""

    gone: list[Header]
    stays: Points
    whole: bool


class _Forest:
    """The roots of a series, of which some tiles are opened. Blocks and tiles below an opened one are roots."""

    def __init__(self, connection: apsw.Connection, roots: Sequence[Header]) -> None:
        self._connection = connection
        self._roots = {root.id: root for root in roots}
        self._waiting = [(_low(root), root.id) for root in roots]
        heapq.heapify(self._waiting)
        self.opened: list[Header] = []

    def without(self, gone: Sequence[Header]) -> list[Header]:
        """The roots but for some."""
        ids = {header.id for header in gone}
        return [root for root in self._roots.values() if root.id not in ids]

    def aged(self, since: int) -> list[Header]:
        """The blocks with a point before a time."""
        while tiles_ := [root for root in self._roots.values() if root.level and root.min_time < since]:
            for tile in tiles_:
                self._open(tile)
        return [root for root in self._roots.values() if root.min_time < since]

    def take(self) -> Header | None:
        """The block that begins first of those not taken yet; None: all are taken."""
        while self._waiting:
            _, id_ = heapq.heappop(self._waiting)
            root = self._roots.get(id_)
            if root is None:
                continue
            if not root.level:
                return root
            self._open(root)
        return None

    def bound(self) -> tuple[int, int] | None:
        """Nothing that is not taken begins before it; None: all is taken."""
        while self._waiting and self._waiting[0][1] not in self._roots:
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def _open(self, tile: Header) -> None:
        del self._roots[tile.id]
        self.opened.append(tile)
        for child in blocks.children(self._connection, tile):
            root = child._replace(parent=0)
            self._roots[root.id] = root
            heapq.heappush(self._waiting, (_low(root), root.id))


def _by_series(connection: apsw.Connection, series_keys: Iterable[int]) -> dict[int, list[Header]]:
    found: dict[int, list[Header]] = {}
    for header in blocks.headers_of_many(connection, series_keys):
        found.setdefault(header.series_key, []).append(header)
    return found


def _low(header: Header) -> tuple[int, int]:
    return header.min_step, header.min_time


def _high(header: Header) -> tuple[int, int]:
    return header.max_step, header.max_time


def _may_hold(header: Header, point: Sample) -> bool:
    return _low(header) <= (point.step, point.time) <= _high(header)


def _young(points: Points, since: int, last: Sample) -> NDArray[np.bool_]:
    """Which of the points stay."""
    is_last = (points.step == last.step) & (points.time == last.time)
    is_last &= value_keys(points.value) == value_key(last.value)
    found: NDArray[np.bool_] = (points.time >= since) | is_last
    return found


def _before(points: Points, edge: tuple[int, int] | None) -> int:
    """How many points in key order come before a step and time."""
    if edge is None:
        return len(points)
    step, time = edge
    return int(((points.step < step) | ((points.step == step) & (points.time < time))).sum())
