"""What the REST interface promises and the Python client has no words for."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from contract.sap.conftest import API, IN_CLUSTER, Raw
from serving import Server


def metric(name: str = "m", value: float = 1, **fields: Any) -> dict[str, Any]:
    return {"name": name, "value": value, **fields}


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["count"] == len(found["resources"])
    return [resource["executionId"] for resource in found["resources"]]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/merge-patch+json",
        "application/json; charset=utf-8",
        "Application/Merge-Patch+JSON;charset=UTF-8",
    ],
)
def test_both_content_types(raw: Raw, content_type: str) -> None:
    for number in range(2):
        body = {"executionId": "exec", "metrics": [metric()], "tags": [{"name": f"t{number}", "value": "1"}]}
        assert raw.patch(body, content_type=content_type).status_code == 204
    (found,) = raw.find("exec")
    assert len(found["metrics"]) == 2, "metrics are added, not replaced"
    assert [tag["name"] for tag in found["tags"]] == ["t0", "t1"], "tags are set by name"


def test_every_field_of_an_answer(raw: Raw) -> None:
    label = {"name": "a", "value": "b"}
    raw.put(
        "exec",
        metrics=[metric("m", 0.5, timestamp="2021-12-03T06:23:57.575618Z", step=3, labels=[label])],
        tags=[label],
        customInfo=[label],
        createdAt="2001-01-01T00:00:00Z",
        modifiedAt="2001-01-01T00:00:00Z",
        unknown=[[["field"]]],
    )
    (found,) = raw.find("exec")
    assert found.keys() == {"executionId", "createdAt", "modifiedAt", "metrics", "tags", "customInfo"}
    assert found["createdAt"] == found["modifiedAt"] > "2026"
    assert found["metrics"] == [
        {"name": "m", "value": 0.5, "timestamp": "2021-12-03T06:23:57.575618Z", "step": 3, "labels": [label]}
    ]
    assert (found["tags"], found["customInfo"]) == ([label], [label])
    raw.put("exec", metrics=[metric()])
    (later,) = raw.find("exec")
    assert found["createdAt"] == later["createdAt"] < later["modifiedAt"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02t03:04:05z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123456Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000000Z"),
        ("2026-01-01T23:04:05.5-05:30", "2026-01-02T04:34:05.500000Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
    ],
)
def test_times(raw: Raw, given: str, stored: str) -> None:
    raw.put("exec", metrics=[metric(timestamp=given)])
    assert [m["timestamp"] for m in raw.find("exec")[0]["metrics"]] == [stored]


def test_select_leaves_out_what_it_does_not_name(raw: Raw) -> None:
    label = {"name": "a", "value": "b"}
    raw.put("exec", metrics=[metric()], tags=[label], customInfo=[label])
    base = {"executionId", "createdAt", "modifiedAt"}
    for select, parts in (
        ("metrics", {"metrics"}),
        ("tags", {"tags"}),
        ("customInfo", {"customInfo"}),
        ("tags,customInfo", {"tags", "customInfo"}),
        ("*", {"metrics", "tags", "customInfo"}),
        ("tags,*", {"metrics", "tags", "customInfo"}),
    ):
        assert raw.find("exec", **{"$select": select})[0].keys() == base | parts
    answer = raw.http.get(f"{API}?executionIds=exec&$select=tags&$select=metrics")
    assert answer.json()["resources"][0].keys() == base | {"tags", "metrics"}


def test_tag_filters(raw: Raw) -> None:
    tags = {"first": {"stage": "dev", "a b": "ü"}, "second": {"stage": "prod"}, "third": {"x": "v&a=,l#u!=e^2%"}}
    for execution_id, pairs in tags.items():
        raw.put(execution_id, tags=[{"name": name, "value": value} for name, value in pairs.items()])
    for expression, expected in {
        "stage": ["first", "second"],
        "stage=dev": ["first"],
        "stage!=dev": ["second"],
        "stage=dev,a b": ["first"],
        "stage=dev,stage=prod": [],
        "a%20b=%C3%BC": ["first"],
        "x=v%26a%3D%2Cl%23u%21%3De%5E2%25": ["third"],
        "x!=other": ["third"],
        "nobody": [],
        "stage=": [],
    }.items():
        assert ids(raw.get(tagFilters=expression)) == expected, expression
    assert ids(raw.get(tagFilters="stage", executionIds="third,second,first")) == ["second", "first"]
    assert ids(raw.get(tagFilters="stage=dev", executionIds="second")) == []


def test_paging_of_the_list(raw: Raw) -> None:
    names = [f"exec-{number}" for number in range(7)]
    for name in names:
        raw.put(name, tags=[{"name": "all", "value": "1"}])
    assert ids(raw.get(tagFilters="all")) == names
    assert ids(raw.get(tagFilters="all", **{"$top": 3})) == names[:3]
    assert ids(raw.get(tagFilters="all", **{"$top": 3, "$skip": 5})) == names[5:]
    assert ids(raw.get(tagFilters="all", **{"$top": 10000, "$skip": 7})) == []
    assert ids(raw.get(tagFilters="all", **{"$top": 0})) == []
    assert ids(raw.get(executionIds=",".join(reversed(names)), **{"$top": 2, "$skip": 1})) == ["exec-5", "exec-4"]


def test_a_filter_and_a_list_must_both_hold(raw: Raw) -> None:
    for name in ("one1", "two2"):
        raw.put(name)
    answer = raw.get(executionIds="two2,one1", **{"$filter": " executionId  in ( 'one1' , 'three' ) "})
    assert ids(answer) == ["one1"]
    assert ids(raw.get(executionIds="one1,one1")) == ["one1"]


def test_many_executions_in_one_answer(raw: Raw) -> None:
    names = [f"many-{number:03}" for number in range(230)]
    for number, name in enumerate(names):
        raw.put(
            name,
            metrics=[metric(f"m{n}", n, step=number) for n in range(number % 90)],
            tags=[{"name": "all", "value": "1"}],
            customInfo=[{"name": "number", "value": str(number)}],
        )
    found = raw.get(tagFilters="all").json()
    assert found["count"] == 230
    for number, (name, resource) in enumerate(zip(names, found["resources"], strict=True)):
        assert resource["executionId"] == name
        assert [(m["name"], m["step"]) for m in resource["metrics"]] == [(f"m{n}", number) for n in range(number % 90)]
        assert resource["customInfo"] == [{"name": "number", "value": str(number)}]


def test_the_path_of_executions_is_the_same(raw: Raw, group: str) -> None:
    assert raw.patch({"executionId": "exec", "metrics": [metric()]}, path=IN_CLUSTER).status_code == 204
    assert raw.find("exec") == raw.http.get(IN_CLUSTER, params={"executionIds": "exec"}).json()["resources"]
    assert raw.http.delete(IN_CLUSTER, params={"executionId": "exec"}).status_code == 200
    assert raw.find("exec") == []


def test_without_a_resource_group_it_is_the_default_one_or_refused(shared_server: Server) -> None:
    bare = Raw(shared_server.url, None)
    default = Raw(shared_server.url, "default")
    for header in ({}, {"AI-Resource-Group": ""}):
        inside = {"executionId": "bare-one", "tags": [{"name": "n", "value": "v"}]}
        assert bare.http.patch(IN_CLUSTER, json=inside, headers=header).status_code == 204
        assert len(default.find("bare-one")) == 1
        assert default.delete(executionId="bare-one").status_code == 200
        for verb in ("GET", "PATCH", "DELETE"):
            answer = bare.http.request(verb, API, params={"executionId": "x"}, headers=header)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "02010001")
            assert "AI-Resource-Group is missing" in answer.json()["error"]["message"]
    bare.http.close()
    default.http.close()


def test_a_metric_resource_of_another_interface(raw: Raw, group: str) -> None:
    """What is left out is what the shapes here cannot say: numbers that are none, times after the year 9999."""
    mlflow = {"X-MLFLOW-WORKSPACE": group}

    def post(path: str, **body: Any) -> Any:
        answer = raw.http.post(f"/api/2.0/mlflow/{path}", json=body, headers=mlflow)
        assert answer.status_code == 200, answer.text
        return answer.json()

    run_id = post("runs/create", experiment_id="0", start_time=1000)["run"]["info"]["run_id"]
    times = (0, 253402300799999, 253402300800000)
    for time in times:
        post("runs/log-metric", run_id=run_id, key="m", value=1.5, timestamp=time, step=-4)
    for value in ("NaN", "Infinity", "-Infinity"):
        post("runs/log-metric", run_id=run_id, key="m", value=value, timestamp=5)
    post("runs/set-tag", run_id=run_id, key="t", value="")
    (found,) = raw.find(run_id)
    assert [(m["value"], m["step"], m["timestamp"]) for m in found["metrics"]] == [
        (1.5, -4, "1970-01-01T00:00:00.000000Z"),
        (1.5, -4, "9999-12-31T23:59:59.999000Z"),
    ]
    assert {"name": "t", "value": ""} in found["tags"]

    raw.put(run_id, metrics=[metric("from here", 2)])
    history = raw.http.get(
        "/api/2.0/mlflow/metrics/get-history", params={"run_id": run_id, "metric_key": "from here"}, headers=mlflow
    )
    assert [m["value"] for m in history.json()["metrics"]] == [2]

    post("runs/delete", run_id=run_id)
    assert raw.find(run_id) == []
    refused = raw.patch({"executionId": run_id, "metrics": [metric()]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "02010409")
    post("runs/restore", run_id=run_id)
    assert len(raw.find(run_id)[0]["metrics"]) == 3
    assert raw.delete(executionId=run_id).status_code == 200


def test_unknown_paths_and_verbs_answer_in_the_vendors_shape(raw: Raw) -> None:
    for verb, path, status in (
        ("GET", "/v2/lm", 404),
        ("GET", "/v2/lm/metrics/x", 404),
        ("GET", "/v2/lm/executions", 404),
        ("POST", API, 405),
        ("PUT", API, 405),
        ("POST", IN_CLUSTER, 405),
    ):
        answer = raw.http.request(verb, path)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, f"02000{status}"), path
        assert error.keys() == {"code", "message", "requestId", "target", "details"}
        assert error["requestId"] == answer.headers["x-request-id"]
    below = raw.http.get(f"{IN_CLUSTER}/x")
    assert below.status_code == 404
    assert "requestId" not in below.text, "only that one path is SAP's"


def test_a_failed_request_leaves_nothing_behind(raw: Raw) -> None:
    label = {"name": "a", "value": "b"}
    good = {"metrics": [metric()], "tags": [label], "customInfo": [label]}
    for part, bad in (
        ("metrics", [metric(), metric(step=-1)]),
        ("tags", [label, {"name": "x"}]),
        ("customInfo", [label, {"name": "x", "value": ""}]),
    ):
        assert raw.patch({"executionId": "exec", **good, part: bad}).status_code == 400
        assert raw.find("exec") == []
    raw.put("exec", **good)
    before = raw.find("exec")
    assert raw.patch({"executionId": "exec", **good, "tags": [{"name": "a", "value": 1}]}).status_code == 400
    assert raw.find("exec") == before


def test_many_first_patches_at_once(raw: Raw) -> None:
    def send(number: int) -> int:
        body = {"executionId": "race", "metrics": [metric(step=number)], "tags": [{"name": f"t{number}", "value": "1"}]}
        return raw.patch(body).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(64))) == {204}
    (found,) = raw.find("race")
    assert sorted(m["step"] for m in found["metrics"]) == list(range(64))
    assert len(found["tags"]) == 64


def test_head_tells_the_length(raw: Raw) -> None:
    raw.put("exec", metrics=[metric()])
    head = raw.http.head(API, params={"executionIds": "exec"})
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(raw.get(executionIds="exec").content)


def test_a_large_answer_is_json_too(raw: Raw) -> None:
    for begin in range(0, 20_000, 1000):
        raw.put("large", metrics=[metric(f"m{n % 3}", n, step=n) for n in range(begin, begin + 1000)])
    raw.put("after", metrics=[metric()])
    answer = raw.get(executionIds="large,after")
    assert "content-length" not in answer.headers
    found = json.loads(answer.content)
    assert found["count"] == 2
    assert [m["step"] for m in found["resources"][0]["metrics"]] == list(range(20_000))
