"""Lists of runs: orders, pages, filters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contract.pluto.conftest import Raw


@pytest.fixture
def project(name: Callable[[], str]) -> str:
    return name()


@pytest.fixture
def runs(raw: Raw, project: str) -> list[int]:
    """Twelve runs whose numbers rise with their learning rates and times, and fall with their losses."""
    made = []
    for number in range(12):
        run = raw.create(
            project,
            createdAt=1_700_000_000_000 + number * 1000,
            tags=["even"] if number % 2 == 0 else ["odd", "group:x"],
            config=json.dumps({"lr": number / 10, "net": {"name": f"n{number % 3}"}}),
            systemMetadata=json.dumps({"konduktor": {"job_name": f"job-{number % 4}-abcd"}}),
        )
        raw.log(run, {1: {"loss": 1.0, "late": number}, 2: {"loss": -number}}, time=number * 100_000)
        made.append(run)
    raw.post("/api/runs/status/update", runId=made[3], status="FAILED")
    return made


def test_orders(raw: Raw, project: str, runs: list[int]) -> None:
    bare = raw.create(project, createdAt=1)  # without configuration and points

    def ids(**query: Any) -> list[int]:
        answer = raw.get("/api/runs/list", projectName=project, limit=200, **query)
        assert answer.status_code == 200, answer.text
        return [run["id"] for run in answer.json()["runs"]]

    newest = runs[::-1]
    assert ids() == ids(sort="-createdAt") == [*newest, bare]
    assert ids(sort="createdAt") == ids(sort="+created_at") == [bare, *runs]
    assert ids(sort="config.lr.value") == [*runs, bare]
    assert ids(sort="-config.lr") == [*newest, bare]
    assert ids(sort="summary_metrics.loss") == newest
    assert ids(sort="-summary_metrics.late") == newest
    assert ids(sort="heartbeat_at") == runs
    assert ids(sort="-heartbeatAt") == newest
    assert ids(sort="status")[:1] == [runs[3]]
    assert set(ids(sort="-updatedAt")) == {*runs, bare}
    assert ids(sort="summary_metrics.none") == []
    for sort in ("", "summary_metrics.loss", "-summary_metrics.none", "heartbeat_at", "-config.lr"):
        answer = raw.get("/api/runs/list", projectName=project, sort=sort, limit=1).json()
        assert answer["total"] == len(runs) + 1, sort  # whatever the order, the same runs were found
    by_job = ids(sort="systemMetadata.konduktor.job_name.value")
    assert by_job[:3] == [runs[0], runs[4], runs[8]]
    for bad in ("nothing", "-", "config.", "config..value", "summary_metrics.", "metrics.loss"):
        assert raw.get("/api/runs/list", projectName=project, sort=bad).status_code == 400, bad


def test_pages_neither_repeat_nor_lose(raw: Raw, project: str, runs: list[int]) -> None:
    for sort in ("createdAt", "-name", "status", "-config.net.name.value", "-heartbeat_at"):
        seen: list[int] = []
        for offset in range(0, 15, 5):
            answer = raw.get("/api/runs/list", projectName=project, sort=sort, limit=5, offset=offset).json()
            assert answer["total"] == 12
            seen += [run["id"] for run in answer["runs"]]
        assert sorted(seen) == runs
    assert raw.get("/api/runs/list", projectName=project, offset=100_000).json() == {"runs": [], "total": 12}
    for bad in ({"limit": 0}, {"limit": 201}, {"offset": -1}, {"offset": 100_001}, {"limit": "x"}):
        assert raw.get("/api/runs/list", projectName=project, **bad).status_code == 400, bad


def test_filters(raw: Raw, project: str, runs: list[int]) -> None:
    def numbers(**query: Any) -> list[int]:
        answer = raw.get("/api/runs/list", projectName=project, sort="createdAt", limit=200, **query)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(answer.json()["runs"])
        return [run["number"] - 1 for run in answer.json()["runs"]]

    every = list(range(12))
    assert numbers(search="A RU") == every
    assert numbers(search="%") == []
    assert numbers(tags="even") == every[::2]
    assert numbers(tags="even, odd") == every
    assert numbers(tags="group:x") == every[1::2]
    assert numbers(status="FAILED") == [3]
    assert numbers(status="FAILED,RUNNING") == every
    assert numbers(heartbeatAfter="1970-01-01T00:16:40Z") == [10, 11]
    assert numbers(heartbeatBefore="1970-01-01T00:01:40Z") == [0]
    assert numbers(filter=json.dumps({"config.lr": {"$gte": 1.0}})) == [10, 11]
    assert numbers(filter=json.dumps({"summaryMetrics.loss": {"$lt": -9}})) == [10, 11]
    assert numbers(
        filter=json.dumps({"$or": [{"state": "failed"}, {"heartbeat_at": {"$lt": "1970-01-01T00:01Z"}}]})
    ) == [0, 3]
    term = {"source": "config", "key": "net.name", "dataType": "text", "operator": "is any of", "values": ["n1"]}
    assert numbers(fieldFilters=json.dumps([term]), tags="odd") == [1, 7]
    for bad in (
        {"status": "DONE"},
        {"heartbeatAfter": "soon"},
        {"filter": "{"},
        {"filter": '{"x":1}'},
        {"fieldFilters": "{}"},
    ):
        assert raw.get("/api/runs/list", projectName=project, **bad).status_code == 400, bad


def test_field_values_and_jobs(raw: Raw, project: str, runs: list[int]) -> None:
    answer = raw.get("/api/runs/list", projectName=project, includeFieldValues="true", limit=1).json()["runs"][0]
    assert answer["_flatConfig"] == {"lr": 1.1, "net.name": "n2"}
    assert answer["_flatSystemMetadata"] == {"konduktor.job_name": "job-3-abcd"}
    columns = json.dumps([{"source": "config", "key": "lr"}])
    answer = raw.get(
        "/api/runs/list", projectName=project, includeFieldValues="true", visibleColumns=columns, limit=1
    ).json()["runs"][0]
    assert (answer["_flatConfig"], answer["_flatSystemMetadata"]) == ({"lr": 1.1}, {})
    found = raw.get("/api/runs/list", konduktorJobPrefix="job-1-", limit=200).json()["runs"]
    assert {runs[1], runs[5], runs[9]} <= {run["id"] for run in found}
    assert raw.get("/api/runs/list").status_code == 400
    assert raw.get("/api/runs/list", projectName="no such project").json() == {"runs": [], "total": 0}


@pytest.mark.parametrize("value", ["0.5", '"konduktor"', "[1]", "true", "null"])
def test_facts_that_are_no_object_have_no_fields(raw: Raw, project: str, value: str) -> None:
    run = raw.create(project, systemMetadata=value)

    def ids(**query: Any) -> list[int]:
        answer = raw.get("/api/runs/list", projectName=project, **query)
        assert answer.status_code == 200, answer.text
        return [found["id"] for found in answer.json()["runs"]]

    assert ids(konduktorJobPrefix="job") == []
    assert ids(filter='{"systemMetadata.a": 1}') == []
    assert ids(sort="systemMetadata.a.value", includeFieldValues="true") == [run]


def test_runs_of_other_interfaces_are_here_too(raw: Raw, project: str) -> None:
    experiment = raw.post("/api/2.0/mlflow/experiments/create", name=project).json()["experiment_id"]
    tags = [{"key": "team", "value": "blue"}, {"key": "plain", "value": ""}]
    made = raw.post("/api/2.0/mlflow/runs/create", experiment_id=experiment, run_name="m", start_time=1000, tags=tags)
    run_id = made.json()["run"]["info"]["run_id"]
    raw.post("/api/2.0/mlflow/runs/log-parameter", run_id=run_id, key="lr", value="0.5")
    raw.post("/api/2.0/mlflow/runs/log-metric", run_id=run_id, key="g/x", value=2.5, timestamp=7, step=-3)
    (listed,) = raw.get("/api/runs/list", projectName=project, filter='{"config.lr": 0.5}').json()["runs"]
    assert (listed["name"], listed["number"], listed["status"]) == ("m", 1, "RUNNING")
    assert {"plain", "team:blue"} <= set(listed["tags"])
    found = raw.details(listed["id"])
    assert found["config"] == {"lr": "0.5"}
    assert {"logName": "g/x", "logType": "METRIC", "logGroup": "g"} in found["logNames"]
    (row,) = raw.rows(listed["id"], project)
    assert (row["step"], row["value"], row["logGroup"]) == (-3, 2.5, "g")
    raw.post("/api/runs/tags/update", runId=listed["id"], tags=["new", "team:blue"])
    kept = raw.get("/api/2.0/mlflow/runs/get", run_id=run_id).json()["run"]["data"]["tags"]
    names = {tag["key"]: tag["value"] for tag in kept}
    assert names["team"] == "blue"
    assert names["new"] == ""
    assert "plain" not in names
    raw.post("/api/runs/status/update", runId=listed["id"], status="CANCELLED")
    info = raw.get("/api/2.0/mlflow/runs/get", run_id=run_id).json()["run"]["info"]
    assert (info["status"], info["end_time"] > 0) == ("KILLED", True)
