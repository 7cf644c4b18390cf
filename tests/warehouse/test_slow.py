"""Databases that are slow, or stand still without going away: whoever asks is answered, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stepwell.storage.warehouse import Address
from stepwell.storage.warehouse.database import STUCK_SECONDS
from warehouse.making import make
from warehouse.relays import Relay, relay
from warehouse.test_replicas import serving
from warehouse.test_server_faults import health, training, until, wait_for_more
from warehouse.trainers import assert_whole
from warehouse.watching import watched

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Ways:
    """To either database, and the warehouse at their ends."""

    clickhouse: Relay
    postgres: Relay
    address: Address


@pytest.fixture
def ways(clickhouse_server: str, postgres_server: str, tmp_path: Path) -> Iterator[Ways]:
    with ExitStack() as running:
        house, catalog = (
            running.enter_context(relay(urlsplit(url).port or 0)) for url in (clickhouse_server, postgres_server)
        )
        yield Ways(
            clickhouse=house,
            postgres=catalog,
            address=make(
                clickhouse=f"clickhouse://127.0.0.1:{house.port}",
                postgres=f"postgresql://postgres@127.0.0.1:{catalog.port}",
                files=tmp_path / "files",
            ),
        )


def test_slow_databases_are_waited_for(ways: Ways, tmp_path: Path) -> None:
    """A twentieth of a second each way: everything takes long, and all is taken."""
    with serving(ways.address, tmp_path) as pair:
        ways.clickhouse.delay = ways.postgres.delay = 0.05
        with training(pair, 2) as trainers:
            ways.clickhouse.delay = ways.postgres.delay = 0.0
        assert_whole([server.port for server in pair], trainers)
        assert not any(answer.status for trainer in trainers for answer in trainer.refusals)


@pytest.mark.long
@pytest.mark.parametrize("which", ["clickhouse", "postgres"])
def test_nobody_waits_for_ever_for_a_database_that_is_stuck(ways: Ways, tmp_path: Path, which: str) -> None:
    """Longer than anybody waits: then each connection is given up, and a request refused."""
    way: Relay = getattr(ways, which)
    with serving(ways.address, tmp_path) as pair:
        ports = [server.port for server in pair]
        with training(pair, 2) as trainers, watched(ports, trainers):
            way.stuck.set()
            until(lambda: health(pair[0]) == health(pair[1]) == (503, True), "told as away")
            if which == "postgres":
                refused = [len(trainer.refusals) for trainer in trainers]
                end = time.monotonic() + 3 * STUCK_SECONDS
                while any(len(t.refusals) <= before for t, before in zip(trainers, refused, strict=True)):
                    assert time.monotonic() < end, "a request was never answered"
                    time.sleep(0.1)
            way.stuck.clear()
            until(lambda: health(pair[0])[0] == health(pair[1])[0] == 200, "told as back")
            wait_for_more(trainers)
        assert_whole(ports, trainers)
