"""Filters and orders as values: what can be asked of runs and experiments, and by which operators.

The text form lives in `filter_grammar`, the meaning of a filter in `filter_match`. SQL does not live here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Scalar: TypeAlias = str | int | float
Value: TypeAlias = str | int | float | tuple[str, ...] | None


class Kind(StrEnum):
    """Where a field's value is found. The value is the word before the dot in the text form."""

    METRIC = "metrics"
    PARAM = "params"
    TAG = "tags"
    ATTRIBUTE = "attributes"
    DATASET = "datasets"


class Aggregate(StrEnum):
    """Which number of a metric is meant. LAST is the value of the point with the greatest (step, time, value)."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    COUNT = "count"


class Op(StrEnum):
    """A comparison, spelled as in the text form."""

    GT = ">"
    GE = ">="
    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that can be compared or ordered by. `key` of an attribute is its name in the schema, never an alias."""

    kind: Kind
    key: str
    aggregate: Aggregate = Aggregate.LAST  # of a metric; LAST for every other kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One clause. The type of `value` follows from field and operator:

    - metric: float, always finite
    - numeric attribute: int within int64, or a finite float; in the unit of the text (the dialect knows which)
    - IN, NOT IN: tuple of one or more strings
    - IS NULL, IS NOT NULL: None
    - everything else: str, without NUL and lone surrogates
    """

    field: Field
    op: Op
    value: Value


Filter: TypeAlias = tuple[Comparison, ...]  # all must hold


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBy:
    """One sort key, the most significant first in a tuple of them."""

    field: Field
    descending: bool = False


class AttributeType(StrEnum):
    """How the values of an attribute compare and sort."""

    TEXT = "text"  # by code point
    NUMBER = "number"
    SERIAL = (
        "serial"  # text which spells a counting number: compares as text, sorts by (length, text), so "9" before "10"
    )


COMPARE_OPS = frozenset({Op.GT, Op.GE, Op.EQ, Op.NE, Op.LT, Op.LE})
TEXT_OPS = frozenset({Op.EQ, Op.NE, Op.LIKE, Op.ILIKE})
LIST_OPS = frozenset({Op.IN, Op.NOT_IN})
NULL_OPS = frozenset({Op.IS_NULL, Op.IS_NOT_NULL})
DATASET_KEYS = ("name", "digest", "context")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A built-in value of a row: its name, its type, its operators, and the other names (lower case) it answers to."""

    name: str
    type: AttributeType
    ops: frozenset[Op]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the rows of one search have: kinds, attributes, and the order that decides where the asked one does not."""

    rows: str  # what a row is, for messages: "runs"
    kinds: frozenset[Kind]
    attributes: tuple[Attribute, ...]
    default_order: tuple[OrderBy, ...]  # total: no two rows are equal under it
    loose_quotes: bool = False  # whether numbers may stand for text, and in quotes: `params.lr = 0.01`, `version = '1'`

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of this name; an alias in any case will do."""
        for attribute in self.attributes:
            if name == attribute.name or name.lower() in attribute.aliases:
                return attribute
        return None

    def ops(self, field: Field) -> frozenset[Op]:
        """The operators that may be asked of a field; empty when these rows have no such field."""
        if field.kind not in self.kinds:
            return frozenset()
        match field.kind:
            case Kind.METRIC:
                return COMPARE_OPS
            case Kind.PARAM | Kind.TAG:
                return TEXT_OPS | NULL_OPS
            case Kind.DATASET:
                return TEXT_OPS | LIST_OPS
        attribute = self.attribute(field.key)
        return attribute.ops if attribute else frozenset()

    def is_numeric(self, field: Field) -> bool:
        """Whether the field's values are numbers; otherwise they are text."""
        if field.kind is Kind.ATTRIBUTE:
            attribute = self.attribute(field.key)
            return attribute is not None and attribute.type is AttributeType.NUMBER
        return field.kind is Kind.METRIC


def complete_order(order: tuple[OrderBy, ...], *, schema: Schema) -> tuple[OrderBy, ...]:
    """The order with the default one behind it: total, so that pages neither repeat nor lose a row."""
    asked = {by.field for by in order}
    return order + tuple(by for by in schema.default_order if by.field not in asked)


def milliseconds_to_microseconds(conditions: Filter, *, schema: Schema) -> Filter:
    """A filter on times in whole milliseconds, as people and clients write them, asked of times in microseconds.

    A time counts as its millisecond, rounded down: `= 5` finds 5000 to 5999 and `> 5` begins at 6000. Only `!=` cannot
    be said so in a conjunction: `!= 5` leaves out 5000 alone. Comparisons on anything else stay as they are.
    """
    scaled: list[Comparison] = []
    for comparison in conditions:
        if comparison.field.kind is Kind.ATTRIBUTE and schema.is_numeric(comparison.field):
            scaled += _in_microseconds(comparison)
        else:
            scaled.append(comparison)
    return tuple(scaled)


def _in_microseconds(comparison: Comparison) -> list[Comparison]:
    value = comparison.value
    assert isinstance(value, int | float)
    low, high = math.ceil(value) * 1000, (math.floor(value) + 1) * 1000
    bounds: Mapping[Op, tuple[tuple[Op, int | float], ...]] = {
        Op.GT: ((Op.GE, high),),
        Op.GE: ((Op.GE, low),),
        Op.EQ: ((Op.GE, low), (Op.LT, high)),
        Op.NE: ((Op.NE, low if low < high else value),),
        Op.LT: ((Op.LT, low),),
        Op.LE: ((Op.LT, high),),
    }
    return [
        Comparison(field=comparison.field, op=op, value=_within_reach(bound)) for op, bound in bounds[comparison.op]
    ]


def _within_reach(bound: int | float) -> int | float:
    """A bound beyond int64 as a float that every int64 is as far from: engines cannot hold larger integers."""
    return bound if -(2**63) <= bound < 2**63 else (1e19 if bound > 0 else -1e19)


def _text(name: str, *aliases: str, ops: frozenset[Op] = TEXT_OPS) -> Attribute:
    return Attribute(name=name, type=AttributeType.TEXT, ops=ops, aliases=aliases)


def _number(name: str, *aliases: str) -> Attribute:
    return Attribute(name=name, type=AttributeType.NUMBER, ops=COMPARE_OPS, aliases=aliases)


def _by(name: str, *, descending: bool = False) -> OrderBy:
    return OrderBy(field=Field(kind=Kind.ATTRIBUTE, key=name), descending=descending)


RUNS = Schema(
    rows="runs",
    kinds=frozenset(Kind),
    attributes=(
        _text("run_id", ops=TEXT_OPS | LIST_OPS),
        _text("run_name", "run name"),
        _text("user_id"),
        _text("status"),
        _text("artifact_uri"),
        _number("start_time", "created"),
        _number("end_time"),
        _number("duration"),  # end_time - start_time; missing until both are known, and kept within int64
    ),
    default_order=(_by("start_time", descending=True), _by("run_id")),
)

EXPERIMENTS = Schema(
    rows="experiments",
    kinds=frozenset({Kind.TAG, Kind.ATTRIBUTE}),
    attributes=(
        _text("name"),
        Attribute(name="experiment_id", type=AttributeType.SERIAL, ops=TEXT_OPS | LIST_OPS),
        _number("creation_time"),
        _number("last_update_time"),
    ),
    default_order=(_by("creation_time", descending=True), _by("experiment_id", descending=True)),
)

LOGGED_MODELS = Schema(
    rows="models",
    kinds=frozenset({Kind.METRIC, Kind.PARAM, Kind.TAG, Kind.ATTRIBUTE}),
    attributes=(
        _text("name", ops=TEXT_OPS | LIST_OPS),
        _text("model_id", ops=TEXT_OPS | LIST_OPS),
        _text("model_type", ops=TEXT_OPS | LIST_OPS),
        _text("status", ops=TEXT_OPS | LIST_OPS),
        _text("source_run_id", ops=TEXT_OPS | LIST_OPS),
        _number("creation_time", "creation_timestamp", "creation_timestamp_ms"),
        _number("last_update_time", "last_updated_timestamp", "last_updated_timestamp_ms", "last_updated_time"),
    ),
    default_order=(_by("creation_time", descending=True), _by("model_id")),
    loose_quotes=True,
)

REGISTERED_MODELS = Schema(
    rows="registered models",
    kinds=frozenset({Kind.TAG, Kind.ATTRIBUTE}),
    attributes=(
        _text("name", ops=TEXT_OPS | LIST_OPS),
        _number("creation_time", "creation_timestamp"),
        _number("last_update_time", "last_updated_timestamp", "timestamp"),
    ),
    default_order=(_by("name"),),
)

MODEL_VERSIONS = Schema(
    rows="model versions",
    kinds=frozenset({Kind.TAG, Kind.ATTRIBUTE}),
    attributes=(
        _text("name", ops=TEXT_OPS | LIST_OPS),
        _number("version_number"),
        _text("run_id", ops=TEXT_OPS | LIST_OPS),
        _text("source_path", ops=TEXT_OPS | LIST_OPS),
        _number("creation_time", "creation_timestamp"),
        _number("last_update_time", "last_updated_timestamp"),
    ),
    default_order=(_by("name"), _by("version_number", descending=True)),
    loose_quotes=True,
)
