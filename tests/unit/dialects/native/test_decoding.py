"""Strict reading: what is wrong is named by its place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Invalid
from stepwell.dialects.native import wire
from stepwell.dialects.native.decoding import Decoder

POINTS = Decoder(wire.PointsWrite)
QUERY = Decoder(wire.PointsQuery)
GOOD = b'{"series":[{"metric":"m","steps":[1],"values":[%s]}]}'


def test_an_empty_body_has_no_fields():
    assert POINTS.body(b"") == wire.PointsWrite()


@pytest.mark.parametrize(
    ("token", "value"),
    [
        (b"1", 1.0),
        (b"-0.0", -0.0),
        (b"1e308", 1e308),
        (b"5e-324", 5e-324),
        (b'"NaN"', "NaN"),
        (b'"Infinity"', "Infinity"),
        (b'"-Infinity"', "-Infinity"),
        (b"Infinity", math.inf),
        (b"-Infinity", -math.inf),
    ],
)
def test_values(token: bytes, value: float | str):
    (read,) = POINTS.body(GOOD % token).series[0].values
    assert read == value
    assert isinstance(value, str) or math.copysign(1, read) == math.copysign(1, value)


def test_a_bare_nan_is_read():
    (read,) = POINTS.body(GOOD % b"NaN").series[0].values
    assert math.isnan(read)


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        (GOOD % b"1e400", "series[0].values[0]", "out of range"),
        (GOOD % b"NaN,1e400", None, "larger than a 64-bit float"),
        (GOOD % b'"nan"', "series[0].values[0]", "nan"),
        (GOOD % b"null", "series[0].values[0]", "null"),
        (b'{"series":[{"metric":"m","steps":[9223372036854775808],"values":[]}]}', "series[0].steps[0]", "9223372036"),
        (b'{"series":[{"metric":"m","steps":[1.5],"values":[]}]}', "series[0].steps[0]", "float"),
        (b'{"series":[{"metric":"m","steps":[NaN],"values":[]}]}', "series[0].steps[0]", "float"),
        (b'{"series":[{"metric":NaN,"steps":[],"values":[]}]}', "series[0].metric", "str"),
        (b'{"series":[{"metric":"m","steps":[],"values":[],"step":1}]}', "series[0].step", "unknown field"),
        (b'{"colour":"red"}', "colour", "unknown field"),
        (b'{"colour":NaN}', "colour", "unknown field"),
        (b'{"series":[{"metric":"m","values":[]}]}', "series[0].steps", "missing"),
        (b'{"status":"DONE"}', "status", "DONE"),
        (b'{"params":{"lr":0.1}}', "params[...]", "str"),
        (b"[]", None, "object"),
        (b"NaN", None, "object"),
        (b"{", None, "not JSON"),
        (b"{NaN", None, "not JSON"),
        (b'{"name":"\xff"}', None, "not UTF-8"),
        (b'{"name":"\xffNaN"}', None, "not UTF-8"),
        (b'{"name":' + b"[" * 100_000, "name", "array"),
        (b'{"name":NaN,"x":' + b"[" * 100_000, None, "nested too deeply"),
        (b'{"name":NaN,"start_time_us":' + b"1" * 5000 + b"}", None, "thousands of digits"),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, field: str | None, text: str):
    with pytest.raises(Invalid, match=text) as caught:
        POINTS.body(body)
    assert caught.value.field == field
    assert not field or field in caught.value.message


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes):
    try:
        read = POINTS.body(body)
    except Invalid:
        return
    assert isinstance(read, wire.PointsWrite)


def test_a_query():
    read = QUERY.query([("metric", "m"), ("label", "a=1"), ("label", "b=2"), ("limit", "7"), ("min_step", "-3")])
    assert read == wire.PointsQuery(metric="m", label=["a=1", "b=2"], limit=7, min_step=-3)
    assert Decoder(wire.Deletion).query([("purge", "true")]).purge is True


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ([], "metric"),
        ([("metric", "a"), ("metric", "b")], "metric"),
        ([("metric", "a"), ("limit", "many")], "limit"),
        ([("metric", "a"), ("limit", "0")], "limit"),
        ([("metric", "a"), ("limit", "100001")], "limit"),
        ([("metric", "a"), ("order", "random")], "order"),
        ([("metric", "a"), ("min_step", "9223372036854775808")], "min_step"),
        ([("metric", "a"), ("colour", "red")], "colour"),
    ],
)
def test_a_query_that_cannot_be_read(arguments: list[tuple[str, str]], field: str):
    with pytest.raises(Invalid) as caught:
        QUERY.query(arguments)
    assert caught.value.field == field
