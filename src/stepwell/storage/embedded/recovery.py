"""Opening: is the directory ours, is its format known, and what does the journal bring back into the head."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

import apsw
import numpy as np

from stepwell.core.errors import Corrupt, Invalid
from stepwell.core.series import I64, INT64_MAX, Key, Order
from stepwell.storage.embedded import blocks, journal, mending
from stepwell.storage.embedded.blocks import Blocks
from stepwell.storage.embedded.catalog import schema
from stepwell.storage.embedded.catalog import series as series_table
from stepwell.storage.embedded.database import APPLICATION_ID, FILE, database_errors, pragma
from stepwell.storage.embedded.head import ARRIVAL, Appended, Head, Series, points_of
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
    schema.create(connection)
    connection.execute(package.joinpath("point_schema.sql").read_text("utf-8"))
    if (application, version) != (APPLICATION_ID, FORMAT):  # a full disk must not keep a store from opening
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("COMMIT")


@dataclass(slots=True)
class _Found:
    """What the database knows of the series in the journal. None: of a purged run, or its points must wait."""

    series: dict[int, Series | None] = field(default_factory=dict)
    flushed: dict[int, int] = field(default_factory=dict)  # the greatest arrival in blocks
    waiting: set[int] = field(default_factory=set)

    def moved_up_to(self, key: int) -> int:
        """The arrival up to which nothing of a series belongs into the head."""
        return INT64_MAX if self.series[key] is None else self.flushed.get(key, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """next_arrival: the next number. keep_from: the journal from this arrival on must stay, None: nothing must."""

    next_arrival: int
    keep_from: int | None


def replay(connection: apsw.Connection, head: Head, cache: Blocks) -> Replayed:
    """Bring the journal's points back into the head.

    Points of purged runs are left out, and those that a flush had moved before the power went. Damaged rows are set
    aside; the blocks behind a damaged summary give it anew. Points of a series of which too much is damaged wait in the
    journal: reading the series tells of the damage, and nothing can be added to it.
    """
    if journal.rescue(connection):
        _log.error("a page of the journal fails its checksum", extra={"action": "journal_damaged"})
    counters: dict[str, int] = dict(SQL.all(connection, "counters"))
    head.flushes = counters["flushes"]
    end = max(counters["next_arrival"], journal.end(connection))
    found = _Found()
    keep_from: int | None = None
    for columns, arrivals in _batches(connection):
        _load(connection, head, cache, columns[0], found)
        head.publish(list(_appended(columns, arrivals, found)), end=end)
        if keep_from is None and found.waiting:
            waiting = arrivals[np.isin(columns[0], list(found.waiting))]
            keep_from = journal.row_of(connection, int(waiting[0])) if len(waiting) else None
    head.end = end
    return Replayed(next_arrival=end, keep_from=keep_from)


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


def _load(connection: apsw.Connection, head: Head, cache: Blocks, keys: I64, found: _Found) -> None:
    new = [int(key) for key in np.unique(keys) if int(key) not in found.series]
    try:
        _look_up(connection, cache, new, found)
    except Corrupt:
        for key in new:
            try:
                _look_up(connection, cache, [key], found)
            except Corrupt as error:
                found.series[key] = None
                found.waiting.add(key)
                _hold(connection, head, key, f"points of series {key} wait in the journal: {error.message}")


def _hold(connection: apsw.Connection, head: Head, key: int, damage: str) -> None:
    _log.error(damage, extra={"action": "series_damaged"})
    try:
        with database_errors():
            described = series_table.describe(connection, [key], by_index=True).get(key)
    except Corrupt:
        head.nameless = damage
        return
    if described is not None:
        name = (described.metric, described.labels)
        head.hold(Series(key=key, run_key=described.run_key, name=name, stored=None, damage=damage))


def _look_up(connection: apsw.Connection, cache: Blocks, keys: list[int], found: _Found) -> None:
    """Corrupt, and nothing changed but summaries mended, when something about them cannot be read."""
    with database_errors():
        described = series_table.describe(connection, keys)
        stored = mending.load(connection, cache, keys)
        headers = blocks.headers_of_many(connection, stored) if stored else []
    for key in keys:
        found.series[key] = None
        if (one := described.get(key)) is not None:
            name = (one.metric, one.labels)
            found.series[key] = Series(key=key, run_key=one.run_key, name=name, stored=stored.get(key))
    for header in headers:
        found.flushed[header.series_key] = max(header.max_arrival, found.flushed.get(header.series_key, -1))


def _appended(columns: I64, arrivals: I64, found: _Found) -> Iterator[Appended]:
    """The points that are the head's, all series sorted at once: what there is to do for each is little."""
    rows = np.concatenate((columns[1:], arrivals[np.newaxis]))
    points = points_of(rows)
    order = np.lexsort((*points.sort_columns(Order.KEY)[::-1], columns[0]))
    keys, rows = columns[0][order], rows[:, order]
    present, counts = np.unique(keys, return_counts=True)
    moved = np.fromiter(map(found.moved_up_to, present.tolist()), np.int64, len(present))
    kept = rows[ARRIVAL] > np.repeat(moved, counts)
    if not kept.all():
        keys, rows = keys[kept], np.ascontiguousarray(rows[:, kept])
    edges = np.flatnonzero(np.diff(keys, prepend=-1, append=-1))
    starts, ends = edges[:-1], edges[1:]
    places = zip(starts.tolist(), ends.tolist(), _keys(rows, starts), _keys(rows, ends - 1), strict=True)
    for key, (start, end, first, last) in zip(keys[starts].tolist(), places, strict=True):
        series = found.series[key]
        assert series is not None
        in_order = series.greatest is None or first > series.greatest
        yield Appended(series=series, rows=rows[:, start:end], in_order=in_order, greatest=last)


def _keys(rows: I64, places: I64) -> list[Key]:
    columns = points_of(rows[:, places]).sort_columns(Order.KEY)
    return list(zip(*(column.tolist() for column in columns), strict=True))
