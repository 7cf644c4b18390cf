"""The filter compiler: a filter, an order and a position become one SELECT. The only place that joins SQL together.

Its answer must be that of `core.filter_match`, which tests/property/test_search.py holds it to. Every value is bound;
what is joined are our own fragments, operators and numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stepwell.core.errors import Invalid
from stepwell.core.filters import AttributeType, Comparison, Field, Filter, Kind, Op, OrderBy, complete_order
from stepwell.core.page import Position
from stepwell.core.series import INT64_MAX, value_key
from stepwell.storage.catalog.fields import DATASET_KIND, Bindings, Fields, Table, is_count
from stepwell.storage.catalog.live import LiveValues
from stepwell.storage.catalog.sql import SQLITE, Idiom, listed

# SQL functions (pattern, text) with the meaning of core.filter_match, which an engine gives its connections.
LIKE: Final = "text_like"
ILIKE: Final = "text_ilike"
NAN_KEY: Final = value_key(float("nan"))
ZERO_KEYS: Final = (value_key(-0.0), value_key(0.0))
MISSING: Final = INT64_MAX  # sorts behind everything; no value key, and where a time could be it a second term decides
_TEST: Final[Mapping[Op, str]] = {
    Op.GT: ">",
    Op.GE: ">=",
    Op.EQ: "=",
    Op.NE: "<>",
    Op.LT: "<",
    Op.LE: "<=",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One sort key in SQL: never NULL; int64 or text."""

    sql: str
    descending: bool = False
    is_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A search ready to run. Its rows are the row's key, then the sort keys: the position of the row."""

    sql: str
    bindings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to search for. `scope` are conditions on the table that are not the user's, with their bindings."""

    table: Table
    scope: Sequence[str]
    scope_values: Mapping[str, Any]
    filter: Filter
    order: tuple[OrderBy, ...]
    after: Position | None
    skip: int = 0
    limit: int


def compile_search(
    question: Question,
    *,
    metric_ids: Mapping[str, int],
    live: LiveValues | None = None,
    among: Collection[int] | None = None,
    idiom: Idiom = SQLITE,
) -> Statement:
    """The statement for up to `limit` rows, `skip` of them left out before.

    metric_ids: of the metrics in the question, those that are stored. live: values that win over the stored ones.
    among: keys of the runs that may be found; None for all.
    """
    bindings = Bindings(idiom)
    fields = Fields(question.table, bindings, metric_ids=metric_ids, live=live)
    wheres = [*question.scope, *(condition(fields, bindings, each) for each in question.filter)]
    terms = terms_of(fields, complete_order(question.order, schema=question.table.schema))
    if question.after is not None:
        wheres += beyond(terms, question.after, bindings)
    columns = [question.table.key, *(term.sql for term in terms)]
    lines = [
        *_selected(columns, fields, wheres, among, bindings),
        f"ORDER BY {', '.join(directions(terms))}",
        f"LIMIT {bindings.add(question.limit)}",
        f"OFFSET {bindings.add(question.skip)}" if question.skip else "",
    ]
    return Statement(sql="\n".join(filter(None, lines)), bindings={**question.scope_values, **bindings.values})


def compile_count(
    question: Question,
    *,
    metric_ids: Mapping[str, int],
    live: LiveValues | None = None,
    among: Collection[int] | None = None,
    idiom: Idiom = SQLITE,
) -> Statement:
    """The statement whose one row says how many rows there are in all; otherwise as `compile_search`."""
    bindings = Bindings(idiom)
    fields = Fields(question.table, bindings, metric_ids=metric_ids, live=live)
    wheres = [*question.scope, *(condition(fields, bindings, each) for each in question.filter)]
    lines = _selected(["count(*)"], fields, wheres, among, bindings)
    return Statement(sql="\n".join(filter(None, lines)), bindings={**question.scope_values, **bindings.values})


def _selected(
    columns: Sequence[str], fields: Fields, wheres: Sequence[str], among: Collection[int] | None, bindings: Bindings
) -> list[str]:
    """The lines that say which columns of which rows, empty ones among them."""
    return [
        f"WITH {', '.join(fields.ctes)}" if fields.ctes else "",
        f"SELECT {', '.join(columns)}",
        f"FROM {fields.table.name if among is None else _named(among, bindings)}",
        *fields.joins,
        f"WHERE {' AND '.join(wheres)}",
    ]


def _named(keys: Collection[int], bindings: Bindings) -> str:
    """From the keys to the runs; CROSS JOIN keeps that order."""
    idiom, given = bindings.idiom, bindings.add(listed(sorted(keys)))
    return f"{idiom.numbers}({given}) AS named {idiom.onward} run ON run.key = named.value"


# Conditions -----------------------------------------------------------------------------------------------------------


def condition(fields: Fields, bindings: Bindings, asked: Comparison) -> str:
    """A comparison of the filter."""
    if asked.field.kind is Kind.DATASET:
        return _dataset(bindings, asked)
    value = fields.value(asked.field)
    if asked.op is Op.IS_NULL:
        return f"{value} IS NULL"
    if asked.op is Op.IS_NOT_NULL:
        return f"{value} IS NOT NULL"
    if asked.field.kind is Kind.METRIC and not is_count(asked.field):
        return by_value_key(value, asked.op, asked.value, bindings)
    if _type(fields.table, asked.field) is AttributeType.SERIAL:
        value = f"CAST({value} AS TEXT)"
    return _plain(value, asked.op, asked.value, bindings)


def _plain(value: str, op: Op, given: Any, bindings: Bindings) -> str:
    match op:
        case Op.LIKE:
            return f"{LIKE}({bindings.add(given)}, {value})"
        case Op.ILIKE:
            return f"{ILIKE}({bindings.add(given)}, {value})"
        case Op.IN | Op.NOT_IN:
            return f"{value} {op.value} (SELECT value FROM {bindings.idiom.texts}({bindings.add(json.dumps(given))}))"
        case _:
            return f"{value} {_TEST[op]} {bindings.add(given)}"


def by_value_key(value: str, op: Op, given: Any, bindings: Bindings) -> str:
    """A comparison of floats as one of their keys: both zeros are equal, NaN satisfies `!=` alone, missing nothing."""
    low, high = ZERO_KEYS if given == 0 else (value_key(float(given)),) * 2
    match op:
        case Op.EQ | Op.NE:
            negation = "NOT " if op is Op.NE else ""
            return f"{value} {negation}BETWEEN {bindings.add(low)} AND {bindings.add(high)}"
        case Op.LT | Op.LE:
            return f"{value} {_TEST[op]} {bindings.add(low if op is Op.LT else high)}"
        case _:
            bound = bindings.add(high if op is Op.GT else low)
            return f"{value} {_TEST[op]} {bound} AND {value} < {bindings.add(NAN_KEY)}"


def _dataset(bindings: Bindings, asked: Comparison) -> str:
    return (
        "EXISTS (SELECT 1 FROM record JOIN record_value ON record_value.record_key = record.key"
        f" WHERE record.run_key = run.key AND record.kind = {bindings.add(DATASET_KIND)} AND record_value.is_unique = 0"
        f" AND record_value.name = {bindings.add(asked.field.key)}"
        f" AND {_plain('record_value.value', asked.op, asked.value, bindings)})"
    )


# Orders ---------------------------------------------------------------------------------------------------------------


def terms_of(fields: Fields, order: Sequence[OrderBy]) -> list[Term]:
    """The sort keys of an order."""
    return [term for by in order for term in _terms_by(fields, by)]


def _terms_by(fields: Fields, by: OrderBy) -> list[Term]:
    """Numbers are turned so that they always ascend (~x falls as x rises); text has a direction."""
    value = fields.value(by.field)
    if by.field.kind is Kind.METRIC:
        return [Term(sql=f"coalesce({_turned_key(value, by)}, {MISSING})")]
    if by.field.kind in {Kind.PARAM, Kind.TAG}:
        missing = Term(sql=f"CAST({value} IS NULL AS INTEGER)")
        return [missing, Term(sql=f"coalesce({value}, '')", descending=by.descending, is_text=True)]
    if _type(fields.table, by.field) is AttributeType.TEXT:
        return [Term(sql=value, descending=by.descending, is_text=True)]
    if value not in fields.table.optional:
        return [Term(sql=f"~{value}" if by.descending else value)]
    if by.descending and value in fields.table.falling:
        return [Term(sql=column) for column in fields.table.falling[value]]
    turned = f"~{value}" if by.descending else value
    return [Term(sql=f"coalesce({turned}, {MISSING})"), Term(sql=f"CAST({value} IS NULL AS INTEGER)")]


def directions(terms: Sequence[Term]) -> list[str]:
    """What to sort by where the sort keys are the columns from the second one on."""
    return [f"{place} DESC" if term.descending else str(place) for place, term in enumerate(terms, 2)]


def _turned_key(value: str, by: OrderBy) -> str:
    """A value key with both zeros made one, and NaN behind the numbers in both directions."""
    if is_count(by.field):
        return f"~{value}" if by.descending else value
    minus_zero, zero = ZERO_KEYS
    if by.descending:
        return f"CASE {value} WHEN {NAN_KEY} THEN {MISSING - 1} WHEN {minus_zero} THEN {~zero} ELSE ~{value} END"
    return f"CASE {value} WHEN {minus_zero} THEN {zero} ELSE {value} END"


def beyond(terms: Sequence[Term], after: Position, bindings: Bindings) -> list[str]:
    """Conditions that hold for the rows behind a position. The first alone lets an index seek; the second decides."""
    if len(after) != len(terms) or not all(map(_fits, terms, after)):
        raise Invalid("the position does not belong to this order", field="cursor")
    names = [bindings.add(value) for value in after]
    comparisons = ["<" if term.descending else ">" for term in terms]
    condition = f"{terms[-1].sql} {comparisons[-1]} {names[-1]}"
    for term, comparison, name in list(zip(terms, comparisons, names, strict=True))[-2::-1]:
        condition = f"({term.sql} {comparison} {name} OR ({term.sql} = {name} AND {condition}))"
    return [f"{terms[0].sql} {comparisons[0]}= {names[0]}", condition]


def _fits(term: Term, value: int | str | None) -> bool:
    return isinstance(value, str if term.is_text else int)


def _type(table: Table, field: Field) -> AttributeType:
    attribute = table.schema.attribute(field.key) if field.kind is Kind.ATTRIBUTE else None
    return attribute.type if attribute else AttributeType.TEXT
