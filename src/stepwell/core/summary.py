"""The summary of a whole series: one bucket over all its points, in plain numbers that are cheap to keep up to date;
and the summaries of many, as columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import HUGE, SCALE, Buckets, Samples
from stepwell.core.series import I64, Points, value_key

_SAMPLES: Final = ("first", "last", "min", "max")
_COUNTS: Final = ("count", "finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")
_FLOATS: Final = ("mean", "m2")


class Sample(NamedTuple):
    """One point without identity: step, time in microseconds UTC, value."""

    step: int
    time: int
    value: float


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a series holds, in plain numbers; the fields are those of `Buckets`. Nobody changes one. It is not frozen: a
    frozen one takes four times as long to make, and a search makes one for each series with new points.

    repeated_steps: whether some step holds more than one point. It may be True without need (see `merge`), never False.
    """

    count: int
    first: Sample
    last: Sample
    min: Sample
    max: Sample
    finite_count: int
    mean: float
    m2: float
    nan_count: int
    pos_inf_count: int
    neg_inf_count: int
    min_time: int
    max_time: int
    repeated_steps: bool

    @property
    def variance(self) -> float:
        """Sample variance of the finite values: NaN below two of them, +Inf when it is too large for a double."""
        return self.m2 / (self.finite_count - 1) if self.finite_count > 1 else math.nan

    @property
    def first_value(self) -> float:
        """The value of the first point in key order."""
        return self.first.value

    @property
    def last_value(self) -> float:
        """The value of the last point in key order, which is the latest one."""
        return self.last.value

    @property
    def min_value(self) -> float:
        """The least finite value, NaN when there is none."""
        return self.min.value

    @property
    def max_value(self) -> float:
        """The greatest finite value, NaN when there is none."""
        return self.max.value

    @classmethod
    def of(cls, points: Points) -> Self:
        """The summary of the points of one series: in key order, at least one."""
        if len(points) == 1:  # numpy takes fifty times as long to say the same, and there may be very many such series
            return cls.of_one(int(points.step[0]), int(points.time[0]), float(points.value[0]))
        edges = np.array([0, len(points)], np.int64)
        return cls.rows(Buckets.of(points, edges), repeated_steps(points, edges))[0]

    @classmethod
    def of_one(cls, step: int, time: int, value: float) -> Self:
        """The summary of one point. Without a finite value the extremes have its place and NaN, as in `Buckets`."""
        finite = math.isfinite(value)
        point = Sample(step, time, math.nan if value != value else value)  # there is one NaN
        extreme = point if finite else Sample(step, time, math.nan)
        return cls(
            count=1,
            first=point,
            last=point,
            min=extreme,
            max=extreme,
            finite_count=int(finite),
            mean=value if finite else math.nan,
            m2=0.0,
            nan_count=int(value != value),
            pos_inf_count=int(value == math.inf),
            neg_inf_count=int(value == -math.inf),
            min_time=time,
            max_time=time,
            repeated_steps=False,
        )

    @classmethod
    def rows(cls, buckets: Buckets, repeated: NDArray[np.bool_]) -> list[Self]:
        """One summary per row of `buckets`; `repeated` is what `repeated_steps` answered for the same points."""
        columns = zip(
            buckets.count.tolist(),
            _samples(buckets.first),
            _samples(buckets.last),
            _samples(buckets.min),
            _samples(buckets.max),
            buckets.finite_count.tolist(),
            buckets.mean.tolist(),
            buckets.m2.tolist(),
            buckets.nan_count.tolist(),
            buckets.pos_inf_count.tolist(),
            buckets.neg_inf_count.tolist(),
            buckets.min_time.tolist(),
            buckets.max_time.tolist(),
            repeated.tolist(),
            strict=True,
        )
        return [
            cls(
                count=count,
                first=first,
                last=last,
                min=low,
                max=high,
                finite_count=finite_count,
                mean=mean,
                m2=m2,
                nan_count=nan_count,
                pos_inf_count=pos_inf_count,
                neg_inf_count=neg_inf_count,
                min_time=min_time,
                max_time=max_time,
                repeated_steps=repeats,
            )
            for (
                count,
                first,
                last,
                low,
                high,
                finite_count,
                mean,
                m2,
                nan_count,
                pos_inf_count,
                neg_inf_count,
                min_time,
                max_time,
                repeats,
            ) in columns
        ]

    def merge(self, other: Self, *, repeated: bool | None = None) -> Self:
        """The summary of both sets of points, which are disjoint and may interleave in key order.

        `repeated` says whether the union has some step twice, for those who know. By default it is taken to when one of
        the two has, or when their ranges of steps overlap.
        """
        if other.count == 1 and self.last.step < other.last.step and other.finite_count and self.finite_count:
            return self._followed_by(other, repeated=repeated)
        if repeated is None:
            apart = self.last.step < other.first.step or other.last.step < self.first.step
            repeated = self.repeated_steps or other.repeated_steps or not apart
        mean, m2 = _moments(self, other)
        return type(self)(
            count=self.count + other.count,
            first=_lesser(self.first, other.first),
            last=other.last if _lesser(self.last, other.last) is self.last else self.last,
            min=_least(self, other),
            max=_greatest(self, other),
            finite_count=self.finite_count + other.finite_count,
            mean=mean,
            m2=m2,
            nan_count=self.nan_count + other.nan_count,
            pos_inf_count=self.pos_inf_count + other.pos_inf_count,
            neg_inf_count=self.neg_inf_count + other.neg_inf_count,
            min_time=min(self.min_time, other.min_time),
            max_time=max(self.max_time, other.max_time),
            repeated_steps=repeated,
        )

    def _followed_by(self, other: Self, *, repeated: bool | None) -> Self:
        """`merge` with one finite point of a later step, as a run writes them: of a thousand runs a search waits for
        each."""
        point, (_, time, value) = other.last, other.last
        mean, m2 = _moments(self, other)
        return type(self)(
            count=self.count + 1,
            first=self.first,
            last=point,
            min=_least(self, other) if value <= self.min.value else self.min,
            max=_greatest(self, other) if value >= self.max.value else self.max,
            finite_count=self.finite_count + 1,
            mean=mean,
            m2=m2,
            nan_count=self.nan_count,
            pos_inf_count=self.pos_inf_count,
            neg_inf_count=self.neg_inf_count,
            min_time=time if time < self.min_time else self.min_time,
            max_time=time if time > self.max_time else self.max_time,
            repeated_steps=self.repeated_steps if repeated is None else repeated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryTable:
    """The summaries of metrics in runs: row i is that of `metrics[i]` in the run `run_ids[i]`.

    The rows of a run stand together, sorted by metric. rows, repeated_steps: as in `Summary`, equally long.
    """

    run_ids: Sequence[str]
    metrics: Sequence[str]
    rows: Buckets
    repeated_steps: NDArray[np.bool_]

    def by_run(self) -> dict[str, dict[str, Summary]]:
        """run id -> metric -> summary: an object for each, so for few."""
        found: dict[str, dict[str, Summary]] = {}
        each = zip(self.run_ids, self.metrics, Summary.rows(self.rows, self.repeated_steps), strict=True)
        for run_id, metric, summary in each:
            found.setdefault(run_id, {})[metric] = summary
        return found


class LastPoints(NamedTuple):
    """The last points, in key order, of a run's metrics: equally long lists, sorted by metric."""

    metrics: Sequence[str] = ()
    steps: Sequence[int] = ()
    times: Sequence[int] = ()
    values: Sequence[float] = ()


NO_POINTS: Final = LastPoints()


def columns_of(found: Sequence[Summary]) -> Buckets:
    """The opposite of `Summary.rows`, without what repeats."""
    columns: dict[str, Any] = {name: np.array([getattr(one, name) for one in found], np.int64) for name in _COUNTS}
    columns |= {name: _columns([getattr(one, name) for one in found]) for name in _SAMPLES}
    columns |= {name: np.array([getattr(one, name) for one in found], np.float64) for name in _FLOATS}
    return Buckets(**columns)


def _columns(samples: Sequence[Sample]) -> Samples:
    return Samples(
        step=np.array([sample.step for sample in samples], np.int64),
        time=np.array([sample.time for sample in samples], np.int64),
        value=np.array([sample.value for sample in samples], np.float64),
    )


def repeated_steps(points: Points, edges: I64) -> NDArray[np.bool_]:
    """For each bucket between `edges` (as in `Buckets.of`) of points in key order: whether some step occurs twice."""
    edges = np.asarray(edges, dtype=np.int64)
    if len(edges) < 2:
        return np.zeros(0, np.bool_)
    same = np.zeros(len(points), np.bool_)
    same[1:] = points.step[1:] == points.step[:-1]
    same[edges[:-1]] = False  # a bucket's first point repeats nothing of its own
    found: NDArray[np.bool_] = np.logical_or.reduceat(same, edges[:-1])
    return found


def _samples(samples: Samples) -> list[Sample]:
    return list(map(Sample, samples.step.tolist(), samples.time.tolist(), samples.value.tolist()))


def _lesser(a: Sample, b: Sample) -> Sample:
    """The one that is lesser in key order; `a` when they are equal."""
    if a.step != b.step:
        return a if a.step < b.step else b
    if a.time != b.time:
        return a if a.time < b.time else b
    return a if value_key(a.value) <= value_key(b.value) else b


def _least(a: Summary, b: Summary) -> Sample:
    if not a.finite_count or not b.finite_count:
        return _kept(a, b, a.min, b.min)
    if a.min.value != b.min.value:
        return a.min if a.min.value < b.min.value else b.min
    low, high = value_key(a.min.value), value_key(b.min.value)  # 0.0 equals -0.0, their keys differ
    if low != high:
        return a.min if low < high else b.min
    return _lesser(a.min, b.min)


def _greatest(a: Summary, b: Summary) -> Sample:
    if not a.finite_count or not b.finite_count:
        return _kept(a, b, a.max, b.max)
    if a.max.value != b.max.value:
        return a.max if a.max.value > b.max.value else b.max
    low, high = value_key(a.max.value), value_key(b.max.value)
    if low != high:
        return a.max if low > high else b.max
    return _lesser(a.max, b.max)


def _kept(a: Summary, b: Summary, of_a: Sample, of_b: Sample) -> Sample:
    """The extreme of the one that has a finite value; without any the place is the first point's, as in `Buckets`."""
    if a.finite_count or b.finite_count:
        return of_a if a.finite_count else of_b
    return of_a if _lesser(a.first, b.first) is a.first else of_b


def _moments(a: Summary, b: Summary) -> tuple[float, float]:
    """Mean and m2 of both, by the rule of Chan, Golub and LeVeque for two sets; safe up to the largest double."""
    n, m = a.finite_count, b.finite_count
    if not n or not m:
        return (b.mean, b.m2) if m else (a.mean, a.m2)
    least, greatest = min(a.min.value, b.min.value), max(a.max.value, b.max.value)
    scale = SCALE if max(-least, greatest) >= HUGE else 1.0
    mean = (a.mean * scale * n + b.mean * scale * m) / (n + m) / scale
    away = b.mean - a.mean
    m2 = a.m2 + b.m2 + (away * (n / (n + m))) * away * m
    return min(max(mean, least), greatest), m2
