"""PostgreSQL, ClickHouse and Stepwell processes over them, and the processor time of each. Nothing is measured here."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "growth"))

import psycopg
from asking import NULL, Asking
from servers import HOST, STEPWELL, environment, free_port, stop

from stepwell.storage.warehouse import Address
from warehouse import making
from warehouse import servers as databases
from warehouse.clusters import Cluster, cluster

TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 120
QUIET = 4  # half seconds without a merge
# PostgreSQL as one is run that must not lose a commit, with the memory that its documentation advises for 4 GB.
SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "1GB", "max_wal_size": "4GB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Seconds of processor time: of Stepwell (or of the driver alone), PostgreSQL, and ClickHouse with ZooKeeper."""

    ours: float
    postgres: float
    clickhouse: float

    @property
    def whole(self) -> float:
        """Of all of them."""
        return self.ours + self.postgres + self.clickhouse

    def __sub__(self, other: Used) -> Used:
        return Used(
            ours=self.ours - other.ours,
            postgres=self.postgres - other.postgres,
            clickhouse=self.clickhouse - other.clickhouse,
        )

    def __add__(self, other: Used) -> Used:
        return self - Used(ours=-other.ours, postgres=-other.postgres, clickhouse=-other.clickhouse)

    def over(self, points: int) -> Used:
        """Microseconds for each of so many points."""
        return Used(
            ours=1e6 * self.ours / points,
            postgres=1e6 * self.postgres / points,
            clickhouse=1e6 * self.clickhouse / points,
        )

    def __str__(self) -> str:
        return f"{self.ours:.2f} + PostgreSQL {self.postgres:.2f} + ClickHouse {self.clickhouse:.2f} = {self.whole:.2f}"


class Databases:
    """A running PostgreSQL and a running ClickHouse, or a cluster, with nothing in them but what is made here."""

    def __init__(self, folder: Path, postgres: databases.Process, clickhouse: databases.Process | Cluster) -> None:
        self._postgres = postgres
        self._clickhouse = clickhouse
        self._folder = folder
        self._made = 0
        self._address: Address | None = None

    @property
    def clustered(self) -> bool:
        """Whether there are several replicas."""
        return isinstance(self._clickhouse, Cluster)

    @property
    def first(self) -> databases.Process:
        """A server of ClickHouse."""
        return self._servers()[0]

    def warehouse(self) -> Address:
        """A warehouse in databases of its own. There is one at a time: the one before is removed."""
        if self._address is not None:
            self._drop(self._address)
        self._made += 1
        self._address = self._new()
        return self._address

    def _drop(self, address: Address) -> None:
        catalog, _, name = address.catalog.rpartition("/")
        for server in self._servers():
            _asked(server.port, f"DROP DATABASE {name}")
        with psycopg.connect(f"{catalog}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}".encode())

    def _new(self) -> Address:
        files = self._folder / f"files-{self._made}"
        postgres = f"postgresql://postgres@127.0.0.1:{self._postgres.port}"
        if isinstance(self._clickhouse, Cluster):
            return making.make_on(self._clickhouse, postgres=postgres, files=files)
        return making.make(clickhouse=f"clickhouse://127.0.0.1:{self.first.port}", postgres=postgres, files=files)

    def used(self, ours: Callable[[], float]) -> Used:
        """What was used up to now; `ours` tells it of what is measured itself."""
        servers = self._servers()
        if isinstance(self._clickhouse, Cluster):
            servers.append(self._clickhouse.zookeeper)
        return Used(
            ours=ours(),
            postgres=_tree(self._postgres.pid),
            clickhouse=sum(_own(server.pid) for server in servers),
        )

    def settle(self) -> None:
        """Wait until ClickHouse has merged what it merges by itself, which is a part of every insert's price."""
        quiet = 0
        while quiet < QUIET:
            time.sleep(0.5)
            merges = sum(int(_asked(server.port, "SELECT count() FROM system.merges")) for server in self._servers())
            quiet = 0 if merges else quiet + 1

    def _servers(self) -> list[databases.Process]:
        """Those of ClickHouse."""
        if isinstance(self._clickhouse, Cluster):
            return [each for shard in self._clickhouse.replicas for each in shard]
        return [self._clickhouse]

    def versions(self) -> str:
        """What the servers say of themselves."""
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self._postgres.port}/postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        return f"PostgreSQL {row[0]}, ClickHouse {_asked(self.first.port, 'SELECT version()')}"


@contextmanager
def started(*, replicas: int = 1) -> Iterator[Databases]:
    """The servers while they run, in a folder that goes with them. Several replicas are a cluster with ZooKeeper."""
    with databases.temporary_folder() as folder, ExitStack() as running:
        if replicas == 1:
            clickhouse = running.enter_context(databases.clickhouse(folder / "clickhouse"))
        else:
            clickhouse = running.enter_context(cluster(folder, replicas=replicas))
        postgres = running.enter_context(databases.postgres(folder / "postgres", settings=SETTINGS))
        yield Databases(folder, postgres, clickhouse)


@contextmanager
def serving(address: Address, *, count: int = 1) -> Iterator[list[Asking]]:
    """Processes of Stepwell over a warehouse."""
    command = [str(STEPWELL), "serve", "--host", HOST, "--store", address.url]
    with ExitStack() as stack:
        yield [stack.enter_context(_process([*command, "--port"], address.files.parent)) for _ in range(count)]


@contextmanager
def null() -> Iterator[Asking]:
    """One process that reads, checks, translates and answers requests, and stores no points."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="null-")))
        yield stack.enter_context(_process([sys.executable, str(NULL), str(folder / "data")], folder))


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[Asking]:
    port = free_port()
    with (folder / "stepwell.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, str(port)],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        server = Asking(port, process)
        _wait_ready(server, folder / "stepwell.log")
        yield server
    finally:
        stop(process)


def _wait_ready(server: Asking, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            server.another().ask("GET", "/healthz")
            return
        except OSError:
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"a server did not become ready: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)


def _asked(port: int, statement: str) -> str:
    ask = ["clickhouse-client", "--port", str(port), "--query", statement]
    return subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()


def _own(pid: int) -> float:
    """Of a process, with its children that have ended; 0 where it has ended itself, and is told of by its parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def _tree(pid: int) -> float:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(_tree, map(int, children))) + _own(pid)
