"""Pages of rows that are at hand: whatever the order, each row once, also while rows come and go."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core import page
from stepwell.core.errors import Invalid
from stepwell.core.filter_match import RowValues
from stepwell.core.filters import LOGGED_MODELS, Aggregate, Field, Kind, OrderBy
from stepwell.core.page import Position
from stepwell.services.selection import Row, select

FIELDS = [
    Field(kind=Kind.ATTRIBUTE, key="name"),
    Field(kind=Kind.ATTRIBUTE, key="creation_time"),
    Field(kind=Kind.PARAM, key="p"),
    Field(kind=Kind.TAG, key="t"),
    Field(kind=Kind.METRIC, key="m"),
]
values = st.none() | st.sampled_from([0.0, -0.0, 1.5, -2.0, math.nan, math.inf, -math.inf])
texts = st.none() | st.sampled_from(["", "a", "b", "é"])
rows = st.lists(st.tuples(values, texts, texts, st.integers(0, 2)), max_size=9)
orders = st.lists(
    st.builds(OrderBy, field=st.sampled_from(FIELDS), descending=st.booleans()),
    max_size=3,
    unique_by=lambda by: by.field,
).map(tuple)


def row(number: int, metric: float | None, param: str | None, tag: str | None, time: int) -> Row[int]:
    return Row(
        number,
        RowValues(
            metrics={} if metric is None else {"m": {Aggregate.LAST: metric}},
            params={} if param is None else {"p": param},
            tags={} if tag is None else {"t": tag},
            attributes={"name": f"n{number % 3}", "model_id": f"{number:04}", "creation_time": time},
        ),
    )


def made(data: list[tuple[float | None, str | None, str | None, int]]) -> list[Row[int]]:
    return [row(i, *each) for i, each in enumerate(data)]


def chosen(
    rows: list[Row[int]], order: tuple[OrderBy, ...], *, after: Position | None = None, limit: int = 100
) -> tuple[list[int], Position | None]:
    found = select(rows, matches=lambda _: True, order=order, schema=LOGGED_MODELS, after=after, limit=limit)
    return found.items, found.after


@given(rows, orders, st.integers(1, 4))
def test_pages_put_together_are_the_whole(data: list, order: tuple[OrderBy, ...], limit: int) -> None:
    everything = made(data)
    whole, none = chosen(everything, order)
    assert none is None
    paged: list[int] = []
    after: Position | None = None
    while True:
        # a position travels as text
        after = page.decode("k", "q", page.encode("k", "q", after))
        items, after = chosen(everything, order, after=after, limit=limit)
        paged += items
        if after is None:
            break
        assert len(items) == limit
    assert paged == whole
    assert sorted(whole) == list(range(len(data)))


@given(rows.filter(lambda data: len(data) > 2), orders)
def test_a_row_that_goes_takes_no_other_along(data: list, order: tuple[OrderBy, ...]) -> None:
    everything = made(data)
    whole, _ = chosen(everything, order)
    (first,), after = chosen(everything, order, limit=1)
    left = [each for each in everything if each.item != first]
    assert chosen(left, order, after=after)[0] == whole[1:]


def test_a_position_of_another_order_is_refused() -> None:
    by_name = (OrderBy(field=FIELDS[0]),)
    _, after = chosen([row(0, 1.0, "a", "a", 0), row(1, 1.0, "a", "a", 0)], by_name, limit=1)
    assert after is not None
    for wrong, order in ((after, ()), ((1, *after[1:]), by_name), (after[:-1], by_name)):
        with pytest.raises(Invalid, match="position"):
            chosen([], order, after=wrong)
