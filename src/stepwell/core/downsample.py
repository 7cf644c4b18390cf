"""Which points stand for many: bucket edges, the spread of a chart, the sample of a series. Deterministic and pure.

Nothing here knows where points are stored or who asks. `Buckets` and `Summary`, the aggregates, live in their own files
and are named here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.series import I64, Points, ascending, distinct, value_keys
from stepwell.core.summary import Sample, Summary

__all__ = [
    "Buckets",
    "Sample",
    "Sampled",
    "Samples",
    "Summary",
    "last_per_step",
    "rank_edges",
    "sample",
    "sample_ranks",
    "snapped_edges",
    "spread",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What `sample` chose: points in key order; rows, how many it chose from; width of a stratum, 1 when all are in."""

    points: Points
    rows: int
    width: int


def rank_edges(n: int, budget: int) -> I64:
    """Edges of at most `budget` buckets over `n` items, by rank: widths differ by one at most. [0] when n is 0."""
    _at_least_one(budget, "budget")
    buckets = min(n, budget)
    return np.arange(buckets + 1, dtype=np.int64) * n // max(buckets, 1)


def snapped_edges(counts: I64, budget: int) -> I64:
    """Edges for `Buckets.merge` over rows of `counts` points: at most `budget` buckets of about equally many points."""
    upto = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    wanted = rank_edges(int(upto[-1]), budget)
    right = np.searchsorted(upto, wanted).clip(max=len(counts))
    nearer_left = (right > 0) & (wanted - upto[right - 1] < upto[right] - wanted)
    return distinct(right - nearer_left)


def spread(several: Sequence[Buckets], budget: int) -> list[Samples]:
    """Of each series at most `budget` points that keep what a chart must show, in key order, none twice; the buckets of
    each stand in order.

    4 or more: the first, the last, and of every bucket (joined to (budget - 2) // 2 of them) the least and the greatest
    finite value, or its first point when it has no finite value. 3: the first, the last, and the extreme that is
    farther from the mean (the maximum on a tie; the other one when that is an end). 2: the first and the last.
    1: the last. All points, when every bucket is a single one and they are no more than the budget.
    """
    _at_least_one(budget, "budget")
    shown = {n: rows.first for n, rows in enumerate(several) if len(rows) <= budget and (rows.count == 1).all()}
    rest = {n: rows for n, rows in enumerate(several) if n not in shown}
    if rest:
        left = list(rest.values())
        chosen = _outlines(left, budget) if budget > 3 else [_few(rows, budget) for rows in left]
        shown |= dict(zip(rest, chosen, strict=True))
    return [shown[n] for n in range(len(several))]


def _outlines(several: Sequence[Buckets], budget: int) -> list[Samples]:
    """Of each, which is not empty, the ends and every bucket's extremes: together, as numpy takes longer to begin than
    to do one of them.
    """
    most = (budget - 2) // 2
    several = [rows if len(rows) <= most else rows.merge(snapped_edges(rows.count, most)) for rows in several]
    lengths = np.array([len(rows) for rows in several])
    series, places = np.repeat(np.arange(len(several)), lengths), np.cumsum(lengths)
    first, last = (Samples.concat(column) for column in ([b.first for b in several], [b.last for b in several]))
    low, high = (Samples.concat(column) for column in ([b.min for b in several], [b.max for b in several]))
    some = np.concatenate([rows.finite_count for rows in several]) > 0
    parts = [first.take(places - lengths), last.take(places - 1), low.take(some), high.take(some), first.take(~some)]
    of = np.concatenate([np.arange(len(several)), np.arange(len(several)), series[some], series[some], series[~some]])
    return _distinct(parts, of)


def _few(rows: Buckets, budget: int) -> Samples:
    ends = [rows.first.take(slice(0, 1)), rows.last.take(slice(-1, None))]
    inner = [_farthest(rows.merge(rank_edges(len(rows), 1)))] if budget == 3 else []
    parts = [*ends[2 - min(budget, 2) :], *inner]
    return _distinct(parts, np.zeros(len(parts), np.int64))[0]


def _farthest(whole: Buckets) -> Samples:
    """Of one bucket the extreme farther from the mean that is not an end; its first point when there is none."""
    ends = {_identity(whole.first), _identity(whole.last)}
    half = 0.5  # of both sides, because the distance between two doubles may be above the largest
    far = [whole.max, whole.min]
    if whole.mean[0] * half - whole.min.value[0] * half > whole.max.value[0] * half - whole.mean[0] * half:
        far.reverse()
    inner = [extreme for extreme in far if whole.finite_count[0] and _identity(extreme) not in ends]
    return inner[0] if inner else whole.first


def _identity(one: Samples) -> tuple[int, int, int]:
    return int(one.step[0]), int(one.time[0]), int(value_keys(one.value)[0])


def _distinct(parts: list[Samples], of: I64) -> list[Samples]:
    """Of each series, told by its number `of` each sample, the samples in key order, each once."""
    both = Samples.concat(parts)
    columns = (of, both.step, both.time, value_keys(both.value))
    order = np.lexsort(columns[::-1])
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = ascending(tuple(column[order] for column in columns))
    chosen = order[fresh]
    found = both.take(chosen)
    edges = np.searchsorted(of[chosen], np.arange(of.max() + 2)).tolist()
    return [found.take(slice(a, b)) for a, b in pairwise(edges)]


def sample(points: Points, limit: int) -> Sampled:
    """At most `limit` rows of a series in key order, one per step: see `last_per_step` and `sample_ranks`."""
    rows = points.take(last_per_step(points))
    ranks, width = sample_ranks(len(rows), limit)
    return Sampled(points=rows if len(ranks) == len(rows) else rows.take(ranks), rows=len(rows), width=width)


def sample_ranks(rows: int, limit: int) -> tuple[I64, int]:
    """Which of `rows` ranks a sample of at most `limit` keeps, rising, and the width of its strata.

    1 keeps the last rank, 2 both ends, more keeps all when they fit. Else the ranks between the ends fall into strata
    whose width is the least power of two that leaves no more than `limit - 2`; a hash chooses one rank of each, whether
    or not it exists yet. So a growing series keeps what it showed, but for the last rank, until the width doubles; then
    each new stratum keeps the choice of one of its halves. The choice looks at ranks alone: series with equal steps
    show equal steps.
    """
    _at_least_one(limit, "limit")
    if rows <= limit:
        return np.arange(rows, dtype=np.int64), 1
    if limit < 3:
        return np.array([0, rows - 1][2 - limit :], np.int64), rows
    inner = rows - 2
    width = 1 << (-(-inner // (limit - 2)) - 1).bit_length()
    place = np.arange(-(-inner // width), dtype=np.uint64)
    half = width
    while half > 1:
        place = 2 * place + (_mixed(place + np.uint64(half)) & np.uint64(1))
        half //= 2
    chosen = place.astype(np.int64) + 1
    return np.concatenate([[0], chosen[chosen < rows - 1], [rows - 1]]).astype(np.int64), width


def last_per_step(points: Points) -> I64:
    """Of each step, rising, the position of the point with the greatest (time, arrival); `points` are in key order."""
    if not len(points):
        return np.empty(0, np.int64)
    step_ends = np.append(points.step[1:] != points.step[:-1], True)
    ends = np.flatnonzero(step_ends)
    if len(ends) == len(points):
        return ends
    moments = np.flatnonzero(np.append(True, step_ends[:-1] | (points.time[1:] != points.time[:-1])))
    starts = moments[np.searchsorted(moments, ends, side="right") - 1]  # of each step, where its greatest time begins
    lengths = ends - starts + 1
    members = np.repeat(ends + 1 - np.cumsum(lengths), lengths) + np.arange(lengths.sum())
    return members[_greatest(points.arrival[members], lengths)]


def _greatest(keys: I64, lengths: I64) -> I64:
    """The position of the greatest key, the last on ties, in each of neighbouring groups of `lengths`."""
    starts = np.cumsum(lengths) - lengths
    hits = np.flatnonzero(keys == np.repeat(np.maximum.reduceat(keys, starts), lengths))
    found: I64 = hits[np.searchsorted(hits, starts + lengths) - 1]
    return found


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well mixed hash of each number (the finaliser that Stafford published as variant 13 of MurmurHash3's)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _at_least_one(number: int, name: str) -> None:
    if number < 1:
        raise ValueError(f"{name} must be at least 1, not {number}")
