"""Making the tables of a cluster: on every server by itself, with nobody left out, and again as often as one likes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np
import pytest

from stepwell.core.errors import Busy, Invalid
from stepwell.core.series import Points
from stepwell.storage.warehouse.points import ClickHouse, PointTables, Rows, Waiting
from warehouse.clusters import Cluster, cluster
from warehouse.servers import Process, temporary_folder
from warehouse.test_server_faults import until

TABLES = {"points", "points_local", "nodes", "nodes_local", "tilings", "tilings_local", "met", "migrations"}
SETUPS = 30
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ships() -> Iterator[Cluster]:
    """Two replicas for all tests; each has a database of its own."""
    with temporary_folder() as folder, cluster(folder) as running:
        yield running


def members(ships: Cluster) -> list[Process]:
    return [each for shard in ships.replicas for each in shard]


@contextmanager
def alone(server: Process, database: str = "default") -> Iterator[ClickHouse]:
    """One server of a cluster, asked by itself."""
    with closing(ClickHouse(f"clickhouse://{server.address}:{server.port}/{database}", size=1)) as found:
        yield found


def made(ships: Cluster) -> str:
    """The name of a database without tables."""
    name = f"test_{uuid.uuid4().hex}"
    for each in members(ships):
        with alone(each) as server:
            server.run(f"CREATE DATABASE {name}")
    return name


def migrate(ships: Cluster, database: str) -> list[int]:
    with closing(ClickHouse(ships.url(database))) as server:
        tables = PointTables(server)
        done = tables.migrate()
        tables.check_schema()
    return done


def count(server: Process, database: str, statement: str) -> int:
    with alone(server, database) as asked:
        return int(asked.select(statement, {}, [np.int64])[0][0])


def tables(server: Process, database: str) -> set[str]:
    with alone(server, database) as asked:
        (names,) = asked.select("SELECT name FROM system.tables WHERE database = currentDatabase()", {}, [str])
    return {str(name) for name in names}


def some(run: int, steps: Sequence[int]) -> Rows:
    """Points of one series, which has the key of its run."""
    step = np.array(steps, np.int64)
    points = Points(step=step, time=step, value=step / 7, occurrence=0 * step, arrival=step + 1)
    return Rows(run=0 * step + run, series=0 * step + run, points=points)


def test_tables_are_made_on_every_server_and_replicas_follow(ships: Cluster) -> None:
    name = made(ships)
    assert migrate(ships, name) == [1, 2, 3]
    assert migrate(ships, name) == []
    assert all(tables(each, name) == TABLES for each in members(ships))
    with closing(ClickHouse(ships.url(name))) as server:
        points = PointTables(server)
        points.insert(some(1, range(5_000)), some(2, range(4_007)))
        assert points.settled()
        stored = "SELECT count() FROM points_local"
        assert [count(each, name, stored) for each in members(ships)] == [9_007, 9_007]
        points.delete_runs([1])  # one replica is told; both do it
        points.insert(some(3, range(2)))  # 18.16 changes no part that is the last one with a quorum
        until(lambda: all(count(each, name, stored) == 4_009 for each in members(ships)), "the removal on both")
        points.tidy()
        assert points.summaries(runs=[1, 2], series=[1, 2], waiting=Waiting.none())[2].count == 4_007


def test_what_is_moved_at_once_is_one_part_of_a_shard(ships: Cluster) -> None:
    """Nothing is passed on where there is one shard, in as many parts as it came in or more."""
    name = made(ships)
    migrate(ships, name)
    rows = [some(1, range(1_200_000)), some(2, range(100_000))]
    with closing(ClickHouse(ships.url(name))) as server:
        points = PointTables(server)
        points.insert(*rows)
        assert points.settled()
        parts = f"SELECT count() FROM system.parts WHERE database = '{name}' AND table = 'points_local'"
        assert [count(each, name, parts) for each in members(ships)] == [1, 1]
        assert [points.summaries(runs=[run], series=[run], waiting=Waiting.none())[run].count for run in (1, 2)] == [
            1_200_000,
            100_000,
        ]


def test_of_two_shards_each_gets_its_series() -> None:
    with temporary_folder() as folder, cluster(folder, shards=2, replicas=1) as running:
        name = made(running)
        migrate(running, name)
        with closing(ClickHouse(running.url(name))) as server:
            points = PointTables(server)
            points.insert(*(some(run, range(1_000)) for run in range(4)))
            assert points.settled()
            assert [count(each, name, "SELECT count() FROM points_local") for each in members(running)] == [2_000] * 2
            found = points.summaries(runs=[0, 1, 2, 3], series=[0, 1, 2, 3], waiting=Waiting.none())
            assert [found[run].count for run in range(4)] == [1_000] * 4


def test_a_server_that_is_away_is_named_and_gets_its_tables_later(ships: Cluster) -> None:
    name = made(ships)
    gone = members(ships)[1]
    gone.kill()
    try:
        with pytest.raises(Busy) as told:
            migrate(ships, name)
    finally:
        gone.start()
    assert f"{gone.address}:{gone.port} (shard 1, replica 2) does not answer" in told.value.message
    assert migrate(ships, name) == [1, 2, 3]
    assert all(tables(each, name) == TABLES for each in members(ships))


def test_without_zookeeper_nothing_is_made_and_no_server_ends(ships: Cluster) -> None:
    name = made(ships)
    pids = [each.pid for each in members(ships)]
    ships.zookeeper.kill()
    try:
        with pytest.raises(Busy, match="ClickHouse"):
            migrate(ships, name)
    finally:
        ships.zookeeper.start()
    until(lambda: done(ships, name), "tables after ZooKeeper came back")
    assert [each.pid for each in members(ships) if not each.ended()] == pids
    assert all(tables(each, name) == TABLES for each in members(ships))


def done(ships: Cluster, database: str) -> bool:
    """Whether the tables could be made: until it has met ZooKeeper again a server says that it cannot."""
    try:
        migrate(ships, database)
    except Busy:
        return False
    return True


def test_a_cluster_that_clickhouse_does_not_know_is_refused(ships: Cluster) -> None:
    name = made(ships)
    with (
        closing(ClickHouse(ships.url(name).replace("fleet", "nowhere"))) as server,
        pytest.raises(Invalid, match="nowhere"),
    ):
        PointTables(server).migrate()


@pytest.mark.long
@pytest.mark.parametrize("shards", [1, 2])
def test_many_set_ups_in_a_row(shards: int) -> None:
    for _ in range(SETUPS // 3):
        with temporary_folder() as folder, cluster(folder, shards=shards) as running:
            for name in [made(running) for _ in range(3)]:
                assert migrate(running, name) == [1, 2, 3]
                assert all(tables(each, name) == TABLES for each in members(running))
