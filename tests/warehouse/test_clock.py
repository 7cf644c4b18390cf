"""The clock of one server's machine is put an hour forward and back while trainings go on (libfaketime does it)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from serving import Server
from stepwell.app import WATCH_SECONDS
from stepwell.services.liveness import NOTED_EVERY
from stepwell.storage.warehouse import Address
from stepwell.storage.warehouse.database import Database
from stepwell.storage.warehouse.shared_clock import SharedClock
from warehouse.test_server_faults import training, wait_for_more
from warehouse.trainers import assert_whole
from warehouse.watching import watched

HOUR = 3_600
NATIVE = "/api/v1"
FEW = 600  # seconds: far less than a step, far more than any answer takes
pytestmark = pytest.mark.slow


class Clock:
    """What a process takes for the time, in a file that it reads again and again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.env = {
            "LD_PRELOAD": str(next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # no clock that counts seconds ever steps
            "FAKETIME_DONT_RESET": "1",
        }
        self.put(0)

    def put(self, seconds: int) -> None:
        """So many seconds beside the right time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def servers(store: str, clock: Clock, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """The clock of the first one is put wrong."""
    flags = ("--rate-limit", "1000")
    one = Server(tmp_path / "one", store=store, args=flags, env=clock.env)
    with one, Server(tmp_path / "two", store=store, args=flags) as two:
        yield one, two
    assert "Traceback" not in one.log() + two.log()


def made_at(server: Server, run: str) -> float:
    """Make a run without saying when: what the server takes for the time, in seconds."""
    assert httpx.post(f"{server.url}{NATIVE}/runs", json={"id": run}, timeout=60).is_success
    found = httpx.get(f"{server.url}{NATIVE}/runs/{run}", timeout=60).json()
    return float(found["run"]["created_at_us"]) / 1e6


@pytest.mark.long  # two rounds of looking for silent runs after each step
def test_steps_of_a_clock_lose_nothing_and_end_no_run(servers: tuple[Server, Server], clock: Clock) -> None:
    one, two = servers
    made = httpx.post(f"{two.url}/api/runs/create", json={"runName": "r", "projectName": "p"}, timeout=60).json()

    def beat(server: Server) -> str:
        answer = httpx.post(f"{server.url}/api/runs/trigger", json={"runId": made["runId"]}, timeout=60)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["status"])

    ports = [one.port, two.port]
    with training(servers) as trainers, watched(ports, trainers):
        for number, seconds in enumerate((HOUR, 0, -HOUR, 0)):
            clock.put(seconds)
            assert "RUNNING" in beat(one).upper()
            time.sleep(2 * WATCH_SECONDS)
            for server in servers:
                assert "RUNNING" in beat(server).upper()
                run = f"run-{server.port}-{number}"
                assert abs(made_at(server, run) - time.time()) < FEW
            wait_for_more(trainers)
    assert_whole(ports, trainers)
    assert not [each for trainer in trainers for each in trainer.refusals], "no limit on requests was reached"


def test_the_clock_of_a_warehouse_is_that_of_postgresql(store: str) -> None:
    address = Address.of(store)
    heard = SharedClock()
    heard._ahead += 12 * HOUR * 10**6  # this machine's clock is wrong
    database = Database(address.catalog, size=1)
    try:
        with psycopg.connect(address.catalog) as connection:
            (before,) = connection.execute("SELECT extract(epoch FROM clock_timestamp()) * 1000000").fetchone() or ()
            while heard() > before + HOUR * 10**6:  # an answer that comes late is not taken
                heard.hear(database)
            (after,) = connection.execute("SELECT extract(epoch FROM clock_timestamp()) * 1000000").fetchone() or ()
        assert before - NOTED_EVERY < heard()
        assert heard() - NOTED_EVERY < after + FEW * 10**6
    finally:
        database.close()
