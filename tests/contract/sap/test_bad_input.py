"""Every field missing, of the wrong type, empty, at its limit and one over; and bodies that are no metric resource."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from contract.sap.conftest import API, Raw
from serving import Server

GOOD: dict[str, Any] = {
    "executionId": "exec",
    "metrics": [
        {
            "name": "m",
            "value": 0.5,
            "timestamp": "2026-01-02T03:04:05Z",
            "step": 1,
            "labels": [{"name": "l", "value": "v"}],
        }
    ],
    "tags": [{"name": "t", "value": "v"}],
    "customInfo": [{"name": "c", "value": "v"}],
}
MISSING = object()
NAME = "n" * 256


def changed(path: str, value: Any) -> str:
    """The good resource with another value at one place, as JSON text."""
    body = json.loads(json.dumps(GOOD))
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = body
    for part in way:
        place = place[part]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return json.dumps(body, ensure_ascii=False)


def refused(answer: httpx.Response, field: str = "") -> None:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "requestId", "target", "details"}
    assert (error["code"], error["target"]) == ("02010001", "/metrics")
    assert error["details"] == [{"code": "02010001", "message": error["message"]}]
    assert field in error["message"], error["message"]


def said(path: str) -> str:
    """A place as the errors write it: metrics[0].labels[0].name"""
    return ".".join(f"[{part}]" if part.isdigit() else part for part in path.split(".")).replace(".[", "[")


def test_the_good_resource_is_good(raw: Raw) -> None:
    assert raw.patch(GOOD).status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        "executionId",
        "metrics.0.name",
        "metrics.0.value",
        "metrics.0.labels.0.name",
        "metrics.0.labels.0.value",
        "tags.0.name",
        "tags.0.value",
        "customInfo.0.name",
        "customInfo.0.value",
    ],
)
def test_required_fields(raw: Raw, path: str) -> None:
    refused(raw.patch(changed(path, MISSING)), f"{said(path)} is missing")
    number = path == "metrics.0.value"
    types: list[Any] = [None, True, [], {}, *(["1", ""] if number else [1, 1.5, ""])]
    for wrong in types:
        refused(raw.patch(changed(path, wrong)), said(path))
    assert raw.find("exec") == []


@pytest.mark.parametrize("path", ["metrics.0.timestamp", "metrics.0.step", "metrics.0.labels", "metrics", "tags"])
def test_optional_fields(raw: Raw, path: str) -> None:
    assert raw.patch(changed(path, MISSING)).status_code == 204
    for wrong in ("x", True, {}, {"a": 1}, "", 1.5):
        refused(raw.patch(changed(path, wrong)), said(path))
    if path in ("metrics.0.timestamp", "metrics.0.step"):
        assert raw.patch(changed(path, None)).status_code == 204
    else:
        assert raw.patch(changed(path, [])).status_code == 204
        items: list[Any] = [None, 1, "x", [], [{}]]
        for wrong_item in items:
            refused(raw.patch(changed(path, [wrong_item])), f"{said(path)}[0]")


@pytest.mark.parametrize(
    "path",
    [
        "metrics.0.name",
        "metrics.0.labels.0.name",
        "metrics.0.labels.0.value",
        "tags.0.name",
        "tags.0.value",
        "customInfo.0.name",
    ],
)
@pytest.mark.parametrize("letter", ["n", "ü", "😀"])
def test_names_and_values_up_to_256_characters(raw: Raw, path: str, letter: str) -> None:
    text = "w" + letter * 255
    assert raw.patch(changed(path, text)).status_code == 204
    refused(raw.patch(changed(path, text + letter)), f"{said(path)} has 257 characters; the limit is 256")
    assert text in raw.get(executionIds="exec").text


@pytest.mark.parametrize("name", ["Error Rate", "(Val) Fold R2", "-", "_", "损失", "9", "a" * 65, "a/b", '"quoted" \\'])
def test_metric_names_need_one_letter_digit_or_dash(raw: Raw, name: str) -> None:
    assert raw.patch(changed("metrics.0.name", name)).status_code == 204
    assert [m["name"] for m in raw.find("exec")[0]["metrics"]] == [name]


@pytest.mark.parametrize("name", [" ", "!!!", "()", "😀", "\t", "a\0b"])
def test_metric_names_without_any(raw: Raw, name: str) -> None:
    refused(raw.patch(changed("metrics.0.name", name)), "metric")


@pytest.mark.parametrize("text", ["exec", "a.b-", "____", "x" * 64, "AA97b177-9383-4934-8543-0f91a7a0283a", "...."])
def test_execution_ids(raw: Raw, text: str) -> None:
    assert raw.patch(changed("executionId", text)).status_code == 204
    assert [found["executionId"] for found in raw.find(text)] == [text]
    assert raw.delete(executionId=text).json()["id"] == text


@pytest.mark.parametrize("text", ["abc", "x" * 65, "a/bc", "a bc", "äöüß", "abcd\n", "a%2Fb", "abc\0", "' or 1=1"])
def test_what_is_no_execution_id(raw: Raw, text: str) -> None:
    refused(raw.patch(changed("executionId", text)), "executionId")
    refused(raw.get(executionIds=text), "executionIds")
    refused(raw.delete(executionId=text), "executionId")


@pytest.mark.parametrize(
    "value", ["0", "-0.0", "1e308", "1e-400", "9007199254740993", "-1.7976931348623157e308", "1E+2"]
)
def test_values(raw: Raw, value: str) -> None:
    assert raw.patch(json.dumps(GOOD).replace("0.5", value)).status_code == 204
    assert [m["value"] for m in raw.find("exec")[0]["metrics"]] == [float(value)]


@pytest.mark.parametrize(
    "value", ["1e309", "-1e400", "1" + "0" * 400, "NaN", "Infinity", "-Infinity", "0x1", "1_0", ".5", "1.", "+1", "01"]
)
def test_what_is_no_value(raw: Raw, value: str) -> None:
    refused(raw.patch(json.dumps(GOOD).replace("0.5", value)))
    assert raw.find("exec") == []


@pytest.mark.parametrize(("step", "stored"), [("0", 0), ("2.0", 2), ("1e3", 1000), ("9223372036854775807", 2**63 - 1)])
def test_steps(raw: Raw, step: str, stored: int) -> None:
    assert raw.patch(json.dumps(GOOD).replace('"step": 1', f'"step": {step}')).status_code == 204
    assert [m["step"] for m in raw.find("exec")[0]["metrics"]] == [stored]


@pytest.mark.parametrize("step", ["-1", "1.5", "-0.5", "9223372036854775808", "1e19", "1" + "0" * 400, '"1"', "true"])
def test_what_is_no_step(raw: Raw, step: str) -> None:
    refused(raw.patch(json.dumps(GOOD).replace('"step": 1', f'"step": {step}')), "metrics[0].step")


@pytest.mark.parametrize(
    "time",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+02:60",
        "2026-02-29T03:04:05Z",
        "2026-13-01T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:00Z",
        "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:61Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "10000-01-01T00:00:00Z",
        "٢٠٢٦-01-02T03:04:05Z",
        " 2026-01-02T03:04:05Z",
        "1700000000",
        1700000000,
    ],
)
def test_what_is_no_time(raw: Raw, time: Any) -> None:
    refused(raw.patch(changed("metrics.0.timestamp", time)), "metrics[0].timestamp")


def many(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": f"n{number}", **({"value": "v"} | fields)} for number in range(count)]


@pytest.mark.parametrize(
    ("path", "limit", "fields"),
    [("metrics", 1000, {"value": 1}), ("metrics.0.labels", 20, {}), ("tags", 100, {}), ("customInfo", 100, {})],
)
def test_counts(raw: Raw, path: str, limit: int, fields: dict[str, Any]) -> None:
    assert raw.patch(changed(path, many(limit, **fields))).status_code == 204
    before = raw.find("exec")
    refused(
        raw.patch(changed(path, many(limit + 1, **fields))), f"{said(path)} holds {limit + 1}; the limit is {limit}"
    )
    assert raw.find("exec") == before


def test_the_largest_request_of_all(raw: Raw) -> None:
    labels = [{"name": f"{n:02}" + "ü" * 254, "value": "ü" * 256} for n in range(20)]
    metrics = [{"name": f"{n:03}" + "m" * 253, "value": n, "labels": labels} for n in range(1000)]
    info = [{"name": "n", "value": "x" * ((5 << 20) - 1)}]
    body = json.dumps(
        {"executionId": "exec", "metrics": metrics, "tags": many(100), "customInfo": info}, ensure_ascii=False
    )
    assert raw.patch(body.encode()).status_code == 204
    (found,) = raw.find("exec")
    assert (len(found["metrics"]), len(found["metrics"][999]["labels"])) == (1000, 20)
    assert found["customInfo"] == info


def too_large(answer: httpx.Response) -> None:
    assert answer.status_code == 413, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["message"], error["target"]) == ("02000005", "PayloadLimitException", "/metrics")
    assert error["details"][0]["code"] == "02000005"
    assert "the limit" in error["details"][0]["message"]
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("letter", ["x", "ü", "€"])
def test_custom_info_up_to_five_mebibytes_in_all(raw: Raw, letter: str) -> None:
    limit = 5 << 20
    size = len(letter.encode())
    half = letter * ((limit // 2 - 1) // size)
    rest = limit - 2 - len(half.encode())
    other = letter * (rest // size) + "." * (rest % size)
    good = [{"name": "a", "value": half}, {"name": "b", "value": other}]
    raw.put("exec", customInfo=good)
    assert raw.find("exec")[0]["customInfo"] == good
    too_large(raw.patch({"executionId": "exec", "customInfo": [good[0], {"name": "b", "value": other + "."}]}))
    assert raw.find("exec")[0]["customInfo"] == good


def test_bodies_up_to_32_mebibytes(raw: Raw) -> None:
    text = json.dumps({**GOOD, "unknown": ""})
    for over, status in ((0, 204), (1, 413)):
        body = text.replace('"unknown": ""', '"unknown": "' + "x" * ((32 << 20) - len(text) + over) + '"')
        answer = raw.patch(body)
        assert answer.status_code == status
        if status == 413:
            too_large(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b'{"executionId": "exec"',
        b'{"executionId": "exec"} {}',
        b'{"executionId": "exec",}',
        b"{'executionId': 'exec'}",
        b'\xef\xbb\xbf{"executionId": "exec"}',
        '{"executionId": "exec"}'.encode("utf-16"),
        b'{"executionId": "exec", "unknown": "\xff"}',
        b'{"executionId": "exec", "tags": [{"name": "\xff", "value": "v"}]}',
        b'{"executionId": "exec", "tags": [{"name": "t", "value": "\\ud800"}]}',
        b'{"executionId": "exec", "tags": [{"name": "t", "value": "\\u0000"}]}',
        b'{"executionId": "exec", "customInfo": [{"name": "t", "value": "\\u0000"}]}',
        b'{"executionId": "exec", "unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"executionId": "exec", "unknown": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_is_no_metric_resource(raw: Raw, body: bytes) -> None:
    refused(raw.patch(body))
    assert raw.find("exec") == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "*/*"])
def test_other_content_types(raw: Raw, kind: str) -> None:
    answer = raw.patch(json.dumps(GOOD), content_type=kind)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "02000415")


def test_a_label_with_two_values(raw: Raw) -> None:
    pairs = [{"name": "l", "value": "1"}, {"name": "l", "value": "2"}]
    refused(raw.patch(changed("metrics.0.labels", pairs)), "metrics[0].labels[1].value")
    assert raw.patch(changed("metrics.0.labels", [pairs[0], pairs[0]])).status_code == 204
    assert raw.find("exec")[0]["metrics"][0]["labels"] == [pairs[0]]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, "one of executionIds"),
        ({"executionId": "exec"}, "one of executionIds"),
        ({"executionIds": ""}, "executionIds"),
        ({"executionIds": "exec,"}, "executionIds"),
        ({"executionIds": ",".join(f"e-{n:03}" for n in range(11))}, "executionIds holds 11; the limit is 10"),
        ({"$filter": ""}, "$filter"),
        ({"$filter": "executionId"}, "$filter"),
        ({"$filter": "executionId ne 'exec'"}, "$filter"),
        ({"$filter": "executionId eq exec"}, "$filter"),
        ({"$filter": "executionId eq 'exec' or executionId eq 'other'"}, "$filter"),
        ({"$filter": "executionId in ()"}, "$filter"),
        ({"$filter": "executionId in ('exec'"}, "$filter"),
        ({"$filter": "executionId eq 'a''b'"}, "$filter"),
        ({"$filter": "name eq 'exec'"}, "$filter"),
        ({"$filter": "executionId in (" + ",".join(f"'e-{n:03}'" for n in range(11)) + ")"}, "$filter holds 11"),
        ({"executionIds": "exec", "$select": ""}, "$select"),
        ({"executionIds": "exec", "$select": "custominfo"}, "$select"),
        ({"executionIds": "exec", "$select": "custom info"}, "$select"),
        ({"executionIds": "exec", "$select": "metrics,"}, "$select"),
        ({"executionIds": "exec", "$select": "parameters"}, "$select"),
        ({"executionIds": "exec", "$top": "10001"}, "$top is 10001; the limit is 10000"),
        ({"executionIds": "exec", "$top": "-1"}, "$top"),
        ({"executionIds": "exec", "$top": "x"}, "$top"),
        ({"executionIds": "exec", "$top": ""}, "$top"),
        ({"executionIds": "exec", "$top": "1.0"}, "$top"),
        ({"executionIds": "exec", "$skip": "-1"}, "$skip"),
        ({"executionIds": "exec", "$skip": "9" * 30}, "$skip"),
        ({"tagFilters": ""}, "tagFilters"),
        ({"tagFilters": "a,"}, "tagFilters"),
        ({"tagFilters": "=v"}, "tagFilters"),
        ({"tagFilters": "!=v"}, "tagFilters"),
        ({"tagFilters": "a=%FF"}, "tagFilters"),
        ({"tagFilters": "a=%00"}, "tagFilters"),
        ({"tagFilters": "a" * 5001}, "tagFilters has 5001 characters; the limit is 5000"),
        ({"tagFilters": ",".join(["a"] * 101)}, "tagFilters holds 101; the limit is 100"),
    ],
)
def test_bad_questions(raw: Raw, query: dict[str, str], told: str) -> None:
    refused(raw.get(**query), told)


def test_questions_at_their_limits(raw: Raw) -> None:
    raw.put("exec")
    for query in (
        {"executionIds": ",".join(f"e-{n:03}" for n in range(10))},
        {"$filter": "executionId in (" + ",".join(f"'e-{n:03}'" for n in range(10)) + ")"},
        {"tagFilters": "a" * 5000},
        {"tagFilters": ",".join(["a"] * 100)},
        {"tagFilters": "a", "$top": "10000", "$skip": "9" * 18},
    ):
        answer = raw.get(**query)
        assert (answer.status_code, answer.json()) == (200, {"resources": [], "count": 0})


@pytest.mark.parametrize("query", [{}, {"executionId": ""}, {"executionIds": "exec"}])
def test_delete_needs_one_execution(raw: Raw, query: dict[str, str]) -> None:
    raw.put("exec")
    refused(raw.delete(**query), "executionId is missing")
    refused(raw.http.delete(f"{API}?executionId=exec&executionId=other"), "more than one")
    assert len(raw.find("exec")) == 1


@pytest.mark.parametrize("group", ["a b", "lm", "../x", "x" * 256, "-x", "ä"])
def test_resource_groups_that_name_no_workspace(shared_server: Server, group: str) -> None:
    headers = {b"AI-Resource-Group": group.encode()}
    answer = httpx.get(f"{shared_server.url}{API}", params={"executionIds": "exec"}, headers=headers, timeout=60)
    refused(answer, "AI-Resource-Group")


def test_percent_encoding_tricks_in_the_path(raw: Raw) -> None:
    for path in ("/v2/lm%2Fmetrics", "/v2/lm/metrics%00", "/v2//lm/metrics", "/v2/lm/metrics/"):
        answer = raw.http.get(raw.http.base_url.copy_with(raw_path=path.encode() + b"?executionIds=exec"))
        assert answer.status_code in (400, 404), path
    assert raw.http.get(f"{API}?executionIds=%ff").status_code == 400


def test_an_upload_that_ends_half_way_changes_nothing(raw: Raw, shared_server: Server, group: str) -> None:
    body = json.dumps(GOOD).encode()
    head = (
        f"PATCH {API} HTTP/1.1\r\nHost: 127.0.0.1\r\nAI-Resource-Group: {group}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=60) as connection:
        connection.sendall(head + body[:-1])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert raw.find("exec") == []
