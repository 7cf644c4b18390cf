"""The summary of a single point, and with one more, which go their own short ways."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from point_strategies import points_of
from stepwell.core.buckets import Buckets
from stepwell.core.series import INT64_MAX, INT64_MIN, Points
from stepwell.core.summary import Summary, repeated_steps

OTHER_NAN = struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\xff")[0]


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.5, math.nan, OTHER_NAN, math.inf, -math.inf, 1.7976931348623157e308, 5e-324]
)
@pytest.mark.parametrize(("step", "time"), [(0, 0), (INT64_MIN, INT64_MAX)])
def test_one_point_is_summed_up_as_many_are(value: float, step: int, time: int):
    zero = np.zeros(1, np.int64)
    points = Points(
        step=np.array([step]), time=np.array([time]), value=np.array([value]), occurrence=zero, arrival=zero
    )
    edges = np.array([0, 1])
    (long_way,) = Summary.rows(Buckets.of(points, edges), repeated_steps(points, edges))
    assert repr(Summary.of(points)) == repr(long_way)
    assert repr(long_way.first.value) == repr(value)


PLAIN = st.integers(-20, 20).map(float) | st.just(-0.0)


@given(
    rows=st.lists(PLAIN | st.sampled_from([math.nan, math.inf, -math.inf]), min_size=1, max_size=5),
    value=PLAIN,
    time=st.integers(-5, 10),
    repeated=st.none() | st.booleans(),
)
def test_a_point_behind_all_others_is_merged_as_they_with_it(
    rows: list[float], value: float, time: int, repeated: bool | None
):
    """Which has a short way of its own in one direction."""
    before = Summary.of(points_of([(step, step, each) for step, each in enumerate(rows)]))
    point = Summary.of_one(9, time, value)
    found, wanted = before.merge(point, repeated=repeated), point.merge(before, repeated=repeated)
    assert repr(replace(found, m2=0.0)) == repr(replace(wanted, m2=0.0))
    assert found.m2 == pytest.approx(wanted.m2, rel=1e-12)
