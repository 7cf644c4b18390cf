"""Databases of other programs, only read, and as they are at one moment: files of SQLite, and PostgreSQL with psycopg
(`pip install 'stepwell[postgres]'`).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from stepwell.client.transport import Unavailable

# The rows that a query answers; `%s` in it stands for each value.
Query: TypeAlias = Callable[..., Iterator[Sequence[Any]]]

_POSTGRES: Final = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)  # a driver may be named, as SQLAlchemy does
_ROWS: Final = 10_000  # at a time


def is_postgres(source: str) -> bool:
    """Whether this is the URL of a PostgreSQL database."""
    return _POSTGRES.match(source) is not None


@contextmanager
def sqlite(path: Path) -> Iterator[Query]:
    """A file, which may be in use. ValueError: there is none, or it is no database, or not one with what is asked."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN")
            yield lambda query, *values: connection.execute(query.replace("%s", "?"), values)
        except sqlite3.Error as error:
            raise ValueError(f"{path}: {error}") from None


@contextmanager
def postgres(url: str) -> Iterator[Query]:
    """A database by its URL. ValueError: psycopg is missing; the URL is wrong, or the database has not what is asked.
    Unavailable: it does not answer, or no more.
    """
    driver = _psycopg()
    place = shown(url)
    try:
        with closing(driver.connect(_POSTGRES.sub("postgresql://", url))) as connection:
            connection.read_only = True
            connection.isolation_level = driver.IsolationLevel.REPEATABLE_READ

            def rows(query: str, *values: Any) -> Iterator[Sequence[Any]]:
                # A cursor of the server: a run's points are more than memory should hold twice.
                with connection.cursor(name="stepwell", binary=True) as cursor:
                    cursor.itersize = _ROWS
                    yield from cursor.execute(query, values)

            yield rows
    except driver.OperationalError as error:
        raise Unavailable(f"{place}: {_words(error)}") from None
    except driver.Error as error:
        raise ValueError(f"{place}: {_words(error)}") from None


def shown(url: str) -> str:
    """A URL without its password."""
    parts = urlsplit(url)
    before, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=before.partition(":")[0] + at + host, query="").geturl()


def _psycopg() -> Any:
    try:
        return import_module("psycopg")
    except ImportError:
        raise ValueError("PostgreSQL needs psycopg: pip install 'stepwell[postgres]'") from None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
