"""The raw form of points says what the JSON form says, bit by bit, and is refused for the same reasons."""

from __future__ import annotations

import gc
import json
import struct
import sys
from collections import Counter
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from point_strategies import INT64, VALUE
from stepwell.core import limits
from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.model import PointBatch, RunWrite
from stepwell.dialects.native import raw, translate, wire
from stepwell.dialects.native.decoding import Decoder
from stepwell.services import ingest

NOW = 1_700_000_000_000_000
JSON, HEAD = Decoder(wire.PointsWrite), Decoder(wire.RawPointsWrite, name="the head")
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "params": st.dictionaries(TEXT, TEXT, max_size=2),
        "set_tags": st.dictionaries(TEXT, TEXT, max_size=2),
        "status": st.sampled_from(["RUNNING", "FINISHED"]),
        "end_time_us": INT64,
        "note": TEXT,
    },
)


@st.composite
def series(draw: st.DrawFn) -> dict[str, Any]:
    """As in the JSON form, but with values that are floats."""
    count = draw(st.integers(0, 6))
    found: dict[str, Any] = {
        "metric": draw(TEXT),
        "steps": draw(column(INT64, count)),
        "values": draw(column(VALUE, count)),
    }
    if draw(st.booleans()):
        found["times_us"] = draw(column(INT64, count))
    if draw(st.booleans()):
        found["labels"] = draw(st.dictionaries(TEXT, TEXT, max_size=2))
    return found


def column(of: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=count, max_size=count)


def name(each: dict[str, Any]) -> tuple[str, str]:
    return each["metric"], json.dumps(each.get("labels", {}), sort_keys=True)


MESSAGES = st.builds(
    lambda changes, found: {**changes, "series": found}, CHANGES, st.lists(series(), max_size=4, unique_by=name)
)


def packed(message: dict[str, Any]) -> bytes:
    """The raw form of a message: written from the description alone."""
    named = []
    for each in message["series"]:
        rest = {key: each[key] for key in ("metric", "labels") if key in each}
        times = {} if "times_us" in each else {"times_us": False}
        named.append({**rest, "rows": len(each["steps"]), **times})
    head = json.dumps({**message, "series": named}).encode()
    head += b" " * (-len(head) % 8)
    body = struct.pack("<Q", len(head)) + head
    for key, kind in (("steps", "q"), ("values", "d"), ("times_us", "q")):
        for each in message["series"]:
            body += struct.pack(f"<{len(each.get(key, ()))}{kind}", *each.get(key, ()))
    return body


def spelled(message: dict[str, Any]) -> bytes:
    """Its JSON form; the encoder writes bare words for what is not finite, which are read too."""
    return json.dumps(message).encode()


def of_raw(body: bytes) -> RunWrite:
    head, cells = raw.points(body)
    return translate.raw_points_write("r", HEAD.body(head), cells, now=NOW)


def of_json(body: bytes) -> RunWrite:
    return translate.points_write("r", JSON.body(body), now=NOW)


def bits(batch: PointBatch | None) -> Any:
    if batch is None:
        return None
    columns = (batch.which, batch.step, batch.time, np.where(np.isnan(batch.value), np.nan, batch.value))
    kinds = [each.dtype.str for each in (batch.which, batch.step, batch.time, batch.value)]
    return batch.series, kinds, [each.tobytes() for each in columns]


@given(MESSAGES)
def test_it_says_what_json_says(message: dict[str, Any]):
    found, expected = of_raw(packed(message)), of_json(spelled(message))
    assert bits(found.points) == bits(expected.points)
    assert replace(found, points=None) == replace(expected, points=None)


ONE = {"metric": "m", "steps": [1, 2], "values": [0.5, 1.5], "times_us": [3, 4]}


@pytest.mark.parametrize(
    "message",
    [
        {"series": [ONE, ONE]},
        {"series": [{**ONE, "metric": ""}]},
        {"series": [{**ONE, "metric": "x" * (limits.NAME_LENGTH + 1)}]},
        {"series": [{**ONE, "metric": "nul\0"}]},
        {"series": [{**ONE, "labels": {str(n): "" for n in range(limits.LABELS_PER_SERIES + 1)}}]},
        {"series": [{**ONE, "labels": {"": "x"}}]},
        {"series": [ONE], "params": {"p": "x" * (limits.PARAM_VALUE_LENGTH + 1)}},
        {"series": [ONE], "status": "DREAMING"},
        {"series": [ONE], "unknown": 1},
        {"series": [{**ONE, "metric": 7}]},
        {"series": [ONE, {**ONE, "metric": "n"}]},
    ],
)
def test_it_is_refused_as_json_is(message: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "POINTS_PER_WRITE", 3)

    def refusal(of: Any, body: bytes) -> Invalid:
        with pytest.raises(Invalid) as caught:
            ingest.check_write(of(body))
        return caught.value

    found, expected = refusal(of_raw, packed(message)), refusal(of_json, spelled(message))
    assert (type(found), found.field, found.limit) == (type(expected), expected.field, expected.limit)
    assert found.message == expected.message
    assert isinstance(found, TooLarge) == (found.limit is not None)


def headed(head: bytes, cells: bytes = b"") -> bytes:
    return len(head).to_bytes(8, "little") + head + cells


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        (b"", None, "the body has 0 bytes"),
        (b"\0" * 7, None, "the body has 7 bytes"),
        (packed({"series": [ONE]})[:-1], None, "multiples of 8"),
        (headed(b"{} "), None, "its head 3"),
        ((2**64 - 8).to_bytes(8, "little"), None, "the head must fit"),
        (headed(b"\xff" * 8), None, "the head is not"),
        (headed(b"[]      "), None, "the head: "),
        (headed(b'{"series": [{"metric": "m", "rows": -1}]}       '), "series[0].rows", ">= 0"),
        (headed(b'{"series": [{"metric": "m"}]}   '), "series[0].rows", "missing"),
        (headed(b'{"series": [{"metric": "m", "rows": 9999999999999999999999999999}]}     '), "series", "cells"),
        (packed({"series": [ONE]}) + bytes(8), "series", "need 6 cells, the columns have 7"),
        (packed({"series": [ONE]})[:-8], "series", "need 6 cells, the columns have 5"),
        (headed(b"{}      ", bytes(16)), "series", "need 0 cells, the columns have 2"),
    ],
)
def test_what_is_no_raw_form_is_named(body: bytes, field: str | None, told: str):
    with pytest.raises(Invalid) as caught:
        of_raw(body)
    assert caught.value.field == field
    assert told in caught.value.message


def test_without_series_there_are_no_points():
    assert of_raw(headed(b"{}      ")).points is None


@pytest.mark.parametrize(
    ("content_type", "is_raw"),
    [
        (None, False),
        ("", False),
        ("application/json", False),
        (raw.POINTS, True),
        ("Application/Vnd.Stepwell.Points; v=1", True),
        (f"{raw.POINTS}2", False),
        (raw.BUCKETS.media_type, False),
    ],
)
def test_it_is_named_by_the_content_type(content_type: str | None, is_raw: bool):
    assert raw.sent(content_type) is is_raw


def calls_of(body: bytes) -> tuple[int, int]:
    """How many functions are called to read and check a body, and how many objects there are more for it."""
    calls: Counter[str] = Counter()

    def profile(_: FrameType, event: str, __: object) -> None:
        calls[event] += 1

    gc.collect()
    gc.disable()
    before = sys.getallocatedblocks()
    sys.setprofile(profile)
    try:
        write = of_raw(body)
        ingest.check_write(write)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls["call"] + calls["c_call"], sys.getallocatedblocks() - before


@pytest.mark.parametrize("times", [True, False])
def test_nothing_is_done_for_each_point(times: bool):
    """As many calls, and as many objects that stay, for 10,000 points of a series as for ten."""
    found = []
    for count in (10, 10, 10_000):
        one: dict[str, Any] = {"metric": "m", "steps": [7] * count, "values": [0.5] * count}
        body = packed({"series": [{**one, "times_us": [9] * count} if times else one]})
        found.append(calls_of(body))
    _, (calls, blocks), (many_calls, many_blocks) = found
    assert many_calls == calls
    assert abs(many_blocks - blocks) < 1_000  # other threads may make some
