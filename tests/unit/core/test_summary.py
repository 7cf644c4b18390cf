"""The summary of a single point, which goes its own short way."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

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
