"""One pair of servers for each process of the tests, and a database of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server
from stepwell.storage.warehouse.points import ClickHouse
from warehouse.making import make
from warehouse.places import servers


@pytest.fixture(scope="session")
def clickhouse_server() -> str:
    """The URL of a ClickHouse server, without a database."""
    return servers().clickhouse


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a PostgreSQL server, without a database."""
    return servers().postgres


@pytest.fixture
def clickhouse(clickhouse_server: str) -> Iterator[ClickHouse]:
    """An empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    root = ClickHouse(clickhouse_server)
    root.run(f"CREATE DATABASE {name}")
    found = ClickHouse(f"{clickhouse_server}/{name}")
    yield found
    found.close()
    root.run(f"DROP DATABASE {name}")
    root.close()


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield f"{postgres_server}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def store(clickhouse_server: str, postgres_server: str, tmp_path: Path) -> str:
    """The URL of a warehouse with nothing in it."""
    return make(clickhouse=clickhouse_server, postgres=postgres_server, files=tmp_path / "files").url


@pytest.fixture
def pair(store: str, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers of one warehouse."""
    with Server(tmp_path / "one", store=store) as one, Server(tmp_path / "two", store=store) as two:
        yield one, two
