"""The raw forms say what the JSON forms say, bit by bit, and are asked for by their names."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from point_strategies import VALUE, points_of
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import rank_edges
from stepwell.core.summary import Summary, SummaryTable, columns_of
from stepwell.dialects.native import raw, render

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
ROWS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5), VALUE), max_size=12)
FINITE_ONLY = {"min_value", "max_value", "mean"}


def answer(all_rows: list[list[tuple[int, int, float]]], budget: int, columns: list[str]) -> dict[str, Any]:
    """As the handler makes it: one series of a run for each list of points."""
    series = []
    for number, rows in enumerate(all_rows):
        points = points_of(rows)
        found = Buckets.of(points, rank_edges(len(points), budget))
        named = {"run_id": f"räv {number}", "metric": "m", "labels": None}
        series.append({**named, "buckets": render.buckets(found, columns)})
    return {"series": series}


def read(body: bytes) -> tuple[list[dict[str, Any]], list[dict[str, np.ndarray[Any, Any]]]]:
    """The head's series, and the columns of each: written from the description alone."""
    (size,) = struct.unpack_from("<Q", body)
    assert size % 8 == 0
    head = orjson.loads(body[8 : 8 + size])
    rows = [each["rows"] for each in head["series"]]
    edges, at = np.cumsum([0, *rows]), 8 + size
    tables: list[dict[str, np.ndarray[Any, Any]]] = [{} for _ in rows]
    for column in head["columns"]:
        kind = {"int64": "<i8", "float64": "<f8"}[column["type"]]
        cells = np.frombuffer(body, kind, edges[-1], at)
        for table, begin, end in zip(tables, edges, edges[1:], strict=False):
            table[column["name"]] = cells[begin:end]
        at += 8 * int(edges[-1])
    assert at == len(body)
    return head["series"], tables


def same(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> bool:
    """Bit by bit; every NaN is the same."""
    odd = left != left
    return bool((odd == (right != right)).all()) and left[~odd].tobytes() == right[~odd].tobytes()


@given(st.lists(ROWS, min_size=1, max_size=4), st.integers(1, 8))
def test_it_says_what_json_says(all_rows: list[list[tuple[int, int, float]]], budget: int):
    told = answer(all_rows, budget, [])
    series, tables = read(raw.BUCKETS.encode(told))
    json = orjson.loads(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))["series"]
    for named, table, expected in zip(series, tables, json, strict=True):
        assert {name: named[name] for name in ("run_id", "metric", "labels")} == {
            name: expected[name] for name in ("run_id", "metric", "labels")
        }
        assert_as_told(table, expected["buckets"])


@given(st.lists(ROWS.filter(bool), max_size=4), st.booleans())
def test_it_says_what_json_says_of_summaries(all_rows: list[list[tuple[int, int, float]]], chosen: bool):
    found = SummaryTable(
        run_ids=["räv"] * len(all_rows),
        metrics=[f"m {number}" for number in range(len(all_rows))],
        rows=columns_of([Summary.of(points_of(rows)) for rows in all_rows]),
        repeated_steps=np.zeros(len(all_rows), np.bool_),
    )
    told = render.summaries(found, ["mean", "finite_count", "last_step"] if chosen else [])
    body = raw.SUMMARIES.encode(told)
    (size,) = struct.unpack_from("<Q", body)
    head = orjson.loads(body[8 : 8 + size])
    assert (size % 8, len(body)) == (0, 8 + size + 8 * len(all_rows) * len(head["columns"]))
    table: dict[str, np.ndarray[Any, Any]] = {}
    for number, column in enumerate(head["columns"]):
        kind = {"int64": "<i8", "float64": "<f8"}[column["type"]]
        table[column["name"]] = np.frombuffer(body, kind, len(all_rows), 8 + size + 8 * len(all_rows) * number)
    expected = orjson.loads(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))
    assert (expected.pop("run_id"), expected.pop("metric")) == (head["run_id"], head["metric"])
    assert_as_told(table, expected)


def assert_as_told(table: dict[str, np.ndarray[Any, Any]], expected: dict[str, Any]) -> None:
    """`expected`: the columns of the JSON form, with what is not finite named beside."""
    marks = expected.pop("non_finite")
    assert list(table) == list(expected)
    for name, values in expected.items():
        said = marks.get(name, {"at": [], "value": []})
        for at, word in zip(said["at"], said["value"], strict=True):
            values[at] = WORDS[word]
        absent = [row for row, value in enumerate(values) if value is None]
        assert absent == [] or name in FINITE_ONLY
        assert all(math.isnan(table[name][row]) and table["finite_count"][row] == 0 for row in absent)
        kept = [row for row in range(len(values)) if row not in absent]
        assert same(table[name][kept], np.array([values[row] for row in kept], table[name].dtype))


def test_only_the_columns_asked_for_are_sent_in_their_order():
    _, (table,) = read(
        raw.BUCKETS.encode(answer([[(2**53 + 1, 0, 0.5), (2**63 - 1, 1, -0.0)]], 2, ["mean", "last_step"]))
    )
    assert list(table) == ["mean", "last_step"]
    assert table["last_step"].tolist() == [2**53 + 1, 2**63 - 1]
    assert [str(value) for value in table["mean"].tolist()] == ["0.5", "-0.0"]


def test_no_series_is_a_head_without_columns():
    assert read(raw.BUCKETS.encode({"series": []})) == ([], [])


@pytest.mark.parametrize(
    ("accept", "is_raw"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/*", False),
        (raw.BUCKETS.media_type, True),
        (raw.SUMMARIES.media_type, False),
        ("Application/Vnd.Stepwell.Buckets", True),
        (f"text/html, {raw.BUCKETS.media_type};q=0.9 , */*;q=0.1", True),
        (f"{raw.BUCKETS.media_type}2", False),
    ],
)
def test_it_is_asked_for_by_its_name(accept: str | None, is_raw: bool):
    assert raw.BUCKETS.wanted(accept) is is_raw
