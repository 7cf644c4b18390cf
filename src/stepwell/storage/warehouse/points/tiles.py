"""Tiles: what long series are summed up to, so that a chart of a hundred million points reads some thousand rows.

A tile stands for all points of one series from one step to another that had arrived before some moment. Inside it the
points are summed up in nodes of several widths. A tile is never changed: when points come late it is made anew from the
points themselves. A read that finds a point that arrived after the moment in the steps of a tile, waiting or stored,
leaves the tile alone and reads the points. So a tile saves time and decides nothing, whoever made it and whenever.

How far a series is tiled, and up to which arrival it was looked for late points, stands in `tilings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.downsample import rank_edges
from stepwell.core.model import EVERYTHING
from stepwell.core.series import I64, INT64_MAX, INT64_MIN, Points, value_keys, values_of
from stepwell.core.summary import repeated_steps
from stepwell.storage.warehouse.points.lately import Lately
from stepwell.storage.warehouse.points.spans import collect, parts
from stepwell.storage.warehouse.points.statements import Scope, age_of, select

LATE: Final = 100_000  # steps with late points that are told one by one: of more only about where they are,
CELLS: Final = 1 << 14  # in so many stretches of equal width
_SAMPLES: Final = ("first", "last", "min", "max")
_COUNTS: Final = ("finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Nodes of one level, in key order: which tile each is of, the tile's last step and moment, and in which nodes a
    step has several points."""

    tile: I64
    end: I64
    made: I64
    repeated: NDArray[np.bool_]
    nodes: Buckets

    def take(self, index: NDArray[np.bool_]) -> Nodes:
        """Those at `index`."""
        return Nodes(
            tile=self.tile[index],
            end=self.end[index],
            made=self.made[index],
            repeated=self.repeated[index],
            nodes=self.nodes.take(index),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Tiles by their first step: from which step (`tile`) to which each stands, its moment, and what it has: how many
    points, its first step, and between which times. `nodes`: those of level 0, one a tile, where they were read too."""

    tile: I64
    end: I64
    made: I64
    count: I64
    first_step: I64
    min_time: I64
    max_time: I64
    nodes: Nodes | None = None

    @classmethod
    def of(cls, nodes: Nodes) -> Tiles:
        """Those of the nodes of level 0."""
        summed = nodes.nodes
        return cls(
            tile=nodes.tile,
            end=nodes.end,
            made=nodes.made,
            count=summed.count,
            first_step=summed.first.step,
            min_time=summed.min_time,
            max_time=summed.max_time,
            nodes=nodes,
        )

    def take(self, index: NDArray[np.bool_]) -> Tiles:
        """Those at `index`."""
        return Tiles(
            tile=self.tile[index],
            end=self.end[index],
            made=self.made[index],
            count=self.count[index],
            first_step=self.first_step[index],
            min_time=self.min_time[index],
            max_time=self.max_time[index],
            nodes=None if self.nodes is None else self.nodes.take(index),
        )


Place: TypeAlias = tuple[int, int]  # steps from one to another
Places: TypeAlias = tuple[I64, I64]  # the same of many: where each begins, and ends; both rising
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a series in key order: tiles that stand for all of it, or (None) a scope to be read itself."""

    scope: Scope
    tiles: Tiles | None


def segments(scope: Scope) -> list[Segment]:
    """All of a scope in key order; whole tiles where they tell just what the scope would."""
    if scope.series is None or len(scope.series) != 1:
        return [Segment(scope=scope, tiles=None)]
    ((end, checked),) = _tilings([scope])
    if end is None:
        return [Segment(scope=scope, tiles=None)]
    window = scope.window
    # All of a long series is often told by its tiles alone; to have all of their columns takes twice as long.
    whole = Tiles.of(_level(scope, 0, INT64_MIN, end)) if window == EVERYTHING else stored(scope, INT64_MIN, end)
    inside = (whole.first_step >= window.min_step) & (whole.end <= window.max_step)
    inside &= (whole.min_time >= window.min_time) & (whole.max_time <= window.max_time)
    outside = (whole.first_step > window.max_step) | (whole.end < window.min_step)
    outside |= (whole.min_time > window.max_time) | (whole.max_time < window.min_time)
    good = (inside | outside) & (whole.made <= scope.end) & _apart(whole, end)
    for places in (_late(scope, end, checked), _sorted(scope.waiting.points.step)):
        good &= ~_met(places, whole.tile, whole.end)
    good &= ~cut(scope, whole)
    return list(_stretches(scope, whole, good, inside))


def _stretches(scope: Scope, whole: Tiles, good: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Iterator[Segment]:
    """Neighbouring good tiles together, those that are in the window, and what lies between them."""
    low, high = scope.window.min_step, scope.window.max_step
    joined = good[:-1] & good[1:] & (whole.tile[1:] - 1 <= whole.end[:-1])  # else points may lie between the two
    begins, ends = good & ~np.append(False, joined), good & ~np.append(joined, False)
    for begin, end in zip(np.flatnonzero(begins).tolist(), (np.flatnonzero(ends) + 1).tolist(), strict=True):
        first, last = int(whole.tile[begin]), int(whole.end[end - 1])
        if low < first and low <= high:
            yield Segment(scope=_steps(scope, low, min(first - 1, high)), tiles=None)
        index = np.zeros(len(good), np.bool_)
        index[begin:end] = inside[begin:end]
        if index.any():
            yield Segment(scope=_steps(scope, max(first, low), min(last, high)), tiles=whole.take(index))
        low = max(low, last + 1)
    if low <= high:
        yield Segment(scope=_steps(scope, low, high), tiles=None)


def stored(scope: Scope, begin: int, end: int, *, every: bool = False) -> Tiles:
    """Tiles that begin from one step to another, each as it was made last, or `every` time."""
    columns = scope.select("tiles", 7, begin=begin, end=end)
    tile, made = columns[:2]
    order = np.argsort(tile, kind="stable") if every else _latest(tile, np.zeros_like(tile), made)
    tile, made, last, count, first_step, min_time, max_time = (column[order] for column in columns)
    return Tiles(
        tile=tile,
        end=last,
        made=made,
        count=count,
        first_step=first_step,
        min_time=min_time,
        max_time=max_time,
    )


def nodes(scope: Scope, whole: Tiles, number: int) -> Nodes | None:
    """The nodes of a level of these tiles; None when they are not those of just these."""
    if number == 0 and whole.nodes is not None:
        return whole.nodes
    found = _level(scope, number, int(whole.tile[0]), int(whole.tile[-1]))
    at = np.searchsorted(whole.tile, found.tile)
    of_these = whole.tile[at] == found.tile
    if not of_these.all():
        found, at = found.take(of_these), at[of_these]
    same = (found.made == whole.made[at]).all()
    counts = np.zeros(len(whole.tile), np.int64)
    np.add.at(counts, at, found.nodes.count)
    return found if same and (counts == whole.count).all() else None


def _level(scope: Scope, number: int, begin: int, end: int) -> Nodes:
    """All nodes of a level, of tiles that begin from one step to another, each tile as it was made last."""
    columns = scope.select("nodes", 26, level=number, begin=begin, end=end)
    order = _latest(*columns[:3])
    columns = [column[order] for column in columns]
    return Nodes(
        tile=columns[0], made=columns[2], end=columns[3], repeated=columns[4] != 0, nodes=_buckets(columns[5:])
    )


def _latest(tile: I64, number: I64, made: I64) -> I64:
    """Where the nodes of tiles stand, in their order: of each tile those that were made last, what came twice once."""
    order: I64 = np.lexsort((number, tile))
    if not len(order):
        return order
    starts = np.flatnonzero(np.append(True, tile[order][1:] != tile[order][:-1]))
    last = np.repeat(np.maximum.reduceat(made[order], starts), np.diff(np.append(starts, len(order))))
    order = order[made[order] == last]
    tile, number = tile[order], number[order]
    found: I64 = order[np.append(True, (tile[1:] != tile[:-1]) | (number[1:] != number[:-1]))]
    return found


def roll_up(scopes: Sequence[Scope], widths: tuple[int, ...], lately: Lately) -> int:
    """Sum up what is new of some series, each in a scope of its own, late points included; how many tiles were made.

    A scope has no window and nothing that waits, and every point that arrived before its end is stored. `widths`: how
    many points a node of each level has, falling; the first is that of a tile. `lately`: points that need not be read.
    Their tiles are inserted together: an insert of one tile costs ClickHouse nearly as much as of many.
    """
    tilings = _tilings(scopes)
    ends = [end for end, _ in tilings]
    made = 0
    tiles: list[Made] = []
    for number, (scope, (end, checked)) in enumerate(zip(scopes, tilings, strict=True)):
        remade, places = _mend(scope, end, checked, widths)
        made += remade
        for some in chain.from_iterable(_grown(_steps(scope, *place), widths, lately) for place in places):
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
        rows = [(scope.run, _series(scope), end, scope.end) for scope, end in tiled]
        columns = np.ascontiguousarray(np.array(rows, np.int64).T)
        names = ("run", "series", "end_step", "checked")
        tiled[0][0].server.insert("tilings", dict(zip(names, columns, strict=True)))
        for scope, end in tiled:
            lately.forget(_series(scope), end)


def _series(scope: Scope) -> int:
    """The series of a scope of one."""
    (series,) = scope.series or ()
    return series


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
            tiles.append((_steps(scope, low, last), pool.take(slice(begin, upto))))
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
    late = _late(scope, end, checked)
    if not len(late[0]) and not scope.cuts:
        return 0, behind
    whole = stored(scope, INT64_MIN, end)
    bad = cut(scope, whole) | _met(late, whole.tile, whole.end)
    for at in np.flatnonzero(bad).tolist():
        again = _steps(scope, int(whole.tile[at]), int(whole.end[at]))
        points = collect(again)
        if len(points):  # else all of it is cut, and it goes with its points
            _store([(again, points)], widths)
    return int(bad.sum()), [*_gaps(whole, end, late), *behind]


def _gaps(whole: Tiles, end: int, late: Places) -> Iterator[Place]:
    """Steps up to `end` between tiles, where late points may be: a tile was removed, and a run began anew."""
    low = INT64_MIN
    for tile, last in zip([*whole.tile.tolist(), end + 1], [*whole.end.tolist(), end], strict=True):
        if low < tile and _met(late, low, tile - 1):
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
            points = collect(_steps(scope, int(tiles[0]), int(ends[-1])))
            edges = [0, *np.searchsorted(points.step, ends, side="right").tolist()]
            parts = [points.take(slice(low, high)) for low, high in pairwise(edges)]
            if not all(map(len, parts)):
                return True
            if any(_differ(scope, tiles, each, number) for number, each in enumerate(_summed(parts, widths))):
                return True
    return False


def _differ(scope: Scope, starts: I64, made: Level, number: int) -> bool:
    """Whether the stored nodes of a level of some tiles are not these."""
    there = _level(scope, number, int(starts[0]), int(starts[-1]))
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
        [(each.run, _series(each), each.window.min_step, each.end, each.window.max_step) for each, _ in tiles], np.int64
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


def cut(scope: Scope, whole: Tiles) -> NDArray[np.bool_]:
    """Which tiles may have points in their sums that are hidden now."""
    found = np.zeros(len(whole.tile), np.bool_)
    for one in scope.cuts:
        found |= one.touches(whole.first_step, whole.min_time) & (whole.made <= one.made)
    return found


def _tilings(scopes: Sequence[Scope]) -> list[tuple[int | None, int]]:
    """Up to which step each of some scopes of one series has tiles, None where it has none, and since which arrival
    number nobody has looked for late points."""
    if not scopes:
        return []
    values = {"runs": tuple(scope.run for scope in scopes), "series": tuple(map(_series, scopes))}
    series, end, checked = select(scopes[0].server, "tiling", 3, values)
    found = dict(zip(series.tolist(), zip(end.tolist(), checked.tolist(), strict=True), strict=True))
    return [found.get(_series(scope), (None, 0)) for scope in scopes]


def _late(scope: Scope, end: int, checked: int) -> Places:
    """Steps up to `end` with points that arrived from `checked` on; where there are very many, stretches with such."""
    if checked >= scope.end:
        return _sorted(np.empty(0, np.int64))
    those = {"min_step": INT64_MIN, "max_step": end, "begin_age": age_of(checked)}
    (steps,) = scope.select("late", 1, **those, limit=LATE)
    if len(steps) < LATE:
        return _sorted(steps)
    low, high = (int(column[0]) for column in scope.select("late_extent", 2, **those))
    shift = max(0, (high - low).bit_length() - CELLS.bit_length() + 1)
    (cells,) = scope.select("late_spread", 1, **those, low=low % 2**64, shift=shift)
    begins = [low + (cell << shift) for cell in sorted(cells.tolist())]
    ends = [min(begin + (1 << shift) - 1, high) for begin in begins]
    return np.array(begins, np.int64), np.array(ends, np.int64)


def _sorted(steps: I64) -> Places:
    steps = np.sort(steps)
    return steps, steps


def _apart(whole: Tiles, end: int) -> NDArray[np.bool_]:
    """Tiles that the tiling tells of and that lie behind all before them; others were made by two at once."""
    fine: NDArray[np.bool_] = whole.end <= end
    fine[1:] &= whole.tile[1:] > np.maximum.accumulate(whole.end)[:-1]
    return fine


def _met(places: Places, begin: I64 | int, end: I64 | int) -> NDArray[np.bool_]:
    """Which ranges of steps, from `begin` to `end`, have anything of the places: where they lie over one another, more
    than one."""
    begins, ends = places
    found: NDArray[np.bool_] = np.searchsorted(ends, begin) < np.searchsorted(begins, end, side="right")
    return found


def _steps(scope: Scope, low: int, high: int) -> Scope:
    return scope.narrowed(replace(scope.window, min_step=low, max_step=high))


def _columns(nodes: Buckets) -> dict[str, I64]:
    found = {"count": nodes.count}
    for name in _SAMPLES:
        one: Samples = getattr(nodes, name)
        time = "at" if name in ("min", "max") else "time"  # min_time and max_time are those of all points
        found |= {f"{name}_step": one.step, f"{name}_{time}": one.time, f"{name}_value": value_keys(one.value)}
    found |= {"finite_count": nodes.finite_count, "mean": value_keys(nodes.mean), "m2": value_keys(nodes.m2)}
    return found | {name: getattr(nodes, name) for name in _COUNTS[1:]}


def _buckets(columns: list[I64]) -> Buckets:
    rows: dict[str, Any] = {
        name: Samples(step=columns[at], time=columns[at + 1], value=values_of(columns[at + 2]))
        for name, at in zip(_SAMPLES, range(1, 13, 3), strict=True)
    }
    rows |= zip(_COUNTS, [columns[13], *columns[16:]], strict=True)
    return Buckets(count=columns[0], mean=values_of(columns[14]), m2=values_of(columns[15]), **rows)
