"""Rows of cuts: what of the points of runs is hidden (points/cuts.py), as PostgreSQL keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

from stepwell.storage.catalog.sql import Row, Statements
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.points import Cut

SQL: Final = Statements(files(__package__).joinpath("cuts.sql").read_text("utf-8"))


def of_series(connection: Connection, keys: Iterable[int]) -> dict[int, Cut]:
    """The cuts of some series, by number."""
    return numbered(SQL.all(connection, "of_series", (json.dumps(list(keys)),)))


def of_runs(connection: Connection, run_keys: Iterable[int]) -> dict[int, Cut]:
    """The cuts of all series of some runs, by number."""
    return numbered(SQL.all(connection, "of_runs", (json.dumps(list(run_keys)),)))


def add(connection: Connection, cut: Cut) -> None:
    """Hide more."""
    values = (cut.run, cut.series, cut.before, cut.made, cut.since, *cut.last, *cut.pivot)
    SQL.run(connection, "add", values)


def drop(connection: Connection, numbers: Iterable[int]) -> None:
    """Forget some, which hide nothing any more or are outdone."""
    SQL.each(connection, "drop", ((number,) for number in numbers))


def forget(connection: Connection, run_keys: Iterable[int]) -> None:
    """Those of purged runs."""
    SQL.each(connection, "drop_of_run", ((key,) for key in run_keys))


def numbered(rows: Iterable[Row]) -> dict[int, Cut]:
    """The cuts of rows as the statements answer them, by number."""
    return {row[0]: _cut(row) for row in rows}


def _cut(row: Row) -> Cut:
    _, run, key, before, made, since, *rest = row
    last, pivot = rest[:3], rest[3:]
    return Cut(
        run=run,
        series=key,
        before=before,
        made=made,
        since=since,
        last=(last[0], last[1], last[2]),
        pivot=(pivot[0], pivot[1], pivot[2], pivot[3]),
    )
