"""The filter language on generated texts, filters and rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from filter_strategies import PATTERNS, TEXTS, comparisons, fields, filters, orders, rows
from stepwell.core.errors import BadFilter
from stepwell.core.filter_grammar import parse_filter, parse_order, render, render_order
from stepwell.core.filter_match import RowValues, compile_like, matches, sort_rows
from stepwell.core.filters import (
    EXPERIMENTS,
    RUNS,
    AttributeType,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Schema,
    complete_order,
    milliseconds_to_microseconds,
)

SCHEMAS = pytest.mark.parametrize("schema", [RUNS, EXPERIMENTS], ids=lambda schema: schema.rows)
WORDS = [
    "metrics.loss", "params.`a b`", "tags.", "run_id", "dataset.name", "min(metrics.x)", "min", "metrics", "foo.bar",
    "AND", "or", "NOT", "IN", "IS", "NULL", "LIKE", "ilike", "DESC", "(", ")", ",", ">", ">=", "==", "=", "!=", "<>",
    "1", "-2.5e-3", "1e999", "'x'", '"y"', "'", "`", "``", "''", ".", ";", "\0", "\ud800", " ", "\n",
]  # fmt: skip


def parses_or_points_at_the_place(text: str, schema: Schema) -> None:
    for parse in (parse_filter, lambda text, schema: parse_order([text], schema=schema)):
        error = None
        try:
            parse(text, schema=schema)
        except BadFilter as raised:
            error = raised
        if error is not None:
            assert 0 <= error.position <= len(text)
            assert f"column {error.position + 1}: " in error.message
            assert len(error.message) < 500


@SCHEMAS
@given(data=st.data())
def test_a_rendered_filter_parses_to_itself(schema: Schema, data: st.DataObject):
    conditions = data.draw(filters(schema, wild=True))
    parsed = parse_filter(render(conditions), schema=schema)
    assert parsed == conditions
    assert [type(each.value) for each in parsed] == [type(each.value) for each in conditions]


@SCHEMAS
@given(data=st.data())
def test_a_rendered_order_parses_to_itself(schema: Schema, data: st.DataObject):
    order = data.draw(orders(schema, wild=True))
    assert parse_order(render_order(order), schema=schema) == order


@SCHEMAS
@given(text=st.text())
def test_any_text_parses_or_the_error_points_at_the_place(schema: Schema, text: str):
    parses_or_points_at_the_place(text, schema)


@SCHEMAS
@given(words=st.lists(st.sampled_from(WORDS), max_size=12), glue=st.sampled_from(["", " "]))
def test_any_words_of_the_language_parse_or_the_error_points_at_the_place(schema: Schema, words: list[str], glue: str):
    parses_or_points_at_the_place(glue.join(words), schema)


@given(data=st.data())
def test_a_damaged_filter_parses_or_the_error_points_at_the_place(data: st.DataObject):
    text = render(data.draw(filters(wild=True)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    parses_or_points_at_the_place(text[:start] + data.draw(st.sampled_from([*WORDS, ""])) + text[end:], RUNS)


@pytest.mark.parametrize(
    "text",
    ["(" * 100_000, "[" * 60_000, "(" * 60_000 + ")", "min(" * 10_000, "'" * 60_001, "''" * 30_000, "metrics." * 8000,
     "run_id IN (" + "'a'," * 12_000, "metrics.x > " + "9" * 60_000, "start_time > " + "0" * 60_000 + "1",
     "a" * 65_537, "metrics.x > 1 AND " * 3000],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_huge_texts_parse_or_the_error_points_at_the_place(text: str):
    parses_or_points_at_the_place(text, RUNS)


@given(first=filters(), second=filters(), row=rows())
def test_a_filter_is_a_conjunction(first: Filter, second: Filter, row: RowValues):
    assert matches(first + second, row) == (matches(first, row) and matches(second, row))


@given(comparison=comparisons().filter(lambda each: each.field.kind is not Kind.DATASET), row=rows())
def test_an_operator_and_its_opposite_part_the_rows_that_have_a_value(comparison: Any, row: RowValues):
    opposite = {Op.EQ: Op.NE, Op.LT: Op.GE, Op.GT: Op.LE, Op.IN: Op.NOT_IN, Op.IS_NULL: Op.IS_NOT_NULL}
    opposite |= {to: of for of, to in opposite.items()}
    assume(comparison.op in opposite)
    yes = matches((comparison,), row)
    no = matches((replace(comparison, op=opposite[comparison.op]),), row)
    value = value_of(row, comparison.field)
    if value is None and comparison.value is not None:
        assert (yes, no) == (False, False)
    elif value != value:
        assert yes == (comparison.op is Op.NE)
    else:
        assert yes != no


@given(pattern=st.sampled_from(PATTERNS) | st.text("a_%\n", max_size=8), text=st.text("ab\n", max_size=8))
@example(pattern="%a%a%", text="a")
@example(pattern="a%a", text="a")
def test_like_agrees_with_the_definition_by_recursion(pattern: str, text: str):
    def like(pattern: str, text: str) -> bool:
        match pattern[:1]:
            case "":
                return text == ""
            case "%":
                return any(like(pattern[1:], text[skip:]) for skip in range(len(text) + 1))
            case sign:
                return text != "" and sign in {"_", text[0]} and like(pattern[1:], text[1:])

    assert compile_like(pattern)(text) == like(pattern, text)


@given(pattern=st.sampled_from(PATTERNS), text=st.sampled_from(TEXTS))
def test_ilike_is_like_in_lower_case(pattern: str, text: str):
    assert compile_like(pattern, ignore_case=True)(text) == compile_like(pattern.lower())(text.lower())


@SCHEMAS
@given(data=st.data())
def test_sorted_rows_are_in_order_whatever_the_direction(schema: Schema, data: st.DataObject):
    given_rows = data.draw(st.lists(rows(schema), max_size=8))
    order = data.draw(orders(schema))
    result = sort_rows(given_rows, order, schema=schema)
    assert sorted(map(id, result)) == sorted(map(id, given_rows))
    for one, two in pairwise(result):
        compared = next((sign for by in order if (sign := compare(one, two, by, schema)) != 0), 0)
        assert compared <= 0
        assert compared < 0 or position(one, given_rows) <= position(two, given_rows)


@SCHEMAS
@given(data=st.data())
def test_a_completed_order_begins_as_asked_and_names_each_field_once(schema: Schema, data: st.DataObject):
    order = data.draw(orders(schema))
    complete = complete_order(order, schema=schema)
    asked = [by.field for by in complete]
    assert complete[: len(order)] == order
    assert len(set(asked)) == len(asked)
    assert {by.field for by in schema.default_order} <= set(asked)


@given(
    value=st.integers(-5, 5) | st.floats(-5, 5) | st.sampled_from([1e300, -1e300, 2**63 - 1, -(2**63)]),
    op=st.sampled_from([Op.GT, Op.GE, Op.EQ, Op.LT, Op.LE]),
    time=st.integers(-5000, 5000) | st.sampled_from([2**63 - 1, -(2**63)]),
)
def test_times_count_as_their_millisecond_rounded_down(value: float, op: Op, time: int):
    asked = parse_filter(f"start_time {op} {value!r}", schema=RUNS)
    exact = milliseconds_to_microseconds(asked, schema=RUNS)
    assert matches(exact, started(time)) == matches(asked, started(time // 1000))
    assert parse_filter(render(exact), schema=RUNS) == exact


@given(value=st.integers(-5, 5) | st.floats(-5, 5), time=st.integers(-5, 5))
def test_unequal_times_are_told_apart_in_whole_milliseconds(value: float, time: int):
    asked = parse_filter(f"start_time != {value!r}", schema=RUNS)
    exact = milliseconds_to_microseconds(asked, schema=RUNS)
    assert matches(exact, started(time * 1000)) == matches(asked, started(time))


@given(field=fields(wild=True))
def test_every_field_has_operators_and_one_type(field: Field):
    assert RUNS.ops(field)
    assert RUNS.is_numeric(field) == (Op.GT in RUNS.ops(field))


def started(time: int) -> RowValues:
    return RowValues(attributes={"start_time": time})


def value_of(row: RowValues, field: Field) -> Any:
    """The value of a field in a row, None when missing. Datasets have several and are not asked for here."""
    if field.kind is Kind.METRIC:
        return dict(row.metrics.get(field.key, {})).get(field.aggregate)
    holders = {Kind.PARAM: row.params, Kind.TAG: row.tags, Kind.ATTRIBUTE: row.attributes}
    return holders[field.kind].get(field.key)


def compare(one: RowValues, two: RowValues, by: OrderBy, schema: Schema) -> int:
    """Negative when `one` comes first by this key: by rank (value, NaN, missing), then by value."""
    values = [value_of(row, by.field) for row in (one, two)]
    ranks = [2 if value is None else 1 if value != value else 0 for value in values]
    if ranks != [0, 0]:
        return ranks[0] - ranks[1]
    attribute = schema.attribute(by.field.key) if by.field.kind is Kind.ATTRIBUTE else None
    if attribute is not None and attribute.type is AttributeType.SERIAL:
        values = [(len(value), value) for value in values]
    sign = (values[0] > values[1]) - (values[0] < values[1])
    return -sign if by.descending else sign


def position(row: RowValues, among: list[RowValues]) -> int:
    return next(index for index, each in enumerate(among) if each is row)
