"""Runs: made, resumed, forked, changed; statuses, history, tags, notes, configuration, alerts, files."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from contract.pluto.conftest import Raw


@pytest.fixture
def project(name: Callable[[], str]) -> str:
    return name()


def test_what_a_new_run_is(raw: Raw, project: str) -> None:
    first = raw.post("/api/runs/create", runName="n", projectName=project, createdAt=1_700_000_000_123).json()
    second = raw.post("/api/runs/create", runName="n", projectName=project).json()
    assert (first["number"], second["number"], first["resumed"]) == (1, 2, False)
    assert re.fullmatch(r"[A-Z0-9]{1,4}-1", first["displayId"])
    assert first["url"].startswith(raw.url)
    assert second["runId"] > first["runId"]
    run = raw.details(first["runId"])
    assert run["createdAt"] == "2023-11-14T22:13:20.123Z"
    assert (run["status"], run["config"], run["tags"], run["logNames"]) == ("RUNNING", {}, [], [])
    assert (run["statusMetadata"], run["externalId"], run["forkedFromRunId"]) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"runName": None}, "runName"),
        ({"runName": ""}, "runName"),
        ({"runName": 5}, "runName"),
        ({"runName": "n" * 1025}, ""),
        ({"projectName": None}, "projectName"),
        ({"projectName": "p" * 501}, ""),
        ({"tags": "t"}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": [str(i) for i in range(51)]}, "tags"),
        ({"config": {"a": 1}}, "config"),
        ({"createdAt": -1}, "createdAt"),
        ({"createdAt": 2**60}, "createdAt"),
        ({"createdAt": "now"}, "createdAt"),
        ({"externalId": ""}, "externalId"),
        ({"externalId": "e" * 1025}, "externalId"),
        ({"forkStep": -1, "forkRunId": 1}, "forkStep"),
        ({"inheritTags": "yes"}, "inheritTags"),
    ],
)
def test_a_run_that_makes_no_sense(raw: Raw, project: str, fields: dict[str, Any], place: str) -> None:
    body = {"runName": "n", "projectName": project, **fields}
    answer = raw.post("/api/runs/create", {name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 400, answer.text
    if place:
        assert answer.json()["error"]["issues"][0]["path"][0] == place
    assert raw.get("/api/runs/list", projectName=project).json()["total"] == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"tags": ["group:a", "group:b"]}, "A run can have at most one group:* tag."),
        ({"config": "{"}, "Invalid config JSON"),
        ({"config": "[1]"}, "Invalid config JSON: expected an object"),
        ({"config": "[" * 100_000}, "Invalid config JSON"),
        ({"systemMetadata": "{"}, "Invalid systemMetadata JSON"),
        ({"loggerSettings": "nope"}, "Invalid loggerSettings JSON"),
        ({"forkRunId": 2**40, "forkStep": 1}, "Fork parent run not found in this project"),
        ({"forkRunId": 1}, "forkStep is required when forkRunId is provided"),
    ],
)
def test_what_the_client_is_told_in_a_sentence(raw: Raw, project: str, fields: dict[str, Any], sentence: str) -> None:
    answer = raw.post("/api/runs/create", runName="n", projectName=project, **fields)
    assert (answer.status_code, answer.json()) == (400, {"error": sentence})
    assert raw.get("/api/runs/list", projectName=project).json()["total"] == 0


def test_fifty_tags_and_nulls_are_good(raw: Raw, project: str) -> None:
    nulls = dict.fromkeys(("externalId", "config", "loggerSettings", "systemMetadata", "createdAt", "forkRunId"))
    run = raw.create(project, tags=[f"t{i:02}" for i in range(50)], **nulls)
    assert len(raw.details(run)["tags"]) == 50


def test_a_fork_may_be_of_another_group(raw: Raw, project: str) -> None:
    parent = raw.create(project, tags=["group:a", "shared"])
    child = raw.create(project, forkRunId=parent, forkStep=0, inheritTags=True, tags=["group:b"])
    assert sorted(raw.details(child)["tags"]) == ["group:b", "shared"]
    child = raw.create(project, forkRunId=parent, forkStep=0, inheritTags=True, tags=["own"])
    assert sorted(raw.details(child)["tags"]) == ["group:a", "own", "shared"]


def test_a_fork_takes_keys_of_its_own_whole(raw: Raw, project: str) -> None:
    parent = raw.create(project, config='{"a": 1, "b": {"c": 2}}')
    child = raw.create(project, forkRunId=parent, forkStep=0, config='{"b": {"d": 3}}')
    assert raw.details(child)["config"] == {"a": 1, "b": {"d": 3}}  # the client joins deeper before it sends


def test_a_fork_is_of_the_run_that_logged_its_step(raw: Raw, project: str) -> None:
    first = raw.create(project, config='{"by": "first"}', tags=["first"])
    raw.log(first, {step: {"loss": 1.0} for step in (0, 5, 10)})
    second = raw.create(project, forkRunId=first, forkStep=5, config='{"by": "second"}')
    raw.log(second, {step: {"loss": 1.0} for step in (6, 20)})
    third = raw.create(project, forkRunId=second, forkStep=7)

    def forked(run: int, step: int) -> tuple[Any, ...]:
        found = raw.details(raw.create(project, forkRunId=run, forkStep=step, inheritTags=True))
        return found["forkedFromRunId"], found["forkStep"], found["config"]["by"], found["tags"]

    assert forked(second, 6) == (second, 6, "second", [])
    assert forked(second, 5) == forked(third, 5) == (first, 5, "first", ["first"])
    assert forked(third, 7) == (second, 7, "second", [])
    assert forked(third, 8) == (third, 8, "second", [])  # it has logged nothing yet


def test_a_fork_begins_where_its_parent_has_been(raw: Raw, project: str, name: Callable[[], str]) -> None:
    parent = raw.create(project)
    raw.log(parent, {0: {"loss": 1.0}})
    raw.create(project, forkRunId=parent, forkStep=3)  # at step 0 nothing is known of how far it is
    raw.log(parent, {7: {"acc": 1.0}, 9: {"loss": 1.0}})
    raw.create(project, forkRunId=parent, forkStep=9)
    for where, step, sentence in (
        (project, 10, "forkStep (10) exceeds the parent run's max step (9)"),
        (name(), 9, "Fork parent run not found in this project"),
    ):
        answer = raw.post("/api/runs/create", runName="n", projectName=where, forkRunId=parent, forkStep=step)
        assert (answer.status_code, answer.json()) == (400, {"error": sentence})


def test_a_run_that_is_there_goes_on_whatever_it_was_forked_from(raw: Raw, project: str) -> None:
    parent = raw.create(project)
    child = raw.create(project, externalId="again", forkRunId=parent, forkStep=1)
    for fork in ({"forkRunId": 2**40, "forkStep": 1}, {"forkRunId": parent}):
        again = raw.post("/api/runs/create", runName="n", projectName=project, externalId="again", **fork).json()
        assert (again["runId"], again["resumed"], again["forkedFromRunId"]) == (child, True, parent)


def test_an_empty_text_in_the_place_of_json_says_nothing(raw: Raw, project: str) -> None:
    run = raw.create(project, config="", loggerSettings="", systemMetadata="")
    assert raw.post("/api/runs/config/update", runId=run, config="").status_code == 200
    ended = raw.post("/api/runs/status/update", runId=run, status="FAILED", statusMetadata="", loggerSettings="")
    assert ended.status_code == 200
    found = raw.details(run)
    assert (found["config"], found["systemMetadata"], found["statusMetadata"]) == ({}, None, None)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"runName":' * 100_000])
def test_bodies_that_are_none(raw: Raw, body: bytes) -> None:
    for path in ("create", "resume", "status/update", "logName/add", "tags/update", "trigger", "alert"):
        answer = raw.http.post(f"/api/runs/{path}", content=body)
        assert answer.status_code == 400, (path, answer.text)
        assert answer.json()


def test_one_of_many_makes_the_run(raw: Raw, project: str) -> None:
    answers: list[dict[str, Any]] = []

    def make(number: int) -> None:
        with httpx.Client(base_url=raw.url, timeout=60) as http:
            body = {"runName": "n", "projectName": project, "externalId": "x", "config": json.dumps({f"k{number}": 1})}
            answers.append(http.post("/api/runs/create", json=body).json())

    threads = [threading.Thread(target=make, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("runId" in answer for answer in answers), answers
    assert len({answer["runId"] for answer in answers}) == 1
    assert sorted(answer["resumed"] for answer in answers) == [False] + [True] * 11
    run = raw.details(answers[0]["runId"])
    assert run["config"] == {f"k{number}": 1 for number in range(12)}
    assert run["externalId"] == "x"
    assert raw.create(project + " other", externalId="x") != answers[0]["runId"]


def test_resuming(raw: Raw, project: str) -> None:
    made = raw.post("/api/runs/create", runName="n", projectName=project, externalId="ext").json()
    run = made["runId"]
    raw.post("/api/runs/status/update", runId=run, status="FAILED")
    for asked in ({"runId": run}, {"externalId": "ext", "projectName": project}):
        answer = raw.post("/api/runs/resume", asked)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["runId"], answer.json()["resumed"]) == (run, True)
        assert raw.details(run)["status"] == "RUNNING"
    again = raw.post("/api/runs/create", runName="other", projectName=project, externalId="ext").json()
    assert (again["runId"], again["resumed"]) == (run, True)
    for asked in (
        {},
        {"runId": run, "externalId": "ext"},
        {"externalId": "ext"},
        {"displayId": "no display id"},
        {"runId": "1"},
    ):
        assert raw.post("/api/runs/resume", asked).status_code == 400, asked
    for asked in ({"runId": 2**40}, {"displayId": "QQQ-99"}, {"externalId": "none", "projectName": project}):
        assert raw.post("/api/runs/resume", asked).status_code == 404, asked


def test_a_display_id_of_two_projects(raw: Raw) -> None:
    one, two = raw.create("zebra yak xylo"), raw.create("zoo york xray")
    assert raw.post("/api/runs/resume", displayId="ZYX-1").status_code == 409
    assert raw.get("/api/runs/details/by-display-id/ZYX-1").status_code == 409
    found = [
        raw.get("/api/runs/details/by-display-id/zyx-1", projectName=name).json()["id"]
        for name in ("zebra yak xylo", "zoo york xray")
    ]
    assert found == [one, two]


def test_an_end_may_only_become_worse(raw: Raw, project: str) -> None:
    words = ["COMPLETED", "TERMINATED", "CANCELLED", "FAILED"]
    for first in range(4):
        for second in range(4):
            run = raw.create(project)
            for place in (first, second):
                answer = raw.post("/api/runs/status/update", runId=run, status=words[place])
                assert (answer.status_code, answer.json()) == (200, {"success": True})
            assert raw.details(run)["status"] == words[max(first, second)]
            events = raw.get("/api/runs/status/history", runId=run).json()["events"]
            expected = [(None, "RUNNING"), ("RUNNING", words[first])]
            expected += [(words[first], words[second])] if second > first else []
            assert [(event["fromStatus"], event["toStatus"]) for event in events] == expected
            assert {(type(event["id"]), event["source"]) for event in events} == {(str, "api")}


def test_the_worst_of_many_ends_stays(raw: Raw, project: str) -> None:
    words = ["COMPLETED", "TERMINATED", "CANCELLED", "FAILED"] * 3
    for _ in range(3):
        run = raw.create(project)

        def end(word: str, run: int = run) -> None:
            with httpx.Client(base_url=raw.url, timeout=60) as http:
                body = {"runId": run, "status": word}
                assert http.post("/api/runs/status/update", json=body).status_code == 200

        threads = [threading.Thread(target=end, args=(word,)) for word in words]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert raw.details(run)["status"] == "FAILED"
        told = [event["toStatus"] for event in raw.get("/api/runs/status/history", runId=run).json()["events"]]
        assert told == sorted(told, key=["RUNNING", *words].index)
        assert len(told) == len(set(told))


def test_an_end_with_its_time_and_facts(raw: Raw, project: str) -> None:
    run = raw.create(project, loggerSettings=json.dumps({"a": {"b": 1}}))
    answer = raw.post(
        "/api/runs/status/update",
        runId=run,
        status="COMPLETED",
        statusMetadata=json.dumps({"why": ["done"]}),
        loggerSettings=json.dumps({"a": {"c": 2}}),
        statusUpdated=1_700_000_000_000,
    )
    assert answer.status_code == 200
    found = raw.details(run)
    assert found["statusUpdated"] == "2023-11-14T22:13:20.000Z"
    assert found["statusMetadata"] == {"why": ["done"]}
    assert found["loggerSettings"] == {"a": {"b": 1, "c": 2}}
    for bad in ({"status": "DONE"}, {"status": "completed"}, {"statusMetadata": "{"}, {"statusUpdated": -1}):
        body = {"runId": run, "status": "FAILED", **bad}
        assert raw.post("/api/runs/status/update", body).status_code == 400, bad
    assert raw.details(run)["status"] == "COMPLETED"


def test_tags_notes_and_configuration(raw: Raw, project: str) -> None:
    run = raw.create(project, tags=["a", "b"], config=json.dumps({"x": {"y": 1}, "z": 2}))
    raw.post("/api/runs/tags/update", runId=run, tags=["b", "c", "c"])
    raw.post("/api/runs/notes/update", runId=run, notes="n" * 1000)
    raw.post("/api/runs/tags/update", runId=run, tags=["c", "b"])
    raw.post("/api/runs/config/update", runId=run, config=json.dumps({"x": {"w": None}, "z": [1, {"v": 2}]}))
    found = raw.details(run)
    assert found["tags"] == ["b", "c"]
    assert found["notes"] == "n" * 1000
    assert found["config"] == {"x": {"y": 1, "w": None}, "z": [1, {"v": 2}]}
    assert raw.details(raw.create(project, forkRunId=run, forkStep=0, inheritTags=True))["notes"] is None
    for none in (None, "", None):
        assert raw.post("/api/runs/notes/update", runId=run, notes=none).status_code == 200
        assert raw.details(run)["notes"] is None
    for path, body in (
        ("notes/update", {"notes": "n" * 1001}),
        ("notes/update", {}),
        ("tags/update", {"tags": ["group:a", "group:b"]}),
        ("tags/update", {}),
        ("config/update", {"config": "[]"}),
        ("config/update", {"config": "{"}),
        ("logName/add", {"logName": ["x"], "logType": "GRAPH"}),
        ("logName/add", {"logName": "x", "logType": "METRIC"}),
        ("logName/add", {"logName": [" "], "logType": "METRIC"}),
        ("modelGraph/create", {"graph": {}}),
        ("alert", {"alert": {}}),
    ):
        assert raw.post(f"/api/runs/{path}", {"runId": run, **body}).status_code == 400, (path, body)
    assert raw.details(run)["tags"] == ["b", "c"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("status/update", {"status": "FAILED"}),
        ("logName/add", {"logName": ["x"], "logType": "METRIC"}),
        ("tags/update", {"tags": []}),
        ("notes/update", {"notes": "n"}),
        ("config/update", {"config": "{}"}),
        ("modelGraph/create", {"graph": {"format": "torch", "nodes": {}}}),
        ("trigger", {}),
        ("alert", {"alert": {"timestamp": 1, "title": "t"}}),
    ],
)
def test_a_run_that_is_not_there(raw: Raw, path: str, body: dict[str, Any]) -> None:
    for run in (2**40, 0, -1):
        answer = raw.post(f"/api/runs/{path}", {"runId": run, **body})
        assert answer.status_code == 404, answer.text
        assert (
            "detail" in answer.json() if path in ("trigger", "alert") else answer.json() == {"error": "Run not found"}
        )
    assert raw.post(f"/api/runs/{path}", {"runId": 2**63, **body}).status_code == 400
    assert raw.post(f"/api/runs/{path}", body).status_code == 400


def test_a_deleted_run_is_gone_here(raw: Raw, project: str) -> None:
    run = raw.create(project, externalId="e")
    page = raw.get("/api/runs/list", projectName=project).json()["runs"]
    assert [each["id"] for each in page] == [run]
    run_id = raw.details(run)["url"].rpartition("/")[2]
    assert raw.post("/api/2.0/mlflow/runs/delete", run_id=run_id).status_code == 200
    assert raw.get(f"/api/runs/details/{run}").status_code == 404
    assert raw.send("/ingest/metrics", run, [{"time": 1, "step": 1, "data": {"x": 1}}]).status_code == 404
    assert raw.post("/api/runs/create", runName="n", projectName=project, externalId="e").status_code == 409
    assert raw.get("/api/runs/list", projectName=project).json() == {"runs": [], "total": 0}


def test_names_graphs_and_alerts(raw: Raw, project: str) -> None:
    run = raw.create(project)
    for _ in range(2):
        raw.post("/api/runs/logName/add", runId=run, logName=["a", "g/b"], logType="IMAGE")
    raw.log(run, {1: {"g/m": 1}})
    assert raw.details(run)["logNames"] == [
        {"logName": "a", "logType": "IMAGE", "logGroup": ""},
        {"logName": "g/b", "logType": "IMAGE", "logGroup": "g"},
        {"logName": "g/m", "logType": "METRIC", "logGroup": "g"},
    ]
    graph = {"format": "torch", "nodes": {"layer": {"type": "Linear", "depth": 1}}}
    assert raw.post("/api/runs/modelGraph/create", runId=run, graph=graph).json() == {"success": True}
    alert = {"timestamp": 1000, "level": "WARN", "title": "t", "body": "b", "email": None, "url": None}
    assert raw.post("/api/runs/alert", runId=run, alert=alert).json() == {"status": "success"}
    assert raw.post("/api/runs/trigger", runId=run).json() == {"status": "RUNNING", "triggers": None}
    assert len(raw.get("/api/runs/status/history", runId=run).json()["events"]) == 1


def test_links_are_bound_to_what_they_are_for(raw: Raw, project: str) -> None:
    run = raw.create(project)
    headers = {"x-run-id": str(run), "x-project-name": project}

    def link(file: str = "f.txt", size: int = 5, log_name: str = "l") -> str:
        entry = {"fileName": file, "logName": log_name, "fileSize": size, "fileType": "txt", "time": 1, "step": 1}
        answer = raw.http.post("/files", json={"files": [entry]}, headers=headers)
        assert answer.status_code == 200, answer.text
        url: str = answer.json()[log_name][0][file]
        return url

    url = link()
    assert raw.get("/api/runs/files", runId=run, projectName=project).json() == {"files": []}
    assert raw.http.put(url, content=b"12345678").status_code == 400
    assert raw.http.put(url, content=b"123").status_code == 400
    assert raw.http.put(url.replace("size=5", "size=8"), content=b"12345678").status_code == 403
    assert raw.http.put(url.replace("f.txt", "g.txt"), content=b"12345").status_code == 403
    assert raw.http.put(re.sub(r"expires=(\d+)", "expires=9999999999", url), content=b"12345").status_code == 403
    assert raw.http.put(url.split("?")[0], content=b"12345").status_code == 403
    assert raw.http.get(url).status_code == 403
    assert raw.get("/api/runs/files", runId=run, projectName=project).json() == {"files": []}
    assert raw.http.put(url, content=b"12345").status_code == 200
    (file,) = raw.get("/api/runs/files", runId=run, projectName=project).json()["files"]
    got = raw.http.get(file["url"])
    assert got.content == b"12345"
    assert got.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in got.headers["content-security-policy"]
    assert raw.http.put(file["url"], content=b"12345").status_code == 403
    for odd in ("../up.txt", "a\\b.txt", "%2e.txt", "ü 1.txt", ".."):
        url = link(odd, size=3, log_name="../x/./y")
        assert raw.http.put(url, content=b"odd").status_code == 200, odd
    files = raw.get("/api/runs/files", runId=run, projectName=project, logName="../x/./y").json()["files"]
    assert sorted(file["fileName"] for file in files) == ["%2e.txt", "..", "../up.txt", "a\\b.txt", "ü 1.txt"]
    assert [raw.http.get(file["url"]).content for file in files] == [b"odd"] * 5
    bad = {"fileName": "", "logName": "l", "fileSize": 1, "fileType": "", "time": 1}
    for wrong in (bad, {**bad, "fileName": "f", "fileSize": -1}, {**bad, "fileName": "f" * 5000}, {}):
        assert raw.http.post("/files", json={"files": [wrong]}, headers=headers).status_code == 400, wrong
    assert raw.http.post("/files", json={"files": []}, headers={**headers, "x-run-id": "77777777"}).status_code == 404


def test_what_anybody_may_ask(raw: Raw, project: str) -> None:
    assert raw.get("/api/health").text == "OK"
    assert raw.get("/api/health/ready").json()["status"] == "ok"
    assert raw.get("/health/ready").status_code == 200
    assert raw.get("/health/dlq").status_code == 200
    assert "version" in raw.get("/api/version").json()
    document = raw.get("/api/openapi.json").json()
    assert "get" in document["paths"]["/api/runs/metrics"]
    assert raw.get("/api/runs/R00001").json() == {"runId": 1}
    for bad in ("r00001", "R0", "RZZZZZZZZZZZZZ", "nothing"):
        assert raw.get(f"/api/runs/{bad}").status_code == 404
    assert raw.get("/api/runs/auth/validate").json()["valid"] is True


@pytest.mark.parametrize("path", ["/api/runs/none/such", "/ingest/none", "/files/x", "/api/chart-data/x", "/step/x"])
def test_paths_that_are_not_there_answer_json(raw: Raw, path: str) -> None:
    answer = raw.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()
