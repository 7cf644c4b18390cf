"""Acknowledged points that are not known to be in ClickHouse yet: one row for what one transaction wrote to a run.
FORMAT.md has the bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

import numpy as np

from stepwell.core.errors import Corrupt
from stepwell.core.series import I64, Points, values_of
from stepwell.storage.catalog.sql import Row, Statements
from stepwell.storage.warehouse import packing
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.points import Rows

SQL: Final = Statements(files(__package__).joinpath("journal.sql").read_text("utf-8"))
WHOLE: Final = 1  # the version whose columns stand there as they are: read, and no longer written
VERSION: Final = 2
_HEADER: Final = struct.Struct("<BxxxII")  # version, points, CRC-32 of the identity and the columns
_SEALED: Final = struct.Struct("<qqI")
_COLUMNS: Final = 5  # series key, step, time, value key, occurrence


def encode(rows: Rows, *, run_key: int, first_arrival: int) -> bytes:
    """The payload of points, one at least, that arrived one after another."""
    body = packing.pack(rows.identities())
    sealed = _SEALED.pack(run_key, first_arrival, len(rows))
    return _HEADER.pack(VERSION, len(rows), zlib.crc32(body, zlib.crc32(sealed))) + body


def decode(payload: bytes, *, run_key: int, first_arrival: int) -> Rows:
    """The points behind `encode`. Raises Corrupt for damaged bytes, and for those of another row."""
    if len(payload) < _HEADER.size:
        raise Corrupt("a row of the journal is shorter than its header")
    version, count, checksum = _HEADER.unpack_from(payload)
    body = payload[_HEADER.size :]
    if zlib.crc32(body, zlib.crc32(_SEALED.pack(run_key, first_arrival, count))) != checksum:
        raise Corrupt("a row of the journal fails its checksum")
    series, step, time, keys, occurrence = _columns(version, body, count)
    points = Points(
        step=step,
        time=time,
        value=values_of(keys),
        occurrence=occurrence,
        arrival=np.arange(first_arrival, first_arrival + count, dtype=np.int64),
    )
    return Rows(run=np.full(count, run_key, np.int64), series=series, points=points)


def _columns(version: int, body: bytes, count: int) -> Sequence[I64]:
    if version == VERSION:
        return packing.unpack(body, count=count, columns=_COLUMNS)
    if version == WHOLE and len(body) == count * _COLUMNS * 8:
        return list(np.frombuffer(body, "<i8").reshape(_COLUMNS, count).astype(np.int64))
    raise Corrupt(f"a row of the journal has version {version}, which this program does not know")


def of_runs(connection: Connection, run_keys: Iterable[int]) -> Rows:
    """All that waits of some runs."""
    return rows_of(connection.ask(SQL["of_runs"], {"run_keys": np.array(list(run_keys), np.int64)}))


def of_keys(connection: Connection, keys: Sequence[tuple[int, int]]) -> Rows:
    """The points of rows named by their run key and first arrival."""
    if not keys:
        return Rows.empty()
    runs, firsts = np.array(keys, np.int64).T
    return rows_of(connection.ask(SQL["rows"], {"run_keys": runs, "first_arrivals": firsts}))


def rows_of(found: Iterable[Row]) -> Rows:
    """The points of rows (run key, first arrival, payload)."""
    return Rows.concat([decode(payload, run_key=run, first_arrival=first) for run, first, payload in found])


def ends(connection: Connection, run_keys: Iterable[int]) -> dict[int, int]:
    """Run key -> the arrival number that its next point will have."""
    return dict(SQL.all(connection, "ends", (json.dumps(list(run_keys)),)))
