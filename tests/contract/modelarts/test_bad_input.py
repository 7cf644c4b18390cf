"""What no client of the vendor sends: every refusal in the vendor's shape, naming the field, and nothing stored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from contract.modelarts.conftest import MINUTE, START, Project

GOOD: dict[str, Any] = {"kind": "job", "metadata": {"name": "n"}, "spec": {"resource": {"node_count": 1}}}
DEEP = 100_000


def check(answer: httpx.Response, status: int, code: str, *words: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"error_code", "error_msg"}
    assert body["error_code"] == f"ModelArts.{code}"
    for word in words:
        assert word in body["error_msg"]
    assert answer.headers["x-request-id"]


def jobs(project: Project) -> int:
    total: int = project.post("training-job-searches", {}).json()["total"]
    return total


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": None}, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": ""}}, "metadata.name"),
        ({"metadata": {"name": 1}}, "metadata.name"),
        ({"metadata": {"name": "x" * 65}}, "metadata.name"),
        ({"metadata": {"name": "a/b"}}, "metadata.name"),
        ({"metadata": {"name": "n", "description": "x" * 257}}, "metadata.description"),
        ({"metadata": {"name": "n", "annotations": {"a": 1}}}, "metadata.annotations[...]"),
        ({"spec": None}, "spec"),
        ({"spec": {}}, "spec.resource"),
        ({"spec": {"resource": {}}}, "spec.resource.node_count"),
        ({"spec": {"resource": {"node_count": 0}}}, "spec.resource.node_count"),
        ({"spec": {"resource": {"node_count": "1"}}}, "spec.resource.node_count"),
        ({"spec": {"resource": {"node_count": 10_001}}}, "spec.resource.node_count"),
        ({"algorithm": []}, "algorithm"),
        ({"algorithm": {"parameters": {}}}, "algorithm.parameters"),
        ({"algorithm": {"parameters": [{"value": "1"}]}}, "algorithm.parameters[0].name"),
        ({"algorithm": {"parameters": [{"name": ""}]}}, "algorithm.parameters[0].name"),
        ({"algorithm": {"parameters": [{"name": "lr", "value": 0.1}]}}, "algorithm.parameters[0].value"),
        ({"algorithm": {"parameters": [{"name": "p", "value": "x" * 65_537}]}}, "params.p"),
        ({"kind": ""}, "kind"),
    ],
)
def test_a_job_that_cannot_be_made(project: Project, change: dict[str, Any], field: str) -> None:
    body = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    check(project.post("training-jobs", body), 400, "2788", f"Invalid parameter({field})")
    assert jobs(project) == 0


def test_a_job_at_every_limit(project: Project) -> None:
    body = {
        "kind": "j" * 64,
        "metadata": {"name": "x" * 64, "description": "d" * 256},
        "algorithm": {"parameters": [{"name": "p", "value": "x" * 65_536}], "other": {"big": 2**70, "deep": [[[1]]]}},
        "spec": {"resource": {"node_count": 300}, "unknown": None},
        "unknown": 1,
    }
    answer = project.post("training-jobs", body)
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert (len(job["status"]["tasks"]), job["algorithm"]["other"]) == (300, {"big": 2**70, "deep": [[[1]]]})
    assert project.get(f"training-jobs/{job['metadata']['id']}").json()["algorithm"] == job["algorithm"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"metadata": {"name": "n"}, "spec": {"resource": {"node_count": 1}}, "algorithm": {"x": NaN}}',
        b'{"metadata": {"name": "n"}, "spec": {"resource": {"node_count": 1}}, "x": "\xff"}',
        b'{"algorithm": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"x": ' * DEEP,
        b"[" * DEEP,
    ],
    ids=range(11).__iter__(),
)
@pytest.mark.parametrize("path", ["training-jobs", "training-job-searches", "training-jobs/x/actions"])
def test_bodies_that_are_no_json_objects(project: Project, path: str, content: bytes) -> None:
    answer = project.post(path, content=content)
    if path == "training-job-searches" and not content:
        assert answer.status_code == 200
        return
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] in ("ModelArts.2787", "ModelArts.2788")
    assert jobs(project) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 51}, "limit"),
        ({"limit": "10"}, "limit"),
        ({"offset": -1}, "offset"),
        ({"offset": 2**63}, "offset"),
        ({"sort_by": "size"}, "sort_by"),
        ({"order": "up"}, "order"),
        ({"group_by": "name"}, "group_by"),
        ({"tags": [{"key": "a"}]}, "tags"),
        ({"host_ips": ["10.0.0.1"]}, "host_ips"),
        ({"filters": {}}, "filters"),
        ({"filters": [{"key": "name", "operator": "like"}]}, "filters[0].value"),
        ({"filters": [{"key": "name", "operator": "like", "value": "x"}]}, "filters[0].value"),
        ({"filters": [{"key": "pool", "operator": "in", "value": []}]}, "filters[0].key"),
        ({"filters": [{"key": "name", "operator": "near", "value": []}]}, "filters[0].operator"),
        ({"filters": [{"key": "create_time", "operator": "between", "value": ["1"]}]}, "filters[0].value"),
        ({"filters": [{"key": "create_time", "operator": "between", "value": ["1", "x"]}]}, "filters[0].value"),
    ],
)
def test_a_search_that_cannot_be_made(project: Project, body: dict[str, Any], field: str) -> None:
    check(project.post("training-job-searches", body), 400, "2788", f"Invalid parameter({field})")


@pytest.mark.parametrize("limit", [1, 50])
@pytest.mark.parametrize("offset", [0, 2**63 - 1])
def test_a_search_at_its_limits(project: Project, limit: int, offset: int) -> None:
    answer = project.post("training-job-searches", {"limit": limit, "offset": offset})
    assert (answer.status_code, answer.json()["items"]) == (200, [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"order": "up"}, "order"),
        ({"level": "Loud"}, "level"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"end_time": "2026-13-01"}, "end_time"),
        ({"pattern": "x" * 257}, "pattern"),
    ],
)
def test_events_that_cannot_be_read(project: Project, query: dict[str, str], field: str) -> None:
    project.post_samples("run", [])
    check(project.get("training-jobs/run/events", **query), 400, "2764", f"Invalid parameter({field})")


@pytest.mark.parametrize("action", [{}, {"action_type": 1}, {"action_type": "start"}, {"action_type": ""}])
def test_actions_that_do_not_exist(project: Project, action: dict[str, Any]) -> None:
    project.post_samples("run", [])
    check(project.post("training-jobs/run/actions", action), 400, "2788", "action_type")
    assert project.get("training-jobs/run").json()["status"]["phase"] == "Running"


@pytest.mark.parametrize(
    "path",
    [
        "training-jobs/nope",
        "training-jobs/nope/metrics/worker-0",
        "training-jobs/nope/tasks",
        "training-jobs/nope/events",
        "training-jobs/nope/tasks/worker-0/logs/preview",
        "training-jobs/run%2Fmetrics",
        "training-jobs/%2e%2e",
        "training-jobs/run%00",
        "training-jobs/" + "x" * 1000,
        "training-jobs/%F0%9F%90%99",
    ],
)
def test_jobs_that_do_not_exist(project: Project, path: str) -> None:
    project.post_samples("run", [])
    check(project.get(path), 404, "2775", "Training job (ID: ")


@pytest.mark.parametrize("task", ["worker-1", "worker-0%2F..", "%20", "worker-0%00", "x" * 2000])
def test_tasks_that_do_not_exist(project: Project, task: str) -> None:
    project.post_samples("run", [{"time": START, "cpu": 1}])
    check(project.get(f"training-jobs/run/metrics/{task}"), 404, "2788", "Invalid parameter(")
    check(project.get(f"training-jobs/run/tasks/{task}/logs/preview"), 404, "2788", "Invalid parameter(")


@pytest.mark.parametrize("path", ["", "training-jobs", "x", "training-jobs/run/x", "training-jobs/run/metrics/"])
def test_paths_that_do_not_exist(project: Project, path: str) -> None:
    answer = project.get(path)
    assert answer.status_code in (404, 405)
    check(answer, answer.status_code, "2836")


def test_a_wrong_verb(project: Project) -> None:
    answer = project.http.patch(f"/v2/{project.id}/training-jobs/run", json={})
    check(answer, 405, "2836", "PATCH")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PUT"


def test_a_path_that_is_no_text(project: Project) -> None:
    assert project.get("training-jobs/%ff").status_code == 400


@pytest.mark.parametrize("name", ["lm", "a b", "%2e%2e", "x" * 256, ".a"])
def test_projects_that_cannot_be(project: Project, name: str) -> None:
    answer = project.http.get(f"/v2/{name}/training-jobs/run")
    assert answer.status_code in (400, 404), answer.text
    assert "application/json" in answer.headers["content-type"]


def test_a_body_that_is_too_large(project: Project) -> None:
    answer = project.post("training-jobs", content=b" " * ((4 << 20) + 1))
    assert (answer.status_code, answer.json().keys()) == (413, {"error_code", "error_msg"})


# --- samples, through the native interface ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"samples": {}}, "samples"),
        ({"samples": [1]}, "samples[0]"),
        ({"samples": [{}]}, "samples[0].time"),
        ({"samples": [{"time": None}]}, "samples[0].time"),
        ({"samples": [{"time": "1"}]}, "samples[0].time"),
        ({"samples": [{"time": -1}]}, "samples[0].time"),
        ({"samples": [{"time": 9_223_372_036_854_776}]}, "samples[0].time"),
        ({"samples": [{"time": 1, "cpu": "1"}]}, "samples[0].cpu"),
        ({"samples": [{"time": 1, "cpu": -0.5}]}, "samples[0].cpu"),
        ({"samples": [{"time": 1, "cpu": 1_000_000.5}]}, "samples[0].cpu"),
        ({"samples": [{"time": 1, "cpu": True}]}, "samples[0].cpu"),
        ({"samples": [{"time": 1, "device": 0}]}, "samples[0].device"),
        ({"samples": [{"time": 1, "device": ""}]}, "samples[0].device"),
        ({"samples": [{"time": 1, "device": "x" * 1025, "cpu": 1}]}, "device"),
        ({"samples": [{"time": 1, "disk": 1}]}, "samples[0].disk"),
        ({"start_time": "x"}, "start_time"),
        ({"start_time": -1}, "start_time"),
        ({"start": 1}, "start"),
    ],
)
def test_samples_that_cannot_be_stored(project: Project, body: Any, field: str) -> None:
    good = {"time": START, "cpu": 1}
    if isinstance(body.get("samples"), list):
        body = {"samples": [*body["samples"], good]}
    answer = project.resources("run", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["field"] == field
    assert jobs(project) == 0  # not even the run was made


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e400"])
@pytest.mark.parametrize("field", ["cpu", "time"])
def test_numbers_that_are_none(project: Project, field: str, word: str) -> None:
    sample = f'{{"time": 1, "cpu": {word}}}' if field == "cpu" else f'{{"time": {word}}}'
    answer = project.http.post(
        "/api/v1/runs/run/tasks/worker-0/resources",
        content=f'{{"samples": [{sample}]}}',
        headers={"X-Stepwell-Workspace": project.id},
    )
    assert answer.status_code == 400, answer.text
    assert jobs(project) == 0


@pytest.mark.parametrize("task", ["x" * 256, "a%2Fb", "a%00b", "a%0Ab"])
def test_tasks_that_cannot_be(project: Project, task: str) -> None:
    assert project.resources("run", {}, task=task).status_code == 400
    assert jobs(project) == 0


def test_everything_at_its_limit(project: Project) -> None:
    sample = {"time": START, "device": "d" * 1024, "cpu": 0, "mem": 100, "gpu": 1e6, "gpu_mem": 100.5, "npu": 0.0}
    project.post_samples("r" * 255, [sample, {"time": START + MINUTE}], task="t" * 255)
    found = project.values("r" * 255, "t" * 255)
    assert [values[0] for values in found.values()] == [0, 100, 1e6, 100.5, 0, -1]


def test_samples_are_for_writers_of_a_workspace(project: Project) -> None:
    answer = project.resources("run", {}, **{"X-Stepwell-Workspace": "lm"})
    assert answer.status_code == 400
    assert project.http.get("/api/v1/runs/run/tasks/worker-0/resources").status_code == 405
