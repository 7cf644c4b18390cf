"""Streams of lines: what is stored, what is refused, and what a bad line leaves behind."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contract.pluto.conftest import Raw

GOOD = {"time": 1000, "step": 1, "data": {"x": 1.0}}


@pytest.fixture
def project(name: Callable[[], str]) -> str:
    return name()


@pytest.fixture
def run(raw: Raw, project: str) -> int:
    return raw.create(project)


def test_every_form_of_a_number(raw: Raw, run: int, project: str) -> None:
    lines = (
        b'{"time":1,"step":0,"data":{"a":1,"b":-0.0,"c":1e-300,"d":123456789012345678901234567890,"e":null}}\n'
        b'{"time":2,"step":1,"data":{"a":NaN,"b":Infinity,"c":-Infinity}}\n'
        b'{"time":3,"step":2,"data":{"a":"NaN","b":"Infinity","c":"-Infinity"}}'
    )
    answer = raw.send("/ingest/metrics", run, lines)
    assert (answer.status_code, answer.text) == (200, "Stream processed successfully: 10 records")
    assert answer.headers["content-type"].startswith("text/plain")
    rows = {(row["logName"], row["step"]): row for row in raw.rows(run, project)}
    assert rows["a", 0]["value"] == 1
    assert math.copysign(1, rows["b", 0]["value"]) == -1
    assert rows["c", 0]["value"] == 1e-300
    assert rows["d", 0]["value"] == 123456789012345678901234567890.0
    for step in (1, 2):
        assert [rows[name, step]["valueFlag"] for name in "abc"] == ["NaN", "Inf", "-Inf"]
    assert len(rows) == 10


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b'{"time":1,"step":1,"data":{}}', "at least one value"),
        (b'{"time":1,"step":1,"data":{"x":null}}', "at least one value"),
        (b'{"time":1,"step":1,"data":{"x":true}}', "bool"),
        (b'{"time":1,"step":1,"data":{"x":"1.5"}}', "data.x"),
        (b'{"time":1,"step":1,"data":{"x":{}}}', "object"),
        (b'{"time":1,"step":1,"data":{"x":[1]}}', "array"),
        (b'{"time":1,"step":1,"data":{"":1}}', "blank"),
        (b'{"time":1,"step":1,"data":{" ":1}}', "blank"),
        (b'{"time":1,"step":1,"data":{"x":1},"more":1}', "more"),
        (b'{"time":1,"step":1}', "data"),
        (b'{"step":1,"data":{"x":1}}', "time"),
        (b'{"time":1,"data":{"x":1}}', "step"),
        (b'{"time":-1,"step":1,"data":{"x":1}}', "time"),
        (b'{"time":1.5,"step":1,"data":{"x":1}}', "time"),
        (b'{"time":9223372036854776,"step":1,"data":{"x":1}}', "time"),
        (b'{"time":1,"step":-1,"data":{"x":1}}', "step"),
        (b'{"time":1,"step":9223372036854775808,"data":{"x":1}}', "step"),
        (b'{"time":1,"step":1,"data":{"x":1e400}}', "range"),
        (b'{"time":1,"step":1,"data":{"x":1}', "JSON"),
        (b"[1]", "object"),
        (b"null", "object"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"time":1,"step":1,"data":{"x":nan}}', "JSON"),
        (b"[" * 100_000 + b"]" * 100_000, ""),
        (b'{"time":1,"step":1,"data":{"x":' + b"9" * 5000 + b"}}", ""),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_bad_line_keeps_what_stands_before_it(raw: Raw, run: int, project: str, bad: bytes, told: str) -> None:
    good = json.dumps(GOOD).encode()
    after = json.dumps({**GOOD, "step": 9}).encode()
    answer = raw.send("/ingest/metrics", run, b"\n".join([good, b"", b" \t\r", bad, after]))
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "PROCESSING_FAILED"
    assert answer.json()["message"].startswith("line 4: ")
    assert told in answer.json()["message"]
    assert [row["step"] for row in raw.rows(run, project)] == [1]


def test_the_limits_themselves_are_good(raw: Raw, run: int, project: str) -> None:
    name = "n" * 1024
    lines = [{"time": 9223372036854775, "step": 2**63 - 1, "data": {name: 1.5}}, {**GOOD, "data": {"ü/é ": 1}}]
    assert raw.send("/ingest/metrics", run, lines).status_code == 200
    rows = raw.rows(run, project)
    assert [(row["logName"], row["step"]) for row in rows] == [(name, 2**63 - 1), ("ü/é ", 1)]
    assert raw.send("/ingest/metrics", run, [{**GOOD, "data": {name + "n": 1}}]).status_code == 422


def test_a_long_stream_in_small_pieces(raw: Raw, run: int, project: str) -> None:
    def pieces() -> Iterator[bytes]:
        for step in range(60_000):
            line = b'{"time":%d,"step":%d,"data":{"a":%d,"b":0.5}}\n' % (step, step, step)
            yield line[:7]
            yield line[7:]

    headers = {"x-run-id": str(run), "x-project-name": project}
    answer = raw.http.post("/ingest/metrics", content=pieces(), headers=headers)
    assert (answer.status_code, answer.text) == (200, "Stream processed successfully: 120000 records")
    statistics = raw.get("/api/runs/statistics", runId=run, projectName=project).json()["metrics"]
    assert [(each["logName"], each["count"], each["last"]["value"]) for each in statistics] == [
        ("a", 60_000, 59_999),
        ("b", 60_000, 0.5),
    ]


def test_a_bad_line_far_into_a_stream(raw: Raw, run: int, project: str) -> None:
    lines = b"".join(b'{"time":1,"step":%d,"data":{"a":1}}\n' % step for step in range(50_000))
    answer = raw.send("/ingest/metrics", run, lines + b"{}\n" + lines.replace(b'"a"', b'"b"'))
    assert answer.json()["message"].startswith("line 50001: ")
    statistics = raw.get("/api/runs/statistics", runId=run, projectName=project).json()["metrics"]
    assert [(each["logName"], each["count"]) for each in statistics] == [("a", 50_000)]


def test_a_line_that_never_ends(raw: Raw, run: int, project: str) -> None:
    start = json.dumps(GOOD).encode() + b"\n"
    answer = raw.send("/ingest/data", run, start + b"x" * (34 << 20))
    assert answer.status_code == 422
    answer = raw.send("/ingest/metrics", run, start + b" " * (34 << 20))
    assert answer.status_code == 422
    assert "line" in answer.json()["message"]
    assert [row["step"] for row in raw.rows(run, project)] == [1]


@pytest.mark.parametrize("path", ["/ingest/metrics", "/ingest/logs", "/ingest/data"])
def test_a_run_that_is_not_there(raw: Raw, path: str) -> None:
    answer = raw.send(path, 2**40, [GOOD])
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("text", ["", "None", "-1", "1.5", "9" * 30, "１"])
@pytest.mark.parametrize("path", ["/ingest/metrics", "/files", "/step"])
def test_a_run_id_that_is_none(raw: Raw, path: str, text: str) -> None:
    headers = {b"x-run-id": text.encode(), b"x-project-name": b"p"}
    answer = raw.http.post(path, content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_HEADER_FORMAT")


def test_headers_that_are_missing(raw: Raw, run: int) -> None:
    line = json.dumps(GOOD).encode()
    for headers in ({}, {"x-run-id": str(run)}, {"x-project-name": "p"}):
        assert raw.http.post("/ingest/metrics", content=line, headers=headers).status_code == 400


def test_the_same_again_is_stored_once(raw: Raw, run: int, project: str) -> None:
    for _ in range(3):
        assert raw.send("/ingest/metrics", run, [GOOD, GOOD]).status_code == 200
        lines = [{"time": 5, "message": "said", "lineNumber": 1, "logType": "INFO"}]
        assert raw.send("/ingest/logs", run, lines).status_code == 200
    rows = raw.get("/api/runs/metrics/raw", runId=run, projectName=project, logName="x").json()["rows"]
    assert len(rows) == 1
    assert raw.get("/api/runs/logs", runId=run, projectName=project).json()["total"] == 1


def test_console_lines(raw: Raw, run: int, project: str) -> None:
    lines: list[dict[str, Any]] = [
        {"time": 3000, "message": "two", "lineNumber": 2, "logType": "INFO"},
        {"time": 1000, "message": "one", "lineNumber": 1, "logType": "INFO"},
        {"time": 2000, "message": "", "lineNumber": 1, "logType": "ERROR"},
        {"time": 4000, "message": "one again", "lineNumber": 1, "logType": "INFO"},
        {"time": 5000, "message": "zero", "lineNumber": 0, "logType": None},
    ]
    assert raw.send("/ingest/logs", run, lines).text == "Stream processed successfully: 5 records"
    found = raw.get("/api/runs/logs", runId=run, projectName=project).json()
    assert [(each["lineNumber"], each["message"]) for each in found["logs"]] == [
        (0, "zero"),
        (1, "one"),
        (1, ""),
        (1, "one again"),
        (2, "two"),
    ]
    assert found["total"] == 5
    assert found["logs"][1]["time"] == "1970-01-01 00:00:01.000"
    page = raw.get("/api/runs/logs", runId=run, projectName=project, logType="INFO", limit=2, offset=1).json()
    assert [each["message"] for each in page["logs"]] == ["one", "one again"]
    assert page["total"] == 4
    assert raw.get("/api/runs/logs", runId=run, projectName="another").json() == {"logs": [], "total": 0}
    assert raw.get("/api/runs/logs", runId=run, projectName=project, logType="LOUD").status_code == 400


def test_lines_of_another_kind_that_are_bad(raw: Raw, run: int) -> None:
    good = {"time": 1, "data": "{}", "step": 1, "dataType": "TABLE", "logName": "t"}
    for missing in ("time", "data", "dataType", "logName"):
        bad = {key: value for key, value in good.items() if key != missing}
        answer = raw.send("/ingest/data", run, [good, bad])
        assert answer.status_code == 422
        assert missing in answer.json()["message"]
    for blank in ("dataType", "logName"):
        assert raw.send("/ingest/data", run, [{**good, blank: " "}]).status_code == 422
    for missing in ("time", "message", "lineNumber"):
        line = {"time": 1, "message": "m", "lineNumber": 1, "logType": "INFO"}
        del line[missing]
        assert raw.send("/ingest/logs", run, [line]).status_code == 422
    assert raw.send("/ingest/data", run, [{**good, "step": None}]).status_code == 200


def test_the_greatest_step(raw: Raw, run: int, project: str) -> None:
    headers = {"x-run-id": str(run), "x-project-name": project}
    assert raw.http.post("/step", headers=headers).json() == {"step": 0}
    raw.log(run, {3: {"x": 1}, 12: {"y": 1}})
    assert raw.http.post("/step", headers=headers).json() == {"step": 12}
