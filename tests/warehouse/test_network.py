"""Cables that are pulled and put back: who is cut off waits or is told 503, nothing hangs, and nothing is lost.

Several machines are network namespaces (hosts.py), so this needs root.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from stepwell.storage.warehouse import Address
from warehouse.clusters import cluster
from warehouse.hosts import Network, network
from warehouse.making import make, make_on
from warehouse.servers import Host, clickhouse, postgres, temporary_folder
from warehouse.test_replicas import Fleet, assert_each_has_all, serving
from warehouse.test_server_faults import health, training, until, wait_for_more
from warehouse.trainers import assert_whole
from warehouse.watching import watched

AWAY = 20.0  # seconds for which a cable is out: longer than a dead connection is held for alive
pytestmark = [pytest.mark.slow, pytest.mark.long]


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Each server on a host of its own, and Stepwell on this one."""

    network: Network
    clickhouse: Host
    postgres: Host
    address: Address


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with ExitStack() as running:
        folder = running.enter_context(temporary_folder())
        net = running.enter_context(network(2))
        here, there = net.hosts
        house = running.enter_context(clickhouse(folder / "clickhouse", host=here))
        catalog = running.enter_context(postgres(folder / "postgres", host=there))
        address = make(
            clickhouse=f"clickhouse://{here.address}:{house.port}",
            postgres=f"postgresql://postgres@{there.address}:{catalog.port}",
            files=tmp_path / "files",
        )
        yield Machines(network=net, clickhouse=here, postgres=there, address=address)


@pytest.mark.parametrize("which", ["clickhouse", "postgres"])
def test_stepwell_is_cut_off_from_a_database(machines: Machines, tmp_path: Path, which: str) -> None:
    net, other = machines.network, getattr(machines, which)
    with serving(machines.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            for _ in range(2):
                net.cut(net.here, other)
                until(lambda: health(pair[0]) == health(pair[1]) == (503, True), "told as away")
                time.sleep(AWAY)
                net.heal(net.here, other)
                until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "told as back")
                wait_for_more(trainers)
        assert_whole(ports, trainers)


@pytest.fixture
def split(postgres_server: str, tmp_path: Path) -> Iterator[tuple[Network, Fleet]]:
    """Two replicas and ZooKeeper, each on its own host: the hosts are in this order."""
    with network(3) as net, temporary_folder() as folder:
        *servers, keeper = net.hosts
        with cluster(folder, keeper=keeper, hosts=servers) as running:
            address = make_on(running, postgres=postgres_server, files=tmp_path / "files")
            yield net, Fleet(cluster=running, address=address)


@pytest.mark.parametrize("seen", [True, False])
def test_a_replica_is_cut_off(split: tuple[Network, Fleet], tmp_path: Path, seen: bool) -> None:
    """From the other one and ZooKeeper, and, but where `seen`, from Stepwell. It has old rows, and would answer."""
    net, ships = split
    one, two, keeper = net.hosts
    with serving(ships.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair) as trainers, watched(ports, trainers):
            for lost, other in ((one, two), (two, one)):
                everyone = [other, keeper] if seen else [other, keeper, net.here]
                net.cut(lost, *everyone)
                time.sleep(AWAY)
                wait_for_more(trainers)
                net.heal(lost, *everyone)
                until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "health after the cut")
                wait_for_more(trainers)
        assert_whole(ports, trainers)
        assert_each_has_all(ships, trainers)
