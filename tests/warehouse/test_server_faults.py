"""Ends of processes under load: what was acknowledged is there once, and who is refused is told when to come back."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from crash.test_kill import wait_for_some
from crash.traffic import Caller, assert_kept
from serving import Server, binary
from stepwell.storage.warehouse import Address
from warehouse.making import make
from warehouse.servers import Process, clickhouse, postgres, temporary_folder
from warehouse.trainers import Trainer, ask, assert_whole

SECONDS = 120.0  # until something that must happen did
AWAY = 3.0  # seconds for which a database server is gone
pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Servers of this test's own, to be ended, and an empty warehouse on them."""

    postgres: Process
    clickhouse: Process
    store: str


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[Databases]:
    with temporary_folder() as folder, ExitStack() as running:
        house = running.enter_context(clickhouse(folder / "clickhouse"))
        catalog = running.enter_context(postgres(folder / "postgres"))
        address = make(
            clickhouse=f"clickhouse://127.0.0.1:{house.port}",
            postgres=f"postgresql://postgres@127.0.0.1:{catalog.port}",
            files=tmp_path / "files",
        )
        yield Databases(postgres=catalog, clickhouse=house, store=address.url)


@contextmanager
def training(servers: Sequence[Server], count: int = 3) -> Iterator[list[Trainer]]:
    """Trainers that log through all servers, from the first acknowledgement of each until the end of the block."""
    ports = [server.port for server in servers]
    trainers = [Trainer(ports, number) for number in range(count)]
    for trainer in trainers:
        trainer.start()
    try:
        wait_for_more(trainers)
        yield trainers
    finally:
        for trainer in trainers:
            trainer.end.set()
        for trainer in trainers:
            trainer.join(SECONDS)
    assert not any(trainer.is_alive() for trainer in trainers), "a request was never acknowledged"


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, f"{what} did not happen within {SECONDS:.0f} s"
        time.sleep(0.02)


def wait_for_more(trainers: Sequence[Trainer]) -> None:
    """Until each was told that more is stored."""
    before = [trainer.acknowledged for trainer in trainers]
    until(lambda: all(t.acknowledged > b for t, b in zip(trainers, before, strict=True)), "an acknowledgement")


def health(server: Server) -> tuple[int, bool]:
    """The status, and whether it says when to ask again."""
    answer = ask(server.port, "GET", "/healthz")
    return answer.status, "retry-after" in answer.headers


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 20))])
def test_the_end_of_one_server_loses_nothing(pair: tuple[Server, Server], seed: int) -> None:
    """Callers of the one that is killed find everything at the other, at once."""
    one, two = pair
    everyone: list[Caller] = []
    for number in range(3):
        here, there = (
            [Caller(server.port, 100 * seed + 10 * number + which, purges=which == 2) for which in range(3)]
            for server in (one, two)
        )
        for caller in (*here, *there):
            caller.start()
        wait_for_some([*here, *there])
        one.kill()
        for caller in (*here, *there):
            caller.end.set()
            caller.join(SECONDS)
            assert not caller.is_alive()
        everyone += here + there
        assert_kept(two.port, everyone)
        one.start()
        assert_kept(one.port, everyone)
    assert "Traceback" not in one.log() + two.log()


@pytest.mark.parametrize(
    ("which", "how"),
    [
        ("postgres", "kill"),
        ("clickhouse", "stop"),
        pytest.param("postgres", "stop", marks=pytest.mark.long),
        pytest.param("clickhouse", "kill", marks=pytest.mark.long),
    ],
)
def test_a_database_server_goes_away_and_comes_back(databases: Databases, tmp_path: Path, which: str, how: str) -> None:
    process: Process = getattr(databases, which)
    one, two = (Server(tmp_path / name, store=databases.store) for name in ("one", "two"))
    with one, two:
        with training((one, two)) as trainers:
            getattr(process, how)()
            until(lambda: health(one) == (503, True) and health(two) == (503, True), "told as away")
            time.sleep(AWAY)
            process.start()
            until(lambda: health(one)[0] == health(two)[0] == 200, "told as back")
            wait_for_more(trainers)
        assert_whole((one.port, two.port), trainers)
        if which == "postgres":
            assert any(trainer.refusals for trainer in trainers)
    assert "Traceback" not in one.log() + two.log()


@pytest.mark.long
def test_a_server_that_does_not_move_holds_nobody_for_ever(databases: Databases, tmp_path: Path) -> None:
    """ClickHouse stops in the middle of everything, alive: health tells of it, and all goes on when it does."""
    with Server(tmp_path / "one", store=databases.store) as server, training((server,), 2) as trainers:
        databases.clickhouse.send(signal.SIGSTOP)
        try:
            until(lambda: health(server) == (503, True), "told as away")
        finally:
            databases.clickhouse.send(signal.SIGCONT)
        until(lambda: health(server)[0] == 200, "told as back")
        wait_for_more(trainers)


@pytest.mark.long  # with MLflow's own client in test_howto.py
def test_servers_are_restarted_one_after_the_other(pair: tuple[Server, Server]) -> None:
    with training(pair) as trainers:
        for server in (*pair, *pair):
            server.restart()
            wait_for_more(trainers)
    assert_whole([server.port for server in pair], trainers)
    assert [each for trainer in trainers for each in trainer.refusals if each.status] == [], "restarts refuse nobody"


# --- migrations -------------------------------------------------------------------------------------------------------


def migrate(store: str) -> subprocess.Popen[str]:
    command = [str(binary()), "migrate", "--store", store]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_many_migrate_at_once_and_each_step_is_done_once(
    clickhouse_server: str, postgres_server: str, tmp_path: Path
) -> None:
    address = make(clickhouse=clickhouse_server, postgres=postgres_server, files=tmp_path, migrated=False)
    refused = Server(tmp_path / "early", store=address.url).start(wait=False)
    assert refused.wait() == 2
    assert "run `stepwell migrate`" in refused.log()
    assert refused.log().count("\n") == 1
    told: list[str] = []
    running = [migrate(address.url) for _ in range(3)]
    for each in running:
        out, err = each.communicate(timeout=SECONDS)
        assert (each.returncode, err) == (0, "")
        told += out.splitlines()
    steps = [line for line in told if line.startswith("did migration ")]
    assert len(steps) == len(set(steps)) > 0
    with Server(tmp_path / "late", store=address.url) as server:
        assert health(server)[0] == 200


def test_a_server_refuses_tables_that_are_newer(store: str, tmp_path: Path) -> None:
    import psycopg

    from stepwell.storage.warehouse import Address

    with psycopg.connect(Address.of(store).catalog, autocommit=True) as connection:
        connection.execute("INSERT INTO migration (number) VALUES (9999)")
    refused = Server(tmp_path / "old", store=store).start(wait=False)
    assert refused.wait() == 2
    assert "newer than this program" in refused.log()


def test_a_server_says_which_database_it_does_not_reach(databases: Databases, tmp_path: Path) -> None:
    for process, word in ((databases.clickhouse, "ClickHouse"), (databases.postgres, "PostgreSQL")):
        process.stop()
        refused = Server(tmp_path / word, store=databases.store).start(wait=False)
        assert refused.wait() == 2
        assert f"{word} does not answer" in refused.log().splitlines()[-1]


def test_a_postgres_that_takes_no_writes_is_told_of_and_left_for_the_next(store: str, tmp_path: Path) -> None:
    """As when another server has taken its place: what connects anew comes to that one."""
    catalog = Address.of(store).catalog
    name = catalog.rpartition("/")[2]
    setting = f"ALTER DATABASE {name} {{}} default_transaction_read_only{{}}"
    with (
        Server(tmp_path / "one", store=store) as server,
        psycopg.connect(catalog.replace(name, "postgres"), autocommit=True) as admin,
    ):

        def create() -> httpx.Response:
            body = {"experiment_id": "0"}
            return httpx.post(f"{server.url}/api/2.0/mlflow/runs/create", json=body, timeout=60)

        assert create().status_code == 200
        admin.execute(setting.format("SET", " = on").encode())
        admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'".encode())
        refused = create()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "takes no writes" in refused.json()["message"]
        until(lambda: health(server)[0] == 503, "the server says that it takes no writes")
        admin.execute(setting.format("RESET", "").encode())
        until(lambda: create().status_code == 200, "the server writes again, with no connection cut")
        until(lambda: health(server)[0] == 200, "the server says so")
