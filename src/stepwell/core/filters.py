"""Filters and orders as values, and what they mean: the evaluation that every engine's compiler must agree with.

The text form lives in `filter_grammar`. SQL does not live here.

Meaning, for every engine:
- A filter is a conjunction; the empty filter matches everything.
- A row that lacks the metric, param, tag, attribute or dataset matches no comparison on it, `!=` and `NOT IN` included.
  Only `IS NULL` asks for what is missing.
- Metrics and numeric attributes compare as numbers: 0.0 equals -0.0, and NaN satisfies `!=` alone.
- Strings compare by code point, case-sensitively. `LIKE` knows `%` (any text, also empty, also over lines) and `_` (one
  code point) and has no escape. `ILIKE` is `LIKE` after `str.lower()` on both sides.
- A comparison on a dataset holds when it holds for one dataset of the run at least; two comparisons may find two of them.
- In an order, missing values come last, NaN after the numbers and before the missing, ascending or descending alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Number: TypeAlias = int | float
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
