"""Named statements, read from `.sql` files, and the few ways to run one. No statement is written here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Self, TypeAlias

import apsw

from stepwell.core.errors import Invalid

Row: TypeAlias = tuple[Any, ...]
Bindings: TypeAlias = Mapping[str, Any] | Sequence[Any]
_NAME = re.compile(r"^-- name: (\w+)[^\n]*\n", re.MULTILINE)


class Statements:
    """The statements of one file. Each begins with a line `-- name: its_name` and ends where the next begins."""

    def __init__(self, text: str) -> None:
        parts = _NAME.split(text)
        self._by_name = {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
        if len(self._by_name) * 2 + 1 != len(parts):
            raise ValueError("a statement's name occurs twice")

    @classmethod
    def load(cls, file: str) -> Self:
        """The statements of a file beside this module."""
        return cls(files(__package__).joinpath(file).read_text("utf-8"))

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def all(self, conn: apsw.Connection, name: str, bindings: Bindings = ()) -> list[Row]:
        """Every row of the statement's answer."""
        return fetch(conn, self._by_name[name], bindings)

    def one(self, conn: apsw.Connection, name: str, bindings: Bindings = ()) -> Row | None:
        """The first row, or None."""
        rows = self.all(conn, name, bindings)
        return rows[0] if rows else None

    def run(self, conn: apsw.Connection, name: str, bindings: Bindings = ()) -> int:
        """Run a change; how many rows it touched."""
        self.all(conn, name, bindings)
        return conn.changes()

    def each(self, conn: apsw.Connection, name: str, rows: Iterable[Bindings]) -> list[Row]:
        """Run the statement once for each set of bindings; the rows of all answers, in that order."""
        try:
            return list(conn.executemany(self._by_name[name], rows))
        except UnicodeEncodeError as error:
            raise _not_text(error) from error


def fetch(conn: apsw.Connection, sql: str, bindings: Bindings) -> list[Row]:
    """Every row of a statement's answer. Raises Invalid for text that is not Unicode."""
    try:
        return conn.execute(sql, bindings).fetchall()
    except UnicodeEncodeError as error:
        raise _not_text(error) from error


def _not_text(error: UnicodeEncodeError) -> Invalid:
    place = str(error.object)[max(error.start - 20, 0) : error.start]
    return Invalid(f"text holds half of a surrogate pair after {place!r}, which is no character")
