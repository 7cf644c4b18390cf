"""Makes warehouses with nothing in them. `python -m warehouse.making FOLDER` in tests/ prints the URL of one.

Each has databases of its own, which go with the servers that they are on: those that STEPWELL_TEST_CLICKHOUSE_URL and
STEPWELL_TEST_POSTGRES_URL name.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg

from stepwell.storage.warehouse import Address, migrate
from stepwell.storage.warehouse.address import Bucket
from stepwell.storage.warehouse.points import ClickHouse
from warehouse.clusters import Cluster
from warehouse.servers import CLICKHOUSE, POSTGRES


def make(*, clickhouse: str, postgres: str, files: Path | Bucket, migrated: bool = True) -> Address:
    """A warehouse in databases of a new name; `clickhouse` and `postgres` are URLs without one."""
    name = _databases(postgres, [clickhouse])
    address = Address(clickhouse=f"{clickhouse}/{name}", catalog=f"{postgres}/{name}", files=files)
    if migrated:
        migrate(address)
    return address


def make_on(cluster: Cluster, *, postgres: str, files: Path) -> Address:
    """The same on a cluster."""
    servers = [each for shard in cluster.replicas for each in shard]
    name = _databases(postgres, [f"clickhouse://{each.address}:{each.port}" for each in servers])
    address = Address(clickhouse=cluster.url(name), catalog=f"{postgres}/{name}", files=files)
    migrate(address)
    return address


def _databases(postgres: str, clickhouses: Sequence[str]) -> str:
    """The name of new databases, one on each server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    for url in clickhouses:
        with closing(ClickHouse(url, size=1)) as server:
            server.run(f"CREATE DATABASE {name}")
    return name


if __name__ == "__main__":
    print(make(clickhouse=os.environ[CLICKHOUSE], postgres=os.environ[POSTGRES], files=Path(sys.argv[1])).url)
