"""Whatever is wrong with a request: the right status, MLflow's shape of an error, nothing stored, a living server."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from serving import Server

BODY_LIMIT = 16 << 20
GOOD: dict[str, Any] = {"key": "k", "value": 1.0, "timestamp": 1, "step": 0}


@pytest.fixture
def run_id(raw: Any) -> Iterator[str]:
    """A run with something in it, which must be the same afterwards."""
    run_id = raw.new_run()
    raw.post("runs/log-batch", run_id=run_id, metrics=[GOOD], params=[{"key": "p", "value": "1"}])
    before = facts(raw, run_id)
    yield run_id
    assert facts(raw, run_id) == before, "something was stored"
    assert raw.get("/health").text == "OK"


def facts(raw: Any, run_id: str) -> Any:
    return raw.run(run_id), raw.history(run_id, "k")


def refused(answer: httpx.Response, status: int = 400, code: str = "INVALID_PARAMETER_VALUE") -> str:
    """The message of an error in MLflow's shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"error_code", "message"}
    assert body["error_code"] == code
    message: str = body["message"]
    assert message
    assert "Traceback" not in message
    return message


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1 column 1"),
        (b'{"run_id":', "line 1 column 11"),
        (b'{"run_id": "a" "b"}', "line 1 column 16"),
        (b"[]", "JSON object"),
        (b"null", "JSON object"),
        (b"5", "JSON object"),
        (b'{"run_id":"\xff"}', "UTF-8"),
        (b"[" * 100_000, "levels"),
        (b'{"run_id":"r","x":' + b"[" * 100 + b"]" * 100 + b"}", "levels"),
        (b'{"a":' * 100_000, "levels"),
        (b"\x00\x01", "line 1 column 1"),
    ],
)
@pytest.mark.parametrize("endpoint", ["runs/log-metric", "runs/log-batch", "runs/search", "experiments/create"])
def test_malformed_bodies(raw: Any, run_id: str, endpoint: str, content: bytes, words: str) -> None:
    assert words in refused(raw.send(endpoint, content))


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_body_must_say_that_it_is_json(raw: Any, run_id: str, content_type: str) -> None:
    body = json.dumps({"run_id": run_id, **GOOD, "value": 9})
    assert "Content-Type" in refused(raw.send("runs/log-metric", body, content_type))


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("timestamp", "12.5"),
        ("timestamp", '"foo"'),
        ("timestamp", "true"),
        ("timestamp", "-1"),
        ("timestamp", "9223372036854776"),
        ("timestamp", "9223372036854775808"),
        ("timestamp", "NaN"),
        ("timestamp", "[]"),
        ("step", "9223372036854775808"),
        ("step", "-9223372036854775809"),
        ("step", "1e400"),
        ("step", '"x"'),
        ("value", "1e400"),
        ("value", "-1e400"),
        ("value", '"abc"'),
        ("value", "null"),
        ("value", "{}"),
        ("value", "9" * 400),
        ("key", "5"),
        ("key", "null"),
        ("key", '""'),
        ("key", '"a@b"'),
        ("key", '"../x"'),
        ("key", '"/x"'),
        ("key", '"x/"'),
        ("key", '"a\\u0000b"'),
        ("key", '"\\ud800"'),
        ("key", f'"{"k" * 251}"'),
    ],
)
def test_a_bad_field_is_named_alone_and_in_a_batch(raw: Any, run_id: str, field: str, text: str) -> None:
    fields = {"key": '"k"', "value": "2", "timestamp": "2", "step": "2"} | {field: text}
    item = ",".join(f'"{name}":{value}' for name, value in fields.items())
    assert f"'{field}'" in refused(raw.send("runs/log-metric", f'{{"run_id":"{run_id}",{item}}}'))
    good = '{"key":"k","value":3,"timestamp":3}'
    batch = f'{{"run_id":"{run_id}","metrics":[{good},{{{item}}},{good}],"params":[{{"key":"q","value":"1"}}]}}'
    assert f"'metrics[1].{field}'" in refused(raw.send("runs/log-batch", batch))


@pytest.mark.parametrize(
    ("endpoint", "body", "field"),
    [
        ("runs/log-metric", GOOD, "run_id"),
        ("runs/log-metric", GOOD | {"run_id": 31}, "run_id"),
        ("runs/log-batch", {"metrics": []}, "run_id"),
        ("runs/log-batch", {"run_id": "r", "metrics": "x"}, "metrics"),
        ("runs/log-batch", {"run_id": "r", "params": [{"value": "1"}]}, "params[0].key"),
        ("runs/log-batch", {"run_id": "r", "params": [{"key": "a@b", "value": "1"}]}, "params[0].key"),
        ("runs/log-batch", {"run_id": "r", "tags": [{"key": "a", "value": 1}]}, "tags[0].value"),
        ("runs/log-parameter", {"run_id": "r", "key": "a", "value": 5}, "value"),
        ("runs/set-tag", {"run_id": "r", "value": "5"}, "key"),
        ("runs/create", {"start_time": "soon"}, "start_time"),
        ("runs/create", {"start_time": -5}, "start_time"),
        ("runs/update", {"run_id": "r", "end_time": 2**63}, "end_time"),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 0}, "max_results"),
        ("runs/search", {"experiment_ids": ["0"], "max_results": 50_001}, "max_results"),
        ("runs/search", {"experiment_ids": ["0"], "run_view_type": "SOME"}, "run_view_type"),
        ("runs/search", {"experiment_ids": "0"}, "experiment_ids"),
        ("experiments/create", {}, "name"),
        ("experiments/create", {"name": 123}, "name"),
        ("experiments/create", {"name": "x" * 501}, "name"),
        ("experiments/search", {}, "max_results"),
        ("experiments/update", {"experiment_id": "0"}, "new_name"),
    ],
)
def test_other_bad_fields_are_named(raw: Any, run_id: str, endpoint: str, body: dict[str, Any], field: str) -> None:
    assert f"'{field}'" in refused(raw.post(endpoint, body))


def test_too_much_in_a_batch(raw: Any, run_id: str) -> None:
    metrics = [GOOD | {"step": i} for i in range(1001)]
    pairs = [{"key": f"p{i}", "value": "1"} for i in range(101)]
    for body, words in [
        ({"metrics": metrics}, "1000 metrics"),
        ({"params": pairs}, "100 params"),
        ({"tags": pairs}, "100 tags"),
        ({"metrics": metrics[:901], "params": pairs[:50], "tags": pairs[:50]}, "1000 metrics, params, and tags"),
        ({"params": [pairs[0], pairs[0]]}, "Duplicate"),
    ]:
        assert words in refused(raw.post("runs/log-batch", {"run_id": run_id, **body}))


def test_a_conflicting_param(raw: Any, run_id: str) -> None:
    refused(raw.post("runs/log-parameter", run_id=run_id, key="p", value="2"))
    metrics = [GOOD | {"step": 5}]
    params = [{"key": "q", "value": "1"}, {"key": "p", "value": "2"}]
    message = refused(raw.post("runs/log-batch", run_id=run_id, metrics=metrics, params=params))
    assert "p" in message


# --- things that are not there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", ["0" * 32, "no such", "../..", "x" * 5000, "ü"])
def test_unknown_runs(raw: Any, run_id: str, unknown: str) -> None:
    for endpoint, body in [
        ("runs/log-metric", GOOD),
        ("runs/log-batch", {"metrics": [GOOD]}),
        ("runs/log-batch", {}),
        ("runs/log-parameter", {"key": "p", "value": "1"}),
        ("runs/set-tag", {"key": "p", "value": "1"}),
        ("runs/delete-tag", {"key": "p"}),
        ("runs/update", {"status": "FAILED"}),
        ("runs/delete", {}),
        ("runs/restore", {}),
    ]:
        refused(raw.post(endpoint, {"run_id": unknown, **body}), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(raw.get("runs/get", run_id=unknown), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(raw.get("artifacts/list", run_id=unknown), 404, "RESOURCE_DOES_NOT_EXIST")


def test_unknown_experiments(raw: Any, run_id: str) -> None:
    unknown = "987654321"
    for endpoint, body in [
        ("runs/create", {}),
        ("experiments/delete", {}),
        ("experiments/restore", {}),
        ("experiments/update", {"new_name": "x"}),
        ("experiments/set-experiment-tag", {"key": "k", "value": "v"}),
    ]:
        refused(raw.post(endpoint, {"experiment_id": unknown, **body}), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(raw.get("experiments/get", experiment_id=unknown), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(raw.get("experiments/get-by-name", experiment_name=unknown), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(raw.get("experiments/get", experiment_id="abc"))
    refused(raw.get("experiments/get"))


def test_a_deleted_run_takes_nothing(raw: Any) -> None:
    run_id = raw.new_run()
    raw.post("runs/delete", run_id=run_id)
    before = facts(raw, run_id)
    for endpoint, body in [
        ("runs/log-metric", GOOD),
        ("runs/log-batch", {"metrics": [GOOD]}),
        ("runs/log-parameter", {"key": "p", "value": "1"}),
        ("runs/set-tag", {"key": "p", "value": "1"}),
        ("runs/update", {"status": "FAILED"}),
    ]:
        assert "deleted" in refused(raw.post(endpoint, {"run_id": run_id, **body}))
    assert facts(raw, run_id) == before


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/nope",
        "/api/2.0/preview/mlflow/runs/get",
        "/api/3.0/mlflow/nope",
        "/ajax-api/2.0/mlflow/nope",
        "/api/2.0/mlflow/runs/get/more",
        "/api/2.0/mlflow/",
        "/api/2.0",
        "/api/2.0/mlflow/metrics/get-history-bulk",
        "/version/more",
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_unknown_paths_answer_json(raw: Any, run_id: str, verb: str, path: str) -> None:
    refused(raw.http.request(verb, path), 404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("GET", "/api/2.0/mlflow/runs/log-metric", "POST"),
        ("POST", "/api/2.0/mlflow/runs/get", "GET, HEAD"),
        ("PATCH", "/api/2.0/mlflow/runs/update", "POST"),
        ("POST", "/api/2.0/mlflow-artifacts/artifacts/x", "DELETE, GET, HEAD, PUT"),
        ("DELETE", "/health", "GET, HEAD"),
    ],
)
def test_wrong_verbs_answer_json(raw: Any, run_id: str, verb: str, path: str, allowed: str) -> None:
    answer = raw.http.request(verb, path)
    refused(answer, 405, "BAD_REQUEST")
    assert answer.headers["allow"] == allowed


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["garbage!!", "zzz", "eyJvZmZzZXQiOiAyfQ==", "e30=", "ü", "x" * 20_000])
def test_bad_page_tokens(raw: Any, run_id: str, token: str) -> None:
    for answer in (
        raw.get("metrics/get-history", run_id=run_id, metric_key="k", max_results=1, page_token=token),
        raw.get("metrics/get-history", run_id=run_id, metric_key="k", page_token=token),
        raw.post("runs/search", experiment_ids=["0"], page_token=token),
        raw.post("experiments/search", max_results=5, page_token=token),
    ):
        assert "page_token" in refused(answer)


def test_a_token_of_another_history(raw: Any) -> None:
    run_id = raw.new_run()
    raw.post("runs/log-batch", run_id=run_id, metrics=[GOOD | {"step": i, "timestamp": i} for i in range(5)])
    query = {"run_id": run_id, "metric_key": "k"}
    first = raw.get("metrics/get-history", max_results=2, **query).json()
    token = first["next_page_token"]
    rest = raw.get("metrics/get-history", max_results=3, page_token=token, **query).json()
    assert [m["step"] for m in first["metrics"] + rest["metrics"]] == [0, 1, 2, 3, 4]
    assert "next_page_token" not in rest
    assert raw.get("metrics/get-history", page_token=token, **query).json() == rest
    refused(raw.get("metrics/get-history", page_token=token, run_id=run_id, metric_key="other"))
    refused(raw.get("metrics/get-history", page_token=token, run_id=raw.new_run(), metric_key="k"))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("metrics/get-history", {"max_results": 0}),
        ("metrics/get-history", {"max_results": -1}),
        ("metrics/get-history", {"max_results": "abc"}),
        ("metrics/get-history", {"metric_key": ""}),
        ("metrics/get-history", {"run_id": ""}),
        ("/ajax-api/2.0/mlflow/metrics/get-history-bulk", {"run_id": []}),
        ("/ajax-api/2.0/mlflow/metrics/get-history-bulk", {"run_id": ["a"] * 101}),
        ("/ajax-api/2.0/mlflow/metrics/get-history-bulk", {"max_results": 0}),
        ("metrics/get-history-bulk-interval", {"run_ids": []}),
        ("metrics/get-history-bulk-interval", {"run_ids": ["a"] * 101}),
        ("metrics/get-history-bulk-interval", {"run_ids": ["a"], "max_results": 2501}),
        ("metrics/get-history-bulk-interval", {"run_ids": ["a"], "start_step": 1}),
        ("metrics/get-history-bulk-interval", {"run_ids": ["a"], "start_step": 5, "end_step": 1}),
        ("metrics/get-history-bulk-interval", {"run_ids": ["a"], "start_step": "x", "end_step": 1}),
    ],
)
def test_bad_questions(raw: Any, run_id: str, path: str, query: dict[str, Any]) -> None:
    refused(raw.get(path, **({"run_id": run_id, "metric_key": "k"} | query)))


@pytest.mark.parametrize(
    ("query", "words"),
    [("metrics.k > 1 OR params.p = '1'", "OR"), ("metrics.k >", ""), ("params.p = 5", "5"), ("x" * 100_000, "")],
)
def test_bad_filters_say_where(raw: Any, run_id: str, query: str, words: str) -> None:
    message = refused(raw.post("runs/search", experiment_ids=["0"], filter=query))
    assert words in message
    assert len(message) < 1000


# --- who asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_foreign_pages_are_refused(raw: Any, run_id: str, header: dict[str, str]) -> None:
    for answer in (
        raw.http.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}, headers=header),
        raw.http.post("/api/2.0/mlflow/runs/log-metric", json={"run_id": run_id, **GOOD, "value": 7}, headers=header),
    ):
        refused(answer, 403, "PERMISSION_DENIED")


def test_a_bad_workspace(raw: Any, run_id: str) -> None:
    for workspace in ("../x", "a b", "x" * 256, "lm"):
        headers = {"x-mlflow-workspace": workspace}
        refused(raw.http.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}, headers=headers))


# --- sizes and connections --------------------------------------------------------------------------------------------


def connection(server: Server) -> http.client.HTTPConnection:
    parts = urlsplit(server.url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_gets_its_answer(raw: Any, run_id: str, shared_server: Server, chunked: bool) -> None:
    line = connection(shared_server)
    line.putrequest("POST", "/api/2.0/mlflow/runs/log-batch")
    line.putheader("content-type", "application/json")
    piece = b" " * (1 << 20)
    pieces = 2 * BODY_LIMIT // len(piece)
    if chunked:
        line.putheader("transfer-encoding", "chunked")
    else:
        line.putheader("content-length", str(pieces * len(piece)))
    line.endheaders()
    for _ in range(pieces):
        line.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        line.send(b"0\r\n\r\n")
    answer = line.getresponse()
    body = json.loads(answer.read())
    assert (answer.status, body["error_code"]) == (413, "BAD_REQUEST")
    assert str(BODY_LIMIT) in body["message"]
    line.close()


def upload(server: Server, run_id: str, name: str) -> tuple[socket.socket, str]:
    parts = urlsplit(server.url)
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/{name}"
    line = socket.create_connection((parts.hostname, parts.port), timeout=60)
    line.sendall(f"PUT {path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: 1000\r\n\r\n".encode())
    return line, path


@pytest.mark.parametrize("end", ["half", "whole"])
def test_an_upload_that_breaks_off_leaves_nothing(raw: Any, run_id: str, shared_server: Server, end: str) -> None:
    line, path = upload(shared_server, run_id, "broken.bin")
    line.sendall(b"x" * 500)
    if end == "half":
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(65536)
        assert not answer.startswith(b"HTTP/1.1 2")
    line.close()
    refused(raw.get(path), 404, "RESOURCE_DOES_NOT_EXIST")
    assert raw.get("artifacts/list", run_id=run_id).json().get("files") is None


def test_a_slow_upload_is_taken(raw: Any, run_id: str, shared_server: Server) -> None:
    line, path = upload(shared_server, run_id, "slow.bin")
    for _ in range(10):
        line.sendall(b"y" * 100)
        time.sleep(0.05)
    assert line.recv(65536).startswith(b"HTTP/1.1 200")
    line.close()
    assert raw.get(path).content == b"y" * 1000
    raw.http.delete(path)


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fx.txt",
        "a/..%2f..%2fx",
        "%2e%2e%2fx",
        "%252e%252e%252fx",
        "%2Fetc%2Fpasswd",
        "a%5Cb",
        "a%00b",
        "a//b",
        "a/%2e/b",
    ],
)
def test_artifact_paths_that_could_leave(raw: Any, run_id: str, path: str) -> None:
    for prefix in ("", f"0/{run_id}/artifacts/"):
        url = raw.http.base_url.copy_with(raw_path=f"/api/2.0/mlflow-artifacts/artifacts/{prefix}{path}".encode())
        for verb in ("PUT", "GET", "DELETE"):
            assert refused(raw.http.request(verb, url, content=b"x" if verb == "PUT" else None)) == "Invalid path"
    assert raw.get("artifacts/list", run_id=run_id).json().get("files") is None


def test_a_slash_at_the_end_names_no_file(raw: Any, run_id: str) -> None:
    for prefix in ("", f"0/{run_id}/artifacts/"):
        for verb in ("PUT", "GET"):
            answer = raw.http.request(verb, f"/api/2.0/mlflow-artifacts/artifacts/{prefix}a/", content=b"x")
            assert refused(answer) == "Invalid path"


@pytest.mark.parametrize("path", ["../../..", "/etc", "a/../../b", "a\\b", "%2e%2e/x", "a\0b"])
def test_artifact_folders_that_could_leave(raw: Any, run_id: str, path: str) -> None:
    for answer in (
        raw.get("artifacts/list", run_id=run_id, path=path),
        raw.get("/api/2.0/mlflow-artifacts/artifacts", path=path),
        raw.get("/get-artifact", run_id=run_id, path=path),
    ):
        assert refused(answer) == "Invalid path"


# --- what is accepted though it looks bad -----------------------------------------------------------------------------


def test_bare_tokens_are_numbers(raw: Any) -> None:
    run_id = raw.new_run()
    for i, token in enumerate(["NaN", "Infinity", "-Infinity", '"0.25"', "true", "-0.0"]):
        body = f'{{"run_id":"{run_id}","key":"k","value":{token},"timestamp":"{i}","step":{i}.0}}'
        assert raw.send("runs/log-metric", body).status_code == 200
    found = [(m["value"], m["timestamp"], m["step"]) for m in raw.history(run_id, "k")]
    assert found == [("NaN", 0, 0), ("Infinity", 1, 1), ("-Infinity", 2, 2), (0.25, 3, 3), (1.0, 4, 4), (-0.0, 5, 5)]


def test_long_values_are_cut_and_a_repeat_is_no_conflict(raw: Any) -> None:
    run_id = raw.new_run()
    for _ in range(2):
        assert raw.post("runs/log-parameter", run_id=run_id, key="p", value="x" * 6001).status_code == 200
        assert raw.post("runs/set-tag", run_id=run_id, key="t", value="y" * 8001).status_code == 200
    data = raw.run(run_id)["data"]
    assert data["params"] == [{"key": "p", "value": "x" * 6000}]
    assert {"key": "t", "value": "y" * 8000} in data["tags"]
    told = raw.get(f"/api/v1/runs/{run_id}/events").text
    assert "param 'p' had 6001 characters" in told
    assert "tag 't' had 8001 characters" in told


def test_an_unknown_status_is_ignored_and_told(raw: Any) -> None:
    run_id = raw.new_run()
    answer = raw.post("runs/update", run_id=run_id, status="NOPE", end_time=99)
    assert answer.status_code == 200
    assert (answer.json()["run_info"]["status"], answer.json()["run_info"]["end_time"]) == ("RUNNING", 99)
    assert "NOPE" in raw.get(f"/api/v1/runs/{run_id}/events").text


def test_unknown_fields_and_the_older_name_of_a_run(raw: Any) -> None:
    run_id = raw.new_run()
    body = GOOD | {"run_uuid": run_id, "foo": {"bar": [1]}, "bar": "m-1"}
    assert raw.post("runs/log-metric", body).status_code == 200
    assert raw.get("runs/get", run_uuid=run_id).json()["run"]["data"]["metrics"][0]["value"] == 1.0
    assert len(raw.history(run_id, "k")) == 1
