"""Named statements, read from `.sql` files, and the few ways to run one. No statement is written here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Protocol, Self, TypeAlias

import msgspec

from stepwell.core.errors import Invalid

Row: TypeAlias = tuple[Any, ...]
Bindings: TypeAlias = Mapping[str, Any] | Sequence[Any]
_NAME = re.compile(r"^-- name: (\w+)[^\n]*\n", re.MULTILINE)
_SECTION = re.compile(r"^-- [^\n]* -{3,}$", re.MULTILINE)  # behind a statement it would be one more to prepare
_ENCODER = msgspec.json.Encoder()


class Connection(Protocol):
    """A connection to the catalog's database: SQLite's, or another that is used in the same way.

    One whose database needs other words for the statements has them as `wording`, by name, and its idiom as `idiom`.
    """

    def execute(self, statement: str, bindings: Any = None, /) -> Any:
        """Run a statement; what it answers has `fetchall`."""
        ...

    def executemany(self, statement: str, bindings: Any, /) -> Any:
        """Run it for each of some bindings; the rows of all answers."""
        ...

    def changes(self) -> int:
        """How many rows the last statement touched."""
        ...

    def total_changes(self) -> int:
        """A number that grows by as many rows as an `executemany` changes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Idiom:
    """How a database says what statements that are built need and SQL has no common word for."""

    texts: str = "json_each"  # a table with the column `value` from a JSON list of texts
    numbers: str = "json_each"  # the same for integers
    indexed: str = " INDEXED BY {}"  # behind a table: that index and no other
    onward: str = "CROSS JOIN"  # a join ON something, from the left to the right if that can be said


SQLITE: Final = Idiom()


class Statements:
    """The statements of one file. Each begins with a line `-- name: its_name` and ends where the next begins."""

    def __init__(self, text: str, *, shared: bool = False) -> None:
        """`shared`: connections may bring words of their own for the statements."""
        self._shared = shared
        parts = _NAME.split(_SECTION.sub("", text))
        self._by_name = {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}
        if len(self._by_name) * 2 + 1 != len(parts):
            raise ValueError("a statement's name occurs twice")

    @classmethod
    def load(cls, file: str) -> Self:
        """The statements of a file beside this module."""
        return cls(files(__package__).joinpath(file).read_text("utf-8"), shared=True)

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def _worded(self, conn: Connection, name: str) -> str:
        wording: Mapping[str, str] = getattr(conn, "wording", self._by_name) if self._shared else self._by_name
        return wording[name]

    def all(self, conn: Connection, name: str, bindings: Bindings = ()) -> list[Row]:
        """Every row of the statement's answer."""
        return fetch(conn, self._worded(conn, name), bindings)

    def one(self, conn: Connection, name: str, bindings: Bindings = ()) -> Row | None:
        """The first row, or None."""
        rows = self.all(conn, name, bindings)
        return rows[0] if rows else None

    def run(self, conn: Connection, name: str, bindings: Bindings = ()) -> int:
        """Run a change; how many rows it touched."""
        self.all(conn, name, bindings)
        return conn.changes()

    def each(self, conn: Connection, name: str, rows: Iterable[Bindings]) -> list[Row]:
        """Run the statement once for each set of bindings; the rows of all answers, in that order."""
        try:
            return list(conn.executemany(self._worded(conn, name), rows))
        except UnicodeEncodeError as error:
            raise _not_text(error) from error


def listed(keys: Iterable[int]) -> str:
    """A JSON list, as statements take many keys."""
    return _ENCODER.encode(list(keys)).decode()


def fetch(conn: Connection, sql: str, bindings: Bindings) -> list[Row]:
    """Every row of a statement's answer. Raises Invalid for text that is not Unicode."""
    try:
        rows: list[Row] = conn.execute(sql, bindings).fetchall()
        return rows
    except UnicodeEncodeError as error:
        raise _not_text(error) from error


def idiom(conn: Connection) -> Idiom:
    """That of the connection's database."""
    found: Idiom = getattr(conn, "idiom", SQLITE)
    return found


def _not_text(error: UnicodeEncodeError) -> Invalid:
    place = str(error.object)[max(error.start - 20, 0) : error.start]
    return Invalid(f"text holds half of a surrogate pair after {place!r}, which is no character")
