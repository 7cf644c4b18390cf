"""Each statement of the catalog is there in PostgreSQL's words: the same places for values, the same columns."""

from __future__ import annotations

import re
from importlib.resources import files

import apsw
import apsw.ext
import psycopg
import pytest

from stepwell.storage import embedded
from stepwell.storage.catalog.sql import Statements
from stepwell.storage.warehouse.database import LOCKED, POSTGRES, WORDINGS, placed
from warehouse.places import Servers, servers

CATALOG = Statements.load("queries.sql")
NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")
PLAIN = re.compile(r"[a-z_]+")
RETURNED = re.compile(r"\bRETURNING\b(.*)", re.DOTALL)
BEFORE = re.compile(r"^WITH \w+ AS \(UPDATE [^)]*\)\s*")  # of an INSERT


def text(statement: str) -> str:
    """Without comments."""
    return re.sub(r"--[^\n]*", "", statement).strip().rstrip(";")


@pytest.fixture(scope="module")
def sqlite() -> apsw.Connection:
    found = apsw.Connection(":memory:")
    found.execute(files(embedded).joinpath("catalog.sql").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def databases() -> Servers:
    return servers()


def test_no_statement_is_more_and_none_is_there_twice() -> None:
    assert set(WORDINGS.reading) == set(CATALOG)
    assert {name for name in WORDINGS.own if text(WORDINGS.reading[name]) == text(CATALOG[name])} == set()
    assert set(LOCKED) <= set(CATALOG)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_values_have_the_same_places(name: str) -> None:
    ours, theirs = text(CATALOG[name]), text(WORDINGS.reading[name])
    assert set(NAMED.findall(ours)) == set(NAMED.findall(theirs))
    assert ours.count("?") == theirs.count("?")


def test_answers_have_the_same_columns(sqlite: apsw.Connection, databases: Servers) -> None:
    address = databases.postgres + "/" + databases.template
    differ = {}
    with psycopg.connect(address) as connection:
        for name in CATALOG:
            wanted = _sqlite_columns(sqlite, CATALOG[name])
            found = _postgres_columns(connection, WORDINGS.reading[name])
            same = len(wanted) == len(found) and all(
                ours == theirs or not PLAIN.fullmatch(ours) for ours, theirs in zip(wanted, found, strict=True)
            )
            if not same:
                differ[name] = (wanted, found)
    assert differ == {}


def test_every_statement_is_understood_as_it_is_sent(databases: Servers) -> None:
    """Also with the lock that changes take."""
    with psycopg.connect(databases.postgres + "/" + databases.template) as connection:
        for name, statement in WORDINGS.writing.items():
            asked = placed(text(statement))
            try:
                with psycopg.ClientCursor(connection) as cursor:
                    cursor.execute(f"EXPLAIN {asked}", _values(asked))
            except psycopg.Error as error:
                raise AssertionError(f"{name}: {error}") from error


def test_the_idiom_names_tables_with_the_column_value(databases: Servers) -> None:
    with psycopg.connect(databases.postgres + "/" + databases.template) as connection:
        for name, given in ((POSTGRES.texts, '["a", "b"]'), (POSTGRES.numbers, "[1, 2]")):
            found = connection.execute(f"SELECT value FROM {name}(%s)".encode(), [given])
            assert len(found.fetchall()) == 2


def _sqlite_columns(connection: apsw.Connection, statement: str) -> list[str]:
    return [name for name, _ in apsw.ext.query_info(connection, statement).description]


def _postgres_columns(connection: psycopg.Connection, statement: str) -> list[str]:
    """Of a statement that reads: its columns, from PostgreSQL; else what stands behind RETURNING."""
    statement = BEFORE.sub("", text(statement))
    if returned := RETURNED.search(statement):
        return [each.strip().rpartition(".")[2] for each in returned[1].split(",")]
    if statement.startswith(("INSERT", "UPDATE", "DELETE")):
        return []
    asked = placed(f"SELECT * FROM ({statement}) AS answer LIMIT 0")
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(asked, _values(asked))
        return [column.name for column in cursor.description or ()]


def _values(statement: str) -> dict[str, None] | list[None]:
    names = re.findall(r"%\((\w+)\)s", statement)
    return dict.fromkeys(names) if names else [None] * statement.count("%s")
