"""From the journal to ClickHouse: which rows go, what is remembered, what is summed up on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Semaphore
from typing import Any

import numpy as np
import pytest

from stepwell.core.errors import Busy
from stepwell.core.model import EVERYTHING
from stepwell.core.series import INT64_MAX
from stepwell.storage import pacing
from stepwell.storage.pacing import HEAD_POINTS
from stepwell.storage.warehouse import WarehouseStore, journal, moving
from stepwell.storage.warehouse.moving import DEAREST
from stepwell.storage.warehouse.points import Lately, Rows, tile_making
from stepwell.storage.warehouse.remembered import MOST
from stores import RUN, Shelf, W, add, change, columns, make_runs, read_points, selector


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf", engine="warehouse")
    make_runs(shelf.store, RUN, "r2")
    yield shelf
    shelf.close()


@pytest.fixture
def store(shelf: Shelf) -> WarehouseStore:
    return of(shelf)


def of(shelf: Shelf) -> WarehouseStore:
    assert isinstance(shelf.store, WarehouseStore)
    return shelf.store


def steps(first: int, count: int) -> list[tuple[int, int, float]]:
    return [(step, step, float(step)) for step in range(first, first + count)]


def journal_rows(store: WarehouseStore) -> list[tuple[int, bool]]:
    """Points of each row, in the order of arrival, and whether it was moved."""
    with store._database.snapshot() as connection:
        asked = "SELECT count, moved_at IS NOT NULL FROM journal ORDER BY first_arrival"
        return connection.execute(asked).fetchall()


def test_a_flush_moves_what_was_acknowledged_and_keeps_it(store: WarehouseStore) -> None:
    add(store, steps(0, 3))
    add(store, steps(0, 2), "r2")
    assert journal_rows(store) == [(3, False), (2, False)]
    assert store._tables.count() == 0
    store.flush()
    assert journal_rows(store) == [(3, True), (2, True)]
    assert store._tables.count() == 5
    counters = store.stats().counters
    assert (counters["flushes"], counters["points_moved"]) == (1, 5)


def test_a_move_takes_few_rows_at_once(store: WarehouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "POINTS", 5)
    for first in range(0, 12, 2):
        add(store, steps(first, 2))
    add(store, steps(100, 9))  # more than a move takes, and yet one row
    store.flush()
    assert store.stats().counters["flushes"] == 4
    assert all(moved for _, moved in journal_rows(store))
    assert len(read_points(store)) == 21


def test_rows_that_another_process_moves_are_left_to_it(shelf: Shelf, store: WarehouseStore) -> None:
    other = shelf.borrow(shelf.directory)
    assert isinstance(other, WarehouseStore)
    add(store, steps(0, 3))
    taken = []
    insert = store._mover._tables.insert

    def meanwhile(*given: Rows) -> list[Rows]:
        taken.append(other._mover._move(lambda conn: moving._next(conn, "next_to_move", INT64_MAX)))
        return insert(*given)

    store._mover._tables.insert = meanwhile  # type: ignore[method-assign]
    store.flush()
    assert taken == [False]
    assert other.stats().counters["points_moved"] == 0
    assert store._tables.count() == 3


def test_what_this_process_wrote_is_not_read_back(store: WarehouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    number = np.arange(150_000)
    for part in np.array_split(number, 3):
        change(store, points=columns(part, part, np.sin(part)))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "decode", _fails)
        patch.setattr(tile_making, "collect", _fails)
        store._mover._round()
        store._roller.roll()
    assert all(moved for _, moved in journal_rows(store))
    assert store.stats().counters["tiles_made"] == 3
    (found,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=100)
    assert int(found.count.sum()) == 150_000
    assert np.allclose(found.mean @ found.count, np.sin(number).sum())


def test_what_comes_faster_than_it_is_summed_up_waits_and_is_not_read_back(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A summing up begins when half of what may be kept is, and goes on only when a move that follows would end."""
    monkeypatch.setattr(store._roller, "_lately", Lately(most=200_000))
    monkeypatch.setattr(moving, "POINTS", 100_000)
    monkeypatch.setattr(tile_making, "collect", _fails)
    roll_up, moves = store._roller._tables.roll_up, Semaphore(0)

    def rolled(**given: Any) -> int:
        moves.acquire(timeout=0.5)
        return roll_up(**given)

    def moved(rows: Rows) -> None:
        grown(rows)
        moves.release()

    grown = store._roller.grown
    monkeypatch.setattr(store._roller._tables, "roll_up", rolled)
    monkeypatch.setattr(store._roller, "grown", moved)
    number = np.arange(500_000)
    for part, run in zip(np.array_split(number, 5), (RUN, "r2", RUN, "r2", RUN), strict=True):
        change(store, run, points=columns(part, part, np.sin(part)))
    store._roller.start()
    store._mover._round()
    store._roller.stop()
    store._roller.roll()
    assert store.stats().counters["tiles_made"] == 300_000 // 32_768 - 1 + 200_000 // 32_768 - 1
    assert all(moved for _, moved in journal_rows(store))


def test_writers_are_slowed_down_where_more_comes_than_is_moved(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "EASY", 5)
    add(store, steps(0, 20))
    assert store._mover.behind == 0, "nobody moves"
    store._mover._works = True
    assert store._mover.behind == 20 * HEAD_POINTS // MOST > 5
    add(store, steps(20, 1))
    assert 0 < store.stats().counters["paced_seconds"] <= DEAREST
    with monkeypatch.context() as patch:
        patch.setattr(store._moving, "insert", _busy)
        store._mover._carefully(store._mover._round)
    add(store, steps(21, 10))
    before = store.stats().counters["paced_seconds"]
    assert store._mover.behind == 0, "moving does not work, so nobody waits for it"
    add(store, steps(31, 10))
    assert store.stats().counters["paced_seconds"] == before
    store._mover._carefully(store._mover._round)
    assert store._mover.behind == 0
    assert store._mover._works
    assert len(read_points(store)) == 41


def test_what_other_processes_wrote_is_left_to_them_for_some_rounds(shelf: Shelf, store: WarehouseStore) -> None:
    other = shelf.borrow(shelf.directory)
    assert isinstance(other, WarehouseStore)
    add(store, steps(0, 3))
    for _ in range(moving.OTHERS):
        other._mover._round()
    assert journal_rows(store) == [(3, False)]
    add(store, steps(10, 2))
    other._mover._round()
    assert journal_rows(store) == [(3, True), (2, False)]
    store._mover._round()
    assert journal_rows(store) == [(3, True), (2, True)]
    assert len(read_points(store)) == 5


def _fails(*_: object, **__: object) -> object:
    raise AssertionError("was read back")


def test_what_a_purge_leaves_is_removed_later(store: WarehouseStore) -> None:
    add(store, steps(0, 3))
    add(store, steps(0, 2), "r2")
    store.flush()
    store.purge_runs(workspace=W, run_ids=[RUN])
    assert journal_rows(store) == [(2, True)]
    store._mover.tidy(at_once=False)  # somebody may be reading
    with store._database.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM garbage").fetchall() == [(1,)]
    store.compact()
    with store._database.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM garbage").fetchall() == [(0,)]
    assert len(read_points(store, selector("r2"))) == 2


def test_long_series_are_summed_up_as_they_grow(store: WarehouseStore) -> None:
    number = np.arange(150_000)
    for part in np.array_split(number, 3):
        change(store, points=columns(part, part, np.sin(part)))
        store.flush()
    store._roller.roll()
    assert store.stats().counters["tiles_made"] == 3  # as many points as a tile has stay out
    read = _rows_read(store)
    assert read < 2 * 32_768 + 20_000
    store._roller.roll()
    assert store.stats().counters["tiles_made"] == 3
    add(store, [(10, 10, 99.0)])  # late, into the first tile
    store.flush()
    (found,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=100)
    assert int(found.count.sum()) == 150_001
    assert found.max.value.max() == 99.0


def test_many_series_are_summed_up_with_the_inserts_of_one(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(name: str) -> None:
        work = getattr(store._moving, name)

        def noted(*given: Any) -> Any:
            asked.append(given[0])
            return work(*given)

        monkeypatch.setattr(store._moving, name, noted)

    counted("select")
    counted("insert")
    number = np.arange(70_000)
    for part in range(2):  # the second time they have tiles
        asked.clear()
        new = number + 70_000 * part
        for run, metric in ((RUN, "a"), (RUN, "b"), (RUN, "c"), ("r2", "a")):
            change(store, run, points=columns(new, new, np.sin(new), metric=metric))
        store.flush()
        asked.clear()
        store._roller.roll()
        tilings, *counts, nodes, told = asked
        assert "FROM tilings" in tilings
        assert (nodes, told) == ("nodes", "tilings")
        assert len(counts) == 4 * (1 + part)  # of each what grew, and where it has tiles, what came late
    assert store.stats().counters["tiles_made"] == 4 * (1 + 2)
    for run, metric in ((RUN, "c"), ("r2", "a")):
        (found,) = store.read_buckets(
            workspace=W, selectors=[selector(run, metric=metric)], window=EVERYTHING, budget=100
        )
        assert int(found.count.sum()) == 140_000
    assert not list(store.check())


def test_of_two_processes_that_saw_a_series_grow_one_sums_it_up(shelf: Shelf, store: WarehouseStore) -> None:
    other = shelf.borrow(shelf.directory)
    assert isinstance(other, WarehouseStore)
    number = np.arange(150_000)
    for part, mover in zip(np.array_split(number, 2), (store, other), strict=True):
        change(store, points=columns(part, part, np.sin(part)))
        mover.flush()
    meanwhile, roll_up = [], store._roller._tables.roll_up

    def rolled(**given: Any) -> int:
        other._roller.roll()
        meanwhile.append(other.stats().counters["tiles_made"])
        return roll_up(**given)

    store._roller._tables.roll_up = rolled  # type: ignore[method-assign]
    store._roller.roll()
    assert meanwhile == [0]
    assert store.stats().counters["tiles_made"] == 3
    other._roller.roll()  # it stayed due, and is done
    assert other.stats().counters["tiles_made"] == 0
    assert not other._roller._growth


def test_what_could_not_be_summed_up_stays_due(store: WarehouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run that has ended nothing more comes that would make it due again."""
    number = np.arange(150_000)
    change(store, points=columns(number, number, np.sin(number)))
    store.flush()
    with monkeypatch.context() as patch:
        patch.setattr(store._moving, "insert", _busy)
        with pytest.raises(Busy):
            store._roller.roll()
    store._roller.roll()
    assert store.stats().counters["tiles_made"] == 3
    assert not store._roller._growth


def _busy(*_: object) -> None:
    raise Busy("it is away")


def _rows_read(store: WarehouseStore) -> int:
    """How many rows ClickHouse answers for a chart."""
    select, read = store._clickhouse.select, 0

    def counted(*args: object) -> list[np.ndarray]:
        nonlocal read
        found = select(*args)  # type: ignore[arg-type]
        read += len(found[0])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._clickhouse, "select", counted)
        (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=100)
    assert int(buckets.count.sum()) == 150_000
    return read


def test_what_does_not_grow_much_is_forgotten(store: WarehouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.storage.warehouse.rolling.SERIES", 10)
    none = np.zeros(20, np.int64)
    points = read_points(store)
    rows = Rows(run=none, series=np.repeat(np.arange(11), [10, *[1] * 10]), points=points)
    store._roller.grown(rows)
    assert len(store._roller._growth) == 5
    assert store._roller._growth[0, 0] == 10
