"""`stepwell import mlflow` of what MLflow itself keeps: from its database, and from its server."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from serving import HOST, READY_WITHIN, Server, binary, free_port

EXPERIMENT = f"imported {uuid4().hex}"
START = 1_767_225_600_000  # milliseconds
NOTHING_NEW = "0 runs are new, 0 changed; 13 points are on the server already\n0 points sent"
LOSS = [(0, 0.1), (1, math.nan), (2, math.inf), (3, -math.inf), (2**53 + 1, -1.5), (-5, 5e-324)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database that MLflow's own client has written, and the ids of its runs by their names."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    client = MlflowClient(f"sqlite:///{path}")
    number = client.create_experiment(EXPERIMENT)
    ids = {}
    for name in ("first", "second", "deleted"):
        run_id = client.create_run(number, start_time=START, run_name=name, tags={"mlflow.user": "ann"}).info.run_id
        client.log_batch(
            run_id,
            [Metric("loss", value, START + at, step) for at, (step, value) in enumerate(LOSS)],
            [Param("lr", "0.1"), Param("name", "ä\n")],
            [RunTag("kind", name)],
        )
        client.set_terminated(run_id, "FAILED", end_time=START + 60_000)
        ids[name] = run_id
    client.log_metric(ids["second"], "acc", 0.5, timestamp=START, step=0)
    client.delete_run(ids["deleted"])
    return path, ids


@pytest.fixture(scope="module")
def server(kept: tuple[Path, dict[str, str]]) -> Iterator[str]:
    """MLflow's own server of that database."""
    path, _ = kept
    port = free_port()
    options = ["--backend-store-uri", f"sqlite:///{path}", "--host", HOST, "--port", str(port), "--workers", "1"]
    with path.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options],
            stdout=log,
            stderr=log,
            cwd=path.parent,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 5 * READY_WITHIN
            while not _answers(f"http://{HOST}:{port}/health"):
                assert process.poll() is None, path.with_suffix(".log").read_text()
                assert time.monotonic() < deadline, path.with_suffix(".log").read_text()
                time.sleep(0.1)
            yield f"http://{HOST}:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # it has workers
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def bring(server: Server, *arguments: str | Path) -> str:
    done = subprocess.run(
        [binary(), "import", "mlflow", *arguments, "--url", server.url],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "no_proxy": "*"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def check(server: Server, ids: dict[str, str]) -> None:
    """Everything is there, and nothing of the deleted run."""
    ours = MlflowClient(server.url)
    experiment = ours.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {run.info.run_name: run for run in ours.search_runs([experiment.experiment_id])}
    assert {name: run.info.run_id for name, run in runs.items()} == {name: ids[name] for name in ("first", "second")}
    for name, run in runs.items():
        assert (run.info.status, run.info.start_time, run.info.end_time) == ("FAILED", START, START + 60_000)
        assert run.info.user_id == "ann"
        assert run.data.params == {"lr": "0.1", "name": "ä\n"}
        assert run.data.tags["kind"] == name
        found = ours.get_metric_history(run.info.run_id, "loss")
        assert sorted(map(_told, found)) == sorted(_row(at, *each) for at, each in enumerate(LOSS))
    assert runs["second"].data.metrics["acc"] == 0.5


def _told(metric: Any) -> tuple[int, int, str]:
    return metric.step, metric.timestamp, repr(metric.value)


def _row(at: int, step: int, value: float) -> tuple[int, int, str]:
    return step, START + at, repr(value)


def test_runs_of_a_database_come_exactly_and_once(kept: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    path, ids = kept
    with Server(tmp_path / "data") as stepwell:
        told = bring(stepwell, path)
        assert "2 runs with 3 series and 13 points" in told
        assert told.rstrip().endswith("the same")
        check(stepwell, ids)
        again = bring(stepwell, f"sqlite:///{path}", "--only", EXPERIMENT)
        assert NOTHING_NEW in again
        check(stepwell, ids)


def test_runs_of_a_server_come_exactly_and_are_those_of_its_database(
    kept: tuple[Path, dict[str, str]], server: str, tmp_path: Path
) -> None:
    path, ids = kept
    with Server(tmp_path / "data") as stepwell:
        told = bring(stepwell, server, "--only", EXPERIMENT)
        assert "2 runs with 3 series and 13 points" in told
        assert told.rstrip().endswith("the same")
        check(stepwell, ids)
        assert NOTHING_NEW in bring(stepwell, server)
        assert NOTHING_NEW in bring(stepwell, path)
        check(stepwell, ids)
