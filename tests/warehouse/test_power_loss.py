"""ClickHouse forgets parts that were not written out when the power went, or is restored from an older copy: what was
acknowledged is there all the same.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from stepwell.core.errors import Busy
from stepwell.core.model import EVERYTHING
from stepwell.core.series import Order
from stepwell.core.store import Store
from stepwell.storage.warehouse import Address, WarehouseStore
from stepwell.storage.warehouse.points import ClickHouse, Rows
from stores import LOSS, RUN, Shelf, W, add, make_runs, read_points, selector
from warehouse.making import make
from warehouse.servers import Process, clickhouse, temporary_folder

KEPT = 3_600
ROUNDS, EACH = 4, 50
STEPS = list(range(ROUNDS * EACH))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A ClickHouse of this test's own, and a warehouse on it."""

    server: Process
    data: Path
    address: Address

    @contextmanager
    def opened(self, *, kept: int = KEPT) -> Iterator[WarehouseStore]:
        with closing(WarehouseStore(self.address, clock=Shelf.clock, background=False, kept=kept)) as store:
            yield store

    def cut_power(self, *, lost: int) -> None:
        """End the server, take its newest parts away, start it again."""
        self.server.kill()
        parts = sorted(
            (part for part in self.data.glob("*/points/*") if part.is_dir() and part.name[0].isdigit()),
            key=lambda part: part.stat().st_mtime_ns,
        )
        assert len(parts) >= lost
        for part in parts[len(parts) - lost :]:
            shutil.rmtree(part)
        self.server.start()


@pytest.fixture
def place(postgres_server: str, tmp_path: Path) -> Iterator[Place]:
    with temporary_folder() as folder, ExitStack() as running:
        server = running.enter_context(clickhouse(folder / "clickhouse"))
        address = make(
            clickhouse=f"clickhouse://127.0.0.1:{server.port}", postgres=postgres_server, files=tmp_path / "files"
        )
        yield Place(server=server, data=folder / "clickhouse" / "data" / "data", address=address)


def write(store: Store) -> None:
    """Points in several parts of ClickHouse."""
    make_runs(store, RUN)
    for first in range(0, len(STEPS), EACH):
        add(store, [(step, step, float(step)) for step in range(first, first + EACH)])
        store.flush()


def assert_all_is_there(store: Store) -> None:
    for order in Order:
        found = read_points(store, order=order, page=1_000)
        assert found.step.tolist() == STEPS, order
    (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=10)
    assert int(buckets.count.sum()) == len(STEPS)
    (info,) = store.list_series(workspace=W, run_id=RUN, metric=LOSS)
    assert info.summary.count == len(STEPS)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_server_that_was_open_all_the_time_puts_back_what_is_lost(place: Place, lost: int) -> None:
    with place.opened() as store, place.opened() as other:
        write(store)
        assert_all_is_there(other)
        place.cut_power(lost=lost)
        for one in (other, store):
            with_patience(one)
            assert_all_is_there(one)
        put_back = [one.stats().counters["points_put_back"] for one in (other, store)]
        assert sum(put_back) == lost * EACH
        add(store, [(0, 0, 0.0)])  # a retry of what was lost meanwhile is one
        assert_all_is_there(store)


def with_patience(store: Store) -> None:
    """Read until the connections that the server's end broke are known to be."""
    for _ in range(20):
        try:
            read_points(store)
            return
        except Busy:
            continue
    read_points(store)


def test_a_server_that_starts_later_puts_back_what_is_lost(place: Place) -> None:
    with place.opened() as store:
        write(store)
    place.cut_power(lost=2)
    with place.opened() as store:
        assert_all_is_there(store)


def test_a_retry_finds_what_was_lost(place: Place) -> None:
    """The first that is asked of a server after the power cut is whether a point is stored."""
    with place.opened() as store:
        write(store)
    place.cut_power(lost=ROUNDS)
    with place.opened() as store:
        add(store, [(step, step, float(step)) for step in STEPS])
        assert store.stats().counters["duplicates"] == len(STEPS)
        assert_all_is_there(store)


def test_rows_are_dropped_only_when_their_points_are_there(place: Place) -> None:
    with place.opened() as store:
        write(store)
    with place.opened(kept=-1) as store:
        assert_all_is_there(store)
        store._clickhouse.run("TRUNCATE TABLE points")  # unnoticed: the server went on
        assert not store._mover.trim()
        assert_all_is_there(store)
        assert store.stats().counters["points_put_back"] == len(STEPS)
        with store._database.snapshot() as connection:
            assert connection.execute("SELECT count(*) FROM journal").fetchall() == [(0,)]


def test_rows_are_kept_for_their_time(place: Place) -> None:
    with place.opened() as store:
        write(store)
        store._mover.trim()
        with store._database.snapshot() as connection:
            assert connection.execute("SELECT sum(count) FROM journal").fetchall() == [(len(STEPS),)]


def test_a_purged_run_is_not_put_back(place: Place) -> None:
    with place.opened() as store:
        write(store)
        store.purge_runs(workspace=W, run_ids=[RUN])
        store.compact()
    place.cut_power(lost=0)
    with place.opened() as store:
        assert len(read_points(store)) == 0
        store._mover.put_back()
        assert store.stats().counters["points_put_back"] == 0


def test_whoever_moves_may_be_killed_between_the_two_writes(place: Place) -> None:
    """The points are in ClickHouse and PostgreSQL does not know: the process is gone before its commit."""
    with place.opened() as store:
        make_runs(store, RUN)
        add(store, [(step, step, float(step)) for step in STEPS])
    child = os.fork()
    if child == 0:  # pragma: no cover  it is killed
        with place.opened() as store:
            tables = store._mover._tables
            insert = tables.insert

            def ends(*given: Rows) -> list[Rows]:
                found = insert(*given)
                os.kill(os.getpid(), signal.SIGKILL)
                return found

            tables.insert = ends  # type: ignore[method-assign]
            store.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    with place.opened() as store:
        assert store.stats().gauges["head_points"] == len(STEPS)
        assert_all_is_there(store)
        store.flush()
        assert_all_is_there(store)
        assert store.stats().gauges["head_points"] == 0


def test_copies_of_clickhouse_and_then_of_postgresql_make_a_whole(place: Place, tmp_path: Path) -> None:
    """As docs/howto/warehouse.md tells: what came between the two copies is in the journal of the second."""
    house, _, name = place.address.clickhouse.rpartition("/")
    catalog = place.address.catalog.rpartition("/")[0]
    with place.opened() as store:
        make_runs(store, RUN)
        add(store, [(step, step, float(step)) for step in STEPS[:EACH]])
        store.flush()
        with closing(ClickHouse(house)) as server:
            server.run("CREATE DATABASE again")
            for table in ("points", "nodes", "tilings", "migrations", "met"):
                server.run(f"CREATE TABLE again.{table} AS {name}.{table}")
            for table in ("points", "nodes", "tilings", "migrations"):
                server.run(f"INSERT INTO again.{table} SELECT * FROM {name}.{table}")
        add(store, [(step, step, float(step)) for step in STEPS[EACH : 3 * EACH]])
        store.flush()
        add(store, [(step, step, float(step)) for step in STEPS[3 * EACH :]])
    with psycopg.connect(f"{catalog}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE again_{name} TEMPLATE {name}".encode())
    address = Address(clickhouse=f"{house}/again", catalog=f"{catalog}/again_{name}", files=tmp_path / "again")
    with closing(WarehouseStore(address, clock=Shelf.clock, background=False)) as store:
        assert_all_is_there(store)
        assert store.stats().counters["points_put_back"] == 2 * EACH
        store.flush()
        assert_all_is_there(store)
