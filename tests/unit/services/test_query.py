"""Reading points: cursors, chunks, live reading and budgets, over a store of one series."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core import limits, page
from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import Selector, Window
from stepwell.core.series import Order
from stepwell.services import query
from unit.services.held import Held, rising

LOSS = Selector(run_id="r", metric="loss")


@pytest.mark.parametrize("order", [Order.KEY, Order.TIME])
@pytest.mark.parametrize("limit", [1, 3, 10, 11])
def test_pages_give_every_point_once(order: Order, limit: int):
    held = Held(rising(10))
    seen: list[int] = []
    cursor = None
    while True:
        points, cursor = query.history(
            held.store, workspace="w", selector=LOSS, order=order, cursor=cursor, limit=limit
        )
        seen += points.step.tolist()
        if cursor is None:
            break
    assert seen == list(range(10))


def test_a_cursor_belongs_to_its_query():
    held = Held(rising(10))
    _, cursor = query.history(held.store, workspace="w", selector=LOSS, order=Order.KEY, limit=3)
    for other in (
        {"workspace": "v", "selector": LOSS, "order": Order.KEY},
        {"workspace": "w", "selector": Selector(run_id="r", metric="other"), "order": Order.KEY},
        {"workspace": "w", "selector": LOSS, "order": Order.TIME},
        {"workspace": "w", "selector": LOSS, "order": Order.KEY, "window": Window(min_step=1)},
    ):
        with pytest.raises(Invalid, match="another query"):
            query.history(held.store, cursor=cursor, limit=3, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [(), (1,), (1, 2, 3, 4, "5"), (1, 2, 3, 4, None), (1, 2, 3, 4, 5, 6)])
def test_a_forged_position_is_refused(position: page.Position):
    forged = page.encode("points.key", page.fingerprint("w", LOSS, Window()), position)
    with pytest.raises(Invalid, match="not one that this server gave"):
        query.history(Held().store, workspace="w", selector=LOSS, order=Order.KEY, cursor=forged, limit=3)


@pytest.mark.parametrize(("limit", "kind"), [(0, Invalid), (-1, Invalid), (limits.PAGE_POINTS + 1, TooLarge)])
def test_limits_of_a_page(limit: int, kind: type[Invalid]):
    store = Held().store
    with pytest.raises(kind) as caught:
        query.history(store, workspace="w", selector=LOSS, order=Order.KEY, limit=limit)
    assert caught.value.field == "limit"
    with pytest.raises(kind) as caught:
        query.arrivals(store, workspace="w", selector=LOSS, limit=limit)
    assert caught.value.field == "limit"


def test_a_live_reader_misses_nothing_and_gets_nothing_twice():
    held = Held(rising(5))
    first, cursor = query.arrivals(held.store, workspace="w", selector=LOSS, limit=3)
    second, cursor = query.arrivals(held.store, workspace="w", selector=LOSS, cursor=cursor, limit=3)
    nothing, cursor = query.arrivals(held.store, workspace="w", selector=LOSS, cursor=cursor, limit=3)
    assert [*first.step, *second.step, *nothing.step] == [4, 3, 2, 1, 0]
    late = rising(7)
    held.points = late.take(slice(None))
    held.points.arrival[:] = [4, 3, 2, 1, 0, 5, 6]
    found, _ = query.arrivals(held.store, workspace="w", selector=LOSS, cursor=cursor, limit=3)
    assert found.step.tolist() == [5, 6]


def test_a_live_reader_may_begin_with_the_newest_steps():
    held = Held(rising(5))
    found, cursor = query.arrivals(held.store, workspace="w", selector=LOSS, window=Window(min_step=4), limit=9)
    assert found.step.tolist() == [4]
    found, _ = query.arrivals(held.store, workspace="w", selector=LOSS, cursor=cursor, limit=9)
    assert found.step.tolist() == [3, 2, 1, 0]  # these arrived later


def test_limits_of_buckets():
    store = Held().store
    many = [LOSS] * (limits.SERIES_PER_READ + 1)
    for selectors, budget, field in (
        (many, 1, "series"),
        ([LOSS], limits.BUCKETS + 1, "budget"),
        ([LOSS] * 200, limits.BUCKETS, "buckets"),
        ([LOSS], 0, "budget"),
    ):
        with pytest.raises(Invalid) as caught:
            query.buckets(store, workspace="w", selectors=selectors, budget=budget)
        assert caught.value.field == field


@given(
    values=st.lists(st.floats(width=32), min_size=1, max_size=60),
    budget=st.integers(min_value=1, max_value=70),
    parts=st.integers(min_value=0, max_value=59),
)
def test_an_interval_keeps_what_a_chart_must_show(values: list[float], budget: int, parts: int):
    held = Held(rising(len(values), values=values))
    window = Window(min_step=min(parts, len(values) - 1))
    (found,) = query.interval(held.store, workspace="w", selectors=[LOSS], window=window, budget=budget)
    steps, inside = found.step.tolist(), values[window.min_step :]
    assert len(steps) == min(len(steps), budget)
    assert all(left < right for left, right in pairwise(steps))
    assert np.array_equal(found.value, np.array([values[step] for step in steps]), equal_nan=True)
    assert steps[-1] == len(values) - 1
    if len(inside) <= budget:
        assert steps == list(range(window.min_step, len(values)))
    elif budget >= 4:
        finite = [value for value in inside if np.isfinite(value)]
        assert steps[0] == window.min_step
        assert {min(finite), max(finite)} <= set(found.value.tolist()) if finite else True


def test_an_interval_of_nothing_is_empty():
    (found,) = query.interval(Held().store, workspace="w", selectors=[LOSS], budget=10)
    assert len(found) == 0
