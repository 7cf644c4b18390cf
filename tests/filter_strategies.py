"""Hypothesis strategies for filters, orders and rows; for the core's own tests and for every engine's compiler.

Names and values come from small pools, so that filters find rows and sort keys tie.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from stepwell.core.filter_match import RowValues
from stepwell.core.filters import (
    DATASET_KEYS,
    LIST_OPS,
    NULL_OPS,
    RUNS,
    Aggregate,
    AttributeType,
    Comparison,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Schema,
)

KEYS = ("loss", "Loss", "a b", "val/loss", "x.min", "it's", "`q`", '"', "1", "ß")
TEXTS = ("", "a", "A", "ab", "aB%", "a_b", "line\nbreak", "it's", '"q"', "FINISHED", "İ", "ǅ", "ss", "10", "9")
PATTERNS = ("", "%", "_", "%a%", "a%", "%B", "a_b", "__", "%_%", "a%b%", "%\n%", "FIN%", "i%", "ǆ", "%%")
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1.7976931348623157e308, -1e22, 3.0)
VALUES = (*NUMBERS, math.nan, math.inf, -math.inf)
TIMES = (0, 1, -1, 1000, 1_700_000_000_000, 2**63 - 1, -(2**63))


def duration(start: int | None, end: int | None) -> int | None:
    """The attribute of a run with these times."""
    return None if start is None or end is None else max(-(2**63), min(end - start, 2**63 - 1))


def wild_text(**limits: Any) -> st.SearchStrategy[str]:
    """Any text that a store can hold: no NUL, no lone surrogates."""
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), **limits)


def fields(schema: Schema = RUNS, *, wild: bool = False) -> st.SearchStrategy[Field]:
    """A field that the schema has; `wild` takes any text for a key."""
    keys = wild_text(min_size=1, max_size=8) if wild else st.sampled_from(KEYS)
    kinds: dict[Kind, st.SearchStrategy[Field]] = {
        Kind.METRIC: st.builds(Field, kind=st.just(Kind.METRIC), key=keys, aggregate=st.sampled_from(Aggregate)),
        Kind.PARAM: st.builds(Field, kind=st.just(Kind.PARAM), key=keys),
        Kind.TAG: st.builds(Field, kind=st.just(Kind.TAG), key=keys),
        Kind.ATTRIBUTE: st.builds(
            Field, kind=st.just(Kind.ATTRIBUTE), key=st.sampled_from([known.name for known in schema.attributes])
        ),
        Kind.DATASET: st.builds(Field, kind=st.just(Kind.DATASET), key=st.sampled_from(DATASET_KEYS)),
    }
    return st.one_of([kinds[kind] for kind in Kind if kind in schema.kinds])


@st.composite
def comparisons(draw: st.DrawFn, schema: Schema = RUNS, *, wild: bool = False) -> Comparison:
    """One comparison that the grammar allows."""
    field = draw(fields(schema, wild=wild))
    op = draw(st.sampled_from(sorted(schema.ops(field))))
    return Comparison(field=field, op=op, value=draw(_values(field, op, schema, wild=wild)))


def _values(field: Field, op: Op, schema: Schema, *, wild: bool) -> st.SearchStrategy[Any]:
    texts = wild_text(max_size=12) if wild else st.sampled_from(TEXTS)
    floats = st.floats(allow_nan=False, allow_infinity=False) if wild else st.sampled_from(NUMBERS)
    integers = st.integers(-(2**63), 2**63 - 1) if wild else st.sampled_from(TIMES)
    if op in NULL_OPS:
        return st.none()
    if op in LIST_OPS:
        return st.lists(texts, min_size=1, max_size=4).map(tuple)
    if field.kind is Kind.METRIC:
        return floats
    if schema.is_numeric(field):
        return integers | floats
    if op in {Op.LIKE, Op.ILIKE} and not wild:
        return st.sampled_from(PATTERNS)
    return texts


def filters(schema: Schema = RUNS, *, wild: bool = False, max_size: int = 4) -> st.SearchStrategy[Filter]:
    """A filter that the grammar allows."""
    return st.lists(comparisons(schema, wild=wild), max_size=max_size).map(tuple)


def orders(schema: Schema = RUNS, *, wild: bool = False, max_size: int = 3) -> st.SearchStrategy[tuple[OrderBy, ...]]:
    """An order that the grammar allows."""
    sortable = fields(schema, wild=wild).filter(lambda field: field.kind is not Kind.DATASET)
    keys = st.builds(OrderBy, field=sortable, descending=st.booleans())
    return st.lists(keys, max_size=max_size, unique_by=lambda by: by.field).map(tuple)


def rows(schema: Schema = RUNS) -> st.SearchStrategy[RowValues]:
    """A row of the schema with some of everything missing."""
    texts = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(TEXTS), max_size=4)
    numbers = st.dictionaries(st.sampled_from(Aggregate), st.sampled_from(VALUES))
    dataset = st.dictionaries(st.sampled_from(DATASET_KEYS), st.sampled_from(TEXTS))
    attributes = {
        known.name: st.sampled_from(TIMES if known.type is AttributeType.NUMBER else TEXTS) | st.none()
        for known in schema.attributes
    }
    return st.builds(
        RowValues,
        metrics=st.dictionaries(st.sampled_from(KEYS), numbers, max_size=4),
        params=texts,
        tags=texts,
        attributes=st.fixed_dictionaries(attributes),
        datasets=st.lists(dataset, max_size=3).map(tuple),
    )
