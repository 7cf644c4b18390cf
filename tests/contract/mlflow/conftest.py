"""What the contract tests of MLflow share: a client of a server, names that do not meet, raw requests."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving import HOST, READY_WITHIN, Server, free_port

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Raw:
    """MLflow's REST without its client. Paths are relative to /api/2.0/mlflow unless they begin with a slash."""

    def __init__(self, url: str, **options: Any) -> None:
        self.http = httpx.Client(base_url=url, timeout=60, **options)

    def get(self, path: str, /, **query: Any) -> httpx.Response:
        return self.http.get(_path(path), params=query)

    def post(self, path: str, body: Any = None, /, **fields: Any) -> httpx.Response:
        return self.http.post(_path(path), json=fields if body is None else body)

    def send(self, path: str, content: bytes | str, content_type: str = "application/json") -> httpx.Response:
        return self.http.post(_path(path), content=content, headers={"content-type": content_type})

    def history(self, run_id: str, key: str) -> list[dict[str, Any]]:
        answer = self.get("metrics/get-history", run_id=run_id, metric_key=key)
        assert answer.status_code == 200, answer.text
        metrics: list[dict[str, Any]] = answer.json().get("metrics", [])
        return metrics

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.get("runs/get", run_id=run_id)
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()["run"]
        return run

    def new_run(self, experiment_id: str = "0", **fields: Any) -> str:
        answer = self.post("runs/create", experiment_id=experiment_id, start_time=1, **fields)
        assert answer.status_code == 200, answer.text
        run_id: str = answer.json()["run"]["info"]["run_id"]
        return run_id


def _path(path: str) -> str:
    return path if path.startswith("/") else f"/api/2.0/mlflow/{path}"


@pytest.fixture
def raw(shared_server: Server) -> Iterator[Raw]:
    """Requests to the shared server."""
    raw = Raw(shared_server.url)
    yield raw
    raw.http.close()


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def name(_numbers: Iterator[int], request: pytest.FixtureRequest) -> Callable[[], str]:
    """Names for experiments that no other test uses."""
    return lambda: f"{request.node.name[:60]}-{next(_numbers)}"


@pytest.fixture
def tracking(shared_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client talks to the shared server, and forgets its active run and experiment afterwards."""
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    mlflow.set_tracking_uri(shared_server.url)
    yield
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.tracking.fluent._active_experiment_id = None
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)


@pytest.fixture
def client(shared_server: Server, tracking: None) -> MlflowClient:
    """A client of the shared server."""
    from mlflow import MlflowClient

    return MlflowClient(shared_server.url)


@pytest.fixture
def experiment(client: MlflowClient, name: Callable[[], str]) -> str:
    """The id of an experiment of this test's own."""
    return str(client.create_experiment(name()))


@dataclass(frozen=True)
class Vendor:
    """MLflow's own server, and the database that it serves."""

    url: str
    database: str


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """A server of MLflow's own."""
    folder, port = tmp_path_factory.mktemp("vendor"), free_port()
    found = Vendor(f"http://{HOST}:{port}", f"sqlite:///{folder / 'mlflow.db'}")
    options = ["--backend-store-uri", found.database, "--host", HOST, "--port", str(port), "--workers", "1"]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            stdout=out,
            stderr=out,
            cwd=folder,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 5 * READY_WITHIN
            while not _answers(f"{found.url}/health"):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield found
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # it has workers
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60).status_code == 200
    except httpx.TransportError:
        return False
