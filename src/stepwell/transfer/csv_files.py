"""Runs out of a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TypeAlias

from stepwell.transfer.runs import Moved, Run, Tell
from stepwell.transfer.tables import Choice, Table

Start: TypeAlias = Callable[[str], "int | None"]

_LARGEST_CELL: Final = 16 * 1024 * 1024
_OFTEN: Final = 1000  # rows


def read(source: Path, choice: Choice, start: Start, tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs of a file. ValueError: it is no table. `tell` hears of each row that cannot be read.

    start: of a run that is there already. Runs whose rows tell no time begin then, new ones when the file last changed.
    """
    csv.field_size_limit(_LARGEST_CELL)
    size = source.stat().st_size
    with source.open("rb") as data, TextIOWrapper(data, encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines, dialect=_dialect(lines))
        header = next(rows, None)
        if not header:
            raise ValueError(f"{source}: there is no line with the names of the columns")
        table = table_of(source, header, choice, start)
        for count, row in enumerate(rows, 1):
            if not count % _OFTEN:
                moved(data.tell(), size, source.name)
            if row:
                _add(table, row, header, f"{source}, line {rows.line_num}", tell)
    moved(size, size, source.name)
    yield from table.runs.values()


def table_of(source: Path, header: Sequence[str], choice: Choice, start: Start) -> Table:
    """An empty table of this file. ValueError."""
    changed = source.stat().st_mtime_ns // 1000

    def begun(run_id: str) -> int:
        there = start(run_id)
        return changed if there is None else there

    try:
        return Table(
            header,
            choice,
            source=os.fspath(source.resolve()),
            name=source.stem,
            start=begun,
        )
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _add(table: Table, row: Sequence[str], header: Sequence[str], place: str, tell: Tell) -> None:
    if len(row) != len(header):
        tell(f"{place}: {len(row)} cells under {len(header)} columns")
        return
    try:
        table.add(row)
    except (ValueError, OverflowError) as error:
        tell(f"{place}: {error}")


def _dialect(lines: TextIOWrapper) -> type[csv.Dialect]:
    """Commas, semicolons or tabs, whichever the first line has."""
    first = lines.readline()
    lines.seek(0)

    class Found(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Found
