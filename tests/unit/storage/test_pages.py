"""Pages of points: what a page looks at, and that ties and points out of order are each shown once."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.model import EVERYTHING
from stepwell.core.page import Position
from stepwell.core.series import I64, Order, Points
from stepwell.core.store import PointPage
from stepwell.storage.embedded import pages
from stepwell.storage.embedded.gathering import Source

ORDERS = (Order.KEY, Order.TIME)


def points(places: list[tuple[int, int]], first: int = 0) -> Points:
    """Points of these (step, time), in key order, as the store has them; `first`: the arrival number of the first."""
    step, time = np.array(places, np.int64).reshape(len(places), 2).T
    arrival, zeros = first + np.arange(len(places)), np.zeros(len(places), np.int64)
    return Points(step=step, time=time, value=step / 2, occurrence=zeros, arrival=arrival).sorted(Order.KEY)


def page(parts: list[Points], order: Order, after: Position | None, limit: int) -> PointPage:
    """Of points that all wait in memory."""
    source = Source(
        connection=cast("Any", None), blocks=cast("Any", None), headers=[], fresh=parts, end=np.iinfo(np.int64).max
    )
    return pages.page(source, order=order, window=EVERYTHING, after=after, limit=limit)


@pytest.mark.parametrize("order", ORDERS)
def test_a_page_looks_at_no_more_than_it_shows(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    many = points([(step, step * 10) for step in range(5_000)])
    first = page([many], order, None, 2_000)
    compared: list[int] = []
    columns = pages._columns

    def told(some: Points, asked: Order) -> tuple[I64, ...]:
        compared.append(len(some))
        return columns(some, asked)

    monkeypatch.setattr(pages, "_columns", told)
    second = page([many], order, first.after, 20)
    assert second.points.step.tolist() == list(range(2_000, 2_020))
    assert sum(compared) <= 2
    assert second.points.step.base is not None, "nothing was copied"


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12), max_size=3),
    st.sampled_from(ORDERS),
    st.integers(1, 6),
)
def test_pages_join_to_all_points(parts: list[list[tuple[int, int]]], order: Order, limit: int) -> None:
    several = [points(part, 100 * number) for number, part in enumerate(parts) if part]
    found: list[tuple[int, ...]] = []
    after: Position | None = None
    while True:
        one = page(several, order, after, limit)
        found += ranked(one.points, order)
        after = one.after
        if after is None:
            break
        assert len(one.points) == limit
    assert found == sorted(row for part in several for row in ranked(part, order))


def ranked(some: Points, order: Order) -> list[tuple[int, ...]]:
    """What the points are sorted by, to the arrival."""
    columns = (*some.sort_columns(order), some.arrival)
    return list(zip(*(column.tolist() for column in columns), strict=True))
