"""A start after a kill with very many series in the journal: ready at once, and nobody sees that not all are back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from stepwell.core.filters import Comparison, Field, Kind, Op
from stepwell.core.model import Columns, PointBatch, Repeats, Selector
from stepwell.core.series import value_key
from stepwell.storage.embedded import EmbeddedStore, backlog, engine, flushing, recovery
from stepwell.storage.embedded.database import connect_writer
from stores import Shelf, W, add, change, make_runs, read_rows, search_ids, selector

RUNS, METRICS = 20, 30


@pytest.fixture(autouse=True)
def little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "AT_ONCE", 10)
    monkeypatch.setattr(recovery, "_BATCH_POINTS", 250)
    monkeypatch.setattr(backlog, "PIECE", 7)
    monkeypatch.setattr(flushing, "BACKLOG_SERIES", 40)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Killed with two points of every series in the journal, which came far apart; then opened again."""
    found = Shelf(tmp_path / "shelf")
    make_runs(found.store, *map(run_id, range(RUNS)))
    for step in (1, 0):
        for run in range(RUNS):
            change(found.store, run_id(run), points=points(run, step))
    found.revive()
    yield found
    found.close()


def run_id(number: int) -> str:
    return f"run-{number:02d}"


def metric(number: int) -> str:
    return f"metric/{number:02d}"


def points(run: int, step: int) -> PointBatch:
    return PointBatch(
        series=tuple((metric(n), ()) for n in range(METRICS)),
        which=np.arange(METRICS),
        step=np.full(METRICS, step),
        time=np.full(METRICS, 5),
        value=run + np.arange(METRICS) / 100 + step,
    )


def rows(run: int, number: int) -> list[tuple[int, int, int]]:
    return [(step, 5, value_key(run + number / 100 + step)) for step in (0, 1)]


def engine_of(shelf: Shelf) -> EmbeddedStore:
    assert isinstance(shelf.store, EmbeddedStore)
    return shelf.store


def back(shelf: Shelf) -> int:
    """How many series are in the head."""
    return len(engine_of(shelf)._head.everything()[1])


def one(run: int, number: int) -> Selector:
    return selector(run_id(run), metric(number))


def assert_whole(shelf: Shelf) -> None:
    for run in range(RUNS):
        for number in range(METRICS):
            assert read_rows(shelf.store, one(run, number)) == rows(run, number)


def test_a_start_brings_back_no_series_of_very_many(shelf: Shelf):
    assert back(shelf) == 0
    assert engine_of(shelf).stats().gauges["head_points"] == 2 * RUNS * METRICS
    assert_whole(shelf)
    assert back(shelf) == RUNS * METRICS


def test_a_start_takes_as_many_statements_for_many_series_as_for_few(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    lives: list[list[object]] = []  # what the writing connection of each was told

    def connect(*args: Any, **options: Any) -> apsw.Connection:
        connection, statements = connect_writer(*args, **options), list[object]()
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, statements.append)
        lives.append(statements)
        return connection

    monkeypatch.setattr(engine, "connect_writer", connect)
    shelf.revive()
    lazily = len(lives[-1])
    monkeypatch.setattr(recovery, "AT_ONCE", 10_000)
    shelf.revive()
    assert back(shelf) == RUNS * METRICS
    assert lazily < 100
    assert len(lives[-1]) < lazily + 10, "bringing back all takes a statement for each series"


def test_a_question_brings_back_what_it_asks_for(shelf: Shelf):
    assert read_rows(shelf.store, one(3, 4)) == rows(3, 4)
    assert back(shelf) == 1
    compared = Comparison(field=Field(kind=Kind.METRIC, key=metric(0)), op=Op.LT, value=3.5)
    assert search_ids(shelf.store, filter=(compared,)) == [run_id(n) for n in range(3)]
    assert back(shelf) == 1 + RUNS
    (row,) = shelf.store.get_runs(workspace=W, run_ids=[run_id(7)], columns=Columns(metrics=(metric(1), metric(2))))
    assert row is not None
    assert row.metrics[metric(2)].count == 2
    assert back(shelf) == 1 + RUNS + 2
    assert len(shelf.store.list_series(workspace=W, run_id=run_id(9))) == METRICS
    assert back(shelf) == 1 + RUNS + 2 + METRICS - 1
    found = shelf.store.summaries(workspace=W, run_ids=[run_id(9), run_id(10)]).by_run()
    assert {name: summary.count for name, summary in found[run_id(10)].items()} == dict.fromkeys(found[run_id(9)], 2)


def test_writes_know_what_waits(shelf: Shelf):
    change(shelf.store, run_id(0), points=points(0, 1))  # a retry
    assert back(shelf) == METRICS
    assert engine_of(shelf).stats().counters["duplicates"] == METRICS
    change(shelf.store, run_id(1), points=points(1, 0), repeats=Repeats.APPEND)
    assert read_rows(shelf.store, one(1, 3)) == [rows(1, 3)[0], *rows(1, 3)]
    add(shelf.store, [(-1, 5, 0.5)], run_id(2), metric=metric(2))
    assert read_rows(shelf.store, one(2, 2)) == [(-1, 5, value_key(0.5)), *rows(2, 2)]
    assert back(shelf) == 2 * METRICS + 1
    shelf.revive()
    assert read_rows(shelf.store, one(1, 3)) == [rows(1, 3)[0], *rows(1, 3)]


def test_a_flush_moves_what_waits_and_empties_the_journal(shelf: Shelf):
    store = engine_of(shelf)
    assert read_rows(store, one(3, 4)) == rows(3, 4)
    store.flush()
    assert store.stats().gauges["head_points"] == 0
    with store._readers.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchall() == [(0,)]
    assert_whole(shelf)
    shelf.reopen()
    assert_whole(shelf)


def test_what_a_flush_had_moved_does_not_come_back_twice(shelf: Shelf, monkeypatch: pytest.MonkeyPatch):
    def nothing(flusher: flushing.Flusher, end: int) -> None:
        """The process was killed before."""

    with monkeypatch.context() as patch:
        patch.setattr(flushing.Flusher, "_trim", nothing)
        shelf.store.flush()
    change(shelf.store, run_id(0), points=points(0, 2))
    shelf.revive()
    assert back(shelf) == 0
    assert read_rows(shelf.store, one(0, 0)) == [*rows(0, 0), (2, 5, value_key(2.0))]
    assert read_rows(shelf.store, one(1, 0)) == rows(1, 0)
    assert back(shelf) == 1
    shelf.store.flush()
    assert engine_of(shelf).stats().gauges["head_points"] == 0
    assert_summed_up(shelf)


def assert_summed_up(shelf: Shelf) -> None:
    found = shelf.store.summaries(workspace=W, run_ids=[run_id(n) for n in range(RUNS)]).by_run()
    counts = {(run, name): summary.count for run, names in found.items() for name, summary in names.items()}
    assert counts == {(run_id(r), metric(n)): 3 if r == 0 else 2 for r in range(RUNS) for n in range(METRICS)}


def test_runs_that_are_purged_do_not_come_back(shelf: Shelf):
    assert shelf.store.purge_runs(workspace=W, run_ids=[run_id(n) for n in range(RUNS - 1)]) == RUNS - 1
    assert read_rows(shelf.store, one(0, 0)) == []
    shelf.store.flush()
    assert engine_of(shelf).stats().gauges["head_points"] == 0
    assert read_rows(shelf.store, one(RUNS - 1, 0)) == rows(RUNS - 1, 0)


def test_readers_beside_a_flush_always_see_all(shelf: Shelf):
    """Each looks at every series, in its own order, while all that waits is brought back and moved."""
    wrong: list[object] = []

    def look(seed: int) -> None:
        order = np.random.default_rng(seed).permutation(RUNS * METRICS)
        for run, number in zip((order // METRICS).tolist(), (order % METRICS).tolist(), strict=True):
            try:
                if read_rows(shelf.store, one(run, number)) != rows(run, number):
                    wrong.append((run, number))
            except Exception as error:  # noqa: BLE001 - shown by the main thread
                wrong.append(error)

    readers = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for reader in readers:
        reader.start()
    shelf.store.flush()
    for reader in readers:
        reader.join()
    assert not wrong
    assert engine_of(shelf).stats().gauges["head_points"] == 0
