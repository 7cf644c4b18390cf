"""The journal: acknowledged points that are not in blocks yet, one row per group commit. Bytes are described in
FORMAT.md.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import apsw
import numpy as np
import zstandard

from stepwell.core.errors import Corrupt
from stepwell.core.series import I64
from stepwell.storage.embedded.database import translated
from stepwell.storage.embedded.statements import POINTS as SQL

_HEADER: Final = struct.Struct("<BBHII")  # version, flags, reserved, count, CRC-32
_SEALED: Final = struct.Struct("<qBBHI")  # what the CRC-32 covers before the body: first arrival, and the header
_VERSION: Final = 1
_COMPRESSED, _OCCURRENCES = 1, 2
_FAR, _MANY = 2**62, 2**31  # no row begins as late, or has as many points
ROTTEN: Final = "journal_rotten_"
_COMPRESS_FROM: Final = 1024  # bytes; below it a frame's own size eats what it saves
_FIELDS: Final = 4  # series key, step, time, value bits
LEVEL: Final = -1  # of zstd: 1 takes twice the time and saves 3 % of what is gone within the minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Points of one commit in the order of arrival.

    columns: int64 array (5, n): series key, step, time, value bits, occurrence. The arrival numbers are
    first_arrival...
    """

    first_arrival: int
    columns: I64


class Compressor:
    """zstd contexts; they are not thread-safe, so each thread that needs one makes one."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=LEVEL)
        self._decompress = zstandard.ZstdDecompressor()

    def encode(self, columns: I64, *, first_arrival: int) -> bytes:
        """The payload of an entry."""
        flags = _OCCURRENCES if columns[_FIELDS].any() else 0
        used = columns if flags else columns[:_FIELDS]
        body = used.astype("<i8", copy=False).tobytes()
        if len(body) >= _COMPRESS_FROM:
            # Bytes of equal weight side by side: steps, times and keys then compress to almost nothing.
            body = self._compress.compress(np.frombuffer(body, np.uint8).reshape(-1, 8).T.tobytes())
            flags |= _COMPRESSED
        sealed = _SEALED.pack(first_arrival, _VERSION, flags, 0, columns.shape[1])
        return _HEADER.pack(_VERSION, flags, 0, columns.shape[1], zlib.crc32(body, zlib.crc32(sealed))) + body

    def decode(self, payload: bytes, *, first_arrival: int) -> I64:
        """The columns of a payload. Raises Corrupt for damaged bytes, and for those of another row."""
        if len(payload) < _HEADER.size:
            raise Corrupt("a journal row is shorter than its header")
        version, flags, reserved, count, crc = _HEADER.unpack_from(payload)
        body = payload[_HEADER.size :]
        sealed = _SEALED.pack(first_arrival, version, flags, reserved, count)
        if zlib.crc32(body, zlib.crc32(sealed)) != crc or version != _VERSION:
            raise Corrupt("a journal row fails its checksum")
        fields = _FIELDS + bool(flags & _OCCURRENCES)
        if flags & _COMPRESSED:
            plain = self._decompress.decompress(body, max_output_size=count * fields * 8)
            body = np.frombuffer(plain, np.uint8).reshape(8, -1).T.tobytes()
        if len(body) != count * fields * 8:
            raise Corrupt("a journal row has the wrong length")
        columns = np.zeros((_FIELDS + 1, count), np.int64)
        columns[:fields] = np.frombuffer(body, "<i8").reshape(fields, count)
        return columns


def append(connection: apsw.Connection, *, first_arrival: int, count: int, payload: bytes) -> None:
    """Write the row of a commit."""
    SQL.run(connection, "add_journal", (first_arrival, count, payload))


def replay(connection: apsw.Connection, compressor: Compressor) -> Iterator[tuple[int, Entry | Corrupt]]:
    """All rows, oldest first: (first arrival, the entry, or what is wrong with it)."""
    for first_arrival, payload in connection.execute(SQL["read_journal"]):
        try:
            if not isinstance(payload, bytes):
                raise Corrupt("it is not what was written")  # noqa: TRY301 - a damaged page may tell another type
            columns = compressor.decode(payload, first_arrival=first_arrival)
            yield int(first_arrival), Entry(first_arrival=first_arrival, columns=columns)
        except (Corrupt, zstandard.ZstdError) as error:
            yield int(first_arrival), Corrupt(f"journal row {first_arrival}: {error}")


def rescue(connection: apsw.Connection) -> bool:
    """Write the journal anew when a page of it fails its checksum; whether that was so.

    Rows on that page that are whole are read like all others afterwards; of the others, those that are still rows fail
    their own checksum. The old pages stay, under another name: where they lead can no more be trusted than what they
    say, so that to free them might free a page of another table.
    """
    try:
        SQL.all(connection, "touch_journal")
    except apsw.Error as error:
        if not isinstance(translated(error), Corrupt):
            raise
    else:
        return False
    rows = legible(connection)
    connection.execute("BEGIN IMMEDIATE")
    ((schema,),) = SQL.all(connection, "journal_schema")
    connection.execute(f"ALTER TABLE journal RENAME TO {ROTTEN}{len(rotten(connection)) + 1}")
    connection.execute(schema)
    for row in rows:
        SQL.run(connection, "add_journal", row)
    SQL.run(connection, "raise_above_blocks")  # its last rows may be among those that are lost
    connection.execute("COMMIT")
    return True


def rotten(connection: apsw.Connection) -> list[str]:
    """Names of the tables that were the journal until a page of them was damaged."""
    return [name for (name,) in SQL.all(connection, "tables") if name.startswith(ROTTEN)]


def legible(connection: apsw.Connection) -> list[tuple[int, int, bytes]]:
    """What can be read as a row of the journal when no page is checked, from both ends."""
    found: dict[int, tuple[int, int, bytes]] = {}
    connection.execute("PRAGMA checksum_verification=0").fetchall()
    try:
        for statement in ("journal_forth", "journal_back"):
            try:
                found.update((row[0], row) for row in connection.execute(SQL[statement]) if _is_row(row))
            except apsw.Error as error:
                if not isinstance(translated(error), Corrupt):
                    raise
    finally:
        connection.execute("PRAGMA checksum_verification=1").fetchall()
        connection.execute("PRAGMA shrink_memory").fetchall()  # no page that was not checked stays in the cache
    return [found[first] for first in sorted(found)]


def _is_row(row: tuple[object, ...]) -> bool:
    first, count, payload = row
    return (
        isinstance(first, int)
        and isinstance(count, int)
        and isinstance(payload, bytes)
        and 0 <= first < _FAR
        and 0 < count < _MANY
    )


def set_aside(connection: apsw.Connection, first_arrival: int) -> None:
    """Keep a damaged row where `check` names it and nothing reads it."""
    SQL.run(connection, "set_journal_aside", (first_arrival,))
    SQL.run(connection, "drop_journal", (first_arrival,))


def end(connection: apsw.Connection) -> int:
    """The arrival number after the last point in the journal; 0 for an empty one."""
    row = SQL.one(connection, "journal_end")
    return 0 if row is None else int(row[0])


def row_of(connection: apsw.Connection, arrival: int) -> int:
    """The first arrival of the row that holds a point."""
    ((first,),) = SQL.all(connection, "journal_row", (arrival,))
    return int(first)


def trim(connection: apsw.Connection, *, below: int, rows: int) -> int:
    """Remove at most `rows` rows whose points all arrived below a number; how many there were."""
    return SQL.run(connection, "trim_journal", (below, rows))
