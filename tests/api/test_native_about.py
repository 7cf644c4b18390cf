"""What the native API tells of a run beside its metrics, as other clients wrote it; and saved views."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving import Server


@pytest.fixture
def plain(shared_server: Server) -> Iterator[httpx.Client]:
    """The server itself, in the workspace that clients without a word for it use."""
    with httpx.Client(base_url=shared_server.url, timeout=60) as client:
        yield client


@pytest.fixture
def run(plain: httpx.Client) -> dict[str, Any]:
    made = plain.post("/api/v1/runs", json={"id": f"about-{secrets.token_hex(6)}"})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()["run"]
    return found


def test_what_happened_is_told_once_however_often_it_is_sent(plain: httpx.Client, run: dict[str, Any]) -> None:
    events = [
        {"kind": "alert", "text": "loss is NaN", "detail": '{"level": "error"}', "time_us": 1_790_000_000_000_001},
        {"kind": "note", "time_us": 1_790_000_000_000_000},
    ]
    for _ in range(2):
        answer = plain.post(f"/api/v1/runs/{run['id']}/events", json={"events": events})
        assert (answer.status_code, answer.json()) == (200, {"events": 2})
    found = plain.get(f"/api/v1/runs/{run['id']}/events").json()
    assert found == {
        "time_us": [1_790_000_000_000_000, 1_790_000_000_000_001],
        "kind": ["note", "alert"],
        "text": ["", "loss is NaN"],
        "detail": ["", '{"level": "error"}'],
    }
    missing = plain.post("/api/v1/runs/nowhere/events", json={"events": events})
    assert missing.status_code == 404
    for bad, field in [({"kind": ""}, "kind"), ({"kind": "a", "detail": "\0"}, "detail"), ({"kind": "a\0"}, "kind")]:
        refused = plain.post(f"/api/v1/runs/{run['id']}/events", json={"events": [bad]})
        assert refused.status_code == 400
        assert field in refused.json()["error"]["field"]


def say(plain: httpx.Client, run: dict[str, Any], *lines: tuple[str, int, str]) -> None:
    """Console lines, as Pluto's client sends them: (kind, number, text)."""
    body = "".join(
        json.dumps({"time": 1_790_000_000_000 + number, "message": text, "lineNumber": number, "logType": kind}) + "\n"
        for kind, number, text in lines
    )
    headers = {
        "x-run-id": str(run["key"]),
        "x-project-name": "Default",
        "content-type": "application/x-ndjson",
    }
    answer = plain.post("/ingest/logs", content=body, headers=headers)
    assert answer.status_code == 200, answer.text


def test_console_lines_come_in_pages_and_a_stream_is_followed(plain: httpx.Client, run: dict[str, Any]):
    logs = f"/api/v1/runs/{run['id']}/logs"
    assert plain.get(logs).json() == {
        "lines": {"stream": [], "line": [], "time_us": [], "level": [], "text": []},
        "cursor": None,
    }
    assert plain.get(f"{logs}/streams").json() == {"streams": []}
    say(plain, run, *(("INFO", number, f"line {number}") for number in range(1, 6)), ("ERROR", 1, "<b>bad</b>"))
    streams = plain.get(f"{logs}/streams").json()["streams"]
    assert len(streams) == len(set(streams)) >= 1
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = plain.get(logs, params={"limit": 2, "cursor": cursor}).json()
        assert len(page["lines"]["text"]) <= 2
        seen += page["lines"]["text"]
        cursor = page["cursor"]
    assert [text for text in seen if text != "<b>bad</b>"] == [f"line {number}" for number in range(1, 6)]
    assert len(seen) == 6
    last = streams[-1]
    page = plain.get(logs, params={"stream": last}).json()
    again = plain.get(logs, params={"stream": last, "cursor": page["cursor"]}).json()
    assert again["lines"]["text"] == []
    say(plain, run, ("INFO", 6, "later"), ("ERROR", 6, "later"))
    more = plain.get(logs, params={"stream": last, "cursor": again["cursor"]}).json()
    assert more["lines"]["text"] == ["later"]


def test_the_newest_lines_of_a_stream_are_followed(plain: httpx.Client, run: dict[str, Any]):
    logs = f"/api/v1/runs/{run['id']}/logs"
    nothing = plain.get(logs, params={"stream": "out", "newest": "true"}).json()
    assert (nothing["lines"]["text"], nothing["cursor"], nothing["earlier"]) == ([], None, False)
    said = [{"stream": "out", "line": number, "text": f"line {number}"} for number in range(5)]
    assert plain.post(logs, json={"lines": said}).status_code == 200
    page = plain.get(logs, params={"stream": "out", "newest": "true", "limit": 2}).json()
    assert (page["lines"]["text"], page["earlier"]) == (["line 3", "line 4"], True)
    assert plain.get(logs, params={"stream": "out", "newest": "true", "limit": 5}).json()["earlier"] is False
    plain.post(logs, json={"lines": [{"stream": "out", "line": 5, "text": "later"}]})
    more = plain.get(logs, params={"stream": "out", "cursor": page["cursor"]}).json()
    assert more["lines"]["text"] == ["later"]
    for wrong in ({}, {"stream": "out", "cursor": page["cursor"]}):
        refused = plain.get(logs, params={"newest": "true", **wrong})
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, "newest")
    assert plain.get("/api/v1/runs/nobody/logs", params={"stream": "out", "newest": "true"}).status_code == 404


def test_console_lines_are_read_backwards(plain: httpx.Client, run: dict[str, Any]) -> None:
    """Page by page, while others are written; the cursor of any page leads on and back from its place."""
    logs = f"/api/v1/runs/{run['id']}/logs"
    said = [{"stream": "out", "line": number, "text": f"line {number}"} for number in (0, 1, 3, 7, 2**32 - 1)]
    assert plain.post(logs, json={"lines": said[:4]}).status_code == 200
    page = plain.get(logs, params={"stream": "out", "newest": "true", "limit": 1}).json()
    plain.post(logs, json={"lines": said[4:]})
    back = plain.get(logs, params={"stream": "out", "before": page["before"], "limit": 2}).json()
    assert (back["lines"]["line"], back["earlier"]) == ([1, 3], True)
    first = plain.get(logs, params={"stream": "out", "before": back["before"], "limit": 2}).json()
    assert (first["lines"]["line"], first["earlier"], first.get("before")) == ([0], False, None)
    on = plain.get(logs, params={"stream": "out", "cursor": first["cursor"]}).json()
    assert on["lines"]["line"] == [1, 3, 7, 2**32 - 1]
    again = plain.get(logs, params={"stream": "out", "before": back["cursor"]}).json()
    assert again["lines"]["line"] == [0, 1, 3]
    for wrong in ({"stream": "err"}, {"stream": "out", "cursor": page["cursor"]}, {}):
        refused = plain.get(logs, params={"before": page["before"], **wrong})
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, "before")


def test_console_lines_are_written_and_replaced(plain: httpx.Client, run: dict[str, Any]) -> None:
    logs = f"/api/v1/runs/{run['id']}/logs"
    first: dict[str, Any] = {"stream": "worker-1/stdout", "line": 0, "text": "10 %", "time_us": 1_790_000_000_000_000}
    lines = [first, {**first, "line": 2**32 - 1, "text": "", "level": "ERROR"}]
    for _ in range(2):
        answer = plain.post(logs, json={"lines": lines})
        assert (answer.status_code, answer.json()) == (200, {"lines": 2})
    assert plain.post(logs, json={"lines": [{**first, "text": "20 %"}]}).json() == {"lines": 1}
    assert plain.get(logs).json()["lines"] == {
        "stream": ["worker-1/stdout"] * 2,
        "line": [0, 2**32 - 1],
        "time_us": [1_790_000_000_000_000] * 2,
        "level": ["", "ERROR"],
        "text": ["20 %", ""],
    }
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"stream": ""}, "lines[0].stream"),
        ({"stream": "x" * 1025}, "lines[0].stream"),
        ({"line": -1}, "lines[0].line"),
        ({"line": 2**32}, "lines[0].line"),
        ({"text": "a\0"}, "lines[0].text"),
        ({"level": "x" * 1025}, "lines[0].level"),
    ]
    for bad, field in refusals:
        refused = plain.post(logs, json={"lines": [{**first, **bad}]})
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, field)
    assert plain.post(logs, json={"lines": [first] * 10_001}).status_code == 400
    assert plain.post("/api/v1/runs/nobody/logs", json={"lines": [first]}).status_code == 404
    plain.delete(f"/api/v1/runs/{run['id']}")
    assert plain.post(logs, json={"lines": [first]}).status_code == 409


def test_custom_info_is_set_and_read_by_name(plain: httpx.Client, run: dict[str, Any]) -> None:
    place = f"/api/v1/runs/{run['id']}"
    info = f"{place}/custom-info"
    assert plain.get(info).json() == {"custom_info": {}}
    long = "x" * (5 << 20)
    for path, method, texts in (
        ("", "PATCH", {"matrix": "[[1, 2], [3, 4]]", "ä b": ""}),
        ("/points", "POST", {"long": long, "ä b": "new"}),
    ):
        answer = plain.request(method, place + path, json={"set_custom_info": texts})
        assert answer.status_code == 200, answer.text
    assert plain.get(info, params={"name": ["matrix", "ä b", "none"]}).json() == {
        "custom_info": {"matrix": "[[1, 2], [3, 4]]", "ä b": "new"}
    }
    assert plain.get(info).json()["custom_info"]["long"] == long
    assert plain.patch(place, json={"set_custom_info": {"long": long}}).status_code == 413
    for bad in ({"": "x"}, {"x" * 1025: "x"}, {"a": "\0"}):
        refused = plain.patch(place, json={"set_custom_info": bad})
        assert refused.status_code == 400
        assert refused.json()["error"]["field"].startswith("custom_info")
    assert plain.get("/api/v1/runs/nobody/custom-info").status_code == 404


def test_lines_of_no_run_and_cursors_of_others_are_refused(plain: httpx.Client, run: dict[str, Any]):
    assert plain.get("/api/v1/runs/nobody/logs").status_code == 404
    assert plain.get("/api/v1/runs/nobody/logs/streams").status_code == 404
    assert plain.get("/api/v1/runs/nobody/lineage").status_code == 404
    logs = f"/api/v1/runs/{run['id']}/logs"
    say(plain, run, ("INFO", 1, "a"), ("INFO", 2, "b"))
    cursor = plain.get(logs, params={"limit": 1}).json()["cursor"]
    answer = plain.get(logs, params={"stream": "x", "cursor": cursor})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "cursor")
    assert plain.get(logs, params={"limit": 10_001}).status_code == 400


def test_what_a_run_used_and_made(plain: httpx.Client, run: dict[str, Any]):
    lineage = f"/api/v1/runs/{run['id']}/lineage"
    assert plain.get(lineage).json() == {"datasets": [], "models_used": [], "models_made": []}
    data = {"name": "digits", "digest": "abc", "source_type": "local", "source": "{}", "schema": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    mlflow = "/api/2.0/mlflow"
    used = plain.post(
        f"{mlflow}/runs/log-inputs", json={"run_id": run["id"], "datasets": [{"dataset": data, "tags": tags}]}
    )
    assert used.status_code == 200, used.text
    made = plain.post(f"{mlflow}/logged-models", json={"experiment_id": "0", "name": "net", "source_run_id": run["id"]})
    assert made.status_code == 200, made.text
    model = made.json()["model"]["info"]["model_id"]
    outputs = {"run_id": run["id"], "models": [{"model_id": model, "step": 7}, {"model_id": "m-unknown", "step": 1}]}
    assert plain.post(f"{mlflow}/runs/outputs", json=outputs).status_code == 200
    told = plain.get(lineage).json()
    (dataset,) = told["datasets"]
    assert (dataset["name"], dataset["digest"], dataset["context"]) == ("digits", "abc", "training")
    assert {each["id"]: (each["step"], each["name"]) for each in told["models_made"]} == {
        model: (7, "net"),
        "m-unknown": (1, None),
    }


def test_names_are_listed_and_searched(api: httpx.Client):
    new = {"id": secrets.token_hex(8), "params": {"lr": "1", "Layers": "2"}, "tags": {"team": "a"}}
    run = api.post("/runs", json=new).json()["run"]["id"]
    series = [{"metric": name, "steps": [0], "values": [1.0]} for name in ("val/loss", "train/loss", "acc")]
    assert api.post(f"/runs/{run}/points", json={"series": series}).status_code == 200
    assert api.get("/names", params={"kind": "metrics"}).json() == {
        "names": ["acc", "train/loss", "val/loss"],
        "more": False,
    }
    assert api.get("/names", params={"kind": "metrics", "contains": "LOSS", "limit": 1}).json() == {
        "names": ["train/loss"],
        "more": True,
    }
    assert api.get("/names", params={"kind": "params", "contains": "l"}).json()["names"] == ["Layers", "lr"]
    assert api.get("/names", params={"kind": "tags", "experiment_id": 7}).json()["names"] == []
    assert api.get("/names", params={"kind": "other"}).status_code == 400


def test_views_are_kept_replaced_and_forgotten(api: httpx.Client):
    assert api.get("/views").json() == {"views": []}
    saved = api.put("/views/mine%2F1", json={"address": "#/charts?filter=a"}).json()
    assert (saved["name"], saved["address"]) == ("mine/1", "#/charts?filter=a")
    api.put("/views/also", json={"address": "#/runs"})
    assert api.put("/views/mine%2F1", json={"address": "#/runs?x=1"}).status_code == 200
    assert [(each["name"], each["address"]) for each in api.get("/views").json()["views"]] == [
        ("also", "#/runs"),
        ("mine/1", "#/runs?x=1"),
    ]
    assert api.delete("/views/also").json() == {"removed": 1}
    assert api.delete("/views/also").status_code == 404
    assert len(api.get("/views").json()["views"]) == 1


def test_a_view_has_limits(api: httpx.Client):
    long = api.put("/views/v", json={"address": "x" * 65_537})
    assert (long.status_code, long.json()["error"]["field"]) == (400, "address")
    assert api.put("/views/" + "n" * 256, json={"address": "x"}).json()["error"]["field"] == "name"
    assert api.put("/views/v", json={}).status_code == 400


def test_views_of_another_workspace_are_not_seen(api: httpx.Client, plain: httpx.Client):
    name = secrets.token_hex(6)
    api.put(f"/views/{name}", json={"address": "#/"})
    assert name not in [each["name"] for each in plain.get("/api/v1/views").json()["views"]]
