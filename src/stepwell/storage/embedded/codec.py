"""Blocks: the points of one series as bytes and back, exactly, column by column (FORMAT.md, section "Block payload").

Nothing here knows about the database or about series; `nodes.py` has the summaries of a block.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from stepwell.core.errors import Corrupt
from stepwell.core.series import I64, Points
from stepwell.storage.embedded.columns import constant, pack_ints, pack_values
from stepwell.storage.embedded.packing import (
    Packer,
    Reader,
    unpack_ints,
    unpack_values,
    varint,
    zigzag,
)

BLOCK_V1 = 0xB1
MAX_POINTS = 65_536
COLUMNS = ("step", "time", "value", "occurrence", "arrival")


def encode(points: Points, packer: Packer) -> bytes:
    """The payload of a block of 1 to MAX_POINTS points in key order (any order comes back as it was, but larger)."""
    return encode_many(points, np.array([0, len(points)]), packer)[0]


def encode_many(points: Points, edges: I64, packer: Packer) -> list[bytes]:
    """The same for blocks of which one after another holds the points between two edges."""
    counts = np.diff(edges)
    for count in counts[(counts < 1) | (counts > MAX_POINTS)].tolist():
        raise ValueError(f"a block holds 1 to {MAX_POINTS} points, not {count}")
    columns = [
        pack_ints(np.ascontiguousarray(points.step), edges, packer),
        pack_ints(np.ascontiguousarray(points.time), edges, packer),
        pack_values(points.value, edges, packer),
        pack_ints(np.ascontiguousarray(points.occurrence), edges, packer),
        pack_ints(np.ascontiguousarray(points.arrival), edges, packer),
    ]
    return [_payload(count, bodies) for count, bodies in zip(counts.tolist(), zip(*columns, strict=True), strict=True)]


def _payload(count: int, bodies: Sequence[bytes]) -> bytes:
    head = bytes([BLOCK_V1]) + varint(count) + b"".join([varint(len(body)) for body in bodies])
    return sealed(head + b"".join(bodies))


def encode_one(step: int, time: int, value: float, occurrence: int, arrival: int) -> bytes:
    """What `encode` gives for one point, in a tenth of the time: a store may have very many series of one."""
    ints = [b"\x00" + zigzag(number) if number else b"" for number in (step, time, occurrence, arrival)]
    step_body, time_body, occurrence_body, arrival_body = ints
    bodies = (step_body, time_body, constant(value), occurrence_body, arrival_body)
    return sealed(bytes((BLOCK_V1, 1, *map(len, bodies))) + b"".join(bodies))


def decode(payload: bytes | memoryview, packer: Packer, *, columns: Collection[str] = COLUMNS) -> Points:
    """The points of a block; Corrupt when the payload is not exactly what `encode` wrote.

    Only the named columns are decoded. Of the others only the length is right: every step, time, occurrence and arrival
    is 0 and every value NaN.
    """
    body, count = opened(payload, BLOCK_V1, MAX_POINTS)
    bodies = _bodies(body)
    ints = {
        name: unpack_ints(bodies[name], count, packer) if name in columns else np.zeros(count, np.int64)
        for name in ("step", "time", "occurrence", "arrival")
    }
    value = unpack_values(bodies["value"], count, packer) if "value" in columns else np.full(count, np.nan)
    return Points(value=value, **ints)


def sealed(body: bytes) -> bytes:
    """The body with its checksum behind it."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def opened(payload: bytes | memoryview, kind: int, most: int) -> tuple[Reader, int]:
    """A reader behind the first byte and the count of a sealed payload, and the count, which is 1 to `most`."""
    view = memoryview(payload)
    if len(view) < 6 or zlib.crc32(view[:-4]) != int.from_bytes(view[-4:], "little"):
        raise Corrupt("stored bytes fail their checksum")
    reader = Reader(view[:-4])
    if reader.take(1)[0] != kind:
        raise Corrupt("stored bytes are of another kind or a newer version")
    count = reader.varint()
    if not 1 <= count <= most:
        raise Corrupt("stored bytes name an impossible count")
    return reader, count


def _bodies(reader: Reader) -> Mapping[str, memoryview]:
    lengths = [reader.varint() for _ in COLUMNS]
    bodies = {name: reader.take(length) for name, length in zip(COLUMNS, lengths, strict=True)}
    reader.done()
    return bodies
