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
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.model import EVERYTHING
from stepwell.core.series import I64, INT64_MIN, values_of
from stepwell.storage.warehouse.points.statements import Scope, age_of, select

LATE: Final = 100_000  # steps with late points that are told one by one: of more only about where they are,
CELLS: Final = 1 << 14  # in so many stretches of equal width
SAMPLES: Final = ("first", "last", "min", "max")
COUNTS: Final = ("finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")


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


Places: TypeAlias = tuple[I64, I64]  # the same of many: where each begins, and ends; both rising


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a series in key order: tiles that stand for all of it, or (None) a scope to be read itself."""

    scope: Scope
    tiles: Tiles | None


def segments(scope: Scope) -> list[Segment]:
    """All of a scope in key order; whole tiles where they tell just what the scope would."""
    if scope.series is None or len(scope.series) != 1:
        return [Segment(scope=scope, tiles=None)]
    ((end, checked),) = tilings_of([scope])
    if end is None:
        return [Segment(scope=scope, tiles=None)]
    window = scope.window
    # All of a long series is often told by its tiles alone; to have all of their columns takes twice as long.
    whole = Tiles.of(level(scope, 0, INT64_MIN, end)) if window == EVERYTHING else stored(scope, INT64_MIN, end)
    inside = (whole.first_step >= window.min_step) & (whole.end <= window.max_step)
    inside &= (whole.min_time >= window.min_time) & (whole.max_time <= window.max_time)
    outside = (whole.first_step > window.max_step) | (whole.end < window.min_step)
    outside |= (whole.min_time > window.max_time) | (whole.max_time < window.min_time)
    good = (inside | outside) & (whole.made <= scope.end) & _apart(whole, end)
    for places in (late_places(scope, end, checked), _sorted(scope.waiting.points.step)):
        good &= ~met(places, whole.tile, whole.end)
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
            yield Segment(scope=narrowed(scope, low, min(first - 1, high)), tiles=None)
        index = np.zeros(len(good), np.bool_)
        index[begin:end] = inside[begin:end]
        if index.any():
            yield Segment(scope=narrowed(scope, max(first, low), min(last, high)), tiles=whole.take(index))
        low = max(low, last + 1)
    if low <= high:
        yield Segment(scope=narrowed(scope, low, high), tiles=None)


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
    found = level(scope, number, int(whole.tile[0]), int(whole.tile[-1]))
    at = np.searchsorted(whole.tile, found.tile)
    of_these = whole.tile[at] == found.tile
    if not of_these.all():
        found, at = found.take(of_these), at[of_these]
    same = (found.made == whole.made[at]).all()
    counts = np.zeros(len(whole.tile), np.int64)
    np.add.at(counts, at, found.nodes.count)
    return found if same and (counts == whole.count).all() else None


def level(scope: Scope, number: int, begin: int, end: int) -> Nodes:
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


def series_of(scope: Scope) -> int:
    """The series of a scope of one."""
    (series,) = scope.series or ()
    return series


def cut(scope: Scope, whole: Tiles) -> NDArray[np.bool_]:
    """Which tiles may have points in their sums that are hidden now."""
    found = np.zeros(len(whole.tile), np.bool_)
    for one in scope.cuts:
        found |= one.touches(whole.first_step, whole.min_time) & (whole.made <= one.made)
    return found


def tilings_of(scopes: Sequence[Scope]) -> list[tuple[int | None, int]]:
    """Up to which step each of some scopes of one series has tiles, None where it has none, and since which arrival
    number nobody has looked for late points."""
    if not scopes:
        return []
    values = {"runs": tuple(scope.run for scope in scopes), "series": tuple(map(series_of, scopes))}
    series, end, checked = select(scopes[0].server, "tiling", 3, values)
    found = dict(zip(series.tolist(), zip(end.tolist(), checked.tolist(), strict=True), strict=True))
    return [found.get(series_of(scope), (None, 0)) for scope in scopes]


def late_places(scope: Scope, end: int, checked: int) -> Places:
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


def met(places: Places, begin: I64 | int, end: I64 | int) -> NDArray[np.bool_]:
    """Which ranges of steps, from `begin` to `end`, have anything of the places: where they lie over one another, more
    than one."""
    begins, ends = places
    found: NDArray[np.bool_] = np.searchsorted(ends, begin) < np.searchsorted(begins, end, side="right")
    return found


def narrowed(scope: Scope, low: int, high: int) -> Scope:
    """The same from one step to another."""
    return scope.narrowed(replace(scope.window, min_step=low, max_step=high))


def _buckets(columns: list[I64]) -> Buckets:
    rows: dict[str, Any] = {
        name: Samples(step=columns[at], time=columns[at + 1], value=values_of(columns[at + 2]))
        for name, at in zip(SAMPLES, range(1, 13, 3), strict=True)
    }
    rows |= zip(COUNTS, [columns[13], *columns[16:]], strict=True)
    return Buckets(count=columns[0], mean=values_of(columns[14]), m2=values_of(columns[15]), **rows)
