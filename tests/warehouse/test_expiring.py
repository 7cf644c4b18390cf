"""Points that are not kept: hidden everywhere at once, removed from ClickHouse later, and moved with a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepwell.core.bounds import Kept
from stepwell.core.errors import Conflict
from stepwell.core.model import EVERYTHING
from stepwell.core.store import Store
from stepwell.storage.embedded import EmbeddedStore
from stepwell.storage.relocation import relocate
from stepwell.storage.warehouse import Address, WarehouseStore, cuts
from stores import LOSS, NOW, RUN, Row, Shelf, W, add, make_runs, read_rows, rows_told, selector
from warehouse.servers import wait_until

MANY = 600


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """With sizes that a few points reach."""
    shelf = Shelf(tmp_path / "shelf", engine="tight warehouse")
    make_runs(shelf.store, RUN)
    yield shelf
    shelf.close()


def opened(store: Store) -> WarehouseStore:
    assert isinstance(store, WarehouseStore)
    return store


def rows(count: int, *, first: int = 0) -> list[Row]:
    return [(step, NOW + step, step / 7) for step in range(first, first + count)]


def expire(store: Store, **kept: int) -> int:
    return sum(each.points for each in store.expire_points(workspace=W, experiment_id=0, kept=Kept(**kept)))


def hiding(store: WarehouseStore) -> int:
    """How many cuts there are."""
    with store._database.snapshot() as connection:
        keys = [key for (key,) in connection.execute("SELECT key FROM series").fetchall()]
        return len(cuts.of_series(connection, keys))


def trim(store: WarehouseStore, patch: pytest.MonkeyPatch) -> None:
    """As when what was moved was kept long enough."""
    patch.setattr(store._mover, "_kept", -1)
    while store._mover.trim():
        pass


@pytest.mark.parametrize("rule", [{"since": NOW + MANY - 10}, {"latest": 10}], ids=str)
def test_clickhouse_removes_it(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, rule: dict[str, int]) -> None:
    store = opened(shelf.store)
    add(store, rows(MANY))
    store.compact()  # summed up as a whole
    assert expire(store, **rule) == MANY - 10
    store._remover.remove(at_once=True)
    assert store._tables.count() == MANY, "the journal has them still, and would bring them back"
    trim(store, monkeypatch)

    def removed() -> bool:
        store.compact()
        assert read_rows(store) == rows_told(rows(MANY)[-10:])
        return hiding(store) == 0

    wait_until(removed)
    assert store._tables.count() == 10
    (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=3)
    assert (int(buckets.count.sum()), int(buckets.first.step[0])) == (10, MANY - 10)
    add(store, rows(5))
    add(store, rows(5))
    assert read_rows(store) == rows_told(rows(5) + rows(MANY)[-10:])


def test_what_comes_again_before_it_is_removed_stays(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(shelf.store)
    add(store, rows(20))
    store.flush()
    assert expire(store, latest=5) == 15
    for _ in range(3):
        add(store, rows(8))
        store.flush()
    whole = rows_told(rows(8) + rows(5, first=15))
    assert read_rows(store) == whole
    trim(store, monkeypatch)

    def removed() -> bool:
        store.compact()
        assert read_rows(store) == whole
        return hiding(store) == 0

    wait_until(removed)
    add(store, rows(8))
    assert read_rows(store) == whole
    assert store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN][LOSS].count == 13


def test_every_server_sees_it_and_writes_go_on(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that come while it is found out what goes are not lost, and what another server cut is not cut twice."""
    store, other = opened(shelf.store), shelf.borrow(shelf.directory)
    add(store, rows(50))
    planned = store._expirer._planned
    later: list[Callable[[], object]] = [
        lambda: add(other, rows(10, first=50)),
        lambda: expire(other, latest=30),
    ]

    def slowly(*args: object, **options: object) -> object:
        plans = planned(*args, **options)  # type: ignore[arg-type]
        if later:
            later.pop(0)()
        return plans

    monkeypatch.setattr(store._expirer, "_planned", slowly)
    assert expire(store, latest=40) == 10
    assert read_rows(other) == read_rows(store) == rows_told(rows(60)[-30:])
    assert store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN][LOSS].count == 30
    add(other, rows(60))
    assert expire(store, latest=30) == 30


def test_a_purge_forgets_what_was_hidden(shelf: Shelf) -> None:
    store = opened(shelf.store)
    add(store, rows(20))
    assert expire(store, latest=5) == 15
    with store._database.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM cut").fetchall() == [(1,)]
    store.purge_runs(workspace=W, run_ids=[RUN])
    with store._database.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM cut").fetchall() == [(0,)]


def test_a_store_with_a_rule_is_moved_though_points_expire_meanwhile(store: str, tmp_path: Path) -> None:
    source = EmbeddedStore(tmp_path / "data", clock=lambda: NOW, background=False)
    make_runs(source, RUN)
    add(source, rows(50))
    source.put_bounds(workspace=W, experiment_id=None, values={"points_per_series": 20})
    address = Address.of(store)
    moving = relocate(source, address)
    assert any(copied.name == f"points of {RUN}" for copied in moving)
    assert expire(source, latest=20) == 30
    with pytest.raises(Conflict, match="run the same command again"):
        list(moving)
    assert list(relocate(source, address))[-1].done == 40
    source.close()
    moved = WarehouseStore(address, clock=lambda: NOW, background=False)
    assert read_rows(moved) == rows_told(rows(50)[-20:])
    assert expire(moved, latest=10) == 10
    assert [each.name for each in moved.list_bounds()] == ["points_per_series"]
    moved.close()


def test_what_comes_again_where_all_was_removed_is_seen(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run began anew after a while: of its first attempt steps in the middle are gone, until it gets there again."""
    store = opened(shelf.store)
    add(store, [(step, NOW - 10 * (8 <= step < 24), 1.0) for step in range(32)])
    store.compact()
    assert expire(store, since=NOW) == 16
    trim(store, monkeypatch)

    def removed() -> bool:
        store.compact()
        return hiding(store) == 0

    wait_until(removed)
    add(store, [(step, NOW, 2.0) for step in range(8, 24)])
    for _ in range(2):
        (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=3)
        assert int(buckets.count.sum()) == 32
        store.compact()
    assert not list(store.check())
