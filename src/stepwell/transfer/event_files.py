"""TensorBoard's event files, byte by byte: records with checksums, and of their messages the few fields of scalars.

A record is: length (8 bytes), its masked CRC32C (4), the message, its masked CRC32C (4), all little-endian. A message
is an `Event` of TensorFlow's protocol buffers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from stepwell.transfer.messages import BYTES, FIXED32, FIXED64, VARINT, field_of_bytes, fields, signed, varint
from stepwell.transfer.runs import microseconds

_LENGTH, _CRC = struct.Struct("<Q"), struct.Struct("<I")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_LARGEST: Final = 2**31  # of a protocol buffer
_DT_FLOAT, _DT_DOUBLE = 1, 2


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
    for number, kind, value in fields(data):
        if (number, kind) == (1, FIXED64):
            event.time_us = microseconds(_DOUBLE.unpack(value)[0])
        elif (number, kind) == (2, VARINT):
            event.step = signed(value)
        elif (number, kind) == (5, BYTES):
            event.scalars.extend(_value(each) for tag, how, each in fields(value) if (tag, how) == (1, BYTES))
    return event


def encode(time_us: int, step: int, *, tag: str = "", value: float | None = None, first: bool = False) -> bytes:
    """A message with one value in 64 bits, or where there is no tag, the one that begins a file.

    first: of its tag; says that these are scalars.
    """
    head = b"\x09" + _DOUBLE.pack(time_us / 1e6) + b"\x10" + varint(step & (2**64 - 1))
    if value is None:
        return head + field_of_bytes(3, b"brain.Event:2")
    tensor = b"\x08\x02\x12\x00" + field_of_bytes(6, _DOUBLE.pack(value))  # a double without dimensions
    summary = field_of_bytes(1, tag.encode()) + field_of_bytes(8, tensor)
    if first:
        summary += field_of_bytes(
            9, field_of_bytes(1, field_of_bytes(1, b"scalars")) + b"\x20\x01"
        )  # its data class: a scalar
    return head + field_of_bytes(5, field_of_bytes(1, summary))


def _value(data: bytes) -> Scalar:
    found = Scalar()
    for number, kind, value in fields(data):
        if (number, kind) == (1, BYTES):
            found.tag = value.decode()
        elif (number, kind) == (2, FIXED32):
            found.value = _FLOAT.unpack(value)[0]
        elif (number, kind) == (8, BYTES):
            found.value = _tensor(value)
        elif (number, kind) == (9, BYTES):
            found.plugin = _plugin(value)
    return found


def _plugin(metadata: bytes) -> str:
    for number, kind, value in fields(metadata):
        if (number, kind) == (1, BYTES):
            return next((name.decode() for at, how, name in fields(value) if (at, how) == (1, BYTES)), "")
    return ""


def _tensor(data: bytes) -> float | None:
    """The value of a tensor of one float or double without dimensions; None for any other."""
    type_, shape, content = 0, b"", b""
    for number, kind, value in fields(data):
        if (number, kind) == (1, VARINT):
            type_ = value
        elif (number, kind) == (2, BYTES):
            shape = value
        elif number in (4, 5, 6) and kind in (BYTES, FIXED32, FIXED64):
            content = value
    form = {_DT_FLOAT: _FLOAT, _DT_DOUBLE: _DOUBLE}.get(type_)
    if form is None or shape:
        return None
    if not content:
        return 0.0
    return float(form.unpack(content)[0]) if len(content) == form.size else None


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
