"""Acknowledged points that are not known to be in ClickHouse yet: one row for each write to a run. FORMAT.md has the
bytes.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

import numpy as np

from stepwell.core.errors import Corrupt
from stepwell.core.series import Points, values_of
from stepwell.storage.catalog.sql import Row, Statements
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.points import Rows

SQL: Final = Statements(files(__package__).joinpath("journal.sql").read_text("utf-8"))
VERSION: Final = 1
_HEADER: Final = struct.Struct("<BxxxII")  # version, points, CRC-32 of the identity and the columns
_SEALED: Final = struct.Struct("<qqI")
_COLUMNS: Final = 5  # series key, step, time, value key, occurrence


def encode(rows: Rows, *, run_key: int, first_arrival: int) -> bytes:
    """The payload of points that arrived one after another."""
    body = np.ascontiguousarray(np.stack(rows.identities()), "<i8").tobytes()
    sealed = _SEALED.pack(run_key, first_arrival, len(rows))
    return _HEADER.pack(VERSION, len(rows), zlib.crc32(body, zlib.crc32(sealed))) + body


def decode(payload: bytes, *, run_key: int, first_arrival: int) -> Rows:
    """The points behind `encode`. Raises Corrupt for damaged bytes, and for those of another row."""
    if len(payload) < _HEADER.size:
        raise Corrupt("a row of the journal is shorter than its header")
    version, count, checksum = _HEADER.unpack_from(payload)
    body = payload[_HEADER.size :]
    sealed = _SEALED.pack(run_key, first_arrival, count)
    if version != VERSION or len(body) != count * _COLUMNS * 8 or zlib.crc32(body, zlib.crc32(sealed)) != checksum:
        raise Corrupt("a row of the journal fails its checksum")
    series, step, time, keys, occurrence = np.frombuffer(body, "<i8").reshape(_COLUMNS, count).astype(np.int64)
    points = Points(
        step=step,
        time=time,
        value=values_of(keys),
        occurrence=occurrence,
        arrival=np.arange(first_arrival, first_arrival + count, dtype=np.int64),
    )
    return Rows(run=np.full(count, run_key, np.int64), series=series, points=points)


def add(connection: Connection, run_key: int, rows: Rows) -> None:
    """Append points to a run, whose row this transaction has locked; their arrival numbers are given here."""
    taken = SQL.one(connection, "take_arrivals", {"run_key": run_key, "count": len(rows)})
    assert taken is not None
    payload = encode(rows, run_key=run_key, first_arrival=taken[0])
    connection.send(SQL["add"], (run_key, taken[0], len(rows), payload))


def of_runs(connection: Connection, run_keys: Iterable[int]) -> Rows:
    """All that waits of some runs."""
    return rows_of(SQL.all(connection, "of_runs", (json.dumps(list(run_keys)),)))


def rows_of(found: Iterable[Row]) -> Rows:
    """The points of rows (run key, first arrival, payload)."""
    return Rows.concat([decode(payload, run_key=run, first_arrival=first) for run, first, payload in found])


def ends(connection: Connection, run_keys: Iterable[int]) -> dict[int, int]:
    """Run key -> the arrival number that its next point will have."""
    return dict(SQL.all(connection, "ends", (json.dumps(list(run_keys)),)))
