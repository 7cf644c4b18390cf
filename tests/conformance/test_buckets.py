"""Buckets of any zoom: they count every point once and lose no extreme, wherever the points lie."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from point_strategies import assert_says, bucket_rows, exact, rows_of
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import spread
from stepwell.core.model import EVERYTHING, Window
from stepwell.core.series import Points, value_key
from stepwell.core.store import Store
from stores import NOW, PLACES, RUN, Row, Shelf, W, add, change, columns, make_runs, place, read_points, selector

VALUES = (0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -2.5, 1e308, 5e-324)
BUDGETS = (1, 2, 3, 7, 100, 5_000)


def some_rows() -> list[Row]:
    return [(step // 3, step % 5, VALUES[step * step % 9]) for step in range(120)]


def ask(store: Store, budget: int, window: Window = EVERYTHING) -> Buckets:
    (found,) = store.read_buckets(workspace=W, selectors=[selector()], window=window, budget=budget)
    return found


def check_against(found: Buckets, points: Points, budget: int) -> None:
    """Every bucket says exactly what its points, cut off the raw points in key order, say."""
    assert len(found) <= budget
    assert (len(found) == 0) is (len(points) == 0)
    assert int(found.count.sum()) == len(points)
    rows, start = rows_of(points), 0
    for said in bucket_rows(found):
        part = rows[start : start + said["count"]]
        assert_says(said, exact(part), part)
        start += said["count"]


@pytest.mark.parametrize("where", PLACES)
def test_buckets_say_what_their_points_say(shelf: Shelf, store: Store, where: str):
    place(shelf, where, some_rows())
    for window in (EVERYTHING, Window(min_step=7, max_step=21), Window(min_time=1, max_time=3), Window(min_step=99)):
        points = read_points(shelf.store, window=window)
        for budget in BUDGETS:
            check_against(ask(shelf.store, budget, window), points, budget)


def test_several_selectors_are_answered_in_their_order(store: Store):
    make_runs(store, "r2")
    add(store, [(1, 1, 1.0)])
    add(store, [(2, 2, 2.0), (3, 3, 3.0)], "r2", labels=(("w", "0"),))
    add(store, [(4, 4, 4.0)], "r2", labels=(("w", "1"),))
    asked = [
        selector("r2"),
        selector("none"),
        selector(),
        selector("r2", labels=(("w", "1"),)),
        selector("r2", metric="none"),
        selector("r2"),
    ]
    for budget in (1, 2):
        together = store.read_buckets(workspace=W, selectors=asked, window=EVERYTHING, budget=budget)
        alone = [store.read_buckets(workspace=W, selectors=[one], window=EVERYTHING, budget=budget)[0] for one in asked]
        assert list(map(repr, together)) == list(map(repr, alone))
    found = store.read_buckets(workspace=W, selectors=asked, window=EVERYTHING, budget=1)
    assert [each.count.tolist() for each in found] == [[3], [], [1], [1], [], [3]]
    assert (
        store.read_buckets(workspace="elsewhere", selectors=asked[:1], window=EVERYTHING, budget=1)[0].count.size == 0
    )


# Long series: what an engine keeps summed up must say the same as the points themselves -------------------------------

LONG = 150_000
SPIKE = 77_777


@pytest.fixture(params=["in order", "late points", "head on top"])
def long_store(request: pytest.FixtureRequest, store: Store) -> Store:
    """A long series with one spike, some values that are not finite, and rising times; in several places."""
    number = np.arange(LONG)
    value = np.sin(number / 1000)
    value[SPIKE] = 1000.0
    value[SPIKE + 20_000] = -1000.0
    value[::1_001] = np.nan
    value[5::10_007] = np.inf
    value[6::20_011] = -np.inf
    late = number % 17 == 0 if request.param == "late points" else number >= LONG
    if request.param == "head on top":
        late = number > LONG - 20_000
    step, time = number // 2, NOW + number * 1000
    change(store, points=columns(step[~late], time[~late], value[~late]))
    store.flush()
    if late.any():
        change(store, points=columns(step[late], time[late], value[late]))
    if request.param == "late points":
        store.flush()
    return store


def told_edges(points: Points, found: Buckets) -> None:
    """Counts, ends and extremes of each bucket, checked with numpy."""
    ends = np.cumsum(found.count)
    starts = ends - found.count
    assert ends[-1] == len(points)
    for name, at in (("first", starts), ("last", ends - 1)):
        one = getattr(found, name)
        np.testing.assert_array_equal(one.step, points.step[at])
        np.testing.assert_array_equal(one.time, points.time[at])
        np.testing.assert_array_equal(one.value, points.value[at])
    finite = np.isfinite(points.value)
    np.testing.assert_array_equal(found.finite_count, np.add.reduceat(finite.astype(np.int64), starts))
    np.testing.assert_array_equal(found.nan_count, np.add.reduceat(np.isnan(points.value).astype(np.int64), starts))
    np.testing.assert_array_equal(found.pos_inf_count, np.add.reduceat((points.value == np.inf) * 1, starts))
    np.testing.assert_array_equal(found.neg_inf_count, np.add.reduceat((points.value == -np.inf) * 1, starts))
    np.testing.assert_array_equal(found.min_time, np.minimum.reduceat(points.time, starts))
    np.testing.assert_array_equal(found.max_time, np.maximum.reduceat(points.time, starts))
    low, high = np.where(finite, points.value, np.inf), np.where(finite, points.value, -np.inf)
    np.testing.assert_array_equal(found.min.value, np.minimum.reduceat(low, starts))
    np.testing.assert_array_equal(found.max.value, np.maximum.reduceat(high, starts))
    total = np.add.reduceat(np.where(finite, points.value, 0.0), starts)
    np.testing.assert_allclose(found.mean, total / found.finite_count, rtol=1e-9, atol=1e-9)
    away = np.where(finite, points.value - np.repeat(found.mean, found.count), 0.0)
    np.testing.assert_allclose(found.m2, np.add.reduceat(away * away, starts), rtol=1e-6, atol=1e-9)


def test_a_long_series_keeps_every_extreme_at_every_zoom(long_store: Store):
    windows = [
        EVERYTHING,
        Window(min_step=1_000, max_step=73_123),
        Window(min_time=NOW + 3_333_333, max_time=NOW + 140_000_001),
        Window(min_step=SPIKE // 2, max_step=SPIKE // 2),
    ]
    for window in windows:
        points = read_points(long_store, window=window, page=200_000)
        for budget in (1, 10, 1000):
            found = ask(long_store, budget, window)
            assert len(found) <= budget
            told_edges(points, found)


def test_one_spike_in_a_long_series_survives_in_every_chart(long_store: Store):
    for budget in (1, 2, 5, 100, 1000):
        found = ask(long_store, budget)
        assert found.max.value.max() == 1000.0
        assert found.max.step[found.max.value.argmax()] == SPIKE // 2
        assert found.min.value.min() == -1000.0
        for points in (4, 50):
            shown = spread([found], points)[0].value.tolist()
            assert {1000.0, -1000.0} <= set(shown)


def test_buckets_hold_about_equally_many_points(long_store: Store):
    found = ask(long_store, 100)
    assert len(found) > 50
    assert found.count.max() < 4 * LONG / 100


@pytest.mark.needs("blocks")
def test_a_chart_of_a_long_series_opens_no_more_than_its_ends(store: Store):
    """Sums of whole blocks serve for all but the window's ends."""
    number = np.arange(400_000)
    change(store, points=columns(number, NOW + number, np.sin(number)))
    store.flush()
    before = store.stats().counters["blocks_read_bytes"]
    total = int(ask(store, 500).count.sum())
    read = store.stats().counters["blocks_read_bytes"] - before
    assert total == 400_000
    assert read < 400_000, "less than a byte for each point"


def test_steps_that_are_all_zero_make_a_chart_by_time(store: Store):
    number = np.arange(100_000)
    change(store, points=columns(number * 0, number, number.astype(np.float64)))
    store.flush()
    found = ask(store, 10)
    told_edges(read_points(store, page=100_000), found)
    assert len(found) >= 5


def test_numbers_near_the_largest_double_do_not_overflow(store: Store):
    huge = 1.7976931348623157e308
    add(store, [(n, n, huge if n % 2 else huge / 2) for n in range(10)])
    add(store, [(10, 10, -huge)])
    found = ask(store, 1)
    wanted = sum((Fraction(huge if n % 2 else huge / 2) for n in range(10)), Fraction(-huge)) / 11
    assert abs(Fraction(float(found.mean[0])) - wanted) <= Fraction(huge) / 10**13
    assert found.m2[0] == math.inf
    assert value_key(float(found.max.value[0])) == value_key(huge)
    assert RUN in store.summaries(workspace=W, run_ids=[RUN]).by_run()
