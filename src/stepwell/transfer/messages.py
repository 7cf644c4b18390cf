"""The wire format of protocol buffers: fields in and out. What they mean is known to who reads a format.

Source: protobuf's "Encoding" page. Groups, which nobody writes any more, are unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Number, kind and value of each field: an int for a varint, else bytes. ValueError, IndexError: it is damaged."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
            yield tag >> 3, kind, value
            continue
        if kind == BYTES:
            size, at = _read_varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"field of the unknown kind {kind}")
        if at + size > end:
            raise ValueError("a field is cut")
        yield tag >> 3, kind, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def varint(value: int) -> bytes:
    """A number from 0 on."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def field_of_bytes(number: int, data: bytes) -> bytes:
    """A text, bytes or a message inside of a message."""
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def signed(value: int) -> int:
    """What a varint means where its type is int32 or int64."""
    return value - 2**64 if value >= 2**63 else value
