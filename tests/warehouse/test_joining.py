"""Requests that write points: those that wait together cost PostgreSQL as much as one, and each has its own answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepwell.core.errors import Invalid, NotFound, StorageFailed
from stepwell.core.model import RunWrite
from stepwell.storage.warehouse import WarehouseStore, joining, staging
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.names import KnownNames
from stores import NOW, Shelf, W, add, batch, columns, make_runs, read_points, selector

RUNS = tuple(f"r{number}" for number in range(5))
# Of a transaction that writes points of known series: runs; summaries and arrival numbers; the change. Beginning and
# commit are not among them.
STATEMENTS = 3


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WarehouseStore]:
    shelf = Shelf(tmp_path / "shelf", engine="warehouse")
    make_runs(shelf.store, *RUNS)
    assert isinstance(shelf.store, WarehouseStore)
    yield shelf.store
    shelf.close()


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that are sent meanwhile, those of other threads that write nothing too."""
    sent: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("ask", "execute", "executemany"):
            before = getattr(Connection, name)

            def noted(self: Connection, statement: str, *given: Any, _before: Any = before, _name: str = name) -> Any:
                if threading.current_thread().name == "stepwell-writer":
                    sent.append(f"{_name}: {statement}")
                return _before(self, statement, *given)

            patch.setattr(Connection, name, noted)
        yield sent


def together(store: WarehouseStore, writes: Sequence[RunWrite]) -> list[Future[None]]:
    """Requests that wait together, and are done."""
    hold = threading.Event()
    first = store._writer.submit(lambda _: hold.wait(10))
    futures = [store.write(workspace=W, writes=[write]) for write in writes]
    hold.set()
    assert first.result()
    for future in futures:
        future.exception()
    return futures


def points(run: str, first: int, count: int = 3) -> RunWrite:
    return RunWrite(run_id=run, points=batch([(step, step, 1.5) for step in range(first, first + count)]), at=NOW)


def test_many_requests_cost_as_many_statements_and_commits_as_one(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    together(store, [points(run, 0) for run in RUNS])  # from here on the series are known
    commits = store.stats().counters["commits"]
    with counted(monkeypatch) as sent:
        store.write(workspace=W, writes=[points(RUNS[0], 10)]).result()
    assert len([each for each in sent if "bound" not in each]) == STATEMENTS  # quotas are asked for now and then
    with counted(monkeypatch) as sent:
        together(store, [points(run, first) for first in range(20, 80, 3) for run in RUNS])
    asked = [each for each in sent if "SAVEPOINT" not in each and "bound" not in each]  # of the request that held them
    assert len(asked) <= 2 * STATEMENTS
    assert store.stats().counters["commits"] - commits <= 4
    for run in RUNS:
        assert len(read_points(store, selector(run))) == 3 + 60 + (3 if run == RUNS[0] else 0)


def test_points_of_one_run_that_are_written_together_are_one_row_of_few_bytes(store: WarehouseStore) -> None:
    number = np.arange(1000)
    parts = [columns(part, 100_000 * part + part % 7, np.sin(part)) for part in np.array_split(number, 4)]
    together(store, [RunWrite(run_id=RUNS[0], points=part, at=NOW) for part in parts])
    with store._database.snapshot() as connection:
        rows = connection.execute("SELECT count, octet_length(payload) FROM journal").fetchall()
    assert sum(count for count, _ in rows) == 1000
    assert len(rows) <= 2
    assert sum(size for _, size in rows) < 10 * 1000 + 500  # a value has eight, a jittering time one or two
    np.testing.assert_array_equal(read_points(store, selector(RUNS[0])).value, np.sin(number))


def test_more_than_is_worked_on_together_is_written_in_pieces(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "POINTS", 4)
    together(store, [points(RUNS[0], first, 3) for first in range(0, 12, 3)] + [points(RUNS[1], 0, 9)])
    assert read_points(store, selector(RUNS[0])).step.tolist() == list(range(12))
    assert read_points(store, selector(RUNS[1])).step.tolist() == list(range(9))


def test_repeats_in_other_requests_are_stored_once(store: WarehouseStore) -> None:
    together(store, [points(RUNS[0], 0), points(RUNS[0], 1), points(RUNS[0], 0)])
    found = read_points(store, selector(RUNS[0]))
    assert found.step.tolist() == [0, 1, 2, 3]
    assert store.stats().counters["points"] == 4
    assert store.stats().counters["duplicates"] == 5
    (info,) = store.list_series(workspace=W, run_id=RUNS[0])
    assert info.summary.count == 4


def test_each_hears_of_its_own_fault(store: WarehouseStore) -> None:
    bad = RunWrite(run_id=RUNS[2], points=batch([(1, 1, 1.0)], metric="half \ud800"), at=NOW)
    futures = together(store, [points(RUNS[0], 0), points("none", 0), bad, points(RUNS[1], 0)])
    assert [type(future.exception()) for future in futures] == [type(None), NotFound, Invalid, type(None)]
    for run, count in zip(RUNS, (3, 3, 0), strict=False):
        assert len(read_points(store, selector(run))) == count


def test_a_request_for_several_runs_is_refused_as_a_whole(store: WarehouseStore) -> None:
    both = store.write(workspace=W, writes=[points(RUNS[0], 0), points("none", 0)])
    assert isinstance(both.exception(), NotFound)
    assert not len(read_points(store, selector(RUNS[0])))


def test_series_of_a_transaction_that_was_not_to_be_are_made_again(
    store: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        raise StorageFailed("no")

    with monkeypatch.context() as patch:
        patch.setattr(staging, "_store", fails)
        assert isinstance(store.write(workspace=W, writes=[points(RUNS[0], 0)]).exception(), StorageFailed)
    assert store.list_series(workspace=W, run_id=RUNS[0]) == []
    add(store, [(1, 1, 1.0)], RUNS[0])
    assert read_points(store, selector(RUNS[0])).step.tolist() == [1]
    assert len(store.list_series(workspace=W, run_id=RUNS[0])) == 1


class Dictionary:
    """Stands for the table of series; it counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def ensure(self, _: object, run_key: int, names: Sequence[tuple[str, Any]]) -> list[int]:
        self.asked += len(names)
        return [1000 * run_key + int(metric) for metric, _ in names]


def test_names_are_remembered_until_another_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    table, connection = Dictionary(), object.__new__(Connection)
    monkeypatch.setattr("stepwell.storage.warehouse.names.series", table)
    known = KnownNames(most=10)
    names = [(str(number), ()) for number in range(4)]
    known.meet(1)
    for _ in range(2):
        assert known.ensure(connection, 7, names[::-1]) == [7003, 7002, 7001, 7000]
    assert table.asked == 4
    known.meet(1)
    assert known.ensure(connection, 7, names[:1]) == [7000]
    assert table.asked == 4
    known.meet(2)
    assert known.ensure(connection, 7, names[:1]) == [7000]
    assert table.asked == 5
    for run in (8, 9, 10):  # too many: the first run goes
        known.ensure(connection, run, names)
    before = table.asked
    known.ensure(connection, 10, names)
    assert table.asked == before
    known.ensure(connection, 7, names[:1])
    assert table.asked == before + 1


def test_a_write_to_no_run_makes_nobody_forget_names(store: WarehouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(workspace=W, writes=[points(RUNS[0], 0)]).result()
    with pytest.raises(NotFound):
        store.write(workspace=W, writes=[points("none", 0)]).result()
    with counted(monkeypatch) as sent:
        store.write(workspace=W, writes=[points(RUNS[0], 10)]).result()
    assert len([each for each in sent if "bound" not in each]) == STATEMENTS
