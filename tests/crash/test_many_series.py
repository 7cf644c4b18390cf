"""Very many series of one point each: as many rows as points, and still bounded work, bytes and memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from stepwell.core.model import PointBatch, RunWrite
from stepwell.core.summary import Summary
from stepwell.storage.embedded import EmbeddedStore, engine
from stepwell.storage.embedded.database import connect_writer
from stores import NOW, W, new_run, read_points, search_ids, selector

BATCH = 1_000
MIB = 2**20


class Work:
    """How many statements the writing connection ran."""

    def __init__(self) -> None:
        self.statements = 0

    def count(self, _: dict[str, Any]) -> None:
        self.statements += 1

    def since(self) -> int:
        done, self.statements = self.statements, 0
        return done


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    counted = Work()

    def connect(*args: Any, **options: Any) -> apsw.Connection:
        connection = connect_writer(*args, **options)
        connection.trace_v2(apsw.SQLITE_TRACE_STMT, counted.count)
        return connection

    monkeypatch.setattr(engine, "connect_writer", connect)
    return counted


@contextmanager
def opened(directory: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(directory, clock=lambda: NOW, background=False)
    try:
        yield store
    finally:
        store.close()


def value(number: np.ndarray) -> np.ndarray:
    return np.sin(number) * 1_000


def write(store: EmbeddedStore, each: int, numbers: range, *, step: int) -> None:
    """One point in each of some series; run by run, each of which has as many."""
    for first in range(numbers.start, numbers.stop, min(BATCH, each)):
        count = min(BATCH, each, numbers.stop - first)
        names = tuple((metric(n % each), ()) for n in range(first, first + count))
        batch = PointBatch(
            series=names,
            which=np.arange(count),
            step=np.full(count, step),
            time=np.arange(first, first + count),
            value=value(np.arange(first, first + count) + step),
        )
        store.write(workspace=W, writes=[RunWrite(run_id=run_id(first // each), points=batch, at=NOW)]).result(60)


def metric(number: int) -> str:
    return f"layer/{number:06d}"


def run_id(number: int) -> str:
    return f"run-{number:04d}"


def assert_right(store: EmbeddedStore, runs: int, each: int, *, twice: range = range(0)) -> None:
    """Every summary of every run; series in `twice` have a second point of step 1."""
    for first in range(0, runs, 100):
        ids = [run_id(n) for n in range(first, min(first + 100, runs))]
        found = store.summaries(workspace=W, run_ids=ids).by_run()
        for number, one in enumerate(ids, start=first):
            assert len(found[one]) == each
            numbers = np.arange(number * each, (number + 1) * each)
            points = np.stack((value(numbers), value(numbers + 1)))
            for place, n in enumerate(numbers.tolist()):
                assert_summary(found[one][metric(place)], n, points[:, place], 2 if n in twice else 1)


def assert_summary(summary: Summary, number: int, values: np.ndarray, count: int) -> None:
    assert (summary.count, summary.finite_count) == (count, count)
    assert (summary.first, summary.last) == ((0, number, values[0]), (count - 1, number, values[count - 1]))
    assert (summary.min.value, summary.max.value) == (values[:count].min(), values[:count].max())


@pytest.mark.parametrize(
    ("runs", "each"), [(1, 100_000), (1_000, 30), pytest.param(1_000, 100, marks=pytest.mark.long)]
)
def test_very_many_series_of_one_point(tmp_path: Path, work: Work, runs: int, each: int):
    series = runs * each
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    directory = tmp_path / "data"
    with opened(directory) as store:
        store.create_runs(workspace=W, new=[new_run(run_id(n)) for n in range(runs)])
        work.since()
        write(store, each, range(series), step=0)
        assert work.since() < 6 * series
        write(store, each, range(2_000), step=0)  # a retry
        assert store.stats().gauges["head_points"] == series
        work.since()
        store.flush()
        assert work.since() < 4.2 * series
        assert store.stats().gauges["head_points"] == 0
        assert_right(store, runs, each)
    size = (directory / "stepwell.db").stat().st_size
    assert size < 600 * series, f"{size / series:.0f} bytes for each series"

    work.since()
    with opened(directory) as store:
        assert work.since() < 200, "opening looks at every series"
        last = selector(run_id(runs - 1), metric(each - 1))
        assert read_points(store, last).value.tolist() == [value(np.array([series - 1]))[0]]
        if runs > 1:
            assert search_ids(store) == [run_id(n) for n in range(runs)]
        again = range(3_000)
        write(store, each, again, step=1)
        copy = tmp_path / "copy"
        list(store.backup(target=copy))
    work.since()
    with opened(copy) as store:  # with a journal of thousands of series
        assert work.since() < 200 + 2 * len(again)
        assert store.stats().gauges["head_points"] == len(again)
        store.flush()
        assert_right(store, runs, each, twice=again)
        assert not list(store.check())
        assert store.purge_runs(workspace=W, run_ids=[run_id(n) for n in range(runs)]) == runs
        store.compact()
    # The names of metrics stay: they belong to no run.
    assert (copy / "stepwell.db").stat().st_size < MIB + 60 * each, "space is given back"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024 - before
    assert grown < 700, f"{grown:.0f} MiB"
