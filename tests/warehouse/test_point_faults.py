"""Inserts while ClickHouse is killed: what was told to be stored is, and what is inserted again is there once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from stepwell.core.errors import Busy, Invalid
from stepwell.core.model import EVERYTHING
from stepwell.core.series import Order, Points
from stepwell.storage.warehouse.points import ClickHouse, PointTables, Rows, Waiting
from warehouse.servers import Process, clickhouse, temporary_folder

BLOCK = 20_000
RETRY_SECONDS = 60


@pytest.fixture
def server() -> Iterator[Process]:
    """A ClickHouse server of this test's own, to be killed."""
    with temporary_folder() as folder, clickhouse(folder / "clickhouse") as process:
        yield process


def block(number: int) -> Rows:
    """Points of two series; the steps of one block follow those of the one before."""
    at = np.arange(number * BLOCK, (number + 1) * BLOCK, dtype=np.int64)
    points = Points(step=at // 2, time=at, value=at.astype(np.float64), occurrence=at * 0, arrival=at)
    return Rows(run=np.full(BLOCK, 1), series=1 + at % 2, points=points)


def insert_until_stored(tables: PointTables, rows: Rows) -> int:
    """As the journal does: again until it is told that it is stored. How often it was not."""
    end = time.monotonic() + RETRY_SECONDS
    failed = 0
    while True:
        try:
            tables.insert(rows)
            return failed
        except Busy:
            failed += 1
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def tables(server: Process) -> Iterator[PointTables]:
    """Empty tables on it."""
    with closing(ClickHouse(f"clickhouse://127.0.0.1:{server.port}")) as clickhouse_server:
        found = PointTables(clickhouse_server)
        found.migrate()
        yield found


def test_no_point_is_lost_or_doubled_when_the_server_is_killed(server: Process, tables: PointTables):
    stored: list[int] = []
    stop = threading.Event()
    failures: list[int] = []

    def write() -> None:
        while not stop.is_set():
            failures.append(insert_until_stored(tables, block(len(stored))))
            stored.append(len(stored))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3):
            known = len(stored)
            while len(stored) < known + 3:  # between the inserts or in one, as it happens
                assert thread.is_alive()
                time.sleep(0.01)
            server.kill()
            server.start()
    finally:
        stop.set()
        thread.join()
    assert failures
    every = Rows.concat([block(number) for number in stored])
    for series in (1, 2):
        wanted = every.take(every.series == series).points
        found, after = [], None
        while True:
            page = tables.read(
                run=1,
                series=[series],
                order=Order.KEY,
                window=EVERYTHING,
                after=after,
                limit=50_000,
                waiting=Waiting.none(),
            )
            found.append(page.points)
            after = page.after
            if after is None:
                break
        points = Points.concat(found)
        for name in ("step", "time", "value", "occurrence", "arrival"):
            np.testing.assert_array_equal(getattr(points, name), getattr(wanted, name))


def test_a_server_that_is_not_there_is_busy(server: Process, tables: PointTables):
    server.kill()
    with pytest.raises(Busy, match="does not answer"):
        tables.insert(block(0))
    with pytest.raises(Busy, match="does not answer"):
        tables.count()
    server.start()
    tables.insert(block(0))
    assert tables.count() == BLOCK


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "clickhouse://", "clickhouse://h/d?x=1", "clickhouse://h:port", "clickhouse://h:70000"]
)
def test_other_urls_are_refused(url: str):
    with pytest.raises(Invalid, match="clickhouse://"):
        ClickHouse(url)
