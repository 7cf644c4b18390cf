"""A server under measurement, connections to it, and a line of what was found."""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from servers import HOST, STEPWELL, environment, free_port, stop

NULL = Path(__file__).with_name("null_server.py")
TIMES = 21  # that a request is asked; the median counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result. `wanted` is the target in words, "" for none."""

    part: str
    what: str
    found: str
    wanted: str = ""
    holds: bool | None = None


class Asking:
    """One connection to a server, and the process behind it."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.port = port
        self._connection = http.client.HTTPConnection(HOST, port, timeout=300)

    def another(self) -> Asking:
        """One more connection to the same server."""
        return Asking(self.port, self.process)

    def ask(self, verb: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """The body of a successful answer. A busy server is asked again, when it says: as every client does."""
        given = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        while True:
            self._connection.request(verb, path, body, given)
            answer = self._connection.getresponse()
            content = answer.read()
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(float(answer.headers["Retry-After"]))
        if answer.status >= 300:
            raise RuntimeError(f"{verb} {path} answered {answer.status}: {content[:300]!r}")
        return content

    def ms(self, verb: str, path: str, body: Any = None, times: int = TIMES, **headers: str) -> float:
        """Median milliseconds of a request that is asked again and again, after it was asked once."""
        content = None if body is None else json.dumps(body).encode()
        self.ask(verb, path, content, **headers)
        taken = []
        for _ in range(times):
            begin = time.perf_counter()
            self.ask(verb, path, content, **headers)
            taken.append(1e3 * (time.perf_counter() - begin))
        return statistics.median(taken)

    def cpu(self) -> float:
        """Seconds of processor time that the server used so far."""
        return time.clock_gettime((~self.process.pid << 3) | 2)  # the kernel's name for the clock of a process

    def memory(self) -> float:
        """MB that the server has to itself."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


@contextmanager
def serving(directory: Path, *, null: bool = False, kill: bool = False) -> Iterator[tuple[Asking, float]]:
    """A server on a directory, and how many seconds it took until it was ready. `kill` ends it without a warning."""
    port = free_port()
    program = [sys.executable, str(NULL), str(directory), str(port)]
    real = [str(STEPWELL), "serve", "--host", HOST, "--port", str(port), "--data-dir", str(directory)]
    with (directory.parent / "server.log").open("ab") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(
            program if null else real,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Asking(port, process), _ready(port, process) - begin
    finally:
        if kill:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        else:
            stop(process)


def _ready(port: int, process: subprocess.Popen[bytes]) -> float:
    while process.poll() is None:
        try:
            probe = http.client.HTTPConnection(HOST, port, timeout=5)
            probe.request("GET", "/healthz")
            if probe.getresponse().status == 200:
                return time.perf_counter()
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("the server ended before it was ready")
