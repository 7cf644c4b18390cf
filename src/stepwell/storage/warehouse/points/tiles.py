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
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.downsample import rank_edges
from stepwell.core.series import I64, INT64_MAX, INT64_MIN, Points, value_keys, values_of
from stepwell.core.summary import repeated_steps
from stepwell.storage.warehouse.points.lately import Lately
from stepwell.storage.warehouse.points.spans import collect, parts
from stepwell.storage.warehouse.points.statements import Scope, age_of

LATE: Final = 100_000  # steps with late points: beyond that tiles are not worth their while
_SAMPLES: Final = ("first", "last", "min", "max")
_COUNTS: Final = ("finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """Nodes of one level, in key order: which tile each is of, and the tile's last step and moment."""

    tile: I64
    end: I64
    made: I64
    repeated: NDArray[np.bool_]
    nodes: Buckets

    def take(self, index: NDArray[np.bool_]) -> Tiles:
        """Those at `index`."""
        return Tiles(
            tile=self.tile[index],
            end=self.end[index],
            made=self.made[index],
            repeated=self.repeated[index],
            nodes=self.nodes.take(index),
        )


Nodes: TypeAlias = tuple[Buckets, NDArray[np.bool_]]  # of a level, and in which of them a step has several points
Made: TypeAlias = tuple[Scope, Points]  # a tile to store: its steps and moment, and its points in key order


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a series in key order: tiles that stand for all of it, or (None) a scope to be read itself."""

    scope: Scope
    tiles: Tiles | None


def segments(scope: Scope) -> list[Segment]:
    """All of a scope in key order; whole tiles where they tell just what the scope would."""
    if scope.series is None or len(scope.series) != 1:
        return [Segment(scope=scope, tiles=None)]
    end, checked = _tiling(scope)
    if end is None:
        return [Segment(scope=scope, tiles=None)]
    whole = level(scope, 0, INT64_MIN, end)
    nodes, window = whole.nodes, scope.window
    inside = (nodes.first.step >= window.min_step) & (nodes.last.step <= window.max_step)
    inside &= (nodes.min_time >= window.min_time) & (nodes.max_time <= window.max_time)
    outside = (nodes.first.step > window.max_step) | (nodes.last.step < window.min_step)
    outside |= (nodes.min_time > window.max_time) | (nodes.max_time < window.min_time)
    good = (inside | outside) & (whole.made <= scope.end) & _apart(whole, end)
    fresh = _late(scope, end, checked)
    if fresh is None:
        return [Segment(scope=scope, tiles=None)]
    fresh = np.concatenate([fresh, scope.waiting.points.step])
    good[_hit(whole, fresh)] = False
    good &= ~cut(scope, whole)
    return list(_stretches(scope, whole, good, inside))


def _stretches(scope: Scope, whole: Tiles, good: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Iterator[Segment]:
    """Neighbouring good tiles together, those that are in the window, and what lies between them."""
    low, high = scope.window.min_step, scope.window.max_step
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]])))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
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


def level(scope: Scope, number: int, begin: int, end: int, *, every: bool = False) -> Tiles:
    """All nodes of a level, of tiles that begin from one step to another, each tile as it was made last, or `every`
    time."""
    columns = scope.select("nodes", 26, level=number, begin=begin, end=end)
    tile, place, made = columns[:3]
    order = np.lexsort((place, tile))
    tile, made = tile[order], made[order]
    if len(tile) and not every:
        starts = np.flatnonzero(np.append(True, tile[1:] != tile[:-1]))
        lengths = np.diff(np.append(starts, len(tile)))
        order = order[made == np.repeat(np.maximum.reduceat(made, starts), lengths)]
    columns = [column[order] for column in columns]
    return Tiles(
        tile=columns[0], made=columns[2], end=columns[3], repeated=columns[4] != 0, nodes=_buckets(columns[5:])
    )


def nodes(scope: Scope, whole: Tiles, number: int) -> Buckets | None:
    """The nodes of a level of these tiles; None when they are not those of just these."""
    if number == 0:
        return whole.nodes
    found = level(scope, number, int(whole.tile[0]), int(whole.tile[-1]))
    found = found.take(np.isin(found.tile, whole.tile))
    at = np.searchsorted(whole.tile, found.tile)
    same = (found.made == whole.made[at]).all()
    counts = np.zeros(len(whole.tile), np.int64)
    np.add.at(counts, at, found.nodes.count)
    return found.nodes if same and (counts == whole.nodes.count).all() else None


def roll_up(scope: Scope, widths: tuple[int, ...], lately: Lately | None = None) -> int:
    """Make the tiles of one series that are missing, and those again that points came to late; how many it were.

    `scope` has no window and nothing that waits, and every point that arrived before its end is stored. `widths`: how
    many points a node of each level has, falling; the first is that of a tile. `lately`: points that need not be read.
    """
    end, checked = _tiling(scope)
    made = 0
    if end is not None:
        made += _mend(scope, end, checked, widths)
    low = INT64_MIN if end is None else end + 1
    for tiles in _grown(scope, low, widths, lately or Lately()):
        _store(tiles, widths)
        made += len(tiles)
        end = tiles[-1][0].window.max_step
    # A replica that had this row and older tiles would take them for newer than they are.
    if end is not None and scope.server.settled("nodes"):
        assert scope.series is not None
        row = {"run": scope.run, "series": scope.series[0], "end_step": end, "checked": scope.end}
        scope.server.insert("tilings", {name: np.array([value], np.int64) for name, value in row.items()})
        if lately is not None:
            lately.forget(scope.series[0], end)
    return made


def _grown(scope: Scope, low: int, widths: tuple[int, ...], lately: Lately) -> Iterator[list[Made]]:
    """Tiles for what lies from a step on. As many points as a tile has are left, for many come out of order."""
    if low > INT64_MAX:
        return
    scope = _steps(scope, low, INT64_MAX)
    count = int(scope.select("grown", 1)[0][0])
    left = count - widths[0]
    if left < widths[0]:
        return
    pool = Points.empty()
    for some in _all(scope, count, lately):
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


def _all(scope: Scope, count: int, lately: Lately) -> Iterator[Points]:
    """The points of a scope, so many, in key order and parts that end with a step. What is kept is stored, so it is all
    of them where it is as many."""
    kept = lately.of(scope)
    if len(kept) == count:
        yield kept
        return
    for part in parts(scope, whole_steps=True):
        yield collect(part)


def _mend(scope: Scope, end: int, checked: int, widths: tuple[int, ...]) -> int:
    """Make again the tiles that points came to after they were made."""
    late = _late(scope, end, checked)
    if late is not None and not len(late) and not scope.cuts:
        return 0
    whole = level(scope, 0, INT64_MIN, end)
    bad = cut(scope, whole)
    if late is None:
        bad[:] = True
    else:
        bad[_hit(whole, late)] = True
    for at in np.flatnonzero(bad).tolist():
        again = _steps(scope, int(whole.tile[at]), int(whole.end[at]))
        points = collect(again)
        if len(points):  # else all of it is cut, and it goes with its points
            _store([(again, points)], widths)
    return int(bad.sum())


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
            made = [_summed(points, widths) for points in parts]
            if any(_differ(scope, tiles, each, number) for number, each in enumerate(zip(*made, strict=True))):
                return True
    return False


def _differ(scope: Scope, starts: I64, made: Sequence[Nodes], number: int) -> bool:
    """Whether the stored nodes of a level of some tiles are not these."""
    stored = level(scope, number, int(starts[0]), int(starts[-1]))
    tile = np.repeat(starts, [len(nodes) for nodes, _ in made])
    nodes = Buckets.concat([nodes for nodes, _ in made])
    wanted = [tile, np.concatenate([repeated for _, repeated in made]), *_columns(nodes).values()]
    found = [stored.tile, stored.repeated, *_columns(stored.nodes).values()]
    return not all(map(np.array_equal, wanted, found))


def _summed(points: Points, widths: tuple[int, ...]) -> list[Nodes]:
    """The nodes of each level of the points of a tile: the narrowest are made of points, the others of those below."""
    edges = rank_edges(len(points), -(-len(points) // widths[-1]))
    nodes = Buckets.of(points, edges)
    found = [(nodes, repeated_steps(points, edges))]
    for width in reversed(widths[:-1]):
        joined = rank_edges(len(nodes), -(-len(points) // width) if width != widths[0] else 1)
        nodes, edges = nodes.merge(joined), edges[joined]
        found.append((nodes, repeated_steps(points, edges)))
    return found[::-1]


def _store(tiles: list[Made], widths: tuple[int, ...]) -> None:
    """All nodes of some tiles in one block, so that of each tile all is seen or nothing."""
    columns: dict[str, list[I64]] = {}
    for scope, points in tiles:
        assert scope.series is not None
        for number, (nodes, repeated) in enumerate(_summed(points, widths)):
            rows = {
                "run": scope.run,
                "series": scope.series[0],
                "level": number,
                "tile": scope.window.min_step,
                "number": np.arange(len(nodes)),
                "made": scope.end,
                "end_step": scope.window.max_step,
                "repeated": repeated,
                **_columns(nodes),
            }
            for name, column in rows.items():
                whole = np.broadcast_to(np.asarray(column).astype(np.int64), (len(nodes),))
                columns.setdefault(name, []).append(whole)
    server = tiles[0][0].server
    server.insert("nodes", {name: np.concatenate(column) for name, column in columns.items()})


def cut(scope: Scope, whole: Tiles) -> NDArray[np.bool_]:
    """Which tiles may have points in their sums that are hidden now."""
    found = np.zeros(len(whole.tile), np.bool_)
    for one in scope.cuts:
        found |= one.touches(whole.nodes) & (whole.made <= one.made)
    return found


def _tiling(scope: Scope) -> tuple[int | None, int]:
    end, checked, count = (int(column[0]) for column in scope.select("tiling", 3))
    return (end, checked) if count else (None, 0)


def _late(scope: Scope, end: int, checked: int) -> I64 | None:
    """Steps up to `end` with points that arrived from `checked` on; None when there are too many."""
    if checked >= scope.end:
        return np.empty(0, np.int64)
    (steps,) = scope.select("late", 1, min_step=INT64_MIN, max_step=end, begin_age=age_of(checked), limit=LATE)
    return None if len(steps) == LATE else steps


def _apart(whole: Tiles, end: int) -> NDArray[np.bool_]:
    """Tiles that the tiling tells of and that lie behind all before them; others were made by two at once."""
    fine: NDArray[np.bool_] = whole.end <= end
    fine[1:] &= whole.tile[1:] > np.maximum.accumulate(whole.end)[:-1]
    return fine


def _hit(whole: Tiles, steps: I64) -> I64:
    """The tiles, by their place, in whose steps these are."""
    at = np.searchsorted(whole.tile, steps, side="right") - 1
    return at[at >= 0]


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
