"""Tiles: one header and one set of nodes that stand for neighbouring blocks, and for tiles below them, so that a read
looks at what it is about and not at every block of a long series.

A series is a small forest: its roots are the headers that no tile stands for. Every block is below at most one tile of
each level. A tile holds no points; what it says can be made anew from its blocks. Nothing here writes points or knows
the order of a read.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import count, groupby
from typing import Any, Final

import apsw
import numpy as np

from stepwell.core.downsample import snapped_edges
from stepwell.core.series import I64, Points
from stepwell.storage.embedded import blocks, nodes
from stepwell.storage.embedded.blocks import Blocks, Encoded, Header
from stepwell.storage.embedded.nodes import NodeTable
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.statements import POINTS as SQL

FIRST: Final = 16  # blocks below a tile of the first level
NEXT: Final = 4  # tiles below one of a higher level
NODES: Final = 256  # of a tile at most: those of what is below it, joined four to one

Wanted = Callable[[Header], bool]


def node_points(level: int) -> int:
    """How many points a node has, about: 0 is the level of blocks."""
    return nodes.WIDTH << 2 * level


def leaves(connection: apsw.Connection, headers: Sequence[Header], wanted: Wanted) -> Iterator[Header]:
    """The blocks below headers, those alone that are `wanted`, as all that is above them must be. In no order."""
    waiting = list(headers)
    while waiting:
        header = waiting.pop()
        if not wanted(header):
            continue
        if header.level:
            waiting += blocks.children(connection, header)
        else:
            yield header


def near(
    cache: Blocks, connection: apsw.Connection, series_key: int, steps: I64, min_time: int, max_time: int
) -> Points:
    """Points of a series in blocks that have one of the steps (sorted) within the times."""

    def wanted(header: Header) -> bool:
        if header.min_time > max_time or header.max_time < min_time:
            return False
        low = int(np.searchsorted(steps, header.min_step))
        return low < len(steps) and bool(steps[low] <= header.max_step)

    found = leaves(connection, blocks.headers(connection, [series_key]), wanted)
    return Points.concat(
        [blocks.having(steps, min_time, max_time, cache.points(connection, header)) for header in found]
    )


class Frontier:
    """Wanted blocks in the rising order of `low`, which of a tile is at most that of any block below it."""

    def __init__(
        self, connection: apsw.Connection, headers: Sequence[Header], *, low: Callable[[Header], Any], wanted: Wanted
    ) -> None:
        self._connection = connection
        self._low = low
        self._wanted = wanted
        self._number = count()  # headers themselves are not compared
        self._waiting: list[tuple[Any, int, Header]] = []
        self._add(headers)

    def _add(self, headers: Sequence[Header]) -> None:
        for header in headers:
            if self._wanted(header):
                heapq.heappush(self._waiting, (self._low(header), next(self._number), header))

    def bound(self) -> Any | None:
        """`low` of the next block; None when there is none."""
        while self._waiting and self._waiting[0][2].level:
            _, _, tile = heapq.heappop(self._waiting)
            self._add(blocks.children(self._connection, tile))
        return self._waiting[0][0] if self._waiting else None

    def take(self) -> Header:
        """The next block, after `bound` told that there is one."""
        return heapq.heappop(self._waiting)[2]


def due(roots: Sequence[Header]) -> list[list[Header]]:
    """Which neighbours a tile should stand for, of the lowest level that has any.

    They overlap nothing of their own level. A last block that is not full stays out: the next points may join it.
    """
    ordered = sorted(roots, key=_low)
    while ordered and not ordered[-1].level and ordered[-1].length < blocks.POINTS:
        ordered.pop()
    for level in sorted({header.level for header in ordered}):
        fan = NEXT if level else FIRST
        runs = [run for alike, run in _runs(ordered) if alike == level]
        found = [run[at : at + fan] for run in runs for at in range(0, len(run) - fan + 1, fan)]
        if found:
            return found
    return []


def _runs(ordered: Sequence[Header]) -> Iterator[tuple[int, list[Header]]]:
    """Neighbours of one level, each of them above the one before."""
    for level, group in groupby(ordered, key=lambda header: header.level):
        run: list[Header] = []
        for header in group:
            if run and _low(header) <= _high(run[-1]):
                yield level, run
                run = []
            run.append(header)
        yield level, run


def _low(header: Header) -> tuple[int, int]:
    return header.min_step, header.min_time


def _high(header: Header) -> tuple[int, int]:
    return header.max_step, header.max_time


def make(connection: apsw.Connection, cache: Blocks, packer: Packer, run: Sequence[Header]) -> Encoded:
    """The tile of a run of neighbours; it has no id yet. Raises Corrupt when the nodes of one cannot be read."""
    joined = NodeTable.joined([cache.nodes(connection, header) for header in run]).buckets()
    merged = NodeTable.of(joined.merge(snapped_edges(joined.count, NODES)))
    return Encoded(_above(run), nodes.encode(merged, packer), None)


def _above(run: Sequence[Header]) -> Header:
    return Header(
        series_key=run[0].series_key,
        id=0,
        length=sum(header.length for header in run),
        min_step=min(header.min_step for header in run),
        max_step=max(header.max_step for header in run),
        min_time=min(header.min_time for header in run),
        max_time=max(header.max_time for header in run),
        min_arrival=min(header.min_arrival for header in run),
        max_arrival=max(header.max_arrival for header in run),
        parent=0,
        level=run[0].level + 1,
    )


def covers(tile: Header, below: Sequence[Header]) -> bool:
    """Whether a tile's header is that of what is below it."""
    return _above(below)._replace(id=tile.id, parent=tile.parent) == tile


def cover(connection: apsw.Connection, made: Sequence[tuple[Encoded, Sequence[Header]]]) -> None:
    """Put tiles above what they were made of."""
    ids = blocks.insert(connection, [tile for tile, _ in made])
    for tile_id, (_, run) in zip(ids, made, strict=True):
        SQL.each(connection, "set_parent", ((tile_id, header.series_key, 0, header.id) for header in run))


def uncover(connection: apsw.Connection, tile: Header) -> None:
    """Take a root away: what is below it are roots from now on."""
    below = blocks.children(connection, tile)
    SQL.each(connection, "set_parent", ((0, header.series_key, tile.id, header.id) for header in below))
    blocks.delete(connection, [tile])
