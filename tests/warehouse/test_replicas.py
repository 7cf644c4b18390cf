"""A cluster of ClickHouse: replicas and ZooKeeper end and come back under load, and no answer shows less than was
acknowledged (docs/explanation/consistency.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest

from serving import Server
from stepwell.core.errors import Invalid
from stepwell.storage.warehouse import Address, migrate
from stepwell.storage.warehouse.points import ClickHouse
from warehouse.clusters import Cluster, cluster
from warehouse.making import make_on
from warehouse.servers import Process, temporary_folder
from warehouse.test_server_faults import health, training, until, wait_for_more
from warehouse.trainers import MLFLOW, Trainer, ask, assert_whole
from warehouse.watching import watched

AWAY = 12.0  # seconds: more than ZooKeeper waits for a server
pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A cluster with an empty warehouse on it."""

    cluster: Cluster
    address: Address

    @property
    def replicas(self) -> list[Process]:
        return [each for shard in self.cluster.replicas for each in shard]

    def rows(self, server: Process) -> int:
        """How many different points a server has itself."""
        database = self.address.clickhouse.rpartition("/")[2].partition("?")[0]
        each = "run, series, step, time, value_key"
        statement = f"SELECT count() FROM (SELECT {each} FROM points_local GROUP BY {each})"
        url = f"clickhouse://{server.address}:{server.port}/{database}"
        with closing(ClickHouse(url, size=1)) as alone:
            return int(alone.select(statement, {}, [np.int64])[0][0])

    def waiting(self) -> int:
        """How many points were not given to ClickHouse yet."""
        with psycopg.connect(self.address.catalog) as connection:
            found = connection.execute("SELECT coalesce(sum(count), 0) FROM journal WHERE moved_at IS NULL").fetchone()
            assert found is not None
            return int(found[0])


@contextmanager
def fleet(postgres_server: str, files: Path, *, shards: int) -> Iterator[Fleet]:
    with temporary_folder() as folder, cluster(folder, shards=shards) as running:
        yield Fleet(cluster=running, address=make_on(running, postgres=postgres_server, files=files))


def readable(port: int, trainer: Trainer) -> bool:
    """Whether a history is answered: a server that has just started does not know yet whether it is behind."""
    path = f"{MLFLOW}/metrics/get-history?run_id={trainer.run_id}&metric_key=loss&max_results=1"
    return ask(port, "GET", path).status == 200


@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.long)])
def ships(request: pytest.FixtureRequest, postgres_server: str, tmp_path: Path) -> Iterator[Fleet]:
    with fleet(postgres_server, tmp_path / "files", shards=request.param) as found:
        yield found


@contextmanager
def serving(address: Address, folder: Path) -> Iterator[tuple[Server, Server]]:
    with ExitStack() as running:
        one, two = (running.enter_context(Server(folder / name, store=address.url)) for name in ("one", "two"))
        yield one, two
    assert "Traceback" not in one.log() + two.log()


def assert_each_has_all(ships: Fleet, trainers: Sequence[Trainer]) -> None:
    """Every replica of a shard has what the others have, and all shards together each point once."""
    wanted = sum(trainer.acknowledged for trainer in trainers)

    def same() -> bool:
        counts = [[ships.rows(each) for each in shard] for shard in ships.cluster.replicas]
        return all(len(set(shard)) == 1 for shard in counts) and sum(shard[0] for shard in counts) == wanted

    until(lambda: ships.waiting() == 0 and same(), "the same on all replicas")


def test_a_replica_ends_while_clients_write(ships: Fleet, tmp_path: Path) -> None:
    with serving(ships.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair, 2) as trainers, watched(ports[:1], trainers):
            ships.replicas[0].kill()
            wait_for_more(trainers)
            ships.replicas[0].start()
            wait_for_more(trainers)
        assert_whole(ports, trainers)
        assert_each_has_all(ships, trainers)


@pytest.mark.long
def test_a_replica_is_killed_and_comes_back(ships: Fleet, tmp_path: Path) -> None:
    """The others answer meanwhile; then it has caught up, and answers alone."""
    with serving(ships.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            for gone in ships.replicas[:2]:
                gone.kill()
                wait_for_more(trainers)
                time.sleep(AWAY)
                until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "health without a replica")
                wait_for_more(trainers)
                gone.start()
                wait_for_more(trainers)
        assert_whole(ports, trainers)
        assert_each_has_all(ships, trainers)
        for gone in ships.replicas[:2]:
            gone.kill()
            until(lambda: all(readable(port, trainers[0]) for port in ports), "an answer of the others")
            assert_whole(ports, trainers)
            gone.start()
            until(lambda: all(readable(port, trainers[0]) for port in ports), "an answer of all")


@pytest.mark.long
def test_without_zookeeper_nobody_is_told_what_may_not_be_all(ships: Fleet, tmp_path: Path) -> None:
    with serving(ships.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            for _ in range(2):
                ships.cluster.zookeeper.kill()
                until(lambda: health(pair[0]) == health(pair[1]) == (503, True), "told as away")
                ships.cluster.zookeeper.start()
                until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "health with ZooKeeper")
                wait_for_more(trainers)
        assert_whole(ports, trainers)
        assert_each_has_all(ships, trainers)


@pytest.mark.long
def test_all_replicas_are_killed_at_once(ships: Fleet, tmp_path: Path) -> None:
    with serving(ships.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            for each in ships.replicas:
                each.kill()
            until(lambda: health(pair[0]) == health(pair[1]) == (503, True), "told as away")
            for each in ships.replicas:
                each.start()
            until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "told as back")
            wait_for_more(trainers)
        assert_whole(ports, trainers)
        assert_each_has_all(ships, trainers)


def refusal(url: str, address: Address) -> str:
    with pytest.raises(Invalid) as told:
        migrate(Address(clickhouse=url, catalog=address.catalog, files=address.files))
    return told.value.message


@pytest.mark.long
def test_the_url_must_be_that_with_which_the_tables_were_made(ships: Fleet) -> None:
    assert "those of a cluster" in refusal(ships.address.clickhouse.partition("?")[0], ships.address)
    assert "nowhere" in refusal(ships.address.clickhouse.replace("fleet", "nowhere"), ships.address)
