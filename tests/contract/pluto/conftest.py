"""What the contract tests of Pluto share: programs that use the real client, a client for queries, raw requests."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving import Server

if TYPE_CHECKING:
    from pluto.query import Client

OFFLINE = Path(__file__).parent / "offline"
PROLOGUE = """
import json, os, sys, time
from pathlib import Path
import pluto
told = {}
"""
EPILOGUE = """
Path(os.environ["TOLD"]).write_text(json.dumps(told))
"""


@dataclass
class Program:
    """A training program that ran to its end, and what it said."""

    status: int
    output: str
    told: dict[str, Any] = field(default_factory=dict)


class Training:
    """Runs programs with the real client in processes of their own, as training does: it takes over output and exit."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self._numbers = itertools.count(1)

    def start(self, code: str, *, key: str = "anything", **env: str) -> Any:
        """A program that begins to run; `told` in it comes back from `end`."""
        home = self.folder / f"program-{next(self._numbers)}"
        home.mkdir()
        addresses = {f"PLUTO_URL_{name}": self.url for name in ("APP", "API", "INGEST", "PY")}
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "share"),
            "PLUTO_DIR": str(home),
            "PYTHONPATH": str(OFFLINE),
            "OUTSIDE_LOG": str(home / "outside.log"),
            "PLUTO_DISABLE_TELEMETRY": "1",
            "PLUTO_API_KEY": key,
            "TOLD": str(home / "told.json"),
            "NO_PROXY": "127.0.0.1,localhost",
        }
        script = home / "train.py"
        script.write_text(PROLOGUE + code + EPILOGUE)
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=home,
            env={**variables, **addresses, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        process.home = home  # type: ignore[attr-defined]  # for `end`, and for tests that watch it
        return process

    def end(self, process: Any) -> Program:
        """What became of it. It never tried to reach anything but this machine."""
        output, _ = process.communicate(timeout=120)
        home: Path = process.home
        told = home / "told.json"
        outside = home / "outside.log"
        assert not outside.exists(), outside.read_text()
        return Program(process.returncode, output, json.loads(told.read_text()) if told.exists() else {})

    def run(self, code: str, **options: str) -> Program:
        """Starts a program and waits for its end."""
        return self.end(self.start(code, **options))

    def good(self, code: str, **options: str) -> dict[str, Any]:
        """What a program told that must end well."""
        program = self.run(code, **options)
        assert program.status == 0, program.output
        return program.told


class Raw:
    """Pluto's interface without its client."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=60, **options)

    def get(self, path: str, /, **query: Any) -> httpx.Response:
        return self.http.get(path, params=query)

    def post(self, path: str, body: Any = None, /, **fields: Any) -> httpx.Response:
        return self.http.post(path, json=fields if body is None else body)

    def create(self, project: str, **more: Any) -> int:
        answer = self.post("/api/runs/create", runName="a run", projectName=project, **more)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["runId"])

    def send(self, path: str, run: Any, lines: Any, project: str = "p", **headers: str) -> httpx.Response:
        """Lines of a stream: bytes as they are, or things to write as JSON."""
        content = lines if isinstance(lines, bytes) else "".join(json.dumps(each) + "\n" for each in lines).encode()
        told = {"content-type": "application/x-ndjson", "x-run-id": str(run), "x-project-name": project, **headers}
        return self.http.post(path, content=content, headers=told)

    def log(self, run: int, points: Mapping[int, Mapping[str, float]], *, time: int = 1000) -> None:
        """Step -> metric -> value."""
        lines = [{"time": time + step, "step": step, "data": data} for step, data in points.items()]
        answer = self.send("/ingest/metrics", run, lines)
        assert answer.status_code == 200, answer.text

    def rows(self, run: int, project: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get("/api/runs/metrics", runId=run, projectName=project, **query)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["metrics"]
        return rows

    def details(self, run: int) -> dict[str, Any]:
        answer = self.get(f"/api/runs/details/{run}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def raw(shared_server: Server) -> Iterator[Raw]:
    """Requests to the shared server."""
    raw = Raw(shared_server.url)
    yield raw
    raw.http.close()


@pytest.fixture(scope="session")
def training(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Programs that log to the shared server."""
    return Training(shared_server.url, tmp_path_factory.mktemp("training"))


@pytest.fixture
def query(shared_server: Server) -> Iterator[Client]:
    """The vendor's own client for reading."""
    from pluto.query import Client

    with Client(api_token="anything", host=shared_server.url) as client:
        yield client


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def name(_numbers: Iterator[int], request: pytest.FixtureRequest) -> Callable[[], str]:
    """Names for projects that no other test uses."""
    return lambda: f"{request.node.name[:60]} {next(_numbers)}"
