"""Stores of the warehouse for tests that know directories: each directory stands for databases of its own.

The servers are started when the first is opened, and stopped with the tests.
"""

from __future__ import annotations

import atexit
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple

import psycopg

from stepwell.core.clock import Clock
from stepwell.core.store import Store
from stepwell.storage.warehouse import Address, WarehouseStore, migrations
from stepwell.storage.warehouse.address import Bucket
from stepwell.storage.warehouse.database import Database
from stepwell.storage.warehouse.points import SIZES, ClickHouse, Connect, PointTables, Sizes
from warehouse.buckets import below, bucket
from warehouse.modern import Chdb
from warehouse.servers import clickhouse_url, postgres_url

NAME = "databases"  # of the file that names them
TABLES = ("points", "nodes", "tilings", "met")
# What is done for long series happens to short ones.
TIGHT = Sizes(at_once=4, exact_below=4, nodes=(4, 2, 1))


class Names(NamedTuple):
    """Of one database in each server."""

    postgres: str
    clickhouse: str


class Servers:
    """A PostgreSQL and a ClickHouse, and databases in them: in PostgreSQL copies of one that is migrated, in ClickHouse
    what other tests have left, with nothing in it. `modern`: the ClickHouse of this process, by chdb."""

    def __init__(self, *, modern: bool = False) -> None:
        with ExitStack() as running:
            self.clickhouse = "clickhouse://nowhere" if modern else running.enter_context(clickhouse_url())
            self.postgres = running.enter_context(postgres_url())
            self.connect: Connect = chdb if modern else ClickHouse
            self._root = running.enter_context(closing(self.connect(f"{self.clickhouse}/default")))
            self._tables: list[str] = []
            self._free: list[str] = []
            self.template = f"test_{uuid.uuid4().hex}"
            self._postgres(f"CREATE DATABASE {self.template} TEMPLATE template0")
            with closing(Database(f"{self.postgres}/{self.template}", size=1)) as database:
                migrations.migrate(database)
            running.callback(self._forget)
            atexit.register(running.pop_all().close)

    def create(self) -> Names:
        """Empty databases, migrated."""
        name = f"test_{uuid.uuid4().hex}"
        self._postgres(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        if self._free:
            return Names(postgres=name, clickhouse=self._free.pop())
        self._root.run(f"CREATE DATABASE {name}")
        self._tables.append(name)
        with closing(self.connect(f"{self.clickhouse}/{name}", size=1)) as clickhouse:
            PointTables(clickhouse).migrate()
        return Names(postgres=name, clickhouse=name)

    def drop(self, names: Names) -> None:
        """Nobody needs them any more."""
        self._postgres(f"DROP DATABASE {names.postgres} WITH (FORCE)")
        for table in TABLES:
            self._root.run(f"TRUNCATE TABLE {names.clickhouse}.{table}")
        self._free.append(names.clickhouse)

    def address(self, names: Names, files: Path | Bucket) -> Address:
        """Where databases are."""
        return Address(
            clickhouse=f"{self.clickhouse}/{names.clickhouse}",
            catalog=f"{self.postgres}/{names.postgres}",
            files=files,
        )

    def _forget(self) -> None:
        # Where the process that ends is the one that started the servers, they are gone, and all in them.
        with suppress(psycopg.OperationalError):
            self._postgres(f"DROP DATABASE {self.template} WITH (FORCE)")
            for name in self._tables:
                self._root.run(f"DROP DATABASE {name}")

    def _postgres(self, statement: str) -> None:
        with psycopg.connect(f"{self.postgres}/postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


def chdb(url: str, *, size: int = 8, met: Callable[[], None] | None = None) -> Chdb:
    """The database of this process that a URL names: Implements points.Connect."""
    return Chdb(url.rpartition("/")[2])


def servers(*, modern: bool = False) -> Servers:
    """Those of this process."""
    return _servers(modern)


@cache  # it takes `f()` and `f(modern=False)` for two
def _servers(modern: bool) -> Servers:
    return Servers(modern=modern)


@cache
def shared_bucket() -> Bucket:
    """One for this process."""
    with ExitStack() as running:
        found = running.enter_context(bucket())
        atexit.register(running.pop_all().close)
    return found


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """Implements stores.Engine. `sizes`: how much is done together; `modern`: on chdb; `in_bucket`: where files are."""

    sizes: Sizes = SIZES
    modern: bool = False
    in_bucket: bool = False
    lacks: ClassVar[Mapping[str, str]] = {
        "copies": "a warehouse is copied with the tools of its databases (ADR 24)",
        "one owner": "any number of processes serve a warehouse",
        "blocks": "points lie in ClickHouse, which does not count what it opens for us",
        "files of its own": "ClickHouse and PostgreSQL give space back when they see fit",
    }

    def open(self, directory: Path, clock: Clock, *, background: bool) -> Store:
        """See Engine."""
        place = servers(modern=self.modern)
        directory.mkdir(parents=True, exist_ok=True)
        named = directory / NAME
        if not named.exists():
            named.write_text(" ".join(place.create()))
        names = Names(*named.read_text().split())
        files = below(shared_bucket(), names.postgres) if self.in_bucket else directory / "files"
        address = place.address(names, files)
        return WarehouseStore(address, clock=clock, background=background, sizes=self.sizes, connect=place.connect)

    def copy(self, directory: Path, copy: Path) -> None:
        """See Engine. Only stores that hold nothing are copied: another empty one is as good."""

    def remove(self, directory: Path) -> None:
        """See Engine."""
        servers(modern=self.modern).drop(Names(*(directory / NAME).read_text().split()))
        shutil.rmtree(directory)
