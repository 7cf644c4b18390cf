"""Samples: stored points, one a step, by the rule of core.downsample.sample."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stepwell.core.downsample import Sampled, sample
from stepwell.core.model import EVERYTHING, Window
from stepwell.core.series import Points
from stepwell.core.store import Store
from stores import NOW, PLACES, RUN, Shelf, W, add, change, columns, make_runs, place, read_points, selector, told

LIMITS = (1, 2, 3, 5, 17, 1000)


def ask(store: Store, limit: int, window: Window = EVERYTHING, run_id: str = RUN) -> Sampled:
    (found,) = store.sample(workspace=W, selectors=[selector(run_id)], window=window, limit=limit)
    return found


def assert_rule(found: Sampled, points: Points, limit: int) -> None:
    wanted = sample(points, limit)
    assert told(found.points) == told(wanted.points)
    assert found.points.arrival.tolist() == wanted.points.arrival.tolist()
    assert (found.rows, found.width) == (wanted.rows, wanted.width)
    assert len(found.points) <= limit


@pytest.mark.parametrize("where", PLACES)
def test_a_sample_is_that_of_the_points(shelf: Shelf, store: Store, where: str):
    place(shelf, where, [(step // 3, step % 4, step / 7 if step % 5 else math.nan) for step in range(90)])
    for window in (EVERYTHING, Window(min_step=5, max_step=20), Window(max_time=1), Window(min_step=1000)):
        points = read_points(shelf.store, window=window)
        for limit in LIMITS:
            assert_rule(ask(shelf.store, limit, window), points, limit)


def test_of_one_step_the_latest_time_then_the_latest_arrival_counts(store: Store):
    add(store, [(1, 5, 1.0), (1, 9, 2.0), (1, 7, 3.0), (2, 5, 9.0)])
    add(store, [(2, 5, 1.0)])
    store.flush()
    assert ask(store, 10).points.value.tolist() == [2.0, 1.0]


def test_a_long_series_is_sampled_wherever_it_lies(store: Store):
    number = np.arange(120_000)
    change(store, points=columns(number, NOW + number, np.sin(number)))
    store.flush()
    change(store, points=columns(number[:500] * 200, NOW - number[:500] - 1, np.cos(number[:500])))
    points = read_points(store, page=200_000)
    for limit in LIMITS:
        assert_rule(ask(store, limit), points, limit)


def test_series_of_equal_length_show_equal_steps(store: Store):
    make_runs(store, "r2")
    for run_id, value in ((RUN, 1.0), ("r2", 2.0)):
        add(store, [(step, step, value) for step in range(500)], run_id)
    store.flush()
    assert ask(store, 50).points.step.tolist() == ask(store, 50, run_id="r2").points.step.tolist()


def test_several_selectors_are_answered_in_their_order(store: Store):
    add(store, [(1, 1, 1.0), (2, 2, 2.0)])
    asked = [selector("none"), selector(), selector(metric="none")]
    found = store.sample(workspace=W, selectors=asked, window=EVERYTHING, limit=5)
    assert [each.points.step.tolist() for each in found] == [[], [1, 2], []]
