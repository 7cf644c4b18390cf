"""A store moved from its directory into a warehouse, while it serves reads. What it keeps: every key, number and byte.

Who writes meanwhile is noticed when all is compared at the end; then it is done again, and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from stepwell.core.errors import Conflict, Corrupt
from stepwell.core.model import NO_COLUMNS, Copied
from stepwell.core.series import I64, Labels
from stepwell.core.store import Store
from stepwell.storage.catalog import copying, series, summaries
from stepwell.storage.catalog.sql import Connection, Row
from stepwell.storage.contents import FOLDER
from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.filling import COUNTED, Filling, Table
from stepwell.storage.warehouse.points import Rows

POINTS: Final = 200_000  # at once
LONG: Final = 65_536  # points of a series that is summed up
_CHUNK: Final = 1 << 20


class Source(Store, Protocol):
    """A store in a directory, whose tables are SQLite's."""

    @property
    def directory(self) -> Path:
        """Where it is."""
        ...

    @property
    def snapshot(self) -> Callable[[], AbstractContextManager[Connection]]:
        """A connection that reads one moment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run as it is found: its key, where it is, the keys of its series, and how many points each has."""

    key: int
    workspace: str
    id: str
    series: Mapping[tuple[str, Labels], int]
    counts: Mapping[int, int]

    @property
    def points(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The content of a file: its name, and what it is."""

    name: str
    size: int
    sha256: bytes


def relocate(store: Source, address: Address) -> Iterator[Copied]:
    """Fill an empty, migrated warehouse with all of a store, or go on with that, telling how far it is in points.

    When the iterator ends, every row, point and file was read back and is the same. Conflict: the warehouse holds
    something else, or the store was written to meanwhile: then do it again. Busy, Corrupt, StorageFull, StorageFailed.
    """
    with Filling(address, str(store.directory.resolve())) as filling:
        store.flush()
        with store.snapshot() as connection:
            names = {table: copying.columns(connection, table) for table in copying.TABLES}
            filling.catalog(_tables(connection, names, filling.last_audit()), _counters(connection))
            runs, files = list(_runs(connection)), _files(connection)
        total, done = 2 * sum(run.points for run in runs), 0
        yield Copied(done=0, total=total, name="catalog")
        for file in files:
            if not filling.has(file.name, file.sha256):
                filling.content(file.name, _chunks(store.directory / FOLDER / file.name))
            yield Copied(done=0, total=total, name=f"file {file.name}")
        for run, end in _with_ends(filling, runs):
            for rows in _points(store, run, after=end - 1):
                filling.points(run.key, rows)
            done += run.points
            yield Copied(done=done, total=total, name=f"points of {run.id}")
        for run, end in _with_ends(filling, runs):
            _compare_points(store, filling, run, end)
            for key in (key for key, count in run.counts.items() if count >= LONG):
                filling.sum_up(run.key, key, end)
            done += run.points
            yield Copied(done=done, total=total, name=f"points of {run.id}, compared")
        _compare_rest(store, filling, names, files)
        filling.finish()
        yield Copied(done=total, total=total, name="everything, compared")


def _tables(connection: Connection, names: Mapping[str, Sequence[str]], last_audit: int) -> dict[str, Table]:
    def rows(table: str) -> Iterator[list[Row]]:
        after = (last_audit,) if table == "audit" else None
        return copying.pages(connection, table, names[table], after=after)

    return {table: (columns, rows(table)) for table, columns in names.items()}


def _counters(connection: Connection) -> dict[str, int]:
    """The greatest number that each table ever gave: of runs and series also those that are gone."""
    given: dict[str, int] = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    for table, column in COUNTED.items():
        ((greatest,),) = connection.execute(f'SELECT max("{column}") FROM "{table}"').fetchall()
        given[table] = max(1, greatest or 0, given.get(table, 0))
    return given


def _runs(connection: Connection) -> Iterator[_Run]:
    found = connection.execute(
        "SELECT run.key, workspace.name, run.id FROM run JOIN workspace ON workspace.key = run.workspace_key ORDER BY 1"
    ).fetchall()
    for key, workspace, run_id in found:
        keys = {(each.metric, each.labels): each.key for each in series.of_run(connection, key)}
        stored = summaries.load(connection, keys.values())
        counts = {each: summary.count for each, summary in stored.items()}
        yield _Run(key=key, workspace=workspace, id=run_id, series=keys, counts=counts)


def _files(connection: Connection) -> list[_File]:
    found = connection.execute("SELECT file, size, sha256 FROM blob ORDER BY file").fetchall()
    return [_File(name=name, size=size, sha256=sha256) for name, size, sha256 in found]


def _with_ends(filling: Filling, runs: Sequence[_Run]) -> Iterator[tuple[_Run, int]]:
    """Each run that has points, and before which arrival they are in the warehouse."""
    ends = filling.ends()
    return ((run, ends[run.key]) for run in runs if run.points)


def _points(store: Store, run: _Run, *, after: int) -> Iterator[Rows]:
    """The points of a run from an arrival on, in the order of arrival."""
    while True:
        (part,) = store.read_runs(
            workspace=run.workspace, run_ids=(run.id,), columns=NO_COLUMNS, after=after, limit=POINTS
        )
        if not len(part.points):
            return
        if not set(part.series) <= run.series.keys():
            raise _written_to(run.id)
        keys = np.array([run.series[name] for name in part.series], np.int64)[part.which]
        yield Rows(run=np.full(len(keys), run.key, np.int64), series=keys, points=part.points)
        after = int(part.points.arrival[-1])


def _compare_points(store: Store, filling: Filling, run: _Run, end: int) -> None:
    after, count = -1, 0
    for wanted in _points(store, run, after=-1):
        found = filling.stored_points(run.key, after=after, limit=len(wanted), end=end)
        pairs = zip(_columns(wanted), _columns(found), strict=True)
        if not all(np.array_equal(mine, theirs) for mine, theirs in pairs):
            if not np.isin(found.points.arrival, wanted.points.arrival).all():
                filling.forget_points(run.key)  # some have expired since: all of them are brought again
            raise _written_to(run.id)
        after, count = int(wanted.points.arrival[-1]), count + len(wanted)
    if count != run.points or len(filling.stored_points(run.key, after=after, limit=1, end=end)):
        raise _written_to(run.id)


def _columns(rows: Rows) -> tuple[I64, ...]:
    return (*rows.identities(), rows.points.arrival)


def _compare_rest(store: Source, filling: Filling, names: Mapping[str, Sequence[str]], files: Sequence[_File]) -> None:
    with store.snapshot() as connection:
        for table, columns in names.items():
            if copying.checksum(connection, table, columns) != filling.checksum(table, columns):
                raise _written_to(f"the table {table}")
    for file in files:
        if not filling.has(file.name, file.sha256):
            raise Corrupt(f"the file {file.name} is not what the catalog says; `stepwell check` says whose it is")


def _written_to(what: str) -> Conflict:
    return Conflict(
        f"{what} is not the same there: the store was written to meanwhile. Nothing is lost; stop whatever writes, and "
        "run the same command again, which goes on where this one was"
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
