"""TensorBoard's event files, byte by byte: records with checksums, and of their messages the few fields of scalars.

A record is: length (8 bytes), its masked CRC32C (4), the message, its masked CRC32C (4), all little-endian. A message
is an `Event` of TensorFlow's protocol buffers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

_LENGTH, _CRC = struct.Struct("<Q"), struct.Struct("<I")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_LARGEST: Final = 2**31  # of a protocol buffer
_DT_FLOAT, _DT_DOUBLE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Damaged(Exception):
    """The rest of a file cannot be read."""


@dataclass(kw_only=True, slots=True)
class Scalar:
    """A value of a tag. plugin: who may show it, where the file says so; TensorBoard's scalars are "scalars"."""

    tag: str = ""
    value: float | None = None
    plugin: str = ""


@dataclass(kw_only=True, slots=True)
class Event:
    """What was logged at one moment, in microseconds since 1970."""

    time_us: int = 0
    step: int = 0
    scalars: list[Scalar] = field(default_factory=list)


def events(file: IO[bytes], tell: Callable[[str], None]) -> Iterator[Event]:
    """Of one file. Half a record at its end is no damage: somebody is writing it. Damaged: no record begins here.

    `tell` hears of a record whose content is damaged; the next is read all the same.
    """
    while True:
        place = file.tell()
        head = file.read(12)
        if len(head) < 12:
            return
        (size,) = _LENGTH.unpack_from(head)
        if masked_crc(head[:8]) != _CRC.unpack_from(head, 8)[0] or size > _LARGEST:
            raise Damaged(f"byte {place}: no record begins here")
        data, crc = file.read(size), file.read(4)
        if len(data) < size or len(crc) < 4:
            return
        try:
            event = decode(data)
            whole = not event.scalars or masked_crc(data) == _CRC.unpack(crc)[0]
        except (ValueError, OverflowError, IndexError, struct.error):
            whole = False
        if whole:
            yield event
        else:
            tell(f"byte {place}: a record is damaged")


def record(data: bytes) -> bytes:
    """A message as it stands in a file."""
    head = _LENGTH.pack(len(data))
    return head + _CRC.pack(masked_crc(head)) + data + _CRC.pack(masked_crc(data))


def decode(data: bytes) -> Event:
    """The message of a record. ValueError, OverflowError, IndexError, struct.error: it is none."""
    event = Event()
    for number, kind, value in _fields(data):
        if (number, kind) == (1, _FIXED64):
            event.time_us = _microseconds(_DOUBLE.unpack(value)[0])
        elif (number, kind) == (2, _VARINT):
            event.step = _signed(value)
        elif (number, kind) == (5, _BYTES):
            event.scalars.extend(_value(each) for tag, how, each in _fields(value) if (tag, how) == (1, _BYTES))
    return event


def encode(time_us: int, step: int, *, tag: str = "", value: float | None = None, first: bool = False) -> bytes:
    """A message with one value in 64 bits, or where there is no tag, the one that begins a file.

    first: of its tag; says that these are scalars.
    """
    head = b"\x09" + _DOUBLE.pack(time_us / 1e6) + b"\x10" + _varint(step & (2**64 - 1))
    if value is None:
        return head + _bytes(3, b"brain.Event:2")
    tensor = b"\x08\x02\x12\x00" + _bytes(6, _DOUBLE.pack(value))  # a double without dimensions
    summary = _bytes(1, tag.encode()) + _bytes(8, tensor)
    if first:
        summary += _bytes(9, _bytes(1, _bytes(1, b"scalars")) + b"\x20\x01")  # its data class: a scalar
    return head + _bytes(5, _bytes(1, summary))


def _microseconds(seconds: float) -> int:
    """The nearest; the product of both would be rounded twice. ValueError, OverflowError: NaN, an infinity."""
    whole = math.floor(seconds)
    return whole * 1_000_000 + round((seconds - whole) * 1e6)


def _value(data: bytes) -> Scalar:
    found = Scalar()
    for number, kind, value in _fields(data):
        if (number, kind) == (1, _BYTES):
            found.tag = value.decode()
        elif (number, kind) == (2, _FIXED32):
            found.value = _FLOAT.unpack(value)[0]
        elif (number, kind) == (8, _BYTES):
            found.value = _tensor(value)
        elif (number, kind) == (9, _BYTES):
            found.plugin = _plugin(value)
    return found


def _plugin(metadata: bytes) -> str:
    for number, kind, value in _fields(metadata):
        if (number, kind) == (1, _BYTES):
            return next((name.decode() for at, how, name in _fields(value) if (at, how) == (1, _BYTES)), "")
    return ""


def _tensor(data: bytes) -> float | None:
    """The value of a tensor of one float or double without dimensions; None for any other."""
    type_, shape, content = 0, b"", b""
    for number, kind, value in _fields(data):
        if (number, kind) == (1, _VARINT):
            type_ = value
        elif (number, kind) == (2, _BYTES):
            shape = value
        elif number in (4, 5, 6) and kind in (_BYTES, _FIXED32, _FIXED64):
            content = value
    form = {_DT_FLOAT: _FLOAT, _DT_DOUBLE: _DOUBLE}.get(type_)
    if form is None or shape:
        return None
    if not content:
        return 0.0
    return float(form.unpack(content)[0]) if len(content) == form.size else None


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Number, kind and value of each field: an int for a varint, else bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _read_varint(data, at)
            yield tag >> 3, kind, value
            continue
        if kind == _BYTES:
            size, at = _read_varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
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


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)  # Castagnoli's polynomial, its bits reversed
        found.append(crc)
    return tuple(found)


_TABLE: Final = _table()


def masked_crc(data: bytes) -> int:
    """CRC32C, turned and moved, as it stands beside data that may hold checksums itself."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
