"""Lines of streams, fast and patient: both read the same, and both stop at the first bad line."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.series import INT64_MAX, value_key
from stepwell.dialects.pluto import lines

NUMBERS = st.floats() | st.integers(-(10**20), 10**20) | st.sampled_from(["NaN", "Infinity", "-Infinity"]) | st.none()
ROWS = st.fixed_dictionaries(
    {
        "time": st.integers(0, 9_223_372_036_854_775),
        "step": st.integers(0, INT64_MAX),
        "data": st.dictionaries(st.text("ab/é", min_size=1, max_size=3), NUMBERS, max_size=4).filter(
            lambda data: any(value is not None for value in data.values())
        ),
    }
)
BAD = [b"{", b"[]", b'{"time":1}', b"\xff", b'{"time":1,"step":1,"data":{"a":true}}', b"x" * 100]


def told(block: bytes) -> tuple[list[tuple[str, int, int, int]], int, str | None]:
    parsed = lines.metrics(block, 1)
    bad = None if parsed.bad is None else parsed.bad.message
    if parsed.rows is None:
        return [], parsed.count, bad
    batch = parsed.rows
    names = [batch.series[which][0] for which in batch.which.tolist()]
    keys = [value_key(value) for value in batch.value.tolist()]
    return list(zip(names, batch.step.tolist(), batch.time.tolist(), keys, strict=True)), parsed.count, bad


def expected(rows: list[dict[str, Any]]) -> list[tuple[str, int, int, int]]:
    return [
        (name, row["step"], row["time"] * 1000, value_key(float(value)))
        for row in rows
        for name, value in row["data"].items()
        if value is not None
    ]


@given(st.lists(ROWS, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n", " \t\n"]), st.booleans())
def test_every_value_arrives(rows: list[dict[str, Any]], end: str, last: bool) -> None:
    block = end.join(json.dumps(row) for row in rows) + (end if last else "")
    found, count, bad = told(block.encode())
    assert bad is None
    assert found == expected(rows)
    assert count == len(found)


@given(st.lists(ROWS, max_size=4), st.sampled_from(BAD), st.lists(ROWS, max_size=2))
def test_what_stands_before_a_bad_line_is_kept(before: list[Any], bad: bytes, after: list[Any]) -> None:
    def text(rows: list[Any]) -> list[bytes]:
        return [json.dumps(row).encode() for row in rows]

    found, _, message = told(b"\n".join([*text(before), bad, *text(after)]))
    assert found == expected(before)
    assert message is not None
    assert message.startswith(f"line {len(before) + 1}: ")


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_anything_else_is_refused_and_never_fails(block: bytes) -> None:
    told(block)
    lines.logs(block, 1)
    lines.observations(block, 1, run_id="r", at=1)


def test_numbers_of_lines_go_on() -> None:
    parsed = lines.metrics(b'{"time":1,"step":1,"data":{"a":1}}\nbad', 1000)
    assert parsed.bad is not None
    assert parsed.bad.message.startswith("line 1001: ")
    assert parsed.count == 1


def test_console_lines_keep_their_number_and_differ_by_time_and_text() -> None:
    rows = [
        {"time": 1, "message": "a", "lineNumber": 1, "logType": "info"},
        {"time": 1, "message": "b", "lineNumber": 1, "logType": "info"},
        {"time": 2, "message": "a", "lineNumber": 1, "logType": "info"},
        {"time": 1, "message": "a", "lineNumber": 2**31 - 2, "logType": "info"},
        {"time": 1, "message": "a", "lineNumber": 1, "logType": "info"},
    ]
    found = lines.logs("\n".join(map(json.dumps, rows)).encode(), 1).rows
    assert [lines.line_number(line.line) for line in found] == [1, 1, 1, 2**31 - 2, 1]
    assert len({line.line for line in found}) == 4
    assert found[0] == found[4]
    assert found[0].stream == "INFO"
    assert [lines.line_number(number) for number in (0, 1, 77)] == [0, 1, 77]  # lines of other interfaces


def test_an_observation_sent_again_has_the_same_place() -> None:
    row = {"time": 1, "data": "{}", "dataType": "TABLE", "logName": "t", "step": 3}
    block = "\n".join(json.dumps(each) for each in (row, row, {**row, "step": 4}, {**row, "data": "{ }"})).encode()
    ids = [record.id for record in lines.observations(block, 1, run_id="r", at=9).rows]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_bare_and_quoted_words_are_the_same(text: str) -> None:
    bare, quoted = (
        lines.metrics(f'{{"time":1,"step":1,"data":{{"a":{each}}}}}'.encode(), 1).rows for each in (text, f'"{text}"')
    )
    assert bare is not None
    assert quoted is not None
    value = float(quoted.value[0])
    assert not math.isfinite(value)
    assert value_key(float(bare.value[0])) == value_key(value)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 5000])
@pytest.mark.parametrize("beside", ["1", "NaN"])
def test_a_number_that_no_float_can_be_is_refused(number: str, beside: str) -> None:
    parsed = lines.metrics(f'{{"time":1,"step":1,"data":{{"a":{beside},"b":{number}}}}}'.encode(), 1)
    assert (parsed.count, parsed.rows) == (0, None)
    assert parsed.bad is not None
    assert parsed.bad.message.startswith("line 1: ")


def test_halves_of_characters() -> None:
    good = '{"time":1,"step":1,"data":{"a":1}}\n'
    parsed = lines.metrics((good + '{"time":1,"step":1,"data":{"\\ud83d":1}}').encode(), 1)
    assert parsed.count == 1
    assert parsed.bad is not None
    assert "surrogate" in parsed.bad.message
    data = '{"time":1,"data":"\\udc80","dataType":"T","logName":"n"}'
    assert lines.observations(data.encode(), 1, run_id="r", at=1).bad is not None
    said = lines.logs(b'{"time":1,"message":"a \\udcff b \\ud83d\\ude80","lineNumber":1,"logType":"INFO"}', 1)
    assert said.bad is None
    assert [line.text for line in said.rows] == ["a \ufffd b \U0001f680"]


@pytest.mark.parametrize("name", ["n" * 1025, "a\0b", "  "])
def test_a_bad_name_is_a_bad_line(name: str) -> None:
    rows = [{"time": 1, "step": 1, "data": {each: 1}} for each in ("good", name, "later")]
    parsed = lines.metrics("\n".join(map(json.dumps, rows)).encode(), 1)
    assert parsed.count == 1
    assert parsed.bad is not None
    assert parsed.bad.message.startswith("line 2: ")
