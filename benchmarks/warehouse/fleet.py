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

TICKS = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 120
# PostgreSQL as one is run that must not lose a commit, with the memory that its documentation advises for 4 GB.
SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "1GB", "max_wal_size": "4GB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Seconds of processor time: of Stepwell (or of the driver alone), PostgreSQL and ClickHouse."""

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
    """A running PostgreSQL and a running ClickHouse, with nothing in them but what is made here."""

    def __init__(self, folder: Path, postgres: databases.Process, clickhouse: databases.Process) -> None:
        self.postgres = postgres
        self.clickhouse = clickhouse
        self._folder = folder
        self._made = 0

    def warehouse(self) -> Address:
        """A warehouse in databases of its own."""
        self._made += 1
        return making.make(
            clickhouse=f"clickhouse://127.0.0.1:{self.clickhouse.port}",
            postgres=f"postgresql://postgres@127.0.0.1:{self.postgres.port}",
            files=self._folder / f"files-{self._made}",
        )

    def used(self, ours: Callable[[], float]) -> Used:
        """What was used up to now; `ours` tells it of what is measured itself."""
        return Used(ours=ours(), postgres=_tree(self.postgres.pid), clickhouse=_own(self.clickhouse.pid))

    def versions(self) -> str:
        """What the servers say of themselves."""
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.postgres.port}/postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        ask = ["clickhouse-client", "--port", str(self.clickhouse.port), "--query", "SELECT version()"]
        told = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
        return f"PostgreSQL {row[0]}, ClickHouse {told}"


@contextmanager
def started() -> Iterator[Databases]:
    """Both servers while they run, in a folder that goes with them."""
    with (
        databases.temporary_folder() as folder,
        databases.clickhouse(folder / "clickhouse") as clickhouse,
        databases.postgres(folder / "postgres", settings=SETTINGS) as postgres,
    ):
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
