"""Points through the native API of a real server: written, read, followed, bucketed, and refused."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import httpx
import pytest

RAW = "application/vnd.stepwell.buckets"
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@pytest.fixture
def run(api: httpx.Client) -> str:
    """A run's path."""
    run_id = api.post("/runs", json={}).json()["run"]["id"]
    return f"/runs/{run_id}"


def write(api: httpx.Client, run: str, steps: list[int], values: list[Any], **more: Any) -> None:
    series = {"metric": "loss", "steps": steps, "values": values, "times_us": [s * 1000 for s in steps], **more}
    answer = api.post(f"{run}/points", json={"series": [series]})
    assert answer.json() == {"points": len(steps)}, answer.text


def read(api: httpx.Client, run: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{run}/points", params={"metric": "loss", **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def failure(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def whole(column: list[float | None], marks: dict[str, Any] | None) -> list[float | None]:
    for at, word in zip(*(marks or {"at": [], "value": []}).values(), strict=True):
        column[at] = WORDS[word]
    return column


def bits(values: list[Any]) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


def test_values_come_back_bit_by_bit(api: httpx.Client, run: str):
    sent = [0.1, -0.0, 0.0, 5e-324, 1.7976931348623157e308, 1 / 3, "NaN", "Infinity", "-Infinity"]
    write(api, run, list(range(len(sent))), sent)
    page = read(api, run)
    got = whole(page["values"], page["non_finite"]["values"])
    assert bits(got) == bits([WORDS.get(value, value) for value in sent])  # type: ignore[call-overload]


def test_bare_tokens_are_read(api: httpx.Client, run: str):
    body = '{"series":[{"metric":"loss","steps":[0,1],"values":[NaN,-Infinity]}]}'
    assert api.post(f"{run}/points", content=body).json() == {"points": 2}
    assert read(api, run)["non_finite"] == {"values": {"at": [0, 1], "value": ["NaN", "-Infinity"]}}


POINTS = "application/vnd.stepwell.points"


def packed(series: list[dict[str, Any]], *columns: bytes) -> bytes:
    head = json.dumps({"series": series}).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([struct.pack("<Q", len(head)), head, *columns])


def test_points_in_the_raw_form(api: httpx.Client, run: str):
    steps, values, times = [-(2**63), 0, 2**63 - 1], [math.nan, -0.0, -math.inf], [5, 6, 7]
    series = [{"metric": "loss", "rows": 3}, {"metric": "loss", "rows": 1, "times_us": False, "labels": {"rank": "1"}}]
    columns = struct.pack("<4q", *steps, 9), struct.pack("<4d", *values, 1.5), struct.pack("<3q", *times)
    for _ in range(2):  # a repeat is stored once where the request says the times
        answer = api.post(f"{run}/points", content=packed(series, *columns), headers={"content-type": POINTS})
        assert answer.json() == {"points": 4}, answer.text
    page = read(api, run, label="")
    assert (page["steps"], page["times_us"]) == (steps, times)
    assert bits(whole(page["values"], page["non_finite"]["values"])) == bits(values)
    assert read(api, run, label="rank=1")["values"] == [1.5, 1.5]


@pytest.mark.parametrize(
    ("body", "field", "limit"),
    [
        (b"{}", None, None),
        (packed([{"metric": "m", "rows": 1}], bytes(16)), "series", None),
        (packed([{"metric": "x" * 1025, "rows": 1}], bytes(24)), "metric", 1024),
        (packed([{"metric": "m", "steps": [1]}]), "series[0].steps", None),
    ],
)
def test_a_raw_form_that_is_none(api: httpx.Client, run: str, body: bytes, field: str | None, limit: int | None):
    error = failure(api.post(f"{run}/points", content=body, headers={"content-type": POINTS}))
    assert (error["field"], error["limit"]) == (field, limit)
    assert api.get(f"{run}/series").json()["count"] == []


def test_the_ends_of_int64(api: httpx.Client, run: str):
    ends = [-(2**63), 2**63 - 1]
    write(api, run, ends, [1.0, 2.0], times_us=ends)
    page = read(api, run)
    assert (page["steps"], page["times_us"]) == (ends, ends)


def test_a_repeat_is_stored_once(api: httpx.Client, run: str):
    for _ in range(3):
        write(api, run, [1, 2, 1], [0.5, 0.25, 0.5])
    assert read(api, run)["steps"] == [1, 2]
    assert api.get(f"{run}/series").json()["count"] == [2]


def test_orders_windows_and_pages(api: httpx.Client, run: str):
    write(api, run, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], times_us=[50, 40, 30, 20, 10])
    assert read(api, run)["steps"] == [1, 2, 3, 4, 5]
    assert read(api, run, order="time")["steps"] == [5, 4, 3, 2, 1]
    assert read(api, run, min_step=2, max_step=4)["steps"] == [2, 3, 4]
    assert read(api, run, min_time_us=20, max_time_us=30)["steps"] == [3, 4]
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = read(api, run, order="time", limit=2, cursor=cursor)
        seen += page["steps"]
        cursor = page["cursor"]
    assert seen == [5, 4, 3, 2, 1]
    first = read(api, run, limit=2)["cursor"]
    assert failure(api.get(f"{run}/points?metric=loss&order=time&cursor={first}"))["field"] == "cursor"


def test_labels_tell_series_apart(api: httpx.Client, run: str):
    write(api, run, [0], [1.0], labels={"worker": "0"})
    write(api, run, [0], [2.0], labels={"worker": "1"})
    write(api, run, [0], [3.0])
    assert sorted(read(api, run)["values"]) == [1.0, 2.0, 3.0]
    assert read(api, run, label="worker=1")["values"] == [2.0]
    assert read(api, run, label="")["values"] == [3.0]
    table = api.get(f"{run}/series").json()
    assert table["labels"] == [{}, {"worker": "0"}, {"worker": "1"}]
    assert table["last_value"] == [3.0, 1.0, 2.0]
    assert api.get(run).json()["metrics"]["count"] == [3]


def test_following_a_run(api: httpx.Client, run: str):
    write(api, run, [10, 11], [1.0, 2.0])
    page = read(api, run, since="", limit=1)
    assert page["steps"] == [10]
    page = read(api, run, since=page["since"])
    assert page["steps"] == [11]
    write(api, run, [12, 5], [3.0, 4.0])  # one of them late
    page = read(api, run, since=page["since"])
    assert sorted(page["steps"]) == [5, 12]
    page = read(api, run, since=page["since"])
    assert page["steps"] == []
    write(api, run, [13], [5.0])
    assert read(api, run, since=page["since"])["steps"] == [13]


def test_following_many_series_at_once(api: httpx.Client, run: str):
    run_id = run.rpartition("/")[2]
    write(api, run, [1, 2, 3], [1.0, "NaN", 3.0])
    asked = [{"run_id": run_id, "metric": "loss", "min_step": 2}, {"run_id": "nobody", "metric": "loss"}]
    first = api.post("/deltas", json={"series": asked}).json()["series"]
    assert first[0]["points"]["steps"] == [2, 3]
    assert first[0]["points"]["non_finite"] == {"values": {"at": [0], "value": ["NaN"]}}
    assert first[1]["points"]["steps"] == []
    write(api, run, [4, 0], [4.0, 0.0])
    again = [{"run_id": run_id, "metric": "loss", "since": first[0]["since"]}]
    (second,) = api.post("/deltas", json={"series": again, "limit": 1}).json()["series"]
    assert second["more"] is True
    again[0]["since"] = second["since"]
    (third,) = api.post("/deltas", json={"series": again}).json()["series"]
    assert sorted(second["points"]["steps"] + third["points"]["steps"]) == [0, 4]
    assert third["more"] is False
    many = [{"run_id": run_id, "metric": "loss"}] * 1000
    assert failure(api.post("/deltas", json={"series": many, "limit": 1001}))["field"] == "limit"


def test_a_spike_survives_every_budget(api: httpx.Client, run: str):
    count, spike = 20_000, 13_337
    values: list[Any] = [0.0] * count
    values[spike] = 1e6
    write(api, run, list(range(count)), values)
    run_id = run.rpartition("/")[2]
    for budget in (1, 7, 800):
        body = {"series": [{"run_id": run_id, "metric": "loss"}], "budget": budget}
        (found,) = api.post("/buckets", json=body).json()["series"]
        buckets = found["buckets"]
        assert len(buckets["count"]) <= budget
        assert sum(buckets["count"]) == count
        assert max(buckets["max_value"]) == 1e6
        assert buckets["max_step"][buckets["max_value"].index(1e6)] == spike
        assert (buckets["first_step"][0], buckets["last_step"][-1]) == (0, count - 1)


def test_buckets_of_many_series(api: httpx.Client, run: str):
    write(api, run, [0, 1, 2, 3], [1.0, "Infinity", 3.0, "NaN"])
    run_id = run.rpartition("/")[2]
    query: dict[str, Any] = {"run_id": [run_id, "nobody"], "metric": ["loss", "other"], "budget": 1, "min_step": 1}
    found = api.get("/buckets", params=query).json()["series"]
    assert [(each["run_id"], each["metric"]) for each in found] == [
        (run_id, "loss"),
        (run_id, "other"),
        ("nobody", "loss"),
        ("nobody", "other"),
    ]
    buckets = found[0]["buckets"]
    assert (buckets["count"], buckets["finite_count"], buckets["min_value"]) == ([3], [1], [3.0])
    assert (buckets["nan_count"], buckets["pos_inf_count"], buckets["neg_inf_count"]) == ([1], [1], [0])
    assert buckets["non_finite"] == {
        "first_value": {"at": [0], "value": ["Infinity"]},
        "last_value": {"at": [0], "value": ["NaN"]},
    }
    assert found[1]["buckets"]["count"] == []
    chosen = api.get("/buckets", params={**query, "column": ["last_step", "mean"]}).json()["series"][0]["buckets"]
    assert chosen == {"last_step": [3], "mean": [3.0], "non_finite": {}}


def test_buckets_in_their_raw_form(api: httpx.Client, run: str):
    write(api, run, [0, 2**53 + 1, 2**63 - 1], [1.5, "NaN", "-Infinity"], times_us=[0, 1, 2])
    run_id = run.rpartition("/")[2]
    columns = ["last_step", "last_value", "min_value"]
    body = {"series": [{"run_id": run_id, "metric": "loss"}, {"run_id": "nobody", "metric": "x"}], "columns": columns}
    answer = api.post("/buckets", json=body, headers={"Accept": RAW})
    assert (answer.status_code, answer.headers["content-type"], answer.headers["vary"]) == (200, RAW, "accept")
    (size,) = struct.unpack_from("<Q", answer.content)
    head = json.loads(answer.content[8 : 8 + size])
    assert [(each["run_id"], each["rows"]) for each in head["series"]] == [(run_id, 3), ("nobody", 0)]
    assert [each["name"] for each in head["columns"]] == columns
    cells = struct.unpack_from("<3q3d3d", answer.content, 8 + size)
    assert cells[:4] == (0, 2**53 + 1, 2**63 - 1, 1.5)
    assert str(cells[4:]) == "(nan, -inf, 1.5, nan, nan)"
    query = {"run_id": run_id, "metric": "loss", "column": columns}
    assert len(api.get("/buckets", params=query, headers={"Accept": RAW}).content) < len(answer.content)
    plain = api.get("/buckets", params=query)
    assert (plain.headers["content-type"], plain.headers["vary"]) == ("application/json", "accept")
    assert failure(api.post("/buckets", json={**body, "budget": 0}, headers={"Accept": RAW}))["field"] == "budget"


def test_summaries_of_many_runs(api: httpx.Client, run: str):
    write(api, run, [0, 1], [1.0, 3.0])
    run_id = run.rpartition("/")[2]
    found = api.post("/summaries", json={"run_ids": [run_id, "nobody"], "columns": ["mean", "count"]}).json()
    assert found == {"run_id": [run_id], "metric": ["loss"], "mean": [2.0], "count": [2], "non_finite": {}}
    assert api.post("/summaries", json={"run_ids": [run_id], "metrics": ["no"]}).json()["metric"] == []


def test_label_sets_of_many_runs(api: httpx.Client, run: str):
    write(api, run, [0], [1.0])
    run_id = run.rpartition("/")[2]
    series = [{"metric": "rate", "steps": [0], "values": [1.0], "labels": labels} for labels in ({"fold": "2"}, {})]
    assert api.post(f"{run}/points", json={"series": series}).status_code == 200
    found = api.post("/label-sets", json={"run_ids": [run_id, "nobody"]}).json()
    assert found == {"run_id": [run_id] * 2, "metric": ["rate"] * 2, "labels": [{}, {"fold": "2"}]}
    assert failure(api.post("/label-sets", json={"run_ids": ["r"] * 1001}))["field"] == "run_ids"


def test_summaries_in_the_raw_form(api: httpx.Client, run: str):
    write(api, run, [0, 2**53 + 1], [1.0, "-Infinity"])
    form = {"Accept": "application/vnd.stepwell.summaries"}
    body = {"run_ids": [run.rpartition("/")[2]], "columns": ["last_step", "last_value", "mean"]}
    answer = api.post("/summaries", json=body, headers=form)
    assert (answer.headers["content-type"], answer.headers["vary"]) == (form["Accept"], "accept")
    (size,) = struct.unpack_from("<Q", answer.content)
    head = json.loads(answer.content[8 : 8 + size])
    assert head == {
        "run_id": body["run_ids"],
        "metric": ["loss"],
        "columns": [
            {"name": "last_step", "type": "int64"},
            {"name": "last_value", "type": "float64"},
            {"name": "mean", "type": "float64"},
        ],
    }
    assert struct.unpack("<qdd", answer.content[8 + size :]) == (2**53 + 1, -math.inf, 1.0)
    nothing = api.post("/summaries", json={**body, "metrics": ["no"]}, headers=form).content
    assert json.loads(nothing[8:])["metric"] == []
    assert api.post("/summaries", json=body, headers={"Accept": RAW}).headers["content-type"] == "application/json"
    assert failure(api.post("/summaries", json={"run_ids": 1}, headers=form))["field"] == "run_ids"


def test_a_page_of_points_in_the_raw_form(api: httpx.Client, run: str):
    write(api, run, [0, 1, 2**53 + 1], [0.5, "NaN", "-Infinity"])
    form = {"Accept": "application/vnd.stepwell.point-page, application/json"}
    asked = {"metric": "loss", "limit": "2"}
    plain = api.get(f"{run}/points", params=asked)
    answer = api.get(f"{run}/points", params=asked, headers=form)
    assert answer.headers["content-type"] == "application/vnd.stepwell.point-page"
    assert answer.headers["vary"] == plain.headers["vary"] == "accept"
    (size,) = struct.unpack_from("<Q", answer.content)
    head = json.loads(answer.content[8 : 8 + size])
    assert head == {
        "rows": 2,
        "cursor": plain.json()["cursor"],
        "since": None,
        "columns": [
            {"name": "steps", "type": "int64"},
            {"name": "times_us", "type": "int64"},
            {"name": "values", "type": "float64"},
        ],
    }
    assert struct.unpack_from("<4q", answer.content, 8 + size) == (0, 1, *plain.json()["times_us"])
    first, second = struct.unpack("<2d", answer.content[-16:])
    assert first == 0.5
    assert math.isnan(second)
    rest = api.get(f"{run}/points", params={**asked, "cursor": head["cursor"]}, headers=form).content
    assert struct.unpack("<d", rest[-8:]) == (-math.inf,)
    assert json.loads(api.get(f"{run}/points", params={"metric": "no"}, headers=form).content[8:])["rows"] == 0
    assert failure(api.get(f"{run}/points", params={**asked, "limit": "0"}, headers=form))["field"] == "limit"


def test_a_write_may_carry_everything(api: httpx.Client, run: str):
    body = {
        "series": [{"metric": "loss", "steps": [0], "values": [1]}],
        "params": {"p": "1"},
        "set_tags": {"t": "2"},
        "status": "FAILED",
        "status_reason": "out of memory",
    }
    assert api.post(f"{run}/points", json=body).json() == {"points": 1}
    detail = api.get(run).json()
    assert (detail["run"]["status"], detail["run"]["status_reason"]) == ("FAILED", "out of memory")
    assert detail["params"] == {"p": "1"}
    assert detail["tags"]["t"] == "2"
    assert api.post(f"{run}/points", content=b"").json() == {"points": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"series":[{"metric":"loss","steps":[1],"values":[1e400]}]}', "series[0].values[0]"),
        (b'{"series":[{"metric":"loss","steps":[9223372036854775808],"values":[1]}]}', "series[0].steps[0]"),
        (b'{"series":[{"metric":"loss","steps":[1.5],"values":[1]}]}', "series[0].steps[0]"),
        (b'{"series":[{"metric":"loss","steps":[1],"values":["x"]}]}', "series[0].values[0]"),
        (b'{"series":[{"metric":"loss","steps":[1],"values":[]}]}', "series[0].values"),
        (b'{"series":[{"metric":"","steps":[1],"values":[1]}]}', "metric"),
        (b'{"series":[{"metric":"loss","steps":[1],"values":[1],"labels":{"":"x"}}]}', "labels"),
        (b'{"series":[{"metric":"' + b"m" * 1025 + b'","steps":[1],"values":[1]}]}', "metric"),
        (b'{"serie":[]}', "serie"),
        (b'{"series":', None),
        (b"[" * 100_000, None),
    ],
)
def test_bad_points_are_named_and_nothing_is_stored(api: httpx.Client, run: str, body: bytes, field: str | None):
    good = b'{"series":[{"metric":"good","steps":[1],"values":[1]},'
    whole_body = body.replace(b'{"series":[', good, 1) if field and body.startswith(b'{"series":[{') else body
    error = failure(api.post(f"{run}/points", content=whole_body))
    assert error["field"] == (field.replace("[0]", "[1]", 1) if field else None)
    assert api.get(f"{run}/series").json()["metric"] == []
    assert api.post(f"{run}/points", json={}).status_code == 200  # the server lives on


def test_an_unknown_run_is_404(api: httpx.Client):
    body = {"series": [{"metric": "loss", "steps": [0], "values": [1]}]}
    for answer in (
        api.post("/runs/nobody/points", json=body),
        api.get("/runs/nobody/points?metric=loss"),
        api.get("/runs/nobody/series"),
        api.get("/runs/nobody/events"),
        api.get("/runs/nobody/artifacts"),
    ):
        assert failure(answer, 404)["code"] == "not_found"


def test_a_body_over_the_limit_is_413(api: httpx.Client, run: str):
    error = failure(api.post(f"{run}/points", content=b" " * ((64 << 20) + 1)), 413)
    assert (error["code"], error["limit"]) == ("body_too_large", 64 << 20)
    error = failure(api.patch(run, content=b" " * ((4 << 20) + 1)), 413)
    assert error["limit"] == 4 << 20
