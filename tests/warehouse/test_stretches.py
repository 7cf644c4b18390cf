"""Rows that stand in rising stretches are put in order without a sort of all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.core.series import Points
from stepwell.storage.warehouse.points import Rows, rising
from stepwell.storage.warehouse.points.rows import LONG, distinct
from stepwell.storage.warehouse.points.stretches import Places

Columns = tuple[np.ndarray, ...]


def columns_of(rows: list[tuple[int, ...]]) -> Columns:
    return tuple(np.array(column, np.int64) for column in np.array(rows, np.int64).reshape(-1, 3).T)


def ordered(columns: Columns, places: Places) -> list[tuple[int, ...]]:
    return list(zip(*(column[places].tolist() for column in columns), strict=True))


@settings(max_examples=100)
@given(rows=st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=40), lead=st.integers(1, 3))
def test_what_is_found_is_the_order_of_all_columns(rows: list[tuple[int, ...]], lead: int) -> None:
    columns = columns_of(rows)
    places = rising(columns, lead=lead)
    if places is not None:
        assert ordered(columns, places) == sorted(rows)
        assert len(set(rows)) == len(rows)


def test_rows_in_order_stay_as_they_are() -> None:
    assert rising(columns_of([(1, 2, 3), (1, 2, 4), (2, 0, 0)]), lead=1) == slice(None)


def test_stretches_are_laid_one_behind_another(monkeypatch: pytest.MonkeyPatch) -> None:
    begins = ((3, 50), (7, 50), (3, 0), (7, 0))  # the second one rises on behind the first
    rows: list[tuple[int, ...]] = [(series, step, 0) for series, low in begins for step in range(low, low + 50)]
    columns = columns_of(rows)
    sorts, before = [], np.lexsort

    def counted(keys: Columns) -> np.ndarray:
        sorts.append(len(keys[0]))
        found: np.ndarray = before(keys)
        return found

    monkeypatch.setattr(np, "lexsort", counted)
    places = rising(columns, lead=1)
    assert places is not None
    assert ordered(columns, places) == sorted(rows)
    assert sorts == [4]


def test_series_that_take_turns_are_sorted_by_series() -> None:
    rows: list[tuple[int, ...]] = [(series, step, 0) for step in range(20) for series in (2, 1)]
    columns = columns_of(rows)
    places = rising(columns, lead=1)
    assert places is not None
    assert ordered(columns, places) == sorted(rows)


def test_equal_rows_are_for_the_caller() -> None:
    assert rising(columns_of([(1, 1, 1), (2, 2, 2), (1, 1, 1)]), lead=3) is None


def part_of(rows: list[tuple[int, ...]], first_arrival: int) -> Rows:
    run, series, step = columns_of(rows)
    arrival = first_arrival + np.arange(len(rows))
    points = Points(step=step, time=0 * step, value=np.zeros(len(rows)), occurrence=0 * step, arrival=arrival)
    return Rows(run=run, series=series, points=points)


@settings(max_examples=100)
@given(parts=st.lists(st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=8), max_size=4), in_order=st.booleans())
def test_parts_hold_what_all_of_them_together_do(parts: list[list[tuple[int, ...]]], in_order: bool) -> None:
    if in_order:
        parts = [sorted(set(part)) for part in sorted(parts)]
    given_parts = [part_of(part, 10 * number) for number, part in enumerate(parts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stepwell.storage.warehouse.points.rows.LONG", 1)
        found, wanted = Rows.concat(distinct(given_parts)), Rows.concat(given_parts).distinct()
    for columns in zip((found.run, *found.identities()), (wanted.run, *wanted.identities()), strict=True):
        assert np.array_equal(*columns)
    assert np.array_equal(found.points.arrival, wanted.points.arrival)


def test_long_parts_in_order_are_not_put_together() -> None:
    parts = [
        part_of([(run, 1, step) for step in range(low, low + LONG)], low) for run, low in ((1, 0), (1, LONG), (2, 0))
    ]
    assert [*map(id, distinct([*parts, Rows.empty()]))] == [*map(id, parts)]
    (together,) = distinct(parts[::-1])
    assert len(together) == 3 * LONG
    assert distinct([Rows.empty()]) == []
