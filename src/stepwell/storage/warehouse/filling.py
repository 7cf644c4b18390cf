"""A warehouse that another store is moved into: no server starts on it until all is there.

It can be ended at any moment and begun again. The catalog is written anew each time, points and files go on where they
were: `run.next_arrival` says up to where the points of a run are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from time import monotonic, sleep
from types import TracebackType
from typing import Final, Self, TypeAlias

from stepwell.core.errors import Busy, Conflict, NotFound
from stepwell.core.series import INT64_MAX
from stepwell.storage.catalog import copying
from stepwell.storage.catalog.sql import Connection, Row
from stepwell.storage.warehouse import migrations
from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.database import ANSWER_SECONDS, Database
from stepwell.storage.warehouse.holding import contents_of
from stepwell.storage.warehouse.points import ClickHouse, PointTables, Rows, Waiting

COUNTED: Final = {"workspace": "key", "run": "key", "metric": "id", "labels": "id", "series": "key", "record": "key"}
_AUDIT: Final = "audit"
_PAUSE: Final = 0.05  # seconds
_CHUNK: Final = 1 << 20
Table: TypeAlias = tuple[Sequence[str], Iterator[list[Row]]]  # columns, and rows in pages


class Filling:
    """Fills the warehouse at an address from the store that `source` names, one process at a time."""

    def __init__(self, address: Address, source: str) -> None:
        """Conflict: it holds data of its own, or of another source. Invalid: it was not migrated. Busy."""
        self._database = Database(address.catalog, size=2)
        self._clickhouse = ClickHouse(address.clickhouse, size=2)
        self._tables = PointTables(self._clickhouse)
        try:
            migrations.check(self._database, filling=True)
            self._tables.check_schema()
            self._contents = contents_of(address.files, reach=True)
            with migrations.alone(self._database) as connection:
                _begin(connection, source)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of both servers."""
        self._clickhouse.close()
        self._database.close()

    def catalog(self, tables: Mapping[str, Table], counters: Mapping[str, int]) -> None:
        """Write all tables of the catalog anew: table -> its columns, and its rows in pages. `counters`: table -> the
        greatest number that it ever gave."""
        with self._database.changing() as connection:
            ends = dict(connection.execute("SELECT key, next_arrival FROM run WHERE next_arrival > 0").fetchall())
            for table in copying.TABLES:
                if table != _AUDIT:
                    connection.execute(f'DELETE FROM "{table}"')
            for table, (names, pages) in tables.items():
                words = "OVERRIDING SYSTEM VALUE" if table in COUNTED else ""
                for page in pages:
                    copying.put(connection, table, names, page, words=words)
            connection.execute("UPDATE audit_entries SET count = (SELECT coalesce(max(number), 0) FROM audit)")
            _keep_ends(connection, ends)
            for table, column in COUNTED.items():
                sequence = f"pg_get_serial_sequence('{table}', '{column}')"
                connection.execute(f"SELECT setval({sequence}, ?, true)", (counters[table],))

    def last_audit(self) -> int:
        """The number of the last entry of the audit log that is there; 0 where there is none."""
        with self._database.snapshot() as connection:
            return int(connection.execute("SELECT coalesce(max(number), 0) FROM audit").fetchall()[0][0])

    def ends(self) -> dict[int, int]:
        """Run key -> before which arrival its points are there."""
        with self._database.snapshot() as connection:
            return dict(connection.execute("SELECT key, next_arrival FROM run").fetchall())

    def points(self, run: int, rows: Rows) -> None:
        """Store the next points of a run, in the order of their arrival."""
        self._tables.insert(rows)
        with self._database.changing() as connection:
            end = int(rows.points.arrival[-1]) + 1
            connection.execute("UPDATE run SET next_arrival = ? WHERE key = ?", (end, run))

    def forget_points(self, run: int) -> None:
        """Remove what was brought of a run: the next attempt begins anew with it."""
        with self._database.changing() as connection:
            connection.execute("UPDATE run SET next_arrival = 0 WHERE key = ?", (run,))
        self._tables.delete_runs([run])
        end = monotonic() + ANSWER_SECONDS
        while len(self.stored_points(run, after=-1, limit=1, end=INT64_MAX)):
            if monotonic() > end:
                raise Busy("ClickHouse has not yet removed what was brought of a run; run the same command again later")
            sleep(_PAUSE)

    def stored_points(self, run: int, *, after: int, limit: int, end: int) -> Rows:
        """Points of a run as ClickHouse has them, in the order of their arrival."""
        return self._tables.read_run(run=run, after=after, limit=limit, waiting=Waiting(rows=Rows.empty(), end=end))

    def sum_up(self, run: int, series: int, end: int) -> None:
        """Make what reads of a long series need to be quick."""
        self._tables.roll_up(settled={(run, series): end})

    def content(self, name: str, chunks: Iterator[bytes]) -> None:
        """Store the content of a file durably."""
        arriving = self._contents.begin(name)
        try:
            for chunk in chunks:
                arriving.write(chunk)
            arriving.commit()
        finally:
            arriving.abort()

    def has(self, name: str, sha256: bytes) -> bool:
        """Whether the content of a file is there, and is just that."""
        try:
            content = self._contents.open(name)
        except NotFound:
            return False
        with closing(content):
            digest = hashlib.sha256()
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
            return digest.digest() == sha256

    def checksum(self, table: str, names: Sequence[str]) -> tuple[int, str]:
        """As `copying.checksum`."""
        with self._database.snapshot() as connection:
            return copying.checksum(connection, table, names)

    def finish(self) -> None:
        """All is there: servers may start."""
        with self._database.changing() as connection:
            connection.execute("SELECT setval('arrival', max(next_arrival)) FROM run HAVING max(next_arrival) > 0")
            connection.execute("DROP TABLE filling")


def _begin(connection: Connection, source: str) -> None:
    connection.execute('CREATE TABLE IF NOT EXISTS filling (source text COLLATE "C" NOT NULL)')
    begun = connection.execute("SELECT source FROM filling").fetchall()
    if not begun:
        for table in ("workspace", "credential", "journal"):
            if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall():
                raise Conflict("the warehouse holds data already; only an empty one can take a store", field="to")
        connection.execute("INSERT INTO filling (source) VALUES (?)", (source,))
    elif begun[0][0] != source:
        raise Conflict(f"the warehouse is being filled from {begun[0][0]!r}, not from {source!r}", field="to")


def _keep_ends(connection: Connection, ends: Mapping[int, int]) -> None:
    """What was known before of how far the points of runs are; runs that are gone are removed from ClickHouse later."""
    there = {key for (key,) in connection.execute("SELECT key FROM run").fetchall()}
    for run, end in ends.items():
        if run in there:
            connection.execute("UPDATE run SET next_arrival = ? WHERE key = ?", (end, run))
        else:
            connection.execute("INSERT INTO garbage (run_key) VALUES (?) ON CONFLICT DO NOTHING", (run,))
