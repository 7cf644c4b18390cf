"""How a group of points is sorted: by every column, and by arrival where all of them are equal."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.model import PointBatch
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.storage.embedded.staging import _joined, _order

NUMBERS = st.sampled_from([INT64_MIN, INT64_MIN + 1, -1, 0, 1, 2, 3, 2**40, INT64_MAX - 1, INT64_MAX])
FEW = st.integers(0, 3)
ROWS = st.lists(st.tuples(FEW, NUMBERS | FEW, FEW, FEW), min_size=1, max_size=12)


@given(ROWS | ROWS.map(sorted))
def test_points_are_sorted_by_all_columns_and_then_stay_as_they_came(rows):
    which, step, time, key = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    order = _order(which, step, time, key)
    expected = sorted(range(len(rows)), key=lambda place: rows[place])
    assert (list(range(len(rows))) if order is None else order.tolist()) == expected


@given(st.integers(0, 5), st.sampled_from([0, INT64_MIN, INT64_MAX - 9]))
def test_points_that_stand_in_order_are_left_so(series, first):
    step = first + np.arange(10)
    zeros = np.zeros(10, np.int64)
    assert _order(np.full(10, series), step, zeros, zeros) is None


POINTS = st.tuples(NUMBERS, NUMBERS, st.floats() | st.sampled_from([-0.0, 0.0]))


def in_columns(points):
    step, time, value = zip(*points, strict=True)
    return PointBatch(
        series=(("loss", ()),),
        which=np.zeros(len(points), np.int64),
        step=np.array(step, np.int64),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
    )


@given(st.lists(POINTS | st.lists(POINTS, min_size=1, max_size=3), min_size=1, max_size=6))
def test_points_alone_are_joined_as_columns_are(given):
    alone = [isinstance(each, tuple) for each in given]
    batches = [
        PointBatch.single("loss", step=each[0], time=each[1], value=each[2]) if one else in_columns(each)
        for each, one in zip(given, alone, strict=True)
    ]
    expected = in_columns(
        [point for each, one in zip(given, alone, strict=True) for point in ([each] if one else each)]
    )
    columns = np.empty((2, len(expected)), np.int64)
    columns[0], columns[1], values = _joined(batches)
    assert columns.tolist() == [expected.step.tolist(), expected.time.tolist()]
    assert values.view(np.int64).tolist() == expected.value.view(np.int64).tolist()
    assert [len(batch) for batch in batches] == [len(batch.value) for batch in batches]
