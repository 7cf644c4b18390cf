"""Workspaces, experiments and runs through the native API of a real server."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def new_run(api: httpx.Client, **fields: Any) -> dict[str, Any]:
    run: dict[str, Any] = made(api.post("/runs", json=fields))["run"]
    return run


def failure(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


def points(*values: float, metric: str = "loss") -> dict[str, Any]:
    return {"series": [{"metric": metric, "steps": list(range(len(values))), "values": list(values)}]}


def test_the_first_write_makes_the_workspace(api: httpx.Client):
    name = api.headers["X-Stepwell-Workspace"]
    assert name not in api.get("/workspaces").json()["name"]
    assert api.get("/experiments/0").json()["name"] == "Default"
    new_run(api)
    assert name in api.get("/workspaces").json()["name"]


def test_the_life_of_an_experiment(api: httpx.Client):
    first = made(api.post("/experiments", json={"name": "digits", "tags": {"team": "a"}}))
    assert api.get(f"/experiments/{first['id']}").json() == first
    assert failure(api.post("/experiments", json={"name": "digits"}), 409)["code"] == "already_exists"
    changed = api.patch(
        f"/experiments/{first['id']}", json={"name": "numbers", "set_tags": {"b": "1"}, "remove_tags": ["team"]}
    ).json()
    assert (changed["name"], changed["tags"]) == ("numbers", {"b": "1"})
    assert api.delete(f"/experiments/{first['id']}").json()["lifecycle"] == "deleted"
    assert api.get("/experiments", params={"filter": "name = 'numbers'"}).json()["experiments"]["id"] == []
    gone = api.get("/experiments", params={"visibility": "deleted"}).json()["experiments"]
    assert gone["id"] == [first["id"]]
    assert api.post(f"/experiments/{first['id']}/restore").json()["lifecycle"] == "active"


def test_experiments_come_in_pages(api: httpx.Client):
    ids = [made(api.post("/experiments", json={"name": f"e{n}"}))["id"] for n in range(5)]
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = api.get("/experiments", params={"limit": 2, "cursor": cursor, "order_by": ["name DESC"]}).json()
        seen += page["experiments"]["id"]
        cursor = page["cursor"]
    assert seen == [*reversed(ids), 0]


def test_the_life_of_a_run(api: httpx.Client):
    before = time.time_ns() // 1000
    run = new_run(api, id="mine", name="first", params={"lr": "0.1"}, tags={"a": "1"})
    assert (run["id"], run["number"], run["status"], run["origin"]) == ("mine", 1, "RUNNING", "native")
    assert before <= run["start_time_us"] <= time.time_ns() // 1000
    assert failure(api.post("/runs", json={"id": "mine"}), 409)["code"] == "already_exists"
    ended = api.patch(
        "/runs/mine", json={"status": "FINISHED", "name": "best", "set_tags": {"b": "2"}, "remove_tags": ["a"]}
    ).json()["run"]
    assert (ended["status"], ended["name"]) == ("FINISHED", "best")
    assert ended["end_time_us"] >= run["start_time_us"]
    detail = api.get("/runs/mine").json()
    assert detail["params"] == {"lr": "0.1"}
    assert {"b": "2"}.items() <= detail["tags"].items()
    assert "a" not in detail["tags"]
    assert api.get("/runs/mine/events").status_code == 200


def test_a_run_has_one_note(api: httpx.Client):
    def note() -> str | None:
        found: str | None = api.get("/runs/noted").json()["note"]
        return found

    def search() -> list[str]:
        found = api.post("/runs/search", json={"filter": "tags.`mlflow.note.content` LIKE '%first%'"})
        return list(found.json()["runs"]["id"])

    new_run(api, id="noted", note="The first.", tags={"a": "1"})
    assert (note(), search()) == ("The first.", ["noted"])
    assert api.patch("/runs/noted", json={"set_tags": {"mlflow.note.content": ""}}).status_code == 200
    assert note() is None, "an empty note is none"
    assert api.patch("/runs/noted", json={"note": "The first."}).status_code == 200
    assert api.patch("/runs/noted", json={"set_tags": {"b": "2"}}).status_code == 200
    assert note() == "The first."
    assert api.patch("/runs/noted", json={"note": "x" * 65_536}).status_code == 200
    assert (note(), search()) == ("x" * 65_536, [])
    assert failure(api.patch("/runs/noted", json={"note": "x" * 65_537}), 400)["field"] == "note"
    assert api.post("/runs/noted/points", json={"note": "y"}).status_code == 200
    assert note() == "y"
    for _ in range(2):
        assert api.patch("/runs/noted", json={"note": ""}).status_code == 200
        assert note() is None
    assert api.post("/runs/noted/points", json={"note": ""}).status_code == 200
    assert api.get("/runs/noted").json()["tags"] == {"a": "1", "b": "2"}
    new_run(api, id="plain", note="")
    assert api.get("/runs/plain").json()["note"] is None


def test_deleting_hides_and_purging_removes(api: httpx.Client):
    run = new_run(api, id="r")
    for _ in range(2):
        assert api.delete("/runs/r").json()["run"]["lifecycle"] == "deleted"
    assert api.get("/runs/r").json()["run"]["key"] == run["key"]
    assert failure(api.post("/runs/r/points", json=points(1.0)), 409)["code"] == "conflict"
    for _ in range(2):
        assert api.post("/runs/r/restore").json()["run"]["lifecycle"] == "active"
    assert api.post("/runs/r/points", json=points(1.0)).json() == {"points": 1}
    assert api.delete("/runs/r", params={"purge": "true"}).json() == {"run": None, "purged": 1}
    assert failure(api.delete("/runs/r", params={"purge": "true"}), 404)["field"] == "run_id"
    assert failure(api.get("/runs/r"), 404)["code"] == "not_found"
    again = new_run(api, id="r")
    assert again["key"] != run["key"]
    assert api.get("/runs/r/points", params={"metric": "loss"}).json()["steps"] == []


def test_many_runs_are_changed_in_one_request(api: httpx.Client):
    first, second, gone = (new_run(api)["id"] for _ in range(3))
    api.delete(f"/runs/{gone}")
    asked = {"run_ids": [first, gone, "nobody", second, first], "set_tags": {"good": "yes"}, "remove_tags": ["never"]}
    answer = api.post("/runs/change", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"] == 2
    alone = {"set_tags": {"good": "yes"}}
    expected = [
        (gone, failure(api.patch(f"/runs/{gone}", json=alone), 409)["code"]),
        ("nobody", failure(api.patch("/runs/nobody", json=alone), 404)["code"]),
    ]
    assert [(each["run_id"], each["code"]) for each in answer.json()["refused"]] == expected
    assert all(each["run_id"] in each["message"] for each in answer.json()["refused"])
    assert [api.get(f"/runs/{run}").json()["tags"] for run in (first, second, gone)] == [{"good": "yes"}] * 2 + [{}]

    def state() -> list[str]:
        found = api.post("/runs/search", json={"visibility": "all"}).json()["runs"]
        return [found["lifecycle"][found["id"].index(run)] for run in (first, second, gone) if run in found["id"]]

    every = {"run_ids": [first, second, gone]}
    assert api.post("/runs/change", json={**every, "lifecycle": "deleted"}).json() == {"changed": 3, "refused": []}
    assert state() == ["deleted"] * 3
    assert api.post("/runs/change", json={**every, "lifecycle": "active"}).json() == {"changed": 3, "refused": []}
    assert state() == ["active"] * 3
    removed = api.post("/runs/change", json={"run_ids": [first, "nobody"], "purge": True}).json()
    assert (removed["changed"], [each["run_id"] for each in removed["refused"]]) == (1, ["nobody"])
    assert state() == ["active"] * 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"run_ids": ["r"] * 1001}, "run_ids"),
        ({"lifecycle": "deleted"}, "run_ids"),
        ({"run_ids": ["r"], "lifecycle": "archived"}, "lifecycle"),
        ({"run_ids": ["r"], "lifecycle": "active", "purge": True}, "purge"),
        ({"run_ids": ["r"], "set_tags": {"": "x"}}, "tags"),
        ({"run_ids": ["r"], "name": "n"}, "name"),
    ],
)
def test_a_change_that_no_run_could_take_is_refused(api: httpx.Client, asked: dict[str, Any], field: str):
    assert failure(api.post("/runs/change", json=asked), 400)["field"] == field


def test_a_param_keeps_its_value(api: httpx.Client):
    new_run(api, id="r", params={"lr": "0.1"})
    assert api.patch("/runs/r", json={"params": {"lr": "0.1"}}).status_code == 200
    body = {**points(1.0), "params": {"lr": "0.2"}}
    assert failure(api.post("/runs/r/points", json=body), 409)["code"] == "conflict"
    assert api.get("/runs/r/series").json()["metric"] == []


def test_metrics_are_columns_to_filter_and_sort_by(api: httpx.Client):
    for name, values in {"a": [3.0, 1.0, 2.0], "b": [5.0, 0.5, 4.0], "c": [9.0]}.items():
        new_run(api, id=name)
        api.post(f"/runs/{name}/points", json=points(*values))
    new_run(api, id="none", params={"p": "x"})

    def found(**asked: Any) -> dict[str, Any]:
        answer = api.post("/runs/search", json={"columns": {"metrics": ["loss"], "params": "*"}, **asked})
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    page = found(order_by=["min(metrics.loss)"])
    assert page["runs"]["id"] == ["b", "a", "c", "none"]
    loss = page["metrics"]["loss"]
    assert loss["last"] == [4.0, 2.0, 9.0, None]
    assert loss["min"] == [0.5, 1.0, 9.0, None]
    assert loss["max"] == [5.0, 3.0, 9.0, None]
    assert loss["mean"] == [pytest.approx(9.5 / 3), 2.0, 9.0, None]
    assert loss["count"] == [3, 3, 1, None]
    assert page["params"] == {"p": [None, None, None, "x"]}
    assert found(order_by=["metrics.loss DESC"])["runs"]["id"] == ["c", "b", "a", "none"]
    assert found(filter="max(metrics.loss) < 6 AND count(metrics.loss) = 3", order_by=["run_id"])["runs"]["id"] == [
        "a",
        "b",
    ]
    assert found(filter="mean(metrics.loss) = 2")["runs"]["id"] == ["a"]
    assert found(filter="status = 'RUNNING' AND metrics.loss > 8")["runs"]["id"] == ["c"]
    assert found(experiment_ids=[])["runs"]["id"] == []
    assert found(experiment_ids=[7])["runs"]["id"] == []


def test_runs_come_in_pages_whatever_is_written_meanwhile(api: httpx.Client):
    for n in range(6):
        new_run(api, id=f"r{n}", start_time_us=n)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = api.post("/runs/search", json={"limit": 4, "cursor": cursor}).json()
        seen += page["runs"]["id"]
        cursor = page["cursor"]
        new_run(api, start_time_us=100 + len(seen))
    assert seen == [f"r{n}" for n in reversed(range(6))]


def test_a_search_says_how_many_there_are_and_starts_where_it_is_told(api: httpx.Client):
    for n in range(6):
        new_run(api, id=f"r{n}", start_time_us=n, params={"even": str(n % 2 == 0)})

    def found(**asked: Any) -> tuple[list[str], int | None]:
        page = api.post("/runs/search", json=asked).json()
        return page["runs"]["id"], page["total"]

    assert found(limit=2, skip=3, total=True) == (["r2", "r1"], 6)
    assert found(limit=2, skip=1, total=True, filter="params.even = 'True'") == (["r2", "r0"], 3)
    assert found(skip=6, total=True) == ([], 6)
    assert found(experiment_ids=[], total=True) == ([], 0)
    assert found(limit=1) == (["r5"], None)
    cursor = api.post("/runs/search", json={"limit": 1}).json()["cursor"]
    assert found(limit=1, skip=1, cursor=cursor) == (["r3"], None)


def test_times_in_a_filter_are_microseconds(api: httpx.Client):
    for n in (1, 2, 3):
        new_run(api, id=f"r{n}", start_time_us=1_700_000_000_000_000 + n)
    page = api.post("/runs/search", json={"filter": "start_time >= 1700000000000002"}).json()
    assert page["runs"]["id"] == ["r3", "r2"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"filter": "metrics.loss <"}, "filter"),
        ({"order_by": ["!"]}, "order_by"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"skip": -1}, "skip"),
        ({"limit": 50_001}, "limit"),
        ({"limit": 2000, "columns": {"tags": "*"}}, "limit"),
        ({"columns": {"metrics": 5}}, "columns.metrics"),
        ({"visible": "all"}, "visible"),
        ({"experiment_ids": ["0"]}, "experiment_ids[0]"),
    ],
)
def test_a_bad_search_is_named(api: httpx.Client, body: dict[str, Any], field: str):
    error = failure(api.post("/runs/search", json=body), 400)
    assert error["field"] == field
    assert error["message"]


def test_a_bad_filter_points_at_the_place(api: httpx.Client):
    error = failure(api.post("/runs/search", json={"filter": "params.a = 'x' OR params.b = 'y'"}), 400)
    assert (error["code"], error["position"]) == ("bad_filter", 15)


def test_workspaces_do_not_see_each_other(api: httpx.Client):
    new_run(api, id="r")
    other = {"X-Stepwell-Workspace": "w-somebody-else"}
    assert failure(api.get("/runs/r", headers=other), 404)["code"] == "not_found"
    assert failure(api.delete("/runs/r?purge=true", headers=other), 404)["code"] == "not_found"
    assert failure(api.get("/runs/r", headers={"X-Stepwell-Workspace": "a b"}), 400)["field"] == "workspace"


def test_unknown_paths_and_wrong_verbs_are_json(api: httpx.Client):
    assert failure(api.get("/nothing"), 404)["code"] == "unknown_path"
    answer = api.put("/runs/search")
    assert failure(answer, 405)["code"] == "wrong_verb"
    assert "POST" in answer.headers["allow"]
    assert failure(api.get("/experiments/first"), 400)["field"] == "experiment_id"
    assert failure(api.get("/workspaces?x=1"), 400)["field"] == "x"


def test_the_dialects_are_listed(api: httpx.Client):
    found = {each["name"]: each for each in api.get("/dialects").json()["dialects"]}
    assert {"native", "mlflow"} <= set(found)
    search = {"verb": "POST", "path": "/api/v1/runs/search", "role": "reader", "public": False}
    assert any(search.items() <= each.items() for each in found["native"]["endpoints"])
