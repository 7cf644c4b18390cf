"""The making of tiles (tiles.py): series that have grown are summed up, and what points came late to is made anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.downsample import rank_edges
from stepwell.core.series import I64, INT64_MAX, INT64_MIN, Points, value_keys
from stepwell.core.summary import repeated_steps
from stepwell.storage.warehouse.points.lately import Lately
from stepwell.storage.warehouse.points.spans import collect, parts
from stepwell.storage.warehouse.points.statements import Scope
from stepwell.storage.warehouse.points.tiles import (
    COUNTS,
    SAMPLES,
    Places,
    Tiles,
    cut,
    late_places,
    level,
    met,
    narrowed,
    segments,
    series_of,
    stored,
    tilings_of,
)

Place: TypeAlias = tuple[int, int]  # steps from one to another
Made: TypeAlias = tuple[Scope, Points]  # a tile to store: its steps and moment, and its points in key order


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Nodes of one level of some tiles, one tile behind another: in which of them a step has several points, and how
    many nodes each tile has."""

    nodes: Buckets
    repeated: NDArray[np.bool_]
    counts: I64

    @property
    def numbers(self) -> I64:
        """Of each node its place in its tile."""
        return np.arange(len(self.nodes)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)

    def joined(self, wanted: Sequence[int]) -> Level:
        """So many nodes of each tile, of about equally many of these."""
        starts = np.cumsum(self.counts) - self.counts
        each = [rank_edges(count, some) for count, some in zip(self.counts.tolist(), wanted, strict=True)]
        edges = [edges[:-1] + start for edges, start in zip(each, starts.tolist(), strict=True)]
        begins = np.concatenate(edges)
        repeated = self.repeated.copy()
        repeated[1:] |= self.nodes.first.step[1:] == self.nodes.last.step[:-1]
        repeated[begins] = self.repeated[begins]  # what comes before is not of the same node
        return Level(
            nodes=self.nodes.merge(np.append(begins, len(self.nodes))),
            repeated=np.logical_or.reduceat(repeated, begins),
            counts=np.array(list(map(len, edges)), np.int64),
        )


def roll_up(scopes: Sequence[Scope], widths: tuple[int, ...], lately: Lately) -> int:
    """Sum up what is new of some series, each in a scope of its own, late points included; how many tiles were made.

    A scope has no window and nothing that waits, and every point that arrived before its end is stored. `widths`: how
    many points a node of each level has, falling; the first is that of a tile. `lately`: points that need not be read.
    Their tiles are inserted together: an insert of one tile costs ClickHouse nearly as much as of many.
    """
    tilings = tilings_of(scopes)
    ends = [end for end, _ in tilings]
    made = 0
    tiles: list[Made] = []
    for number, (scope, (end, checked)) in enumerate(zip(scopes, tilings, strict=True)):
        remade, places = _mend(scope, end, checked, widths)
        made += remade
        for some in chain.from_iterable(_grown(narrowed(scope, *place), widths, lately) for place in places):
            ends[number] = max(some[-1][0].window.max_step, INT64_MIN if end is None else end)
            tiles += some
            if sum(len(points) for _, points in tiles) >= scope.at_once:
                made += _store(tiles, widths)
                tiles = []
    made += _store(tiles, widths)
    _tell([(scope, end) for scope, end in zip(scopes, ends, strict=True) if end is not None], lately)
    return made


def _tell(tiled: Sequence[tuple[Scope, int]], lately: Lately) -> None:
    """Store up to which step series have tiles now."""
    # A replica that had these rows and older tiles would take them for newer than they are.
    if tiled and tiled[0][0].server.settled("nodes"):
        rows = [(scope.run, series_of(scope), end, scope.end) for scope, end in tiled]
        columns = np.ascontiguousarray(np.array(rows, np.int64).T)
        names = ("run", "series", "end_step", "checked")
        tiled[0][0].server.insert("tilings", dict(zip(names, columns, strict=True)))
        for scope, end in tiled:
            lately.forget(series_of(scope), end)


def _grown(scope: Scope, widths: tuple[int, ...], lately: Lately) -> Iterator[list[Made]]:
    """Tiles for steps that have none. As many points as a tile has are left, for many come out of order."""
    low = scope.window.min_step
    count, arrivals = (int(column[0]) for column in scope.select("grown", 2))
    left = count - widths[0]
    if left < widths[0]:
        return
    pool = Points.empty()
    for some in _all(scope, lately, count, arrivals):
        pool = Points.concat([pool, some]) if len(pool) else some
        begin = 0
        tiles: list[Made] = []
        while left >= widths[0] and len(pool) - begin >= widths[0]:
            upto = int(np.searchsorted(pool.step, pool.step[begin + widths[0] - 1], side="right"))
            last = int(pool.step[upto - 1])
            tiles.append((narrowed(scope, low, last), pool.take(slice(begin, upto))))
            left -= upto - begin
            low, begin = last + 1, upto
        pool = pool.take(slice(begin, None))
        if tiles:
            yield tiles


def _all(scope: Scope, lately: Lately, count: int, arrivals: int) -> Iterator[Points]:
    """The points of a scope in key order and parts that end with a step. What is kept is all of them where it is as
    many, and their arrival numbers have the same sum: some of it may have been removed, and others may have come."""
    kept = lately.of(scope)
    if len(kept) == count and int(kept.arrival.sum()) == arrivals:
        yield kept
        return
    for part in parts(scope, whole_steps=True):
        yield collect(part)


def _mend(scope: Scope, end: int | None, checked: int, widths: tuple[int, ...]) -> tuple[int, list[Place]]:
    """Make again the tiles that points came to after they were made: how many, and where points may be that no tile
    stands for."""
    if end is None:
        return 0, [(INT64_MIN, INT64_MAX)]
    behind = [(end + 1, INT64_MAX)] if end < INT64_MAX else []
    late = late_places(scope, end, checked)
    if not len(late[0]) and not scope.cuts:
        return 0, behind
    whole = stored(scope, INT64_MIN, end)
    bad = cut(scope, whole) | met(late, whole.tile, whole.end)
    for at in np.flatnonzero(bad).tolist():
        again = narrowed(scope, int(whole.tile[at]), int(whole.end[at]))
        points = collect(again)
        if len(points):  # else all of it is cut, and it goes with its points
            _store([(again, points)], widths)
    return int(bad.sum()), [*_gaps(whole, end, late), *behind]


def _gaps(whole: Tiles, end: int, late: Places) -> Iterator[Place]:
    """Steps up to `end` between tiles, where late points may be: a tile was removed, and a run began anew."""
    low = INT64_MIN
    for tile, last in zip([*whole.tile.tolist(), end + 1], [*whole.end.tolist(), end], strict=True):
        if low < tile and met(late, low, tile - 1):
            yield low, tile - 1
        low = max(low, last + 1)


def wrong(scope: Scope, widths: tuple[int, ...]) -> bool:
    """Whether some tile that a read would use is not what its points are summed up to, bit by bit. Reads all points of
    such tiles."""
    at_once = max(1, scope.at_once // widths[0])
    for piece in segments(scope):
        whole = piece.tiles
        for begin in range(0, 0 if whole is None else len(whole.tile), at_once):
            assert whole is not None
            tiles, ends = whole.tile[begin : begin + at_once], whole.end[begin : begin + at_once]
            points = collect(narrowed(scope, int(tiles[0]), int(ends[-1])))
            edges = [0, *np.searchsorted(points.step, ends, side="right").tolist()]
            parts = [points.take(slice(low, high)) for low, high in pairwise(edges)]
            if not all(map(len, parts)):
                return True
            if any(_differ(scope, tiles, each, number) for number, each in enumerate(_summed(parts, widths))):
                return True
    return False


def _differ(scope: Scope, starts: I64, made: Level, number: int) -> bool:
    """Whether the stored nodes of a level of some tiles are not these."""
    there = level(scope, number, int(starts[0]), int(starts[-1]))
    wanted = [np.repeat(starts, made.counts), made.repeated, *_columns(made.nodes).values()]
    found = [there.tile, there.repeated, *_columns(there.nodes).values()]
    return not all(map(np.array_equal, wanted, found))


def _summed(tiles: Sequence[Points], widths: tuple[int, ...]) -> list[Level]:
    """The levels of the points of some tiles: the narrowest nodes are made of points, the others of those below."""
    each = [rank_edges(len(points), -(-len(points) // widths[-1])) for points in tiles]
    found = Level(
        nodes=Buckets.concat(list(map(Buckets.of, tiles, each))),
        repeated=np.concatenate(list(map(repeated_steps, tiles, each))),
        counts=np.array([len(edges) - 1 for edges in each], np.int64),
    )
    levels = [found]
    for width in reversed(widths[:-1]):
        wanted = [-(-len(points) // width) if width != widths[0] else 1 for points in tiles]
        found = found.joined(wanted)
        levels.append(found)
    return levels[::-1]


def _store(tiles: Sequence[Made], widths: tuple[int, ...]) -> int:
    """All nodes of some tiles in one block, so that of each tile all is seen or nothing; how many tiles it were."""
    if not tiles:
        return 0
    of_tile = np.array(
        [(each.run, series_of(each), each.window.min_step, each.end, each.window.max_step) for each, _ in tiles],
        np.int64,
    )
    blocks: list[dict[str, I64]] = []
    for number, summed in enumerate(_summed([points for _, points in tiles], widths)):
        run, series, tile, made, end = np.repeat(of_tile, summed.counts, axis=0).T
        blocks.append(
            {
                "run": run,
                "series": series,
                "level": np.full(len(run), number, np.int64),
                "tile": tile,
                "number": summed.numbers,
                "made": made,
                "end_step": end,
                "repeated": summed.repeated.astype(np.int64),
                **_columns(summed.nodes),
            }
        )
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    tiles[0][0].server.insert("nodes", columns)
    return len(tiles)


def _columns(nodes: Buckets) -> dict[str, I64]:
    found = {"count": nodes.count}
    for name in SAMPLES:
        one: Samples = getattr(nodes, name)
        time = "at" if name in ("min", "max") else "time"  # min_time and max_time are those of all points
        found |= {f"{name}_step": one.step, f"{name}_{time}": one.time, f"{name}_value": value_keys(one.value)}
    found |= {"finite_count": nodes.finite_count, "mean": value_keys(nodes.mean), "m2": value_keys(nodes.m2)}
    return found | {name: getattr(nodes, name) for name in COUNTS[1:]}
