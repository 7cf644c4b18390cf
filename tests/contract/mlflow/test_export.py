"""`stepwell export mlflow` to MLflow's own server, and what its client then reads there."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from contract.mlflow.conftest import Vendor
from serving import Server, binary

START = 1_767_225_600_000  # milliseconds
LARGEST = 1.7976931348623157e308
# Step, milliseconds, value: what MLflow holds as it is; then how it holds what it cannot.
EXACT = [(0, START, 0.1), (1, START + 1, "NaN"), (-(2**63), START, 5e-324), (2**63 - 1, 2**43, -1.5)]
KEPT = [(0, START, 0.1), (1, START + 1, math.nan), (-(2**63), START, 5e-324), (2**63 - 1, 2**43, -1.5)]
LIMITS = [(2, "Infinity", LARGEST), (3, "-Infinity", -LARGEST), (4, -0.0, 0.0)]


def native(server: Server, method: str, path: str, body: Any) -> Any:
    answer = httpx.request(method, f"{server.url}/api/v1{path}", json=body, timeout=60)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def series(metric: str, points: list[tuple[int, int, Any]], **labels: str) -> dict[str, Any]:
    """Points with times in microseconds."""
    steps, times, values = ([each[at] for each in points] for at in range(3))
    return {"metric": metric, "labels": labels, "steps": steps, "times_us": times, "values": values}


def make(server: Server, experiment: str, *found: dict[str, Any], **changes: Any) -> str:
    """A run of this experiment."""
    run_id = f"run {uuid4().hex}"
    numbers = httpx.get(f"{server.url}/api/v1/experiments", params={"filter": f"name = '{experiment}'"}, timeout=60)
    number = [*numbers.json()["experiments"]["id"], None][0]
    if number is None:
        number = native(server, "POST", "/experiments", {"name": experiment})["id"]
    made = {"id": run_id, "experiment_id": number, "name": "first", "user": "ann", "start_time_us": START * 1000}
    native(server, "POST", "/runs", made)
    native(server, "POST", f"/runs/{run_id}/points", {"series": list(found)})
    native(server, "PATCH", f"/runs/{run_id}", {"status": "FAILED", "end_time_us": (START + 60_000) * 1000, **changes})
    return run_id


@pytest.fixture
def experiment(shared_server: Server) -> str:
    """Its one run is in MLflow's words, and a second one has nothing."""
    name = f"o'export {uuid4().hex}"[2:]
    loss = series("loss", [(step, moment * 1000, value) for step, moment, value in EXACT])
    make(
        shared_server,
        name,
        loss,
        series("cpu", [(1, START * 1000, 2)], task="w-0"),
        series("cpu", [(1, START * 1000, 3)]),
        params={"lr": "0.1", "ä/b": "x,\n;"},
        set_tags={"kind": '"', "mlflow.note.content": "# note"},
    )
    return name


def export(server: Server, vendor: Vendor, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary(), "export", "mlflow", "--to", vendor.url, "--url", server.url, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "no_proxy": "*"},
        check=False,
    )


def well(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def runs(vendor: Vendor, experiment: str) -> list[Run]:
    client = MlflowClient(vendor.url)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


def history(vendor: Vendor, run: Run, key: str) -> list[tuple[int, int, str]]:
    found = MlflowClient(vendor.url).get_metric_history(run.info.run_id, key)
    return sorted((each.step, each.timestamp, repr(each.value)) for each in found)


def everything(vendor: Vendor) -> list[str]:
    """All rows of all tables."""
    with closing(sqlite3.connect(vendor.database.removeprefix("sqlite:///"))) as database:
        return list(database.iterdump())


def test_runs_become_runs_of_mlflow_exactly_and_once(shared_server: Server, vendor: Vendor, experiment: str) -> None:
    dry = well(export(shared_server, vendor, "--experiment", experiment, "--dry-run"))
    assert "1 runs with 6 points; 1 runs are new, 0 changed; 0 points are in MLflow already" in dry
    assert "nothing is written; 6 points would be sent" in dry
    assert runs(vendor, experiment) == []
    told = well(export(shared_server, vendor, "--experiment", experiment))
    assert "6 points sent" in told
    assert told.rstrip().endswith("the same")
    assert "cannot hold" not in told
    (run,) = runs(vendor, experiment)
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FAILED", START, START + 60_000)
    assert (run.info.run_name, run.info.user_id) == ("first", "ann")
    assert run.data.params == {"lr": "0.1", "ä/b": "x,\n;"}
    kept = {name: run.data.tags[name] for name in ("kind", "mlflow.note.content", "mlflow.user")}
    assert kept == {"kind": '"', "mlflow.note.content": "# note", "mlflow.user": "ann"}
    assert history(vendor, run, "loss") == sorted((step, moment, repr(value)) for step, moment, value in KEPT)
    assert [history(vendor, run, key) for key in ("cpu", "cpu/task:w-0")] == [[(1, START, "3.0")], [(1, START, "2.0")]]
    before = everything(vendor)
    again = well(export(shared_server, vendor, "--experiment", experiment))
    assert "0 runs are new, 0 changed; 6 points are in MLflow already\n0 points sent" in again
    assert everything(vendor) == before


def test_an_export_that_was_interrupted_goes_on(shared_server: Server, vendor: Vendor, experiment: str) -> None:
    well(export(shared_server, vendor, "--experiment", experiment))
    (run,) = runs(vendor, experiment)
    with closing(sqlite3.connect(vendor.database.removeprefix("sqlite:///"))) as database:
        database.execute("DELETE FROM metrics WHERE key = 'loss' AND step > 0 AND run_uuid = ?", (run.info.run_id,))
        database.execute("UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", (run.info.run_id,))
        database.commit()
    again = well(export(shared_server, vendor, "--experiment", experiment))
    assert "0 runs are new, 1 changed; 4 points are in MLflow already\n2 points sent" in again
    (run,) = runs(vendor, experiment)
    assert run.info.status == "FAILED"
    assert history(vendor, run, "loss") == sorted((step, moment, repr(value)) for step, moment, value in KEPT)


def test_files_come_along_once(shared_server: Server, vendor: Vendor, tmp_path: Path) -> None:
    experiment, content = uuid4().hex, bytes(range(256)) * 5000
    run_id = make(shared_server, experiment, series("loss", [(0, START * 1000, 1)]))
    for path in ("weights.bin", "models/ä b/empty"):
        body = content if path == "weights.bin" else b""
        url = f"{shared_server.url}/api/v1/runs/{run_id}/artifacts/{quote(path)}"
        assert httpx.put(url, content=body, timeout=60).status_code == 201
    assert "files" not in well(export(shared_server, vendor, run_id, "--no-files"))
    assert "2 files of 1.3 MB; 0 are in MLflow already, 2 sent" in well(export(shared_server, vendor, run_id))
    (run,) = runs(vendor, experiment)
    client = MlflowClient(vendor.url)
    assert Path(client.download_artifacts(run.info.run_id, "weights.bin", str(tmp_path))).read_bytes() == content
    assert [each.path for each in client.list_artifacts(run.info.run_id, "models/ä b")] == ["models/ä b/empty"]
    assert "2 are in MLflow already, 0 sent" in well(export(shared_server, vendor, run_id))


def test_what_mlflow_keeps_otherwise_is_named(shared_server: Server, vendor: Vendor) -> None:
    experiment = uuid4().hex
    points = [(step, START * 1000, value) for step, value, _ in LIMITS]
    points += [(5, START * 1000 + 1, 1), (5, START * 1000 + 2, 1), (6, -1, 1)]
    run_id = make(shared_server, experiment, series("odd", points))
    for _ in range(2):
        told = well(export(shared_server, vendor, run_id))
        assert (
            "points that MLflow cannot hold as they are: -0.0 kept as 0.0: 1; equal to another one then: 1; infinities "
            "kept as the largest float: 2; of before 1970: left out: 1; times cut to the millisecond: 2\n"
        ) in told
        assert told.rstrip().endswith("the same")
    (run,) = runs(vendor, experiment)
    wanted = [*((step, START, repr(value)) for step, _, value in LIMITS), (5, START, "1.0")]
    assert history(vendor, run, "odd") == sorted(wanted)


def test_what_mlflow_refuses_costs_nothing_else(shared_server: Server, vendor: Vendor) -> None:
    experiment = uuid4().hex
    run_id = make(
        shared_server,
        experiment,
        series('a "q"', [(0, START * 1000, 1)]),
        series("good", [(0, START * 1000, 1)]),
        params={"../up": "x", "good": "x", "long": "x" * 20_000},
        set_tags={"good": "y"},
    )
    done = export(shared_server, vendor, run_id)
    assert done.returncode == 1
    assert f"run {run_id}, metric 'a \"q\"': " in done.stderr
    assert f"run {run_id}, param '../up': " in done.stderr
    assert f"run {run_id}, param 'long': of 20000 characters MLflow keeps 6000" in done.stderr
    assert "1 points sent" in done.stdout
    (run,) = runs(vendor, experiment)
    assert (run.data.params["good"], run.data.tags["good"], run.data.metrics) == ("x", "y", {"good": 1.0})


def test_runs_that_came_from_there_are_found_again(shared_server: Server, vendor: Vendor) -> None:
    client = MlflowClient(vendor.url)
    experiment = uuid4().hex
    run_id = client.create_run(client.create_experiment(experiment)).info.run_id
    client.log_metric(run_id, "loss", math.inf, timestamp=START, step=1)
    command = [str(binary()), "import", "mlflow", vendor.url, "--only", experiment, "--url", shared_server.url]
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "no_proxy": "*"})
    native(shared_server, "POST", f"/runs/{run_id}/points", {"series": [series("loss", [(2, START * 1000, 1)])]})
    told = well(export(shared_server, vendor, "--experiment", experiment))
    assert "0 runs are new, 1 changed; 1 points are in MLflow already\n" in told
    assert "1 points sent" in told
    (run,) = runs(vendor, experiment)
    assert history(vendor, run, "loss") == [(1, START, repr(LARGEST)), (2, START, "1.0")]


def test_what_is_no_mlflow_server_is_a_wrong_question(shared_server: Server, vendor: Vendor) -> None:
    assert export(shared_server, Vendor("ftp://x", "")).returncode == 2
    none = export(shared_server, Vendor(f"{vendor.url}/nowhere", ""), make(shared_server, uuid4().hex))
    assert none.returncode == 1
    assert "HTTP status 404" in none.stderr
