"""Stores of the warehouse for tests that know directories: each directory stands for databases of its own.

The servers are started when the first is opened, and stopped with the tests.
"""

from __future__ import annotations

import atexit
import shutil
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import psycopg

from stepwell.core.clock import Clock
from stepwell.core.store import Store
from stepwell.storage.warehouse import Address, WarehouseStore, migrate
from stepwell.storage.warehouse.points import SIZES, ClickHouse, Sizes
from warehouse.servers import clickhouse_url, postgres_url

NAME = "databases"  # of the file that names them
# What is done for long series happens to short ones.
TIGHT = Sizes(at_once=4, exact_below=4, nodes=(4, 2, 1))


class Servers:
    """A PostgreSQL and a ClickHouse, and databases in them."""

    def __init__(self) -> None:
        with ExitStack() as running:
            self.clickhouse = running.enter_context(clickhouse_url())
            self.postgres = running.enter_context(postgres_url())
            self.template = self.new(running)
            atexit.register(running.pop_all().close)

    def new(self, until: ExitStack) -> str:
        """Empty databases, migrated, of this name, which go at the end."""
        name = self.create("template0")
        until.callback(self.drop, name)
        migrate(self.address(name, Path("unused")))
        return name

    def create(self, template: str | None = None) -> str:
        """Databases of a new name: copies of those of a name, by default of empty ones."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(f"{self.postgres}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or self.template}".encode())
        self._clickhouse(f"CREATE DATABASE {name}")
        return name

    def fill(self, name: str) -> None:
        """Make the tables of ClickHouse in a copy."""
        migrate(self.address(name, Path("unused")))

    def drop(self, name: str) -> None:
        """Remove them."""
        with psycopg.connect(f"{self.postgres}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        self._clickhouse(f"DROP DATABASE {name}")

    def address(self, name: str, files: Path) -> Address:
        """Where the databases of a name are."""
        return Address(clickhouse=f"{self.clickhouse}/{name}", catalog=f"{self.postgres}/{name}", files=files)

    def _clickhouse(self, statement: str) -> None:
        with closing(ClickHouse(self.clickhouse)) as server:
            server.run(statement)


@cache
def servers() -> Servers:
    """Those of this process."""
    return Servers()


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """Implements stores.Engine. `sizes`: how much is done together."""

    sizes: Sizes = SIZES
    lacks: ClassVar[Mapping[str, str]] = {
        "copies": "a warehouse is copied with the tools of its databases (ADR 24)",
        "expiry": "points go only with their runs: rules for less are refused when they are set (ADR 24)",
        "one owner": "any number of processes serve a warehouse",
        "blocks": "points lie in ClickHouse, which does not count what it opens for us",
        "files of its own": "ClickHouse and PostgreSQL give space back when they see fit",
    }

    def open(self, directory: Path, clock: Clock, *, background: bool) -> Store:
        """See Engine."""
        directory.mkdir(parents=True, exist_ok=True)
        named = directory / NAME
        if not named.exists():
            name = servers().create()
            servers().fill(name)
            named.write_text(name)
        address = servers().address(named.read_text(), directory / "files")
        return WarehouseStore(address, clock=clock, background=background, sizes=self.sizes)

    def copy(self, directory: Path, copy: Path) -> None:
        """See Engine. Only stores that hold nothing are copied: another empty one is as good."""

    def remove(self, directory: Path) -> None:
        """See Engine."""
        servers().drop((directory / NAME).read_text())
        shutil.rmtree(directory)
