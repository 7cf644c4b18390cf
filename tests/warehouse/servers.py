"""ClickHouse and PostgreSQL for tests: the servers that Debian packages, on free ports of loopback, in a folder that
goes with them. STEPWELL_TEST_CLICKHOUSE_URL and STEPWELL_TEST_POSTGRES_URL name others to use instead.

`python tests/warehouse/servers.py COMMAND...` runs a command with a pair of servers that these variables name.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READY_SECONDS = 60
CLICKHOUSE = "STEPWELL_TEST_CLICKHOUSE_URL"
POSTGRES = "STEPWELL_TEST_POSTGRES_URL"
WITH_US = ["setpriv", "--pdeathsig=KILL"]  # a server ends when the tests are killed that started it
POSTGRES_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))

# Small caches and no log on disk: many of these may run on one small machine.
CONFIG = """<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <tcp_port>{port}</tcp_port>
  <listen_host>{address}</listen_host>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <mark_cache_size>16777216</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <max_concurrent_queries>200</max_concurrent_queries>
  {more}
</yandex>
"""
USERS = """<yandex>
  <profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
  <users><default>
    <password></password><networks><ip>{network}</ip></networks><profile>default</profile><quota>default</quota>
  </default></users>
  <quotas><default/></quotas>
</yandex>
"""


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where a server runs: its address, and what starts a program there."""

    address: str = "127.0.0.1"
    network: str = "127.0.0.1"  # from which others may come
    enter: tuple[str, ...] = ()


HERE: Final = Host()
NONE: Final[Mapping[str, object]] = {}


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Process:
    """A server process that can be killed and started again on the same folder and port. `serves`: for one that listens
    before it answers, whether it does."""

    def __init__(
        self,
        command: list[str],
        *,
        port: int,
        log: Path,
        stop: signal.Signals,
        address: str = HERE.address,
        serves: Callable[[], bool] = lambda: True,
    ) -> None:
        self.port = port
        self.address = address
        self._command = command
        self._log = log
        self._stop = stop
        self._serves = serves
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(lambda: self._listens() and self._serves())
        except BaseException:
            self.kill()
            raise

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._command[0]} ended: {self._log.read_text(errors='replace')[-2000:]}")
        with socket.socket() as one:
            return one.connect_ex((self.address, self.port)) == 0

    def ended(self) -> bool:
        """Whether it has come to its end by itself."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """End it as a power switch would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        self._end(self._stop)

    def send(self, which: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(which)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def wait_until(ready: Callable[[], bool]) -> None:
    """Wait for something that happens soon; TimeoutError when it does not."""
    end = time.monotonic() + READY_SECONDS
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("a server did not become ready")
        time.sleep(0.02)


@contextmanager
def clickhouse(folder: Path, *, more: str = "", host: Host = HERE, port: int = 0) -> Iterator[Process]:
    """A running ClickHouse server; `more` is what else its configuration says."""
    for name in ("data", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    (folder / "config.xml").write_text(CONFIG.format(port=port, folder=folder, more=more, address=host.address))
    (folder / "users.xml").write_text(USERS.format(network=host.network))
    # An empty password and this address only: nothing outside this machine can reach it.
    program = shutil.which("clickhouse-server") or "/usr/sbin/clickhouse-server"
    command = [*host.enter, *WITH_US, program, f"--config-file={folder / 'config.xml'}"]
    server = Process(command, port=port, log=folder / "log", stop=signal.SIGTERM, address=host.address)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def postgres(folder: Path, *, host: Host = HERE, settings: Mapping[str, object] = NONE) -> Iterator[Process]:
    """A running PostgreSQL server with the user `postgres` and no password. `settings` count before those of tests."""
    binaries, data, port = POSTGRES_BINARIES[-1], folder / "data", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    become: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    subprocess.run(
        [*become, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
        check=True,
        capture_output=True,
    )
    if host is not HERE:
        with (data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {host.network} trust\n")
    options = {
        "listen_addresses": host.address,
        "port": port,
        "unix_socket_directories": "",
        "shared_buffers": "32MB",
        "max_connections": 200,
        # A killed process loses nothing by it, only a machine without power; and databases are made by the hundred.
        "fsync": "off",
        "full_page_writes": "off",
        **settings,
    }
    command = [*host.enter, *(become or ["setpriv"]), "--pdeathsig=INT", str(binaries / "postgres"), "-D", str(data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    ready = [str(binaries / "pg_isready"), "-q", "-h", host.address, "-p", str(port)]
    server = Process(
        command,
        port=port,
        log=folder.parent / f"{folder.name}.log",
        stop=signal.SIGINT,
        address=host.address,
        serves=lambda: subprocess.run(ready, check=False).returncode == 0,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that other users may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="stepwell-servers-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def clickhouse_url() -> Iterator[str]:
    """The URL of a ClickHouse server, without a database: of one that runs, or of one that is started."""
    given = os.environ.get(CLICKHOUSE)
    if given:
        yield given.rstrip("/")
        return
    with temporary_folder() as folder, clickhouse(folder / "clickhouse") as server:
        yield f"clickhouse://127.0.0.1:{server.port}"


@contextmanager
def postgres_url() -> Iterator[str]:
    """The same for PostgreSQL."""
    given = os.environ.get(POSTGRES)
    if given:
        yield given.rstrip("/")
        return
    with temporary_folder() as folder, postgres(folder / "postgres") as server:
        yield f"postgresql://postgres@127.0.0.1:{server.port}"


def main(command: list[str]) -> int:
    """Run a command with servers; its exit status."""
    with clickhouse_url() as clickhouse_place, postgres_url() as postgres_place:
        environment = {**os.environ, CLICKHOUSE: clickhouse_place, POSTGRES: postgres_place}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
