"""Rows of CSV files, both ways."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from stepwell.transfer.tables import Row

SUFFIX: Final = ".csv"
_QUOTED: Final = re.compile('"[^"]*"')
_LARGEST_CELL: Final = 64 * 1024 * 1024


def rows(path: Path) -> Iterator[Row]:
    """The names of the columns, then each row. ValueError: it is no text."""
    csv.field_size_limit(_LARGEST_CELL)
    with path.open("rb") as data, TextIOWrapper(data, encoding="utf-8-sig", newline="") as lines:
        try:
            reader = csv.reader(lines, dialect=_dialect(lines))
            for cells in reader:
                if cells:
                    yield Row(place=f"{path}, line {reader.line_num}", position=data.tell(), cells=cells)
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: {error}") from None


def write(path: Path, header: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
    """Rows of texts, integers and floats, which come back exactly."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(found)


def _dialect(lines: TextIOWrapper) -> type[csv.Dialect]:
    """Commas, semicolons or tabs, whichever the first line has most of, outside of quotes."""
    first = _QUOTED.sub("", lines.readline())
    lines.seek(0)

    class Found(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Found
