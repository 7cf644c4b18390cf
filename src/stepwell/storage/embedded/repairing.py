"""Making a sound database of a damaged one: what can be read and passes its checksums, and nothing else.

The old database stays whole in a folder of its own, with the files that were damaged. No value is made up: a block that
cannot be read goes with its points, and what sums up points is made anew of those that are there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Final

import apsw
import zstandard

from stepwell.core import acting
from stepwell.core.audit import EVERYWHERE
from stepwell.core.clock import Clock
from stepwell.core.errors import Corrupt, Invalid, NotFound
from stepwell.core.model import Damage
from stepwell.core.series import Order, Points, ascending
from stepwell.core.summary import Summary
from stepwell.storage.catalog import audit, summaries
from stepwell.storage.embedded import blocks, checking, codec, functions, journal, nodes, recovery
from stepwell.storage.embedded.blocks import Header
from stepwell.storage.embedded.database import (
    CHECKSUM_BYTES,
    CHECKSUMS,
    FILE,
    PAGE_SIZE,
    Lock,
    connect_writer,
    database_errors,
    pragma,
)
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.salvaging import Table
from stepwell.storage.embedded.statements import POINTS as SQL
from stepwell.storage.files import created
from stepwell.storage.publishing import mapped

FOLDER: Final = "repair-"  # and a number
BLOBS: Final = "blobs"
_DERIVED: Final = frozenset(
    ("block_data", "block_nodes", "summary", "run_metric", "journal", "journal_damaged", "garbage")
)
_SEEDED: Final = frozenset(("labels", "meta", "counter"))  # a new database has rows of them
_REBUILT: Final = "made anew; nothing of it is lost"
_SERIES: Final = 1_000  # summed up at a time


def repair(directory: Path, *, clock: Clock) -> Iterator[Damage]:
    """What was lost, thing by thing. It is done when the iterator ends: before, nothing in the directory changes but
    for a new folder. A sound directory is left as it is. Conflict: a server has it open. NotFound: it is none. Corrupt:
    not even the names of the tables can be read."""
    if not (directory / FILE).is_file():
        raise NotFound(f"{directory} has no {FILE}", field="data_dir")
    lock = Lock(directory)
    try:
        with mapped(str(directory)), database_errors():
            folder = _new_folder(directory)
            try:
                found = list(_Repair(directory, folder, clock).run())
            finally:
                if not (folder / FILE).exists():  # nothing was exchanged
                    shutil.rmtree(folder)
        yield from found
    finally:
        lock.release()


def _new_folder(directory: Path) -> Path:
    number = 1
    while (directory / f"{FOLDER}{number}").exists():
        number += 1
    folder = directory / f"{FOLDER}{number}"
    folder.mkdir(mode=0o700)
    return folder


class _Repair:
    def __init__(self, directory: Path, folder: Path, clock: Clock) -> None:
        self._directory = directory
        self._folder = folder
        self._clock = clock
        self._packer = Packer()
        self._touched: set[int] = set()  # series of which points were lost
        self._set_aside: list[Path] = []  # contents of files

    def run(self) -> Iterator[Damage]:
        old = self._old()
        new_path = self._folder / f"{FILE}-new"
        new = _empty(new_path)
        try:
            old.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)  # so that no log is left beside the new one
            found = [*self._copy(old, new), *self._blocks(old, new), *self._journal(old, new)]
            found += [*self._summaries(old, new), *self._files(new)]
            if not found:
                found = [replace(each, cost=_REBUILT) for each in checking.database(lambda: nullcontext(old))]
            if found:
                self._note(new, found)
        finally:
            old.close()
            new.close()
        if found:
            self._exchange(new_path)
        else:
            new_path.unlink()
        return iter(found)

    def _old(self) -> apsw.Connection:
        try:
            with database_errors():
                connection = connect_writer(self._directory / FILE, prepare=functions.register)
                form = pragma(connection, "user_version")
        except Corrupt as error:
            told = "the list of tables is damaged, so nothing can be told apart; restore a backup"
            raise Corrupt(f"{told}: {error.message}") from error
        if form != recovery.FORMAT:
            connection.close()
            raise Invalid(f"the database has format {form}; start this release on it first", field="data_dir")
        return connection

    def _copy(self, old: apsw.Connection, new: apsw.Connection) -> Iterator[Damage]:
        """All tables whose rows nothing else tells."""
        known = _tables(old)
        for name in _tables(new):
            if name in known and name not in _DERIVED:
                yield from self._copy_table(old, new, name)
        sequences = [row for row in Table(old, "sqlite_sequence").rows() if len(row) == 2]
        for name, number in (*sequences, *SQL.all(new, "least_sequences")):  # numbers are never given twice
            SQL.run(new, "raise_sequence", {"name": name, "number": number})

    def _copy_table(self, old: apsw.Connection, new: apsw.Connection, name: str) -> Iterator[Damage]:
        table = Table(old, name)
        columns = ", ".join(f'"{column}"' for column in table.columns)
        marks = ", ".join("?" * len(table.columns))
        seeds = SQL.all(new, "all_series" if name == "block" else "all_runs")
        statement = f"INSERT OR {'REPLACE' if name in _SEEDED else 'IGNORE'} INTO {name} ({columns}) VALUES ({marks})"
        new.executemany(statement, table.rows([key for (key,) in seeds]))
        if table.damaged:
            kept = new.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            yield Damage(place=f"table {name}", cost=f"rows on damaged pages are lost; {kept} could be read")

    def _blocks(self, old: apsw.Connection, new: apsw.Connection) -> Iterator[Damage]:
        """The payloads of the blocks whose headers are there. Tiles are made again when the store has time."""
        SQL.run(new, "raise_above_blocks")  # before any goes: numbers are never given twice
        SQL.run(new, "drop_tiles")
        SQL.run(new, "make_roots")
        garbage = {key for (key,) in Table(old, "garbage").rows()}
        living = {key for (key,) in SQL.all(new, "all_series")}
        for row in SQL.all(new, "headers_after", (-(2**63), -1, -1, 2**62)):
            header = blocks.header_from(row)
            if header.series_key in garbage:
                blocks.delete(new, [header])
                continue
            place = f"block {header.id} of series {checking.name_of(new, header.series_key)}"
            lost = "" if header.series_key in living else "whose series it is cannot be read"
            points = None if lost else self._points(old, header)
            if points is None:
                self._touched.add(header.series_key)
                blocks.delete(new, [header])
                yield Damage(place=place, cost=f"{header.length} points are lost{': ' + lost if lost else ''}")
                continue
            yield from self._keep(old, new, header, points, place)

    def _points(self, old: apsw.Connection, header: Header) -> Points | None:
        try:
            with database_errors():
                row = SQL.one(old, "block_data", (header.id,))
            return None if row is None or not isinstance(row[0], bytes) else codec.decode(row[0], self._packer)
        except Corrupt:
            return None

    def _keep(
        self, old: apsw.Connection, new: apsw.Connection, header: Header, points: Points, place: str
    ) -> Iterator[Damage]:
        sorted_ = bool(ascending(points.sort_columns(Order.KEY)).all())
        if not sorted_:
            points = points.sorted(Order.KEY)
            yield Damage(place=place, cost="its points were out of order; none is lost")
        if not blocks.says(header, points):
            blocks.delete(new, [header])
            header = blocks.header_of(header.series_key, points)._replace(id=header.id)
            SQL.run(new, "add_block", (header.series_key, header.id, *header[2:]))
            self._touched.add(header.series_key)
            yield Damage(place=place, cost="its header did not describe its points; none is lost")
        SQL.run(new, "keep_block_data", (header.id, codec.encode(points, self._packer)))
        if len(points) >= blocks.NODES_FROM:
            payload = nodes.encode(blocks.nodes_of(points), self._packer)
            SQL.run(new, "add_block_nodes", (header.id, payload))
            if self._nodes_damaged(old, header):
                yield Damage(place=f"nodes of {place}", cost="made anew from its points; none is lost")

    def _nodes_damaged(self, old: apsw.Connection, header: Header) -> bool:
        try:
            with database_errors():
                row = SQL.one(old, "block_nodes", (header.id,))
            return row is None or not blocks.describes(header, nodes.decode(row[0], self._packer))
        except Corrupt:
            return True

    def _journal(self, old: apsw.Connection, new: apsw.Connection) -> Iterator[Damage]:
        compressor = journal.Compressor()
        greatest = 0
        for first, count, payload in journal.legible(old):
            greatest = max(greatest, first + count)
            try:
                columns = compressor.decode(payload, first_arrival=first)
                journal.append(new, first_arrival=first, count=columns.shape[1], payload=payload)
            except (Corrupt, ValueError, zstandard.ZstdError):
                yield Damage(place=f"journal row {first}", cost=f"{count} points that were acknowledged are lost")
        for name in journal.rotten(old):
            yield Damage(place=f"table {name} (a journal that was set aside)", cost="it is in the old database alone")
        for first, count, _ in Table(old, "journal_damaged").rows():
            greatest = max(greatest, first + count)
            yield Damage(
                place=f"journal row {first} (set aside)", cost=f"{count} points that were acknowledged are lost"
            )
        SQL.run(new, "raise_next_arrival", (greatest,))
        SQL.run(new, "raise_above_blocks")

    def _summaries(self, old: apsw.Connection, new: apsw.Connection) -> Iterator[Damage]:
        keys = [key for (key,) in SQL.all(new, "all_series_with_blocks")]
        for at in range(0, len(keys), _SERIES):
            totals = []
            for key in keys[at : at + _SERIES]:
                stored = self._stored(old, key)
                ((count,),) = SQL.all(new, "points_in_blocks", (key,))
                if stored is None or stored.count != count or key in self._touched:
                    totals.append((key, self._summed_up(new, key)))
                    if key not in self._touched:
                        place = f"summary of series {checking.name_of(new, key)}"
                        yield Damage(place=place, cost="made anew from its points")
                else:
                    totals.append((key, stored))
            summaries.store(new, totals)

    def _stored(self, old: apsw.Connection, key: int) -> Summary | None:
        try:
            with database_errors():
                return summaries.load(old, [key]).get(key)
        except (Corrupt, TypeError):
            return None

    def _summed_up(self, new: apsw.Connection, key: int) -> Summary:
        found = (
            codec.decode(SQL.all(new, "block_data", (h.id,))[0][0], self._packer) for h in blocks.headers(new, [key])
        )
        return reduce(Summary.merge, map(Summary.of, found))

    def _files(self, new: apsw.Connection) -> Iterator[Damage]:
        for path, size, digest, name in SQL.all(new, "all_blobs"):
            file = self._directory / BLOBS / str(name)
            trouble = _trouble(file, int(str(size)), digest)
            if trouble:
                SQL.run(new, "drop_blob_file", (name,))
                self._set_aside.append(file)
                yield Damage(place=f"file {path!r} ({BLOBS}/{name})", cost=f"{trouble}; it is gone")

    def _note(self, new: apsw.Connection, found: list[Damage]) -> None:
        def note() -> None:
            audit.note(new, "store.repair", workspace=EVERYWHERE, subject=self._folder.name, damaged=str(len(found)))

        acting.carried(note, at=self._clock())()

    def _exchange(self, new_path: Path) -> None:
        """The new database takes the place of the old one in one moment, and that stays in the folder."""
        path = self._directory / FILE
        _synced(new_path)
        for suffix in ("-wal", "-shm"):  # the log is empty
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        os.link(path, self._folder / FILE)
        for file in self._set_aside:
            if file.exists():
                kept = self._folder / BLOBS / file.parent.name / file.name
                kept.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, kept)
        _synced(self._folder)
        new_path.replace(path)
        for file in self._set_aside:
            file.unlink(missing_ok=True)
        _synced(self._directory)


def _empty(path: Path) -> apsw.Connection:
    """A new database without rows, which nobody else sees: it is not synced before its end."""
    created(path).close()
    connection = apsw.Connection(str(path), vfs=CHECKSUMS)
    functions.register(connection)
    connection.reserve_bytes(reserve=CHECKSUM_BYTES)
    for setting in (f"page_size={PAGE_SIZE}", "auto_vacuum=INCREMENTAL", "journal_mode=OFF", "synchronous=OFF"):
        connection.execute(f"PRAGMA {setting}")
    recovery.prepare_schema(connection, path)
    return connection


def _tables(connection: apsw.Connection) -> list[str]:
    names = [str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [name for name in names if not name.startswith("sqlite_")]


def _trouble(file: Path, size: int, digest: object) -> str:
    """What is wrong with a content; "" when all is well."""
    found, length = hashlib.sha256(), 0
    try:
        with file.open("rb") as reading:
            while chunk := reading.read(1 << 20):
                found.update(chunk)
                length += len(chunk)
    except OSError as error:
        return f"its content cannot be read: {error.strerror}"
    return "" if (length, found.digest()) == (size, digest) else "its content fails its checksum"


def _synced(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
