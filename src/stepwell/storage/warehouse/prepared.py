"""Statements that are asked often, spoken to libpq without anything between: psycopg's cursors take longer to wrap a
statement than PostgreSQL takes to run it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

Value: TypeAlias = "int | str | bytes | Blobs | NDArray[Any]"  # a text is sent as it is: it must have no NUL
_BIGINT, _BYTEA, _TEXT, _BIGINTS, _BYTEAS = 20, 17, 25, 1016, 1001  # what PostgreSQL calls the types
_INTEGERS: Final = frozenset({20, 21, 23})
_PLACE: Final = re.compile(r"(?<!:):([a-z_]\w*)")
_ARRAY: Final = struct.Struct(">5i")  # dimensions, whether any is NULL, type of the items, how many, first number
_LONG: Final = np.dtype([("size", ">i4"), ("value", ">i8")])
_DONE: Final = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


class Blobs(tuple[bytes, ...]):
    """Values of the type bytea, for one array of them."""

    __slots__ = ()


class PreparingConnection(psycopg.Connection[Any]):
    """A connection that remembers what it has prepared."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._named: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def ask(self, statement: str, values: Mapping[str, Value]) -> list[tuple[Any, ...]]:
        """The rows of a statement with places `:name`: integers, bytes and None. Raises psycopg's errors."""
        words, names = _numbered(statement)
        sent = [_sent(values[name]) for name in names]
        types = tuple(type_ for type_, _ in sent)
        prepared = self._named.get((words, types))
        if prepared is None:
            prepared = b"stepwell_%d" % len(self._named)
            self._checked(self.pgconn.prepare(prepared, words.encode(), types))
            self._named[words, types] = prepared
        formats = [int(type_ != _TEXT) for type_ in types]
        return _rows(self._checked(self.pgconn.exec_prepared(prepared, [body for _, body in sent], formats, 1)))

    def _checked(self, result: PGresult) -> PGresult:
        if result.status in _DONE:
            return result
        if self.pgconn.status == ConnStatus.BAD:
            raise errors.OperationalError(self.pgconn.get_error_message())
        raise errors.error_from_result(result)


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """The statement with its places as $1, $2 and so on, and their names in that order."""
    names = tuple(dict.fromkeys(_PLACE.findall(statement)))
    return _PLACE.sub(lambda found: f"${names.index(found[1]) + 1}", statement), names


def _sent(value: Value) -> tuple[int, bytes]:
    """The type of a value, and the bytes in which PostgreSQL takes it."""
    if isinstance(value, int):
        return _BIGINT, value.to_bytes(8, "big", signed=True)
    if isinstance(value, str):
        return _TEXT, value.encode()
    if isinstance(value, bytes):
        return _BYTEA, value
    if isinstance(value, Blobs):
        items = (part for item in value for part in (len(item).to_bytes(4, "big"), item))
        return _BYTEAS, b"".join((_ARRAY.pack(1, 0, _BYTEA, len(value), 1), *items))
    column = np.empty(len(value), _LONG)
    column["size"], column["value"] = 8, value
    return _BIGINTS, _ARRAY.pack(1, 0, _BIGINT, len(value), 1) + column.tobytes()


def _rows(result: PGresult) -> list[tuple[Any, ...]]:
    integer = [result.ftype(number) in _INTEGERS for number in range(result.nfields)]
    return [
        tuple(_read(result.get_value(row, number), integer[number]) for number in range(len(integer)))
        for row in range(result.ntuples)
    ]


def _read(value: bytes | None, integer: bool) -> int | bytes | None:
    return int.from_bytes(value, "big", signed=True) if integer and value is not None else value
