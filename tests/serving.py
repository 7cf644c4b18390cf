"""A real Stepwell server as a process of its own, for every test that talks HTTP, kills or restarts.

Nothing here imports stepwell: contract tests run where only the vendor's client is installed. STEPWELL_BIN names the
program under test; without it, the one beside the running Python, else the one in .venv. With STEPWELL_TEST_ENGINE
`warehouse` a server serves databases of its own instead of a directory, of those servers that two variables name:
`pytest --engine warehouse` sets all three (tests/conftest.py).
"""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
READY_WITHIN = 120.0  # seconds; a loaded machine is slow, a hanging server never ready
STOPPED_WITHIN = 120.0
QUOTAS_HEARD = 5.5  # seconds after which all servers of a warehouse go by a quota that was set (docs/howto/quotas.md)
# Below the range from which Linux takes ports for outgoing connections, so that none of those takes ours meanwhile.
PORTS = range(20_000, 32_000)


def binary() -> Path:
    """The `stepwell` program under test."""
    named = os.environ.get("STEPWELL_BIN")
    beside = Path(sys.executable).parent / "stepwell"
    return Path(named) if named else beside if beside.exists() else Path(__file__).parents[1] / ".venv/bin/stepwell"


ENGINE = "STEPWELL_TEST_ENGINE"
_HELD: deque[socket.socket] = deque()  # at the ports that were given out; the oldest are let go
MOST_HELD = 100


def free_port() -> int:
    """A port of the loopback address that nobody listens on, and that no other test is given meanwhile.

    A socket that does not listen holds it. A server may listen there: it says that it shares its address.
    """
    for _ in range(100):
        port = secrets.choice(PORTS)  # the seeded generator would give every worker the same one
        held = socket.socket()
        try:
            held.bind((HOST, port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _HELD.append(held)
        if len(_HELD) > MOST_HELD:
            _HELD.popleft().close()
        return port
    msg = "no free port found"
    raise RuntimeError(msg)


def new_warehouse(files: Path) -> str:
    """The URL of a new warehouse with nothing in it, whose files are in a folder."""
    done = subprocess.run(
        [str(binary().with_name("python")), "-m", "warehouse.making", str(files)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_WITHIN,
    )
    assert done.returncode == 0, f"no warehouse was made: {done.stderr}"
    return done.stdout.strip()


class Server:
    """`stepwell serve` on a data directory, or on the warehouse at `store`.

    Output goes to `log_file`; after `restart` the URL is the same. `args` are more flags of `serve`, `env` more
    variables, `program` is another `stepwell`. As a context manager it starts, and at the end stops what still runs.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        program: Path | None = None,
        store: str | None = None,
    ) -> None:
        self.program = program or binary()
        self.data_dir = data_dir
        self.port = port or free_port()
        self.args = tuple(args)
        self.env = dict(env or {})
        self._store = store
        self.log_file = data_dir.with_name(data_dir.name + ".log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process; the last one where it has ended."""
        assert self.process is not None, "the server was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def store(self) -> str | None:
        """The URL of the warehouse that it serves, None where it serves its directory."""
        if self._store is None and os.environ.get(ENGINE) == "warehouse":
            named = self.data_dir / "store"  # where a server that comes after finds it again
            if not named.exists():
                self.data_dir.mkdir(parents=True, exist_ok=True)
                named.write_text(new_warehouse(self.data_dir / "files"))
            self._store = named.read_text()
        return self._store

    @property
    def place(self) -> list[str]:
        """The flags that say where its data is, for `serve` and for other commands."""
        return ["--store", self.store] if self.store else ["--data-dir", str(self.data_dir)]

    def command(self) -> list[str]:
        """The command line."""
        return [str(self.program), "serve", "--host", HOST, "--port", str(self.port), *self.place, *self.args]

    def start(self, *, wait: bool = True) -> Self:
        """Starts the process; with `wait` returns when it is ready."""
        assert not self.running, "the server runs already"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Returns when /healthz answers 200; AssertionError with the log when the process ends or stays mute."""
        deadline = time.monotonic() + READY_WITHIN
        while not self.answers():
            assert self.running, f"the server ended with {self.wait()}:\n{self.log()}"
            if time.monotonic() > deadline:
                self.kill()
                msg = f"the server was not ready after {READY_WITHIN:.0f} s:\n{self.log()}"
                raise AssertionError(msg)
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether /healthz answers 200 now."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait(self, timeout: float = STOPPED_WITHIN) -> int:
        """The exit status once it has ended; negative is a signal. Kills and raises when `timeout` seconds pass."""
        assert self.process is not None, "the server was never started"
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            msg = f"the server did not end within {timeout:.0f} s:\n{self.log()}"
            raise AssertionError(msg) from None

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None, "the server was never started"
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self, *, wait: bool = True) -> Self:
        """Stops it where it runs, and starts it again on the same port and directory."""
        if self.running:
            status = self.stop()
            assert status == 0, f"the server stopped with {status}:\n{self.log()}"
        return self.start(wait=wait)

    def set_quota(self, workspace: str, **quotas: int) -> None:
        """How much a workspace may have: set_quota("w", points=3). It holds when this returns; of requests, within a
        second."""
        flags = [each for name, value in quotas.items() for each in (f"--{name.replace('_', '-')}", str(value))]
        command = [str(self.program), "quota", "set", "--workspace", workspace, *self.place, *flags]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        if self.store and quotas.keys() != {"requests_per_second"}:
            time.sleep(QUOTAS_HEARD)

    def log(self) -> str:
        """All that it has printed so far, earlier runs included."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.running:
            return
        if kind is not None:
            self.kill()
            return
        status = self.stop()
        assert status == 0, f"the server stopped with {status}:\n{self.log()}"
