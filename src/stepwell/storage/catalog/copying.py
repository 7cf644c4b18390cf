"""All rows of the catalog, table by table, from one database into another. What they mean does not matter here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from stepwell.storage.catalog.sql import Connection, Row

PAGE: Final = 2_000  # rows read at once
# Each table and what its rows are ordered by: no two rows have the same. `audit` is only ever added to.
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "workspace": ("key",),
    "workspace_alias": ("dialect", "id"),
    "experiment": ("workspace_key", "id"),
    "experiment_tag": ("workspace_key", "experiment_id", "name"),
    "run": ("key",),
    "tombstone": ("run_key",),
    "param": ("run_key", "name"),
    "tag": ("run_key", "name"),
    "custom_info": ("run_key", "name"),
    "event": ("run_key", "seq"),
    "log_line": ("run_key", "stream", "line"),
    "metric": ("id",),
    "labels": ("id",),
    "series": ("key",),
    "summary": ("series_key",),
    "run_metric": ("metric_id", "run_key"),
    "record": ("key",),
    "record_value": ("record_key", "is_unique", "name"),
    "credential": ("id",),
    "credential_key": ("credential_id",),
    "blob": ("workspace_key", "run_key", "path"),
    "bound": ("workspace", "experiment_id", "name"),
    "audit": ("number",),
}


def columns(connection: Connection, table: str) -> list[str]:
    """The columns of a table of SQLite that hold something of their own, in their order."""
    return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()]


def pages(connection: Connection, table: str, names: Sequence[str], *, after: Row | None = None) -> Iterator[list[Row]]:
    """The rows in their order, or those after the one whose ordering columns are `after`."""
    order = TABLES[table]
    places = [names.index(name) for name in order]
    chosen, ordered = _listed(names), _listed(order)
    while True:
        beyond = f"WHERE ({ordered}) > ({', '.join('?' * len(order))})" if after is not None else ""
        statement = f'SELECT {chosen} FROM "{table}" {beyond} ORDER BY {ordered} LIMIT {PAGE}'
        rows: list[Row] = connection.execute(statement, after or ()).fetchall()
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        after = tuple(rows[-1][place] for place in places)


def put(connection: Connection, table: str, names: Sequence[str], rows: Iterable[Row], *, words: str = "") -> None:
    """Add rows; `words`: what the database wants before their values."""
    marks = ", ".join("?" * len(names))
    for _ in connection.executemany(f'INSERT INTO "{table}" ({_listed(names)}) {words} VALUES ({marks})', rows):
        pass


def checksum(connection: Connection, table: str, names: Sequence[str]) -> tuple[int, str]:
    """How many rows there are, and a checksum of all of them that is the same in every database."""
    digest, count = hashlib.sha256(), 0
    for page in pages(connection, table, names):
        count += len(page)
        for row in page:
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return count, digest.hexdigest()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
