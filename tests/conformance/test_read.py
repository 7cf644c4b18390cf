"""Pages of points: every order, every page size, every place a point can lie; cursors that outlive what happens."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from stepwell.core.model import EVERYTHING, RunWrite, Window
from stepwell.core.page import Position, decode, encode
from stepwell.core.series import INT64_MAX, INT64_MIN, Labels, Order, Points
from stepwell.core.store import PointPage, Store
from stores import (
    LOSS,
    NOW,
    PLACES,
    RUN,
    Row,
    Shelf,
    Told,
    W,
    add,
    batch_of,
    change,
    columns,
    in_order,
    make_runs,
    place,
    read_points,
    read_rows,
    rows_told,
    selector,
    told,
)

ORDERS = list(Order)
VALUES = (0.0, -0.0, math.nan, math.inf, -math.inf, 1.5)
WINDOWS = {
    "everything": EVERYTHING,
    "steps": Window(min_step=3, max_step=6),
    "times": Window(min_time=-2, max_time=4),
    "both": Window(min_step=0, max_step=5, min_time=0, max_time=3),
    "one step": Window(min_step=4, max_step=4),
    "from the least": Window(max_step=INT64_MIN),
    "to the greatest": Window(min_step=INT64_MAX),
    "the other way round": Window(min_step=5, max_step=4),
    "times the other way round": Window(min_time=4, max_time=3),
}


def crowded(seed: int = 1) -> list[Row]:
    """Distinct rows with crowded steps and times, in no order."""
    rows = [(step, time, value) for step in range(10) for time in (-5, 0, 3) for value in VALUES[: 1 + step % 6]]
    rows += [(INT64_MAX, INT64_MIN, 1.0), (INT64_MIN, INT64_MAX, 1.0)]
    random.Random(seed).shuffle(rows)
    return rows


def within(rows: list[Told], window: Window) -> list[Told]:
    return [
        row
        for row in rows
        if window.min_step <= row[0] <= window.max_step and window.min_time <= row[1] <= window.max_time
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("where", PLACES)
def test_pages_of_every_size_join_to_the_whole(shelf: Shelf, store: Store, where: str, order: Order):
    rows = rows_told(place(shelf, where, crowded()))
    for page in (1, 2, 7, 50, 1000):
        assert read_rows(shelf.store, order=order, page=page) == in_order(rows, order)


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("where", PLACES)
def test_a_window_bounds_steps_and_times(shelf: Shelf, store: Store, where: str, window: Window):
    rows = rows_told(place(shelf, where, crowded()))
    for order in ORDERS:
        for page in (3, 1000):
            found = read_rows(shelf.store, order=order, window=window, page=page)
            assert found == in_order(within(rows, window), order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("where", PLACES)
def test_a_metric_without_labels_named_is_the_union_of_its_label_sets(
    shelf: Shelf, store: Store, where: str, order: Order
):
    every: list[Told] = []
    sets: list[Labels] = [(), (("w", "0"),), (("w", "1"), ("x", "é"))]
    for number, labels in enumerate(sets):
        rows = place(shelf, where, crowded(number)[: 40 + number], labels=labels)
        assert read_rows(shelf.store, selector(labels=labels), order=order, page=9) == in_order(rows_told(rows), order)
        every += rows_told(rows)
    add(shelf.store, [(1, 1, 1.0)], metric="other")
    assert read_rows(shelf.store, order=order, page=7) == in_order(every, order)
    assert read_rows(shelf.store, selector(labels=(("w", "9"),)), order=order) == []


def test_points_carry_their_arrival(store: Store):
    make_runs(store, "r2")
    for number in range(10):
        add(store, [(number, 0, 0.0), (-number - 1, 0, 0.0)], RUN if number % 2 else "r2")
        if number % 3 == 0:
            store.flush()
    found = read_points(store)
    assert len(set(found.arrival.tolist())) == 10
    by_arrival = read_points(store, order=Order.ARRIVAL, page=3)
    assert by_arrival.step.tolist() == [1, -2, 3, -4, 5, -6, 7, -8, 9, -10]
    assert (np.diff(by_arrival.arrival) > 0).all()
    assert sorted(found.arrival.tolist()) == by_arrival.arrival.tolist()


def test_what_does_not_exist_is_empty(store: Store):
    add(store, [(1, 1, 1.0)])
    for run_id, metric, workspace in (("none", LOSS, W), (RUN, "none", W), (RUN, LOSS, "elsewhere")):
        for order in ORDERS:
            page = store.read(
                workspace=workspace,
                selector=selector(run_id, metric),
                order=order,
                window=EVERYTHING,
                after=None,
                limit=10,
            )
            assert len(page.points) == 0
            assert (page.after is not None) is (order is Order.ARRIVAL)


# Cursors -------------------------------------------------------------------------------------------------------------

EVENTS = ["nothing", "flush", "compact", "reopen", "kill"]


def happen(shelf: Shelf, event: str) -> None:
    match event:
        case "flush":
            shelf.store.flush()
        case "compact":
            shelf.store.compact()
        case "reopen":
            shelf.reopen()
        case "kill":
            shelf.revive()


def next_page(store: Store, order: Order, after: Position | None, limit: int, window: Window = EVERYTHING) -> PointPage:
    # Through the text, as a client brings it back.
    cursor = encode(order.value, "q", after)
    start = decode(order.value, "q", cursor) if cursor else None
    return store.read(workspace=W, selector=selector(), order=order, window=window, after=start, limit=limit)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("where", PLACES)
def test_a_cursor_goes_on_after_anything_that_happens(shelf: Shelf, store: Store, where: str, order: Order):
    rows = in_order(rows_told(place(shelf, where, crowded())), order)
    found: list[Told] = []
    after: Position | None = None
    for event in EVENTS * 3:
        page = next_page(shelf.store, order, after, 4)
        found += told(page.points)
        after = page.after
        assert after is not None
        happen(shelf, event)
        shelf.store.write(workspace=W, writes=[RunWrite(run_id=RUN, set_tags={"a": event}, at=NOW)]).result()
    page = next_page(shelf.store, order, after, 1000)
    assert found + told(page.points) == rows


@pytest.mark.parametrize("event", EVENTS)
def test_a_live_reader_sees_every_point_once(shelf: Shelf, store: Store, event: str):
    rows = crowded()
    found: list[Told] = []
    after: Position | None = None
    for start in range(0, len(rows), 8):
        add(shelf.store, rows[start : start + 8])
        for limit in (3, 2):
            page = next_page(shelf.store, Order.ARRIVAL, after, limit)
            found += told(page.points)
            after = page.after
        happen(shelf, event)
    while True:
        page = next_page(shelf.store, Order.ARRIVAL, after, 5)
        after = page.after
        found += told(page.points)
        if not len(page.points):
            break
    assert found == rows_told(rows)
    assert next_page(shelf.store, Order.ARRIVAL, after, 5).after == after


@pytest.mark.parametrize("order", [Order.KEY, Order.TIME])
def test_points_that_come_behind_a_cursor_are_not_seen_and_those_before_it_are(store: Store, order: Order):
    add(store, [(10 * n, 10 * n, 0.0) for n in range(10)])
    page = next_page(store, order, None, 5)
    add(store, [(35, 35, 0.0), (45, 45, 0.0), (95, 95, 0.0)])
    rest = next_page(store, order, page.after, 100)
    assert rest.points.step.tolist() == [45, 50, 60, 70, 80, 90, 95]
    assert rest.after is None


def test_a_page_that_is_exactly_full_is_the_last_one(store: Store):
    add(store, [(n, n, 0.0) for n in range(10)])
    for order in (Order.KEY, Order.TIME):
        assert next_page(store, order, None, 10).after is None
        assert next_page(store, order, None, 9).after is not None


# Many points ---------------------------------------------------------------------------------------------------------


def many(store: Store, count: int, *, shuffled: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of one series with rising times and three points a step; in the head."""
    step = np.arange(count) // 3
    time = NOW + np.arange(count) * 50_000
    value = np.random.default_rng(1).normal(size=count)
    order = np.random.default_rng(2).permutation(count) if shuffled else np.arange(count)
    change(store, points=columns(step[order], time[order], value[order]))
    return step, time, value


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("flushed", [True, False])
def test_a_long_series_reads_in_pages(store: Store, order: Order, flushed: bool):
    step, time, value = many(store, 30_000)
    if flushed:
        store.flush()
    found = read_points(store, order=order, page=4_097)
    for got, wanted in ((found.step, step), (found.time, time), (found.value, value)):
        np.testing.assert_array_equal(got, wanted)


def opened(store: Store) -> float:
    return store.stats().counters["blocks_read"]


@pytest.mark.needs("blocks")
def test_a_page_of_a_million_points_opens_two_blocks(store: Store):
    step, time, value = many(store, 1_000_000)
    store.flush()
    for order in ORDERS:
        after: Position | None = None
        for _ in range(3):
            before = opened(store)
            page = next_page(store, order, after, 1000)
            assert opened(store) - before <= 2
            after = page.after
        assert page.points.step.tolist() == step[2000:3000].tolist()
        window = Window(min_step=200_000, max_step=200_010)
        before = opened(store)
        assert next_page(store, order, None, 1000, window).points.value.tolist() == value[600_000:600_033].tolist()
        assert opened(store) - before <= 2
        window = Window(min_time=int(time[700_000]), max_time=int(time[700_009]))
        before = opened(store)
        assert next_page(store, order, None, 1000, window).points.value.tolist() == value[700_000:700_010].tolist()
        assert opened(store) - before <= 2


@pytest.mark.needs("blocks")
def test_a_page_of_a_shuffled_series_opens_what_meets_the_cursor(store: Store):
    """Times and steps that do not rise together: a page in key order still opens two blocks."""
    many(store, 50_000, shuffled=True)
    store.flush()
    before = opened(store)
    page = next_page(store, Order.KEY, None, 1000)
    assert page.points.step.tolist() == [n // 3 for n in range(1000)]
    assert opened(store) - before <= 2


@pytest.mark.needs("blocks")
def test_a_write_of_a_repeat_opens_the_blocks_that_may_hold_it(store: Store):
    step, time, value = many(store, 200_000)
    store.flush()
    before = opened(store)
    add(store, [(200_000, 0, 1.0)])
    assert opened(store) - before == 0, "a point beyond the last one needs no look at the others"
    add(store, [(int(step[100_000]), int(time[100_000]), float(value[100_000]))])
    assert opened(store) - before <= 2
    assert store.stats().counters["duplicates"] == 1


@pytest.mark.needs("blocks")
def test_many_series_read_alone(store: Store):
    series: dict[tuple[str, Labels], list[Row]] = {
        (f"m{n}", ()): [(step, step, float(n)) for step in range(n % 5 + 1)] for n in range(2_000)
    }
    change(store, points=batch_of(series))
    store.flush()
    infos = store.list_series(workspace=W, run_id=RUN)
    assert {(info.metric, info.summary.count) for info in infos} == {(f"m{n}", n % 5 + 1) for n in range(2_000)}
    before = opened(store)
    found: Points = read_points(store, selector(metric="m1004"))
    assert found.value.tolist() == [1004.0] * 5
    assert opened(store) - before == 1
