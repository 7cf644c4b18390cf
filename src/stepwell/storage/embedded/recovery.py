"""Opening: is the directory ours, is its format known, and what does the journal bring back into the head."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

import apsw
import numpy as np

from stepwell.core.errors import Corrupt, Invalid
from stepwell.core.series import I64
from stepwell.storage.embedded import journal
from stepwell.storage.embedded import tables as catalog_tables
from stepwell.storage.embedded.backlog import Backlog, Part
from stepwell.storage.embedded.blocks import Blocks
from stepwell.storage.embedded.database import APPLICATION_ID, FILE, pragma
from stepwell.storage.embedded.head import Head
from stepwell.storage.embedded.statements import POINTS as SQL

FORMAT: Final = 2
KNOWN_NAMES: Final = frozenset(
    {
        FILE,
        f"{FILE}-wal",
        f"{FILE}-shm",
        f"{FILE}-journal",
        "lock",
        "reserve",
        "control.sock",
        "blobs",
        "tmp",
        "keys",
        "manifest.json",
    }
)
AT_ONCE: Final = 10_000  # series: so many take a fifth of a second
_BATCH_POINTS: Final = 200_000
_log = logging.getLogger("stepwell.storage")


def check_directory(directory: Path) -> None:
    """Make the directory if it is missing. Raises Invalid when it cannot be used or belongs to something else."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        names = {entry.name for entry in directory.iterdir()}
    except OSError as error:
        raise Invalid(f"{directory} cannot be used as a data directory: {error.strerror}", field="data_dir") from error
    if FILE not in names and names - KNOWN_NAMES:
        strange = sorted(names - KNOWN_NAMES)[0]
        raise Invalid(
            f"{directory} is not a Stepwell data directory: it holds {strange!r} and no {FILE}", field="data_dir"
        )


def prepare_schema(connection: apsw.Connection, path: Path) -> None:
    """Make the tables, or bring those found to the present format. Raises Invalid when theirs is not known."""
    application = pragma(connection, "application_id")
    version = pragma(connection, "user_version")
    tables = pragma(connection, "schema_version")
    if tables and application != APPLICATION_ID:
        raise Invalid(f"{path} is a database of another program", field="data_dir")
    if version > FORMAT:
        raise Invalid(
            f"{path} has format {version}; this release reads up to {FORMAT}: use a newer Stepwell", field="data_dir"
        )
    package = resources.files("stepwell.storage.embedded")
    connection.execute("BEGIN IMMEDIATE")
    for newer in range(version + 1, FORMAT + 1) if tables and version else ():
        connection.execute(package.joinpath(f"format_{newer}.sql").read_text("utf-8"))
    catalog_tables.create(connection)
    connection.execute(package.joinpath("point_schema.sql").read_text("utf-8"))
    if (application, version) != (APPLICATION_ID, FORMAT):  # a full disk must not keep a store from opening
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("COMMIT")


def replay(connection: apsw.Connection, head: Head, cache: Blocks) -> Backlog:
    """Take up the journal: what it holds belongs into the head and is there at once, or, of very many series, as soon
    as somebody asks. Damaged rows are set aside.
    """
    if journal.rescue(connection):
        _log.error("a page of the journal fails its checksum", extra={"action": "journal_damaged"})
    counters: dict[str, int] = dict(SQL.all(connection, "counters"))
    head.flushes = counters["flushes"]
    head.end = max(counters["next_arrival"], journal.end(connection))
    found = Backlog(head, cache, [Part.of(*batch) for batch in _batches(connection)])
    if found.series <= AT_ONCE:
        found.load(connection, found.keys())
    return found


def _batches(connection: apsw.Connection) -> Iterator[tuple[I64, I64]]:
    """Journal rows joined to larger pieces: (columns, arrival numbers)."""
    compressor = journal.Compressor()
    parts: list[I64] = []
    numbers: list[I64] = []
    damaged: list[int] = []
    waiting = 0
    for first, found in journal.replay(connection, compressor):
        if isinstance(found, Corrupt):
            damaged.append(first)
            _log.error(found.message, extra={"action": "journal_damaged"})
            continue
        parts.append(found.columns)
        count = found.columns.shape[1]
        numbers.append(np.arange(first, first + count))
        waiting += count
        if waiting >= _BATCH_POINTS:
            yield np.concatenate(parts, axis=1), np.concatenate(numbers)
            parts, numbers, waiting = [], [], 0
    if parts:
        yield np.concatenate(parts, axis=1), np.concatenate(numbers)
    if damaged:
        connection.execute("BEGIN IMMEDIATE")
        # Rows set aside tell no longer how far the numbers went.
        SQL.run(connection, "raise_next_arrival", (journal.end(connection),))
        for first in damaged:
            journal.set_aside(connection, first)
        connection.execute("COMMIT")
