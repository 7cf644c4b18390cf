"""Rows in columns of Arrow's and back, with pyarrow: `pip install 'stepwell[parquet]'`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from typing import Any, Final

ROWS: Final = 65_536  # at a time
_INTEGERS: Final = frozenset({"step", "time_us", "start_time_us", "end_time_us"})
_FLOATS: Final = frozenset({"value"})


def library(name: str, needs: str) -> Any:
    """A module of pyarrow. ValueError: it is missing; `needs` is what needs it."""
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(f"{needs} needs pyarrow: pip install 'stepwell[parquet]'") from None


def schema(arrow: Any, names: Sequence[str], *, words: Any) -> Any:
    """Of columns by their names. words: the type of those that are neither integers nor floats."""
    types = (arrow.int64() if name in _INTEGERS else arrow.float64() if name in _FLOATS else words for name in names)
    return arrow.schema(list(zip(names, types)))  # noqa: B905  one is made of the other


def batches(arrow: Any, schema: Any, found: Iterable[Sequence[Any]]) -> Iterator[Any]:
    """Rows of texts, integers and floats. An empty text where there should be a number is null."""
    rest = iter(found)
    numbers = _INTEGERS | _FLOATS
    while some := list(islice(rest, ROWS)):
        columns = [
            arrow.array([None if cell == "" else cell for cell in column] if field.name in numbers else column).cast(
                field.type
            )
            for field, column in zip(schema, zip(*some))  # noqa: B905  the schema is made of the header
        ]
        yield arrow.RecordBatch.from_arrays(columns, schema=schema)


def cells(arrow: Any, column: Any) -> Any:
    """Python's values. Moments are cut to microseconds, which is what Python has."""
    if arrow.types.is_timestamp(column.type):
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    return column.to_pylist()
