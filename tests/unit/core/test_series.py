"""The order and identity of values and points."""

import math
import struct
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepwell.core.series import Order, Points, ascending, value_key, value_keys, value_of, values_of

SPECIAL = [
    -math.inf,
    -1.7976931348623157e308,
    -1.0,
    -5e-324,
    -0.0,
    0.0,
    5e-324,
    1.0,
    1.7976931348623157e308,
    math.inf,
    math.nan,
]


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def test_keys_follow_the_order_of_values() -> None:
    keys = [value_key(v) for v in SPECIAL]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_every_nan_has_one_key() -> None:
    odd = struct.unpack("<d", struct.pack("<Q", 0xFFF8DEADBEEF0001))[0]
    assert value_key(odd) == value_key(math.nan)
    assert value_keys(np.array([odd]))[0] == value_key(math.nan)
    assert bits(value_of(value_key(odd))) == struct.pack("<Q", 0x7FF8000000000000)


@given(st.floats(allow_nan=False))
def test_a_value_survives_its_key(value: float) -> None:
    assert bits(value_of(value_key(value))) == bits(value)


@given(hnp.arrays(np.float64, st.integers(0, 20)))
def test_columns_agree_with_single_values(values: np.ndarray) -> None:
    keys = value_keys(values)
    assert [value_key(float(v)) for v in values] == keys.tolist()
    assert value_keys(values_of(keys)).tolist() == keys.tolist()


def points(rows: list[tuple[int, int, float, int]]) -> Points:
    step, time, value, occurrence = ([r[i] for r in rows] for i in range(4))
    return Points(
        step=np.array(step, np.int64),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
        occurrence=np.array(occurrence, np.int64),
        arrival=np.arange(len(rows), dtype=np.int64),
    )


ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 3), st.sampled_from(SPECIAL), st.integers(0, 1)),
    min_size=1,
    max_size=20,
)


@given(ROWS)
def test_sorting_agrees_with_python(rows: list[tuple[int, int, float, int]]) -> None:
    expected = sorted((s, t, value_key(v), o) for s, t, v, o in rows)
    ordered = points(rows).sorted(Order.KEY)
    assert [ordered.key(i) for i in range(len(rows))] == expected
    by_time = points(rows).sorted(Order.TIME)
    assert [by_time.key(i) for i in range(len(rows))] == [
        (s, t, k, o) for t, s, k, o in sorted((t, s, k, o) for s, t, k, o in expected)
    ]


@given(ROWS)
def test_ascending_compares_neighbours(rows: list[tuple[int, int, float, int]]) -> None:
    p = points(rows)
    keys = [p.key(i) for i in range(len(p))]
    assert ascending(p.sort_columns(Order.KEY)).tolist() == [a < b for a, b in pairwise(keys)]
