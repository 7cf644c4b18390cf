"""Rows of Parquet files, both ways, with pyarrow: `pip install 'stepwell[parquet]'`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from stepwell.transfer.tables import Row

SUFFIX: Final = ".parquet"
_ROWS: Final = 65_536  # at a time
_INTEGERS: Final = frozenset({"step", "time_us", "start_time_us", "end_time_us"})
_FLOATS: Final = frozenset({"value"})
_INDEX: Final = "__index_level_"  # how pandas names an index without a name


def rows(path: Path) -> Iterator[Row]:
    """The names of the columns, then each row. ValueError: it is no such file; pyarrow is missing."""
    arrow, parquet = _library()
    size, done = path.stat().st_size, 0
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith(_INDEX)]
            total = file.metadata.num_rows
            yield Row(place=str(path), position=0, cells=names)
            for batch in file.iter_batches(_ROWS, columns=names):
                columns = [_cells(arrow, batch.column(name)) for name in names]
                for cells in zip(*columns):  # noqa: B905  columns of one table
                    done += 1
                    yield Row(place=f"{path}, row {done}", position=size * done // total, cells=cells)
    except arrow.ArrowException as error:
        raise ValueError(f"{path}: {error}") from None


def write(path: Path, header: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
    """Rows of texts, integers and floats. An empty text where there should be a number is null."""
    arrow, parquet = _library()
    schema = arrow.schema([(name, _type(arrow, name)) for name in header])
    rest = iter(found)
    with parquet.ParquetWriter(path, schema) as writer:
        while some := list(islice(rest, _ROWS)):
            columns = [
                [None if cell == "" else cell for cell in column] if field.type != arrow.string() else column
                for field, column in zip(schema, zip(*some))  # noqa: B905  the schema is made of the header
            ]
            arrays = [arrow.array(column, field.type) for field, column in zip(schema, columns)]  # noqa: B905
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _library() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ValueError("Parquet needs pyarrow: pip install 'stepwell[parquet]'") from None


def _type(arrow: Any, name: str) -> Any:
    return arrow.int64() if name in _INTEGERS else arrow.float64() if name in _FLOATS else arrow.string()


def _cells(arrow: Any, column: Any) -> Any:
    """Python's values. Moments are cut to microseconds, which is what Python has."""
    if arrow.types.is_timestamp(column.type):
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    return column.to_pylist()
