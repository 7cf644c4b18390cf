"""Reading points: samples, windows, one value a step, every write, buckets, and numbers about metrics."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contract.pluto.conftest import Raw


@pytest.fixture
def project(name: Callable[[], str]) -> str:
    return name()


@pytest.fixture
def run(raw: Raw, project: str) -> int:
    return raw.create(project)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100, 1999, 2000, 4999, 5000, 10_000])
def test_a_sample_is_never_above_its_limit(raw: Raw, run: int, project: str, limit: int) -> None:
    raw.log(run, {step: {"a": step % 2, "b/c": step} for step in range(5000)})
    rows = raw.rows(run, project, limit=limit)
    for metric in ("a", "b/c"):
        steps = [row["step"] for row in rows if row["logName"] == metric]
        assert len(steps) == 5000 if limit >= 5000 else limit // 2 - 2 <= len(steps) <= limit
        assert steps == sorted(set(steps))
        assert steps[-1] == 4999
        assert limit == 1 or steps[0] == 0
    assert [row["logName"] for row in rows] == sorted(row["logName"] for row in rows)
    if 100 <= limit < 5000:
        assert {row["value"] for row in rows if row["logName"] == "a"} == {0, 1}  # alternating values show both


def test_the_default_limit(raw: Raw, run: int, project: str) -> None:
    raw.log(run, {step: {"a": 1} for step in range(2001)})
    assert 1000 <= len(raw.rows(run, project)) <= 2000


def test_windows_come_before_the_sample(raw: Raw, run: int, project: str) -> None:
    raw.log(run, {step: {"a": step} for step in range(5000)})
    found = raw.rows(run, project, stepMin=100, stepMax=199, limit=100)
    assert [row["step"] for row in found] == list(range(100, 200))
    assert raw.rows(run, project, stepMin=4999)[0]["value"] == 4999
    assert raw.rows(run, project, stepMin=10, stepMax=5) == []
    assert raw.rows(run, project, stepMin=5000) == []


def test_groups_and_names(raw: Raw, run: int, project: str) -> None:
    raw.log(run, {1: {"a": 1, "g/a": 2, "g/h/a": 3, "g/b": 4}})

    def names(**query: str) -> list[str]:
        return [row["logName"] for row in raw.rows(run, project, **query)]

    assert names() == ["a", "g/a", "g/b", "g/h/a"]
    assert names(logGroup="g") == ["g/a", "g/b"]
    assert names(logGroup="g/h") == ["g/h/a"]
    assert names(logGroup="") == names(logName="") == names()
    assert names(logName="g/a", logGroup="g") == ["g/a"]
    assert names(logName="g/a", logGroup="other") == []
    row = raw.rows(run, project, logName="g/h/a")[0]
    assert row == {
        "logName": "g/h/a",
        "logGroup": "g/h",
        "time": "1970-01-01 00:00:01.001",
        "step": 1,
        "value": 3,
        "valueFlag": "",
    }


def test_of_a_step_the_latest_counts(raw: Raw, run: int, project: str) -> None:
    for time, value in ((2000, 5.0), (1000, 9.0), (2000, 3.0)):  # of equal times what came last
        raw.send("/ingest/metrics", run, [{"time": time, "step": 1, "data": {"x": value}}])
    assert [(row["step"], row["value"]) for row in raw.rows(run, project)] == [(1, 3.0)]
    answer = raw.get("/api/runs/metrics/raw", runId=run, projectName=project, logName="x").json()
    assert [(row["time"][-6:], row["value"]) for row in answer["rows"]] == [
        ("01.000", 9.0),
        ("02.000", 3.0),
        ("02.000", 5.0),
    ]
    assert answer["truncated"] is False
    (stats,) = raw.get("/api/runs/statistics", runId=run, projectName=project).json()["metrics"]
    assert (stats["count"], stats["min"], stats["max"], stats["last"]) == (1, 3, 3, {"step": 1, "value": 3})


def test_raw_points(raw: Raw, run: int, project: str) -> None:
    raw.log(run, {step: {"x": step} for step in range(50)})
    raw.send(
        "/ingest/metrics",
        run,
        b'{"time":1,"step":50,"data":{"x":NaN,"y":1}}\n{"time":1,"step":51,"data":{"x":-Infinity}}',
    )

    def rows(**query: int) -> dict[str, object]:
        answer = raw.get("/api/runs/metrics/raw", runId=run, projectName=project, logName="x", **query)
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()
        return found

    assert len(rows()["rows"]) == 52  # type: ignore[arg-type]
    assert [(row["value"], row["nonFiniteFlags"]) for row in rows(stepMin=49)["rows"]] == [(49, 0), (0, 1), (0, 4)]  # type: ignore[attr-defined]
    assert rows(limit=10)["truncated"] is True
    assert rows(limit=53)["truncated"] is False
    assert raw.get("/api/runs/metrics/raw", runId=run, projectName=project).status_code == 400


def test_a_run_that_is_not_there_has_no_points(raw: Raw, run: int, project: str) -> None:
    raw.log(run, {1: {"x": 1}})
    assert raw.rows(run, "another project") == []
    assert raw.rows(2**40, project) == []
    assert raw.get("/api/runs/metrics/raw", runId=2**40, projectName=project, logName="x").json()["rows"] == []
    assert raw.get("/api/runs/statistics", runId=2**40, projectName=project).status_code == 404
    assert raw.get("/api/runs/statistics", runId=run, projectName="another").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"runId": None},
        {"projectName": None},
        {"projectName": ""},
        {"runId": "x"},
        {"runId": "1.5"},
        {"runId": ""},
        {"limit": 0},
        {"limit": 10_001},
        {"limit": "many"},
        {"stepMin": -1},
        {"stepMax": -1},
        {"stepMin": "1.5"},
        {"stepMax": 2**63},
    ],
)
def test_questions_that_make_no_sense(raw: Raw, run: int, project: str, query: dict[str, object]) -> None:
    asked = {"runId": run, "projectName": project, **query}
    answer = raw.get("/api/runs/metrics", **{name: value for name, value in asked.items() if value is not None})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["name"] == "ZodError"
    (issue,) = answer.json()["error"]["issues"]
    assert issue["path"] == list(query)
    assert issue["message"]


def test_statistics_leaderboard_and_comparison_agree_with_the_points(raw: Raw, project: str) -> None:
    dice = random.Random(7)
    values: dict[int, list[float]] = {}
    for _ in range(4):
        run = raw.create(project)
        values[run] = [dice.gauss(0, 1) for _ in range(200)]
        raw.log(run, {step: {"x": value} for step, value in enumerate(values[run])})
        # Steps that are written again, later, and one that is no number.
        values[run][50:60] = [dice.gauss(0, 1) for _ in range(10)]
        raw.log(run, {step: {"x": values[run][step]} for step in range(50, 60)}, time=10_000)
        raw.send("/ingest/metrics", run, b'{"time":1,"step":500,"data":{"x":NaN}}')
    raw.create(project)  # without the metric
    compared = raw.get("/api/runs/compare", runIds=",".join(map(str, values)), projectName=project, logName="x").json()[
        "runs"
    ]
    assert [each["runId"] for each in compared] == list(values)
    for each in compared:
        own = values[each["runId"]]
        stats = each["stats"]
        assert (stats["count"], stats["min"], stats["max"], stats["final"]) == (200, min(own), max(own), own[-1])
        assert stats["mean"] == pytest.approx(math.fsum(own) / 200, rel=1e-9)
    for aggregation, read in {
        "MIN": min,
        "MAX": max,
        "LAST": lambda own: own[-1],
        "AVG": lambda own: math.fsum(own) / 200,
        "VARIANCE": lambda own: math.fsum((x - math.fsum(own) / 200) ** 2 for x in own) / 200,
    }.items():
        for direction in ("ASC", "DESC"):
            answer = raw.get(
                "/api/runs/leaderboard",
                projectName=project,
                logName="x",
                aggregation=aggregation,
                direction=direction,
                limit=3,
                offset=1,
            ).json()
            order = sorted(values, key=lambda run: read(values[run]), reverse=direction == "DESC")  # type: ignore[operator]
            assert answer["total"] == 4
            assert [(each["rank"], each["runId"]) for each in answer["runs"]] == list(enumerate(order[1:], 2))
            best = answer["runs"][0]
            assert best["value"] == pytest.approx(read(values[best["runId"]]), rel=1e-9)  # type: ignore[operator]


def test_a_comparison_of_nothing_is_refused_in_a_sentence(raw: Raw, run: int, project: str) -> None:
    many = ",".join(map(str, range(1, 102)))
    for given, sentence in (
        ("x,-1", "No valid run IDs provided"),
        (" , ", "No valid run IDs provided"),
        (many, "Too many runs. Maximum is 100, got 101"),
    ):
        answer = raw.get("/api/runs/compare", runIds=given, projectName=project, logName="x")
        assert (answer.status_code, answer.json()) == (400, {"error": sentence})
    answer = raw.get("/api/runs/compare", runIds=f"{run},x", projectName=project, logName="x")
    assert answer.json()["error"]["issues"][0]["path"] == ["runIds"]


def test_buckets_for_a_chart(raw: Raw, run: int, project: str) -> None:
    raw.log(run, {step: {"x": 1000.0 if step == 777 else step % 7} for step in range(3000)})
    raw.send("/ingest/metrics", run, b'{"time":1,"step":5000,"data":{"x":NaN}}')
    slug = raw.post("/api/slug").json()["organization"]["slug"]
    asked = {
        "organizationId": slug,
        "projectName": project,
        "runIds": [str(run)],
        "logNames": ["x", "none"],
        "buckets": 50,
    }
    answer = raw.http.get("/api/chart-data/multi-metric-batch-bucketed", params={"input": _json(asked)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["none"] == {}
    chart = answer.json()["x"][str(run)]
    assert len(chart["steps"]) <= 50
    assert max(value for value in chart["maxYs"] if value is not None) == 1000
    assert min(value for value in chart["minYs"] if value is not None) == 0
    assert sum(chart["counts"]) == 3000
    assert chart["nfFlags"][-1] == 1
    assert {len(column) for column in chart.values()} == {len(chart["steps"])}
    foreign = raw.http.get(
        "/api/chart-data/multi-metric-batch-bucketed", params={"input": _json({**asked, "organizationId": "x"})}
    )
    assert foreign.status_code == 403
    for bad in ("", "{", "{}", _json({**asked, "runIds": []}), _json({**asked, "buckets": 9})):
        assert raw.http.get("/api/chart-data/multi-metric-batch-bucketed", params={"input": bad}).status_code == 400


def test_names_are_there_at_once(raw: Raw, run: int, project: str) -> None:
    other = raw.create(project)
    raw.log(run, {1: {"Loss": 1, "acc": 1}})
    raw.log(other, {1: {"lr": 1}})

    def names(**query: object) -> list[str]:
        found: list[str] = raw.get("/api/runs/metric-names", projectName=project, **query).json()["metricNames"]
        return found

    assert names() == ["Loss", "acc", "lr"]
    assert names(search="l") == ["Loss", "lr"]
    assert names(runIds=str(other)) == ["lr"]
    assert names(runIds=f"{run},{other}", limit=1) == ["Loss"]
    assert raw.get("/api/runs/metric-names", projectName="none such").json()["metricNames"] == []
    assert raw.get("/api/runs/metric-names", projectName=project, runIds="x").status_code == 400


def _json(value: object) -> str:
    import json

    return json.dumps(value)
