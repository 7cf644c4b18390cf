"""Core's values as columns, and back: no value is lost on the way out."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from point_strategies import VALUE, points_of
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import rank_edges
from stepwell.core.model import BlobInfo, Event, Lifecycle, Run, RunRow, SeriesInfo, Status
from stepwell.core.summary import Summary, SummaryTable, columns_of
from stepwell.dialects.native import answers, render
from stepwell.dialects.native.columns import table

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def sent(value: Any, shape: type[Any]) -> Any:
    """What a client reads, checked against the documented shape."""
    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    msgspec.json.decode(text, type=shape)
    return orjson.loads(text)


def column(read: dict[str, Any], name: str) -> list[float | None]:
    """A column with its values that are not finite put back."""
    values = list(read[name])
    marks = read["non_finite"].get(name, {"at": [], "value": []})
    for at, word in zip(marks["at"], marks["value"], strict=True):
        assert values[at] is None
        values[at] = WORDS[word]
    return values


def same(left: list[float | None], right: list[float]) -> bool:
    """Bit by bit; None nowhere."""
    return None not in left and np.array(left, np.float64).tobytes() == np.array(right, np.float64).tobytes()


def table_of(found: list[Summary]) -> SummaryTable:
    """Of metric m in run r."""
    repeated = np.array([one.repeated_steps for one in found], np.bool_)
    rows = columns_of(found)
    return SummaryTable(run_ids=["r"] * len(found), metrics=["m"] * len(found), rows=rows, repeated_steps=repeated)


def run(number: int) -> Run:
    return Run(
        workspace="w",
        key=number,
        id=f"r{number}",
        experiment_id=0,
        project_number=number,
        name="n",
        user="",
        status=Status.RUNNING,
        status_reason="",
        lifecycle=Lifecycle.ACTIVE,
        artifact_uri="",
        origin="test",
        start_time=None,
        end_time=5,
        created_at=1,
        updated_at=2,
    )


ROWS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5), VALUE), min_size=1, max_size=30)


@given(ROWS)
def test_points_are_read_back_exactly(rows: list[tuple[int, int, float]]):
    points = points_of(rows)
    read = sent(render.points(points), answers.PointColumns)
    assert read["steps"] == points.step.tolist()
    assert read["times_us"] == points.time.tolist()
    canonical = [math.nan if value != value else value for value in points.value.tolist()]
    assert same(column(read, "values"), canonical)


@given(ROWS, st.integers(1, 8))
def test_buckets_are_read_back_exactly(rows: list[tuple[int, int, float]], budget: int):
    points = points_of(rows)
    buckets = Buckets.of(points, rank_edges(len(points), budget))
    read = sent(render.buckets(buckets), answers.Aggregates)
    for name in ("first", "last"):
        values = [math.nan if value != value else value for value in getattr(buckets, name).value.tolist()]
        assert same(column(read, f"{name}_value"), values)
    for row, finite in enumerate(buckets.finite_count.tolist()):
        for name in ("min_value", "max_value", "mean"):
            assert (column(read, name)[row] is None) == (finite == 0)
    assert read["count"] == buckets.count.tolist()
    assert read["min_step"] == buckets.min.step.tolist()
    assert read["greatest_time_us"] == buckets.max_time.tolist()


def test_only_the_columns_asked_for_are_sent():
    points = points_of([(0, 0, math.nan)])
    buckets = Buckets.of(points, rank_edges(1, 1))
    read = sent(render.buckets(buckets, ["last_step", "last_value", "mean"]), answers.Aggregates)
    assert read == {
        "last_step": [0],
        "last_value": [None],
        "mean": [None],
        "non_finite": {"last_value": {"at": [0], "value": ["NaN"]}},
    }


def test_a_page_of_runs_has_a_row_for_each_run():
    loss = Summary.of(points_of([(0, 1, 2.0), (1, 2, 4.0), (2, 3, -math.inf)]))
    odd = Summary.of(points_of([(5, 6, math.nan)]))
    rows = [
        RunRow(run=run(1), metrics={"loss": loss}, params={"lr": "0.1"}, tags={"t": "x"}),
        RunRow(run=run(2), metrics={"odd": odd}),
    ]
    every = sent(render.runs(rows, "c", metrics=None, params=None, tags=None), answers.RunPage)
    assert list(every["metrics"]) == ["loss", "odd"]
    assert every["metrics"]["loss"] == {
        "last": [None, None],
        "min": [2.0, None],
        "max": [4.0, None],
        "mean": [3.0, None],
        "count": [3, None],
        "last_step": [2, None],
        "last_time_us": [3, None],
        "non_finite": {"last": {"at": [0], "value": ["-Infinity"]}},
    }
    assert every["metrics"]["odd"]["non_finite"] == {"last": {"at": [1], "value": ["NaN"]}}
    assert every["metrics"]["odd"]["min"] == [None, None]
    assert (every["params"], every["tags"]) == ({"lr": ["0.1", None]}, {"t": ["x", None]})
    assert (every["runs"]["id"], every["runs"]["start_time_us"]) == (["r1", "r2"], [None, None])
    chosen = sent(render.runs(rows, None, metrics=["no"], params=[], tags=["t"]), answers.RunPage)
    assert chosen["metrics"]["no"]["count"] == [None, None]
    assert (chosen["params"], chosen["tags"], chosen["cursor"]) == ({}, {"t": ["x", None]}, None)


def test_no_rows_are_empty_columns():
    assert sent(render.runs([], None, metrics=["m"], params=[], tags=[]), answers.RunPage)["metrics"]["m"]["last"] == []
    assert sent(render.series([]), answers.MetricTable)["metric"] == []
    assert sent(render.summaries(table_of([])), answers.SummaryTable)["mean"] == []


def test_series_and_summaries():
    one = Summary.of(points_of([(0, 1, 1.0), (1, 2, 3.0)]))
    read = sent(render.series([SeriesInfo(metric="m", labels=(("a", "1"),), summary=one)]), answers.MetricTable)
    assert (read["metric"], read["labels"], read["mean"], read["m2"]) == (["m"], [{"a": "1"}], [2.0], [2.0])
    read = sent(render.summaries(table_of([one]), ["max_value", "max_step"]), answers.SummaryTable)
    assert read == {"run_id": ["r"], "metric": ["m"], "max_value": [3.0], "max_step": [1], "non_finite": {}}


def test_a_run_with_all_it_has():
    row = RunRow(run=run(1), metrics={"m": Summary.of(points_of([(0, 1, 1.0)]))}, params={"p": "1"})
    read = sent(render.run_detail(row), answers.RunDetail)
    assert (read["run"]["number"], read["params"], read["metrics"]["metric"]) == (1, {"p": "1"}, ["m"])


def test_files_and_folders():
    read = sent(
        render.files([BlobInfo(path="a", size=None), BlobInfo(path="b", size=0, sha256=b"\x01", stored_at=7)]),
        answers.FileTable,
    )
    assert read == {"path": ["a", "b"], "size": [None, 0], "sha256": [None, "01"], "stored_at_us": [None, 7]}


def test_events():
    read = sent(render.events([Event(time=3, kind="cut", text="t")]), answers.EventTable)
    assert read == {"time_us": [3], "kind": ["cut"], "text": ["t"], "detail": [""]}


def test_what_is_absent_is_not_listed():
    values = np.array([math.nan, math.nan, math.inf])
    read = table({"v": values}, absent={"v": np.array([True, False, False])})
    assert read["non_finite"]["v"]["at"].tolist() == [1, 2]
    assert read["non_finite"]["v"]["value"] == ["NaN", "Infinity"]
