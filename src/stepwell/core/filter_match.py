"""What a filter and an order mean, in plain Python: every engine's compiler must select and sort the same rows.

- A filter is a conjunction; the empty filter matches every row.
- A row that lacks the metric, param, tag, attribute or dataset matches no comparison on it, `!=` and `NOT IN` included.
  Only `IS NULL` asks for what is missing.
- Metrics and numeric attributes compare as numbers: 0.0 equals -0.0, and NaN satisfies `!=` alone.
- Text compares by code point, case-sensitively. `LIKE` knows `%` (any text: empty, or over several lines) and `_` (one
  code point) and has no escape. `ILIKE` is `LIKE` after `str.lower()` on both sides.
- A comparison on a dataset holds when one dataset of the run satisfies it; two comparisons may be met by two datasets.
- In an order, missing values come last, and NaN after the numbers and before the missing, ascending or descending.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from stepwell.core.filters import (
    Aggregate,
    AttributeType,
    Comparison,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Scalar,
    Schema,
    Value,
)

Check: TypeAlias = Callable[[Any], bool]

_COMPARE: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValues:
    """What a filter sees of one run or experiment. Whatever is absent from a mapping, or None, is missing.

    Numeric attributes are in the unit of the filter's numbers; a dataset has the keys name, digest and context.
    """

    metrics: Mapping[str, Mapping[Aggregate, float]] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Scalar | None] = field(default_factory=dict)
    datasets: tuple[Mapping[str, str], ...] = ()


def matches(conditions: Filter, row: RowValues) -> bool:
    """Whether the row satisfies every comparison. For many rows, `compile_filter` once."""
    return compile_filter(conditions)(row)


def compile_filter(conditions: Filter) -> Callable[[RowValues], bool]:
    """The filter as a predicate; patterns and lists are prepared once."""
    tests = [_test(comparison) for comparison in conditions]
    return lambda row: all(test(row) for test in tests)


def compile_numbers(conditions: Filter) -> Callable[[float], bool]:
    """Comparisons of one numeric field as a predicate on its number."""
    checks = [_check(each.op, each.value) for each in conditions]
    if len(checks) == 1:
        return checks[0]
    return lambda number: all(check(number) for check in checks)


def compile_like(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """A `LIKE` pattern as a predicate on text. Its cost is at most length of text times length of pattern."""
    if ignore_case:
        lowered = compile_like(pattern.lower())
        return lambda text: lowered(text.lower())
    head, *rest = [_segment(part) for part in pattern.split("%")]
    if not rest:
        return lambda text: head.fullmatch(text) is not None
    *middle, tail = rest
    tail_length = len(pattern) - pattern.rindex("%") - 1

    def like(text: str) -> bool:
        start, end = head.match(text), len(text) - tail_length
        position = start.end() if start else end + 1
        for part in middle:
            if position > end or (found := part.search(text, position, end)) is None:
                return False
            position = found.end()  # the leftmost place leaves the most room for the parts after it
        return position <= end and tail.match(text, end) is not None

    return like


def sort_rows(rows: Iterable[RowValues], order: tuple[OrderBy, ...], *, schema: Schema) -> list[RowValues]:
    """The rows in the asked order; rows equal under it keep the order they came in (see `complete_order`)."""
    result = list(rows)
    for by in reversed(order):
        result = _sort_by(result, by, schema)
    return result


def _test(comparison: Comparison) -> Callable[[RowValues], bool]:
    values = _reader(comparison.field)
    if comparison.op is Op.IS_NULL:
        return lambda row: not values(row)
    check = _check(comparison.op, comparison.value)
    return lambda row: any(check(value) for value in values(row))


def _check(op: Op, value: Value) -> Check:
    match op:
        case Op.IS_NOT_NULL | Op.IS_NULL:
            return lambda _: True
        case Op.LIKE | Op.ILIKE:
            return compile_like(str(value), ignore_case=op is Op.ILIKE)
        case Op.IN | Op.NOT_IN:
            listed = frozenset(value if isinstance(value, tuple) else ())
            return lambda found: (found in listed) is (op is Op.IN)
        case _:
            compare = _COMPARE[op]
            return lambda found: compare(found, value)


def _reader(wanted: Field) -> Callable[[RowValues], tuple[Scalar, ...]]:
    """The values of a field in a row: none when it is missing, several only for datasets."""
    key, aggregate = wanted.key, wanted.aggregate
    match wanted.kind:
        case Kind.METRIC:
            return lambda row: _present(row.metrics.get(key, {}).get(aggregate))
        case Kind.PARAM:
            return lambda row: _present(row.params.get(key))
        case Kind.TAG:
            return lambda row: _present(row.tags.get(key))
        case Kind.ATTRIBUTE:
            return lambda row: _present(row.attributes.get(key))
    return lambda row: tuple(dataset[key] for dataset in row.datasets if key in dataset)


def _present(value: Scalar | None) -> tuple[Scalar, ...]:
    return () if value is None else (value,)


def _segment(part: str) -> re.Pattern[str]:
    """A part of a pattern between two `%`: literal but for `_`."""
    return re.compile("".join("." if sign == "_" else re.escape(sign) for sign in part), re.DOTALL)


def _sort_by(rows: list[RowValues], by: OrderBy, schema: Schema) -> list[RowValues]:
    values = _reader(by.field)
    attribute = schema.attribute(by.field.key) if by.field.kind is Kind.ATTRIBUTE else None
    serial = attribute is not None and attribute.type is AttributeType.SERIAL
    ordered: list[tuple[Any, RowValues]] = []
    nan: list[RowValues] = []
    missing: list[RowValues] = []
    for row in rows:
        value = next(iter(values(row)), None)
        if value is None:
            missing.append(row)
        elif value != value:
            nan.append(row)
        else:
            ordered.append(((len(str(value)), value) if serial else value, row))
    ordered.sort(key=lambda pair: pair[0], reverse=by.descending)  # stable in both directions
    return [row for _, row in ordered] + nan + missing
