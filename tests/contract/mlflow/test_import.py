"""`stepwell import mlflow` of what MLflow itself keeps: its databases, its folder, and from its server."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from contract.mlflow.conftest import Vendor
from serving import Server, binary
from warehouse.servers import postgres_url

START = 1_767_225_600_000  # milliseconds
FILE = bytes(range(256)) * 5000
NOTHING_NEW = (
    "0 runs are new, 0 changed; 13 points are on the server already\n"
    "1 files of 1.3 MB; 1 are on the server already, 0 sent\n"
    "0 points sent"
)
LOSS = [(0, 0.1), (1, math.nan), (2, math.inf), (3, -math.inf), (2**53 + 1, -1.5), (-5, 5e-324)]


@dataclass(frozen=True)
class Kept:
    """What MLflow's own client has written to one place, and the ids of its runs by their names."""

    uri: str
    experiment: str
    ids: dict[str, str]


def keep(uri: str, folder: Path) -> Kept:
    """folder: where the files of runs go."""
    client = MlflowClient(uri)
    (folder / "weights.bin").write_bytes(FILE)
    experiment = f"imported {uuid4().hex}"
    number = client.create_experiment(experiment, artifact_location=(folder / "artifacts").as_uri())
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
    client.log_artifact(ids["second"], str(folder / "weights.bin"), "models/ä")
    client.log_metric(ids["second"], "val/acc", 0.5, timestamp=START, step=0)
    client.delete_run(ids["deleted"])
    return Kept(uri, experiment, ids)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("mlflow")
    return keep(f"sqlite:///{folder / 'mlflow.db'}", folder)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with postgres_url() as url:
        name = f"mlflow_{uuid4().hex}"
        with psycopg.connect(f"{url}/postgres", autocommit=True) as database:
            database.execute(f"CREATE DATABASE {name}")
        uri = f"{url.replace('postgresql://', 'postgresql+psycopg://')}/{name}"
        yield keep(uri, tmp_path_factory.mktemp("mlflow"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # which new versions write on request only
        folder = tmp_path_factory.mktemp("mlflow")
        yield keep(f"file://{folder / 'mlruns'}", folder)


def imported(server: Server, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary(), "import", "mlflow", *arguments, "--url", server.url],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "no_proxy": "*"},
        check=False,
    )


def bring(server: Server, *arguments: str | Path) -> str:
    done = imported(server, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def check(server: Server, kept: Kept) -> None:
    """Everything is there, and nothing of the deleted run."""
    ours = MlflowClient(server.url)
    experiment = ours.get_experiment_by_name(kept.experiment)
    assert experiment is not None
    runs = {run.info.run_name: run for run in ours.search_runs([experiment.experiment_id])}
    ids = {name: run.info.run_id for name, run in runs.items()}
    assert ids == {name: kept.ids[name] for name in ("first", "second")}
    for name, run in runs.items():
        assert (run.info.status, run.info.start_time, run.info.end_time) == ("FAILED", START, START + 60_000)
        assert run.info.user_id == "ann"
        assert run.data.params == {"lr": "0.1", "name": "ä\n"}
        assert run.data.tags["kind"] == name
        found = ours.get_metric_history(run.info.run_id, "loss")
        assert sorted(map(_told, found)) == sorted(_row(at, *each) for at, each in enumerate(LOSS))
    assert runs["second"].data.metrics["val/acc"] == 0.5
    with httpx.Client(base_url=f"{server.url}/api/v1/runs/{kept.ids['second']}", timeout=60) as http:
        assert http.get("artifacts/models/ä/weights.bin").content == FILE


def _told(metric: Any) -> tuple[int, int, str]:
    return metric.step, metric.timestamp, repr(metric.value)


def _row(at: int, step: int, value: float) -> tuple[int, int, str]:
    return step, START + at, repr(value)


@pytest.mark.parametrize("place", ["sqlite", "postgres", "folder"])
def test_runs_come_exactly_and_once(place: str, request: pytest.FixtureRequest, shared_server: Server) -> None:
    kept: Kept = request.getfixturevalue(place)
    told = bring(shared_server, kept.uri)
    assert "2 runs with 3 series and 13 points" in told
    assert "1 files of 1.3 MB; 0 are on the server already, 1 sent" in told
    assert told.rstrip().endswith("the same")
    check(shared_server, kept)
    again = bring(shared_server, kept.uri.replace("+psycopg", ""), "--only", kept.experiment)
    assert NOTHING_NEW in again
    check(shared_server, kept)


def test_runs_of_a_server_come_exactly_and_are_those_of_its_database(
    vendor: Vendor, shared_server: Server, tmp_path: Path
) -> None:
    kept = keep(vendor.database, tmp_path)
    only = ("--only", kept.experiment)
    told = bring(shared_server, vendor.url, *only)
    assert "2 runs with 3 series and 13 points" in told
    assert told.rstrip().endswith("the same")
    check(shared_server, kept)
    assert NOTHING_NEW in bring(shared_server, vendor.url, *only)
    assert NOTHING_NEW in bring(shared_server, kept.uri.removeprefix("sqlite:///"), *only)
    check(shared_server, kept)


def test_a_database_is_only_read(postgres: Kept, shared_server: Server) -> None:
    """By somebody who may do no more than that."""
    url = postgres.uri.replace("+psycopg", "")
    reader = f"reader_{uuid4().hex}"
    with psycopg.connect(url) as database:
        database.execute(f"CREATE USER {reader} PASSWORD 'secret'")
        database.execute(f"GRANT SELECT ON runs, experiments, metrics, params, tags TO {reader}")
    told = bring(shared_server, url.replace("postgres@", f"{reader}:secret@"), "--dry-run")
    assert "2 runs with 3 series and 13 points" in told


def test_what_is_no_database_of_mlflow_is_named_without_its_password(postgres: Kept, shared_server: Server) -> None:
    there = postgres.uri.replace("+psycopg", "").replace("postgres@", "postgres:secret@")
    for url, status, words in (
        (f"{there.rpartition('/')[0]}/template1", 2, 'relation "runs" does not exist'),
        (f"{there.rpartition('/')[0]}/nowhere", 1, 'database "nowhere" does not exist'),
        ("postgresql://me:secret@127.0.0.1:1/x", 1, "127.0.0.1"),
        ("mysql://me:secret@127.0.0.1/x", 2, "start an MLflow server of it"),
    ):
        done = imported(shared_server, url)
        assert (done.returncode, words in done.stderr) == (status, True), done.stderr
        assert "secret" not in done.stderr
        assert done.stderr.count("\n") == 1
