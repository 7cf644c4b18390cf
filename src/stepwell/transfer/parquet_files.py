"""Rows of Parquet files, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from stepwell.transfer.arrow_columns import ROWS, batches, cells, library, schema
from stepwell.transfer.tables import Row

SUFFIX: Final = ".parquet"
_NEEDS: Final = "Parquet"
_INDEX: Final = "__index_level_"  # how pandas names an index without a name


def rows(path: Path) -> Iterator[Row]:
    """The names of the columns, then each row. ValueError: it is no such file; pyarrow is missing."""
    arrow, parquet = library("pyarrow", _NEEDS), library("pyarrow.parquet", _NEEDS)
    size, done = path.stat().st_size, 0
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith(_INDEX)]
            total = file.metadata.num_rows
            yield Row(place=str(path), position=0, cells=names)
            for batch in file.iter_batches(ROWS, columns=names):
                columns = [cells(arrow, batch.column(name)) for name in names]
                for row in zip(*columns):  # noqa: B905  columns of one table
                    done += 1
                    yield Row(place=f"{path}, row {done}", position=size * done // total, cells=row)
    except arrow.ArrowException as error:
        raise ValueError(f"{path}: {error}") from None


def write(path: Path, header: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
    """Rows of texts, integers and floats. An empty text where there should be a number is null."""
    arrow, parquet = library("pyarrow", _NEEDS), library("pyarrow.parquet", _NEEDS)
    columns = schema(arrow, header, words=arrow.string())
    with parquet.ParquetWriter(path, columns) as writer:
        for batch in batches(arrow, columns, found):
            writer.write_batch(batch)
