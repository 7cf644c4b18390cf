"""Requests as core's values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import Selector, Status, Window
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.dialects.native import translate, wire

NOW = 1_700_000_000_000_000
INT64 = st.integers(INT64_MIN, INT64_MAX)


def series(metric: str = "m", count: int = 2, **more: object) -> wire.SeriesPoints:
    columns = {"steps": list(range(count)), "values": [0.5] * count}
    return wire.SeriesPoints(metric=metric, **{**columns, **more})  # type: ignore[arg-type]


@given(st.lists(st.tuples(INT64, INT64, st.floats()), max_size=20))
def test_points_arrive_exactly(rows: list[tuple[int, int, float]]):
    steps, times, values = ([row[column] for row in rows] for column in range(3))
    batch = translate.points([series(steps=steps, times_us=times, values=values)], now=NOW)
    assert (batch.step.tolist(), batch.time.tolist()) == (steps, times)
    assert batch.value.tobytes() == np.array(values, np.float64).tobytes()


def test_words_are_numbers():
    batch = translate.points([series(count=4, values=["NaN", "Infinity", "-Infinity", -0.0])], now=NOW)
    assert math.isnan(batch.value[0])
    assert batch.value[1:].tolist() == [math.inf, -math.inf, 0.0]
    assert math.copysign(1, batch.value[3]) == -1


def test_series_keep_their_places():
    asked = [series("a", 2), series("b", 0), series("a", 3, labels={"z": "1", "w": "2"})]
    batch = translate.points(asked, now=NOW)
    assert batch.series == (("a", ()), ("b", ()), ("a", (("w", "2"), ("z", "1"))))
    assert batch.which.tolist() == [0, 0, 2, 2, 2]
    assert set(batch.time.tolist()) == {NOW}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ([series(values=[1.0])], "series[0].values"),
        ([series(), series("n", times_us=[1, 2, 3])], "series[1].times_us"),
        ([series(labels={"a": "1", "b": "2"}), series(labels={"b": "2", "a": "1"})], "series"),
    ],
)
def test_columns_that_do_not_fit(asked: list[wire.SeriesPoints], field: str):
    with pytest.raises(Invalid) as caught:
        translate.points(asked, now=NOW)
    assert caught.value.field == field


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_an_end_without_a_time_is_now(status: wire.StatusWord):
    assert translate.run_write("r", wire.RunChange(status=status), now=NOW).end_time == NOW
    assert translate.run_write("r", wire.RunChange(status=status, end_time_us=7), now=NOW).end_time == 7


def test_a_change_of_nothing_changes_nothing():
    write = translate.run_write("r", wire.PointsWrite(), now=NOW)
    assert write.only_points
    assert write.points is None
    assert translate.run_write("r", wire.RunChange(status="RUNNING"), now=NOW).end_time is None


def test_what_a_new_run_does_not_say_is_made():
    one, other = (translate.new_run(wire.NewRun(), now=NOW) for _ in range(2))
    assert one.id != other.id
    assert (one.status, one.start_time, one.experiment_id, one.origin) == (Status.RUNNING, NOW, 0, "native")
    assert one.name
    named = translate.new_run(wire.NewRun(id="i", name="n", start_time_us=3), now=NOW)
    assert (named.id, named.name, named.start_time) == ("i", "n", 3)


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        ([], None),
        ([""], ()),
        (["b=2", "a=1"], (("a", "1"), ("b", "2"))),
        (["a=x=y"], (("a", "x=y"),)),
        (["a="], (("a", ""),)),
    ],
)
def test_labels_of_a_query(arguments: list[str], labels: object):
    assert translate.label_arguments(arguments) == labels


@pytest.mark.parametrize("arguments", [["a"], ["=1"], ["a=1", "a=1"], ["", "a=1"]])
def test_labels_that_are_none(arguments: list[str]):
    with pytest.raises(Invalid, match="label"):
        translate.label_arguments(arguments)


def test_open_windows():
    assert translate.window(wire.Window()) == Window()
    assert translate.window(wire.Window(min_step=0, max_time_us=9)) == Window(min_step=0, max_time=9)


def test_selectors_of_a_query_and_of_a_body():
    asked = translate.buckets_request(wire.BucketsQuery(run_id=["a", "b"], metric=["x", "y"], min_step=3, budget=5))
    assert [(each.run_id, each.metric) for each in asked.series] == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert (asked.window.min_step, asked.budget) == (3, 5)
    assert translate.selector(wire.SeriesChoice(run_id="r", metric="m", labels={})) == Selector(
        run_id="r", metric="m", labels=()
    )
    assert translate.selector(wire.SeriesChoice(run_id="r", metric="m")).labels is None


def test_columns_of_a_search():
    chosen = translate.columns(wire.ColumnChoice(metrics=["b", "a", "b"], tags="*"), limit=10)
    assert (chosen.metrics, chosen.params, chosen.tags) == (("b", "a"), (), None)
    with pytest.raises(TooLarge) as caught:
        translate.columns(wire.ColumnChoice(tags="*"), limit=translate.ALL_COLUMNS_RUNS + 1)
    assert (caught.value.field, caught.value.limit) == ("limit", translate.ALL_COLUMNS_RUNS)


@pytest.mark.parametrize("text", ["0", "7", "-3", str(2**63 - 1), str(-(2**63))])
def test_whole_numbers(text: str):
    assert translate.number(text, field="experiment_id") == int(text)


@pytest.mark.parametrize("text", ["", "-", "1.0", "x", "٣", "--1", str(2**63), "1" * 30, " 1", "1_0"])
def test_what_is_no_whole_number(text: str):
    with pytest.raises(Invalid) as caught:
        translate.number(text, field="experiment_id")
    assert caught.value.field == "experiment_id"
