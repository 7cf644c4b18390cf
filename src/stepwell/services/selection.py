"""Searches over rows that are at hand: filtered, sorted and cut into pages by the same rules as an engine's searches.

For entities of which there are some thousands, kept as records. Runs and experiments are searched by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from stepwell.core.errors import Invalid
from stepwell.core.filter_match import RowValues, sort_rows
from stepwell.core.filters import Aggregate, Kind, OrderBy, Schema, complete_order
from stepwell.core.page import Page, Position
from stepwell.core.series import value_key, values_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """An entity, and what a search sees of it."""

    item: T
    values: RowValues


def select(
    rows: Iterable[Row[T]],
    *,
    matches: Callable[[RowValues], bool],
    order: tuple[OrderBy, ...],
    schema: Schema,
    after: Position | None,
    limit: int,
) -> Page[T]:
    """Up to `limit` of the rows that match, in order, behind a position. Invalid: the position is of another order.

    A page begins behind where the last one ended, whatever came or went meanwhile: the position is sorted in among the
    rows as if it were one.
    """
    complete = complete_order(order, schema=schema)
    found = [row for row in rows if matches(row.values)]
    items = {id(row.values): row.item for row in found}
    values = [row.values for row in found]
    if after is not None:
        mark = _row_at(after, complete, schema)
        ordered = sort_rows([*values, mark], complete, schema=schema)
        ordered = ordered[next(i for i, each in enumerate(ordered) if each is mark) + 1 :]
    else:
        ordered = sort_rows(values, complete, schema=schema)
    page = ordered[:limit]
    following = _position(page[-1], complete) if len(ordered) > limit else None
    return Page(items=[items[id(each)] for each in page], after=following)


def _position(row: RowValues, order: Sequence[OrderBy]) -> Position:
    return tuple(_value(row, by) for by in order)


def _value(row: RowValues, by: OrderBy) -> int | str | None:
    key = by.field.key
    match by.field.kind:
        case Kind.METRIC:
            number = row.metrics.get(key, {}).get(by.field.aggregate)
            return None if number is None else value_key(number)
        case Kind.PARAM:
            return row.params.get(key)
        case Kind.TAG:
            return row.tags.get(key)
    value = row.attributes.get(key)
    assert not isinstance(value, float), f"{key} is not a whole number"
    return value


def _row_at(after: Position, order: Sequence[OrderBy], schema: Schema) -> RowValues:
    wrong = Invalid("the position does not belong to this order", field="cursor")
    if len(after) != len(order):
        raise wrong
    metrics: dict[str, dict[Aggregate, float]] = {}
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    attributes: dict[str, str | int | float | None] = {}
    for by, value in zip(order, after, strict=True):
        if value is None:
            continue
        if isinstance(value, int) is not schema.is_numeric(by.field):
            raise wrong
        key = by.field.key
        match by.field.kind:
            case Kind.METRIC:
                metrics.setdefault(key, {})[by.field.aggregate] = float(values_of(np.array([value], np.int64))[0])
            case Kind.PARAM:
                params[key] = str(value)
            case Kind.TAG:
                tags[key] = str(value)
            case _:
                attributes[key] = value
    return RowValues(metrics=metrics, params=params, tags=tags, attributes=attributes)
