"""The numbered migrations of PostgreSQL. Each is a file beside this module, done once, in their order, alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Final

from stepwell.core.errors import Invalid
from stepwell.storage.warehouse.database import UNHURRIED, Connection, Database

_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")
_LOCK: Final = 0x73746570  # "step": of the advisory lock that one who migrates holds
_TABLE: Final = "CREATE TABLE IF NOT EXISTS migration (number bigint PRIMARY KEY, done_at timestamptz DEFAULT now())"


def known() -> dict[int, str]:
    """Number -> statements of every migration that this program has, in order."""
    found = {}
    for file in files(__package__).iterdir():
        if match := _NAME.fullmatch(file.name):
            found[int(match[1])] = file.read_text("utf-8")
    return dict(sorted(found.items()))


@contextmanager
def alone(database: Database) -> Iterator[Connection]:
    """A transaction while which nobody else migrates; others wait for its end."""
    with database.changing() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
        connection.execute(UNHURRIED)
        yield connection


def migrate(database: Database) -> list[int]:
    """Do what is missing, in one transaction; the numbers of what was done. Others that migrate wait meanwhile.
    Invalid: the database cannot hold all texts."""
    with alone(database) as connection:
        ((encoding,),) = connection.execute("SHOW server_encoding").fetchall()
        if encoding != "UTF8":
            raise Invalid(f"the texts of the catalog's database are {encoding}: make it with --encoding UTF8")
        connection.execute(_TABLE)
        before = _done(connection)
        missing = {number: text for number, text in known().items() if number not in before}
        for number, text in missing.items():
            connection.script(text)
            connection.execute("INSERT INTO migration (number) VALUES (?)", (number,))
    return list(missing)


def check(database: Database, *, filling: bool = False) -> None:
    """Raises Invalid, with what to do, where the tables are not those that this program knows, or where a store is
    being moved into them, unless by the caller (`filling`)."""
    with database.snapshot() as connection:
        exists = connection.execute("SELECT to_regclass('migration') IS NOT NULL").fetchall()[0][0]
        found = _done(connection) if exists else set()
        begun = connection.execute("SELECT to_regclass('filling') IS NOT NULL").fetchall()[0][0]
    if begun and not filling:
        raise Invalid("a store is being moved into this warehouse: let `stepwell migrate-store` end first")
    mine = set(known())
    if mine - found:
        raise Invalid(f"the catalog lacks the migrations {sorted(mine - found)}: run `stepwell migrate` first")
    if found - mine:
        raise Invalid(f"the catalog is newer than this program, which does not know {sorted(found - mine)}")


def _done(connection: Connection) -> set[int]:
    return {number for (number,) in connection.execute("SELECT number FROM migration").fetchall()}
