"""What a process keeps in memory of points that it wrote and moved: bounded, and never taken for more than it is."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from stepwell.core.model import EVERYTHING
from stepwell.core.series import Points
from stepwell.storage.warehouse.points import Cut, Lately, Rows, Server, Waiting
from stepwell.storage.warehouse.points.statements import Scope
from stepwell.storage.warehouse.remembered import Remembered


def rows(run: int, series: int, begin: int, count: int) -> Rows:
    number = np.arange(begin, begin + count)
    points = Points(step=number, time=number, value=number / 2, occurrence=number * 0, arrival=number)
    return Rows(run=np.full(count, run), series=np.full(count, series), points=points)


def scope(series: int, *, end: int = 1_000, cuts: tuple[Cut, ...] = ()) -> Scope:
    waiting = Waiting(rows=Rows.empty(), end=end, cuts=cuts)
    return Scope.of(cast("Server", None), run=1, series=[series], window=EVERYTHING, waiting=waiting, at_once=10)


def test_rows_come_back_once_with_the_numbers_that_they_got() -> None:
    remembered = Remembered()
    remembered.add(rows(1, 7, 0, 3), first_arrival=50)
    assert remembered.keys(10) == [(1, 50)]
    (found,), others = remembered.pop([(1, 50), (1, 60)])
    assert found.points.arrival.tolist() == [50, 51, 52]
    assert others == [(1, 60)]
    assert remembered.pop([(1, 50)]) == ([], [(1, 50)])


def test_columns_of_one_number_take_no_room() -> None:
    remembered = Remembered()
    remembered.add(rows(1, 7, 0, 1_000), first_arrival=50)
    kept = remembered._rows[1, 50]
    columns = (kept.run, kept.series, kept.points.occurrence, kept.points.arrival)
    assert [len(column.base) for column in columns if column.base is not None] == [1, 1, 1, 1]
    several = Rows.concat([rows(1, 8, 0, 2), rows(1, 9, 5, 1)])
    remembered.add(several, first_arrival=2_000)
    (one, two), _ = remembered.pop([(1, 50), (1, 2_000)])
    for found in (one, two):
        assert all(column.flags.c_contiguous for column in (found.run, *found.identities(), found.points.arrival))
    assert one.run.tolist() == [1] * 1_000
    assert (one.points.value == np.arange(1_000) / 2).all()
    assert two.series.tolist() == [8, 8, 9]
    assert two.points.occurrence.tolist() == [0, 0, 0]


def test_the_oldest_rows_are_forgotten_for_new_ones() -> None:
    remembered = Remembered(most=5)
    for first in (0, 10, 20):
        remembered.add(rows(1, 7, 0, 2), first_arrival=first)
    assert remembered.keys(10) == [(1, 10), (1, 20)]
    remembered.forget(before=20)
    assert remembered.keys(10) == [(1, 20)]
    remembered.add(rows(1, 7, 0, 6), first_arrival=30)
    assert remembered.keys(10) == []
    remembered.add(rows(1, 7, 0, 5), first_arrival=40)
    assert remembered.keys(1) == [(1, 40)]


def test_of_rows_of_few_points_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.storage.warehouse.remembered.ROWS", 2)
    remembered = Remembered()
    for first in (0, 10, 20):
        remembered.add(rows(1, 7, first, 1), first_arrival=first)
    assert remembered.keys(10) == [(1, 10), (1, 20)]


def test_series_are_kept_of_which_much_comes_at_once() -> None:
    lately = Lately(least=3)
    lately.add(Rows.concat([rows(1, 7, 0, 2), rows(1, 8, 0, 3)]))
    lately.add(Rows.concat([rows(1, 7, 2, 2), rows(1, 8, 3, 1)]))
    assert len(lately.of(scope(7))) == 0
    assert lately.of(scope(8)).step.tolist() == [0, 1, 2, 3]


def test_points_are_told_once_in_order_and_not_beyond_the_scope() -> None:
    lately = Lately(least=1)
    for begin in (20, 10, 20):
        lately.add(rows(1, 7, begin, 3))
    assert lately.of(scope(7)).step.tolist() == [10, 11, 12, 20, 21, 22]
    assert lately.of(scope(7, end=21)).step.tolist() == [10, 11, 12, 20]
    cut = Cut(run=1, series=7, before=100, made=100, since=12)
    assert lately.of(scope(7, cuts=(cut,))).step.tolist() == [12, 20, 21, 22]


def test_points_that_come_one_by_one_are_put_together() -> None:
    lately = Lately(least=8)
    lately.add(rows(1, 7, 0, 8))
    for begin in range(8, 108):
        lately.add(rows(1, 7, begin, 1))
    assert len(lately._kept[7]) <= 1 + 100 / 8 + 3
    assert lately.of(scope(7)).step.tolist() == list(range(108))


def test_the_series_without_news_is_forgotten_for_others() -> None:
    lately = Lately(most=6, least=1)
    lately.add(rows(1, 7, 0, 2))
    lately.add(rows(1, 8, 0, 2))
    assert lately.crowded
    lately.add(rows(1, 7, 2, 1))
    lately.add(rows(1, 9, 0, 2))
    assert [len(lately.of(scope(series))) for series in (7, 8, 9)] == [3, 0, 2]
    lately.forget(7, upto=1)
    assert lately.of(scope(7)).step.tolist() == [2]
    lately.forget(7, upto=2)
    lately.forget(9, upto=9)
    assert not lately.crowded
