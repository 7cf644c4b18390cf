"""Buckets: aggregates of neighbouring points, as columns; how they are made and joined. Pure arithmetic, no storage.

Points are always in key order, (step, time, value, occurrence), with values compared by `value_key`: -0.0 is below 0.0.

Numbers that do not fit: a mean never overflows. m2, the sum of squared deviations, is +Inf when it is above the largest
double (and so is the variance); it is never a finite number that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import F64, I64, INT64_MAX, INT64_MIN, Points, distinct, value_keys

HUGE = 2.0**900  # from here on sums are taken of values scaled down, because they could overflow
SCALE = 2.0**-64
PIECE = 16384  # points worked on at a time, so that the columns between the steps stay in the processor's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Points without identity, as equally long columns: step int64, time int64 microseconds UTC, value float64."""

    step: I64
    time: I64
    value: F64

    def __len__(self) -> int:
        return len(self.step)

    def take(self, index: Any) -> Self:
        """The rows at `index` (positions, a mask or a slice), in its order."""
        return type(self)(step=self.step[index], time=self.time[index], value=self.value[index])

    @classmethod
    def of(cls, points: Points, index: Any) -> Self:
        """The points at `index`, without their identity."""
        return cls(step=points.step[index], time=points.time[index], value=points.value[index])

    @classmethod
    def concat(cls, parts: list[Self]) -> Self:
        """The rows of `parts`, one after another."""
        return cls(
            step=np.concatenate([np.empty(0, np.int64), *(p.step for p in parts)]),
            time=np.concatenate([np.empty(0, np.int64), *(p.time for p in parts)]),
            value=np.concatenate([np.empty(0, np.float64), *(p.value for p in parts)]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Aggregates of neighbouring points, one row per bucket, as equally long columns.

    count: points of the bucket, at least 1. first, last: its first and last point in key order, finite or not.
    min, max: its points of least and greatest finite value, the earlier in key order on ties; without a finite value
    their step and time are the first point's and the value is NaN.
    finite_count, mean, m2: of the finite values; without any, mean is NaN and m2 is 0.
    nan_count, pos_inf_count, neg_inf_count: the others. min_time, max_time: the range of all times.
    """

    count: I64
    first: Samples
    last: Samples
    min: Samples
    max: Samples
    finite_count: I64
    mean: F64
    m2: F64
    nan_count: I64
    pos_inf_count: I64
    neg_inf_count: I64
    min_time: I64
    max_time: I64

    def __len__(self) -> int:
        return len(self.count)

    def take(self, index: Any) -> Self:
        """The rows at `index` (positions, a mask or a slice), in its order."""
        rows: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            rows[field.name] = column.take(index) if isinstance(column, Samples) else column[index]
        return type(self)(**rows)

    @classmethod
    def of(cls, points: Points, edges: I64) -> Self:
        """Bucket i holds the points [edges[i], edges[i+1]), which are in key order.

        `edges` rises strictly from 0 to len(points), and is [0] when there are none; else ValueError. Several series,
        each in key order, may stand one after another when the edges separate them.
        """
        starts, ends = _bounds(edges, len(points))
        if len(starts) > 1 and len(points) > 2 * PIECE:
            return cls.concat([cls.of(points.take(slice(a, b)), piece - a) for a, b, piece in _pieces(starts, ends)])
        return cls._of(points, starts, ends) if len(starts) else cls.empty()

    @classmethod
    def _of(cls, points: Points, starts: I64, ends: I64) -> Self:
        value = points.value
        finite = np.isfinite(value)
        whole = bool(finite.all())
        keys = value_keys(value)
        low_at, high_at = _extremes(keys, keys, None if whole else finite, starts, ends)
        low, high = Samples.of(points, low_at), Samples.of(points, high_at)
        none = np.zeros(len(starts), np.int64)
        finite_count = ends - starts
        if not whole:
            finite_count = np.add.reduceat(finite, starts, dtype=np.int64)
            low, high = _blank(low, finite_count == 0), _blank(high, finite_count == 0)
        used, weights = (value, None) if whole else (np.where(finite, value, 0.0), finite.astype(np.int64))
        mean, m2 = _Weighted(values=used, weights=weights, total=finite_count, low=low.value, high=high.value).moments(
            starts, ends
        )
        return cls(
            count=ends - starts,
            first=Samples.of(points, starts),
            last=Samples.of(points, ends - 1),
            min=low,
            max=high,
            finite_count=finite_count,
            mean=mean,
            m2=m2,
            nan_count=none if whole else np.add.reduceat(np.isnan(value), starts, dtype=np.int64),
            pos_inf_count=none if whole else np.add.reduceat(value == np.inf, starts, dtype=np.int64),
            neg_inf_count=none if whole else np.add.reduceat(value == -np.inf, starts, dtype=np.int64),
            min_time=np.minimum.reduceat(points.time, starts),
            max_time=np.maximum.reduceat(points.time, starts),
        )

    def merge(self, edges: I64) -> Self:
        """Neighbouring rows joined: row i of the result covers the rows [edges[i], edges[i+1]), edges as in `of`.

        The same as `of` over the points themselves, but for the last bits of mean and m2.
        """
        starts, ends = _bounds(edges, len(self))
        if len(starts) == len(self):
            return self
        some = self.finite_count > 0
        low_at, high_at = _extremes(
            value_keys(self.min.value), value_keys(self.max.value), None if some.all() else some, starts, ends
        )
        low, high = self.min.take(low_at), self.max.take(high_at)
        finite_count = np.add.reduceat(self.finite_count, starts)
        mean, m2 = _Weighted(
            values=np.where(some, self.mean, 0.0),
            weights=self.finite_count,
            total=finite_count,
            low=low.value,
            high=high.value,
        ).moments(starts, ends)
        with np.errstate(over="ignore"):  # +Inf is the answer when it does not fit
            m2 = m2 + np.add.reduceat(self.m2, starts)
        return type(self)(
            count=np.add.reduceat(self.count, starts),
            first=self.first.take(starts),
            last=self.last.take(ends - 1),
            min=low,
            max=high,
            finite_count=finite_count,
            mean=mean,
            m2=m2,
            nan_count=np.add.reduceat(self.nan_count, starts),
            pos_inf_count=np.add.reduceat(self.pos_inf_count, starts),
            neg_inf_count=np.add.reduceat(self.neg_inf_count, starts),
            min_time=np.minimum.reduceat(self.min_time, starts),
            max_time=np.maximum.reduceat(self.max_time, starts),
        )

    @classmethod
    def concat(cls, parts: list[Self]) -> Self:
        """The rows of `parts`, one after another."""
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        rows: dict[str, Any] = {}
        for field in fields(cls):
            columns = [getattr(part, field.name) for part in parts]
            rows[field.name] = Samples.concat(columns) if isinstance(columns[0], Samples) else np.concatenate(columns)
        return cls(**rows)

    @classmethod
    def empty(cls) -> Self:
        """No buckets."""
        none, real, samples = np.empty(0, np.int64), np.empty(0, np.float64), Samples.concat([])
        rows: dict[str, Any] = {}
        for field in fields(cls):
            rows[field.name] = none
        rows.update(first=samples, last=samples, min=samples, max=samples, mean=real, m2=real)
        return cls(**rows)


def _bounds(edges: I64, length: int) -> tuple[I64, I64]:
    """Starts and ends of the buckets between `edges`."""
    edges = np.asarray(edges, dtype=np.int64)
    starts, ends = edges[:-1], edges[1:]
    if not len(edges) or edges[0] != 0 or edges[-1] != length or (starts >= ends).any():
        raise ValueError(f"edges must rise strictly from 0 to {length}")
    return starts, ends


def _extremes(low: I64, high: I64, allowed: NDArray[np.bool_] | None, starts: I64, ends: I64) -> tuple[I64, I64]:
    """Of each bucket the first position of the least of `low` and of the greatest of `high`, among the `allowed` rows.

    A bucket without an allowed row answers its first position.
    """
    if allowed is not None:
        low, high = np.where(allowed, low, INT64_MAX), np.where(allowed, high, INT64_MIN)
    width, rows = int(ends[0]), len(starts)
    if rows == len(low):
        return starts, starts
    if rows * width == len(low) and (ends == starts + width).all():  # the nodes of a block: half the time
        return starts + low.reshape(rows, width).argmin(axis=1), starts + high.reshape(rows, width).argmax(axis=1)
    least, greatest = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
    return _first_equal(low, least, starts, ends), _first_equal(high, greatest, starts, ends)


def _first_equal(keys: I64, wanted: I64, starts: I64, ends: I64) -> I64:
    """Of each bucket the first position where the key is the wanted one, which it holds."""
    hits = np.flatnonzero(keys == np.repeat(wanted, ends - starts))
    found: I64 = hits[np.searchsorted(hits, starts)]
    return found


def _pieces(starts: I64, ends: I64) -> list[tuple[int, int, I64]]:
    """The buckets in groups of about PIECE points or one bucket: first point, end, and edges counted from point 0."""
    first = distinct(np.searchsorted(starts, np.arange(0, int(ends[-1]), PIECE)).clip(max=len(starts) - 1))
    upto = np.append(first[1:], len(starts))
    return [
        (int(starts[a]), int(ends[b - 1]), np.append(starts[a:b], ends[b - 1]))
        for a, b in zip(first, upto, strict=True)
    ]


def _blank(samples: Samples, where: NDArray[np.bool_]) -> Samples:
    """The same with NaN for the values at `where`."""
    return Samples(step=samples.step, time=samples.time, value=np.where(where, np.nan, samples.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighted:
    """Finite values in groups, each `weights` times (None: once), `total` times in all of a group, `low` to `high`."""

    values: F64
    weights: I64 | None
    total: I64
    low: F64
    high: F64

    def moments(self, starts: I64, ends: I64) -> tuple[F64, F64]:
        """Mean of each group, and the sum of squared deviations from it.

        The mean is held between `low` and `high`, so that equal values have exactly themselves as mean.
        """
        lengths = ends - starts
        n = np.maximum(self.total, 1)
        scale = np.where(np.maximum(np.abs(self.low), np.abs(self.high)) >= HUGE, SCALE, 1.0)
        scaled = self.values * np.repeat(scale, lengths) if (scale != 1.0).any() else self.values
        with np.errstate(over="ignore", invalid="ignore"):
            sums = np.add.reduceat(scaled if self.weights is None else scaled * self.weights, starts)
            mean = np.clip(sums / n / scale, self.low, self.high)
            away = self.values - np.repeat(mean, lengths)
            if self.weights is not None:
                away[self.weights == 0] = 0.0
            heavy = away if self.weights is None else away * self.weights
            drift = np.add.reduceat(heavy, starts)  # zero but for rounding; taking it off keeps the last bits of m2
            m2 = np.maximum(np.add.reduceat(away * heavy, starts) - drift * (drift / n), 0.0)
        return mean, np.where(np.isnan(m2), np.inf, m2)
