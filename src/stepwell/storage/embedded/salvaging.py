"""Reading the rows of a table of which some pages are damaged: all that can be read, none of which is in doubt.

Every page that is read passes its checksum. What leads over a damaged page is gone around by asking for other keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import apsw

from stepwell.core.errors import Corrupt
from stepwell.storage.embedded.database import translated

Row = tuple[Any, ...]
_FAR: Final = 2**62


class Table:
    """One table of a database. `damaged` says, once its rows were read, whether some could not be."""

    def __init__(self, connection: apsw.Connection, name: str) -> None:
        self._connection = connection
        self.name = name
        described = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
        self.columns = [str(column[1]) for column in described if not column[6]]  # a computed one is not stored
        key = sorted((int(str(column[5])), str(column[1])) for column in described if column[5])
        self._key = [column for _, column in key]
        ((schema,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
        self._by_rowid = "WITHOUT ROWID" not in str(schema)
        self.damaged = False

    def rows(self, seeds: Iterable[object] = ()) -> Iterator[Row]:
        """Each row that can be read, as `columns`, some perhaps twice. `seeds`: values of the first column of the key
        by which others are looked for, where the table has no numbers of its own."""
        return self._numbered() if self._by_rowid else self._keyed(seeds)

    def _numbered(self) -> Iterator[Row]:
        after = -_FAR
        while True:
            for rowid, *row in self._until_damage("rowid > ? ORDER BY rowid", (after,), number=True):
                after = rowid
                yield tuple(row)
            if self._ended:
                return
            beyond = self._beyond(after)
            where = "rowid > ? AND rowid < ? ORDER BY rowid DESC"
            yield from self._until_damage(where, (after, _FAR if beyond is None else beyond))
            if beyond is None:
                return
            after = beyond - 1

    def _beyond(self, after: int) -> int | None:
        """The first row behind the damage that can be reached; None: there is none."""
        step = 1
        while after + step < _FAR:
            found = list(self._until_damage("rowid > ? ORDER BY rowid LIMIT 1", (after + step,), number=True))
            if found:
                return int(found[0][0])
            if self._ended:
                return None
            step *= 2
        return None

    def _keyed(self, seeds: Iterable[object]) -> Iterator[Row]:
        order = ", ".join(self._key)
        downwards = ", ".join(f"{column} DESC" for column in self._key)
        yield from self._until_damage(f"1 ORDER BY {order}", ())
        if self._ended:
            return
        yield from self._until_damage(f"1 ORDER BY {downwards}", ())
        for seed in seeds:
            yield from self._until_damage(f"{self._key[0]} = ? ORDER BY {order}", (seed,))
            if not self._ended:
                yield from self._until_damage(f"{self._key[0]} = ? ORDER BY {downwards}", (seed,))

    def _until_damage(self, where: str, bindings: Sequence[Any], *, number: bool = False) -> Iterator[Row]:
        columns = ", ".join((["rowid"] if number else []) + [f'"{column}"' for column in self.columns])
        self._ended = False
        try:
            yield from self._connection.execute(f"SELECT {columns} FROM {self.name} WHERE {where}", bindings)
        except apsw.Error as error:
            if not isinstance(translated(error), Corrupt):
                raise
            self.damaged = True
        except UnicodeDecodeError:
            self.damaged = True
        else:
            self._ended = True
