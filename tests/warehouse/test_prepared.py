"""Statements that are kept prepared: what is sent comes back, for every kind of value, and errors are psycopg's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import psycopg
import pytest

from stepwell.storage.warehouse.prepared import Blobs, PreparingConnection, Value

SAME = "SELECT CAST(:number AS bigint), :bytes, length(:text), CAST(NULL AS bigint), :number + 1"
LISTS = """
SELECT number, body
FROM unnest(CAST(:numbers AS bigint[]), CAST(:bodies AS bytea[])) WITH ORDINALITY AS given(number, body, place)
ORDER BY place
"""


@pytest.fixture
def connection(postgres_database: str) -> Iterator[PreparingConnection]:
    with PreparingConnection.connect(postgres_database, autocommit=True, prepare_threshold=None) as found:
        yield found


def test_values_come_back(connection: PreparingConnection) -> None:
    for number in (0, -1, 2**63 - 1 - 1, -(2**63)):
        given: dict[str, Value] = {"number": number, "bytes": b"\x00\xff", "text": "zwölf"}
        assert connection.ask(SAME, given) == [(number, b"\x00\xff", 5, None, number + 1)]


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_columns_come_back(connection: PreparingConnection, count: int) -> None:
    numbers = np.arange(count, dtype=np.int64) - 7
    bodies = Blobs(bytes([number % 256]) * (number % 3) for number in range(count))
    found = connection.ask(LISTS, {"numbers": numbers, "bodies": bodies})
    assert found == list(zip(numbers.tolist(), bodies, strict=True))


def test_what_is_prepared_outlives_what_is_rolled_back(connection: PreparingConnection) -> None:
    for _ in range(3):
        connection.execute("BEGIN")
        assert connection.ask("SELECT :one + 1", {"one": 1}) == [(2,)]
        connection.execute("ROLLBACK")
    (count,) = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
    assert count == (1,)


def test_errors_are_told_by_their_kind(connection: PreparingConnection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.ask("SELECT 1 / :zero", {"zero": 0})
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.ask("SELECT * FROM nothing WHERE key = :key", {"key": 1})
    assert connection.ask("SELECT :one + 0", {"one": 1}) == [(1,)]


def test_a_connection_that_was_ended_is_told_as_such(postgres_database: str, connection: PreparingConnection) -> None:
    connection.ask("SELECT :one + 0", {"one": 1})
    with psycopg.connect(postgres_database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        connection.ask("SELECT :one + 0", {"one": 1})
    assert connection.broken
