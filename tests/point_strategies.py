"""Strategies for points and columns, hostile ones first; and an exact, slow account of what buckets must say."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.series import INT64_MAX, INT64_MIN, Order, Points, value_key, value_of

INT64 = st.integers(INT64_MIN, INT64_MAX)
EDGY = st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7e308, -1.7e308, 1e154, 0.1, 1.0, -2.5])
VALUE = st.one_of(EDGY, st.floats(), st.integers(-20, 20).map(float))

Row = tuple[int, int, float]


def points_of(rows: list[Row], arrivals: list[int] | None = None) -> Points:
    """Points in key order from (step, time, value) in any order; equal ones are told apart by their occurrence."""
    rows = sorted(rows, key=lambda row: (row[0], row[1], value_key(row[2])))
    seen: Counter[tuple[int, int, int]] = Counter()
    occurrence = []
    for step, time, value in rows:
        occurrence.append(seen[step, time, value_key(value)])
        seen[step, time, value_key(value)] += 1
    return Points(
        step=np.array([row[0] for row in rows], np.int64),
        time=np.array([row[1] for row in rows], np.int64),
        value=np.array([row[2] for row in rows], np.float64),
        occurrence=np.array(occurrence, np.int64),
        arrival=np.array(range(len(rows)) if arrivals is None else arrivals, np.int64),
    )


@st.composite
def series(draw: st.DrawFn, *, min_size: int = 0, max_size: int = 60) -> Points:
    """Points of one series in key order: crowded steps and times, extreme ones, arrival in any order."""
    step = draw(st.sampled_from([st.integers(-3, 3), st.integers(0, 1000), INT64, st.just(0)]))
    time = draw(st.sampled_from([st.integers(0, 3), INT64, st.integers(0, 10**6).map(lambda ms: ms * 1000)]))
    value = draw(st.sampled_from([VALUE, EDGY, st.floats(), st.floats(width=32), st.just(0.1)]))
    rows = draw(st.lists(st.tuples(step, time, value), min_size=min_size, max_size=max_size))
    return points_of(rows, draw(st.permutations(range(len(rows)))))


@st.composite
def edges_of(draw: st.DrawFn, length: int) -> Any:
    """Bucket edges over `length` rows: any set of inner edges."""
    inner = draw(st.sets(st.integers(1, length - 1))) if length > 1 else set()
    return np.array(sorted({0, *inner, length}), np.int64)


@st.composite
def columns(draw: st.DrawFn, *, min_size: int = 1, max_size: int = 80) -> Any:
    """An int64 column: constant, stepping, jumping, or anything."""
    size = draw(st.integers(min_size, max_size))
    kind = draw(st.sampled_from(["constant", "stride", "jitter", "quadratic", "thousands", "any", "wide"]))
    index = np.arange(size, dtype=np.int64)
    first, stride = np.int64(draw(INT64)), np.int64(draw(INT64))
    noise = np.array(draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size)), np.int64)
    with np.errstate(over="ignore"):
        if kind == "constant":
            return np.full(size, first)
        if kind == "stride":
            return first + index * stride
        if kind == "jitter":
            return first + index * stride + noise
        if kind == "quadratic":
            return first + index * index * stride
        if kind == "thousands":
            return np.int64(draw(st.integers(-(10**9), 10**9))) + (index * 50 + noise) * 1000
        if kind == "wide":
            return np.where(noise > 0, INT64_MAX, INT64_MIN) + noise
    return np.array(draw(st.lists(INT64, min_size=size, max_size=size)), np.int64)


@st.composite
def value_columns(draw: st.DrawFn, *, min_size: int = 1, max_size: int = 80) -> Any:
    """A float64 column of one kind, now and then with a value of another kind in it."""
    kinds = [
        VALUE,
        EDGY,
        st.floats(),
        st.floats(width=32),
        st.floats(width=16),
        st.integers(-(2**60), 2**60).map(float),
        st.sampled_from([0.0, -0.0, 1.0, -0.5]),
        st.integers(-(10**6), 10**6).map(lambda n: n / 1000),
        st.floats(-10, 10).map(lambda x: round(x, 4)),
        INT64.map(value_of),  # every bit pattern but other NaNs
    ]
    kind = draw(st.sampled_from(kinds))
    values = draw(st.lists(kind, min_size=min_size, max_size=max_size))
    if draw(st.booleans()):
        values[draw(st.integers(0, len(values) - 1))] = draw(VALUE)
    return np.array(values, np.float64)


def identities(points: Points) -> list[tuple[int, ...]]:
    """Every point with all that it has, comparable."""
    keys = points.sort_columns(Order.KEY)
    return list(zip(*(column.tolist() for column in (*keys, points.arrival)), strict=True))


def told(samples: Samples) -> list[tuple[int, int, int]]:
    """Samples as comparable rows."""
    return [
        (step, time, value_key(value))
        for step, time, value in zip(samples.step.tolist(), samples.time.tolist(), samples.value.tolist(), strict=True)
    ]


def exact(rows: list[Row]) -> dict[str, Any]:
    """What a bucket of these rows, in key order, must say; mean and m2 as fractions."""
    finite = [row for row in rows if math.isfinite(row[2])]
    least = min(finite, key=lambda row: value_key(row[2]), default=(rows[0][0], rows[0][1], math.nan))
    greatest = max(finite, key=lambda row: value_key(row[2]), default=least)
    numbers = [Fraction(row[2]) for row in finite]
    mean = sum(numbers, Fraction(0)) / len(numbers) if numbers else None
    return {
        "count": len(rows),
        "first": _told(rows[0]),
        "last": _told(rows[-1]),
        "min": _told(least),
        "max": _told(greatest),
        "finite_count": len(finite),
        "mean": mean,
        "m2": sum(((x - mean) ** 2 for x in numbers), Fraction(0)) if mean is not None else Fraction(0),
        "nan_count": sum(math.isnan(row[2]) for row in rows),
        "pos_inf_count": sum(row[2] == math.inf for row in rows),
        "neg_inf_count": sum(row[2] == -math.inf for row in rows),
        "min_time": min(row[1] for row in rows),
        "max_time": max(row[1] for row in rows),
    }


def _told(row: Row) -> tuple[int, int, int]:
    return row[0], row[1], value_key(row[2])


def rows_of(points: Points) -> list[Row]:
    """(step, time, value) of each point."""
    return list(zip(points.step.tolist(), points.time.tolist(), points.value.tolist(), strict=True))


def bucket_rows(buckets: Buckets) -> list[dict[str, Any]]:
    """Buckets as rows of the shape of `exact`."""
    columns = {
        field.name: told(column) if isinstance(column := getattr(buckets, field.name), Samples) else column.tolist()
        for field in fields(buckets)
    }
    return [{name: column[row] for name, column in columns.items()} for row in range(len(buckets))]


def assert_says(found: dict[str, Any], wanted: dict[str, Any], rows: list[Row]) -> None:
    """`found` is `wanted`, the moments within rounding; a moment that does not fit is infinite, never wrong."""
    apart = {"mean", "m2"}
    assert {k: v for k, v in found.items() if k not in apart} == {k: v for k, v in wanted.items() if k not in apart}
    if wanted["mean"] is None:
        assert math.isnan(found["mean"])
        assert found["m2"] == 0.0
        return
    size = max(abs(Fraction(row[2])) for row in rows if math.isfinite(row[2]))
    assert abs(Fraction(found["mean"]) - wanted["mean"]) <= size * Fraction(1, 10**13) + Fraction(5e-324)
    if math.isinf(found["m2"]):
        assert wanted["m2"] > Fraction(1.79e308)
        return
    rounding = wanted["m2"] * Fraction(1, 10**9) + len(rows) * (size * Fraction(1, 10**14)) ** 2
    assert abs(Fraction(found["m2"]) - wanted["m2"]) <= rounding + Fraction(1e-300)
