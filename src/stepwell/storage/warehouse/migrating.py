"""Bringing both servers up to date, one after the other, by one process at a time."""

from __future__ import annotations

from contextlib import closing

from stepwell.storage.warehouse import migrations
from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.database import Database
from stepwell.storage.warehouse.points import ClickHouse, PointTables


def migrate(address: Address) -> list[str]:
    """What was done. The lock of PostgreSQL is held for ClickHouse too, which has none."""
    with closing(Database(address.catalog)) as database, closing(ClickHouse(address.clickhouse)) as clickhouse:
        done = [f"catalog {number}" for number in migrations.migrate(database)]
        with migrations.alone(database):
            done += [f"points {number}" for number in PointTables(clickhouse).migrate()]
    return done
