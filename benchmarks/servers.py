"""The servers under measurement: how each is started on a free loopback port, sized, and ended. No numbers here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPWELL = ROOT / ".venv" / "bin" / "stepwell"
MLFLOW = ROOT / ".cache" / "clients" / "mlflow" / "bin" / "mlflow"

sys.path.insert(0, str(ROOT / "tests"))

from serving import HOST, free_port  # noqa: E402 - shared with the tests, found only after the line above

READY_WITHIN = 120.0  # seconds
STOPPED_WITHIN = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A server as it will be started. `workers` None is the server's own default."""

    name: str
    kind: str  # stepwell or mlflow
    workers: int | None = None

    def command(self, port: int, folder: Path) -> list[str]:
        """The command line."""
        where = ["--host", HOST, "--port", str(port)]
        if self.kind == "stepwell":
            return [str(STEPWELL), "serve", *where, "--data-dir", str(folder / "data")]
        backend = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        workers = [] if self.workers is None else ["--workers", str(self.workers)]
        return [str(MLFLOW), "server", *where, *workers, *backend, "--artifacts-destination", str(folder / "files")]

    def version(self) -> str:
        """What the program says of its version."""
        command = [str(STEPWELL), "version"] if self.kind == "stepwell" else [str(MLFLOW), "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers. `data` is what its disk use is charged to: a folder, or the beginning of file names."""

    url: str
    pid: int
    data: Path


def environment() -> dict[str, str]:
    """Of the peers: nothing sent home, and no background jobs that have nothing to do with metrics.

    Of all: what was compiled is kept, as an installer keeps it. A start that compiles takes twice as long.
    """
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "STEPWELL_", "PYTHON"))}
    return {**kept, **quiet, "NO_PROXY": "127.0.0.1,localhost"}


@contextmanager
def running(plan: Plan, folder: Path) -> Iterator[Running]:
    """The server while it runs; it is stopped, and its end awaited, when the block is left."""
    port = free_port()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            plan.command(port, folder),
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that its workers end with it
        )
    try:
        url = f"http://{HOST}:{port}"
        wait_ready(url, process, folder / "server.log")
        yield Running(url=url, pid=process.pid, data=folder / ("data" if plan.kind == "stepwell" else "mlflow.db"))
    finally:
        stop(process)


def wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers a search; RuntimeError with the end of its log when it does not."""
    deadline = time.monotonic() + READY_WITHIN
    request = urllib.request.Request(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0")
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server is not ready:\n{log.read_text(errors='replace')[-3000:]}") from None
            time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the process and its workers, SIGKILL to those that do not listen."""
    signal_group(process, signal.SIGTERM)
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        signal_group(process, signal.SIGKILL)
        process.wait()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the group that the process leads; nothing if it is gone."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def disk_bytes(folder: Path, ignored: Sequence[str] = ("server.log",)) -> int:
    """Blocks on disk of everything below a folder."""
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file() and p.name not in ignored)
