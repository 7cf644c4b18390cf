"""Changes of several processes that meet: one after the other, none lost, none refused for the other's sake."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepwell.core.errors import Conflict, Invalid
from stepwell.core.model import NewRun, RunWrite
from stepwell.core.store import Store
from stepwell.storage.catalog import runs
from stepwell.storage.warehouse import WarehouseStore
from stores import NOW, Shelf, W, add, batch, make_runs, read_points, selector

RUNS = tuple(f"r{number}" for number in range(6))
TIMES = 25


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf", engine="warehouse")
    make_runs(shelf.store, *RUNS)
    yield shelf
    shelf.close()


def both(shelf: Shelf) -> tuple[WarehouseStore, WarehouseStore]:
    other = shelf.borrow(shelf.directory)
    assert isinstance(shelf.store, WarehouseStore)
    assert isinstance(other, WarehouseStore)
    return shelf.store, other


def at_once(*calls: object) -> None:
    """Run all in threads; the first error, if there is one."""
    errors: list[BaseException] = []

    def run(call: object) -> None:
        try:
            call()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001  raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def test_writes_to_the_same_runs_in_opposite_orders_do_not_stop_each_other(shelf: Shelf) -> None:
    one, other = both(shelf)

    def write(store: Store, runs: tuple[str, ...], offset: int) -> None:
        futures = []
        for number in range(TIMES):
            step = 2 * number + offset
            writes = [RunWrite(run_id=run, points=batch([(step, step, 0.0)]), at=NOW) for run in runs]
            futures += [store.write(workspace=W, writes=[each]) for each in writes]
            futures.append(store.write(workspace=W, writes=[RunWrite(run_id=r, name=f"{r}!", at=NOW) for r in runs]))
        for future in futures:
            future.result()

    at_once(lambda: write(one, RUNS, 0), lambda: write(other, RUNS[::-1], 1))
    for run in RUNS:
        found = read_points(one, selector(run))
        assert found.step.tolist() == list(range(2 * TIMES))
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with one._database.snapshot() as connection:
        assert connection.execute(deadlocks).fetchall() == [(0,)]


def test_one_of_many_wins_and_the_others_hear_of_it(shelf: Shelf) -> None:
    """A param keeps the value that was stored first, whichever process stored it."""
    refused: list[str] = []

    def put(store: Store, value: str) -> None:
        try:
            write = RunWrite(run_id=RUNS[0], params={"p": value}, at=NOW)
            store.write(workspace=W, writes=[write]).result()
        except Conflict:
            refused.append(value)

    stores = both(shelf)
    values = [str(number) for number in range(8)]
    at_once(*(lambda s=stores[n % 2], v=value: put(s, v) for n, value in enumerate(values)))
    assert len(refused) == len(values) - 1


def test_new_names_that_both_make_are_made_once(shelf: Shelf) -> None:
    one, other = both(shelf)
    metrics = [f"m{number}" for number in range(20)]

    def write(store: Store, run: str, names: list[str]) -> None:
        for name in names:
            add(store, [(1, 1, 1.0)], run, metric=name)

    at_once(lambda: write(one, RUNS[0], metrics), lambda: write(other, RUNS[1], metrics[::-1]))
    for run in RUNS[:2]:
        assert [info.metric for info in one.list_series(workspace=W, run_id=run)] == sorted(metrics)


def test_a_refused_change_leaves_the_others_of_its_transaction(shelf: Shelf) -> None:
    store = shelf.store
    hold = threading.Event()
    assert isinstance(store, WarehouseStore)
    first = store._writer.submit(lambda _: hold.wait(10))
    futures = [
        store.write(workspace=W, writes=[RunWrite(run_id=run, points=batch([(1, 1, 1.0)]), at=NOW)])
        for run in (RUNS[0], "none", RUNS[1])
    ]
    hold.set()
    assert first.result()
    assert [future.exception() is None for future in futures] == [True, False, True]
    assert store.stats().counters["commit_requests"] - store.stats().counters["commits"] >= 2
    assert len(read_points(store, selector(RUNS[1]))) == 1


def together(store: Store, writes: list[RunWrite | Any]) -> list[BaseException | None]:
    """What became of some changes that wait for the same transaction; of anything but a write it is done."""
    assert isinstance(store, WarehouseStore)
    hold = threading.Event()
    first = store._writer.submit(lambda _: hold.wait(10))
    futures = [
        store.write(workspace=W, writes=[each]) if isinstance(each, RunWrite) else store._writer.submit(each)
        for each in writes
    ]
    hold.set()
    assert first.result()
    return [future.exception() for future in futures]


@pytest.mark.parametrize("place", ["metric", "param", "tag"])
def test_a_name_that_is_too_long_for_an_index_is_refused_and_nothing_else(shelf: Shelf, place: str) -> None:
    """1,024 characters are allowed, and PostgreSQL has no room for more than 2,700 bytes that it cannot compress."""
    chars = random.Random(1)
    name = "".join(chr(chars.randrange(0x4E00, 0x9000)) for _ in range(1024))
    long = {
        "metric": RunWrite(run_id=RUNS[0], points=batch([(1, 1, 1.0)], metric=name), at=NOW),
        "param": RunWrite(run_id=RUNS[0], params={name: "1"}, at=NOW),
        "tag": RunWrite(run_id=RUNS[0], set_tags={name: "1"}, at=NOW),
    }[place]
    others = [RunWrite(run_id=run, points=batch([(1, 1, 1.0)]), at=NOW) for run in RUNS[1:3]]
    named = RunWrite(run_id=RUNS[3], name="n", at=NOW)
    found = together(shelf.store, [others[0], long, named, others[1]])
    assert [type(error) for error in found] == [type(None), Invalid, type(None), type(None)]
    assert "too long for PostgreSQL" in str(found[1])


def test_what_nobody_has_foreseen_in_one_change_is_not_told_to_the_others(shelf: Shelf) -> None:
    def broken(_: object) -> None:
        raise LookupError

    write = RunWrite(run_id=RUNS[0], name="n", at=NOW)
    points = RunWrite(run_id=RUNS[1], points=batch([(1, 1, 1.0)]), at=NOW)
    found = together(shelf.store, [write, broken, points])
    assert [type(error) for error in found] == [type(None), LookupError, type(None)]
    assert len(read_points(shelf.store, selector(RUNS[1]))) == 1


def test_a_run_that_another_has_made_meanwhile_is_written_to(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAP's and Pluto's clients make a run with the first write to it, whichever that is."""
    one, other = both(shelf)

    def write(store: Store, step: int) -> None:
        new = NewRun(id="new", name="new", origin="sap", at=NOW)
        write = RunWrite(run_id="new", make=new, points=batch([(step, step, 0.0)]), at=NOW)
        store.write(workspace=W, writes=[write]).result()

    find = runs.find

    def overtaken(*asked: Any) -> Any:
        monkeypatch.setattr(runs, "find", find)
        found = find(*asked)
        write(other, 1)
        return found

    monkeypatch.setattr(runs, "find", overtaken)
    write(one, 2)
    assert read_points(one, selector("new")).step.tolist() == [1, 2]
