"""Files of W&B's own client (`run-ID.wandb`), byte by byte: a log of records, and what makes a run of their messages.

A file begins with 7 bytes and goes on in blocks of 32 KiB, as LevelDB's logs do. A fragment is: CRC-32 over its kind
and its data (4 bytes), length (2), kind (1: whole, 2: first, 3: middle, 4: last), data, all little-endian; the end of a
block that has no room for a head is empty. A record is a `Record` of wandb_internal.proto.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final, TypeAlias

from stepwell.transfer.messages import fields, signed

_MAGIC: Final = b":W&B\xe1\xbe\x00"
_BLOCK: Final = 32768
_HEAD, _DOUBLE = struct.Struct("<IHB"), struct.Struct("<d")
_WHOLE, _FIRST, _LAST = 1, 2, 4
_HISTORY, _SUMMARY, _CONFIG, _STATS, _RUN, _EXIT = 2, 3, 5, 7, 17, 18

Message: TypeAlias = dict[int, list[Any]]
Path: TypeAlias = tuple[str, ...]  # of a value inside of others


@dataclass(kw_only=True, slots=True)
class Values:
    """Values by their paths, as JSON has them. kind: what they are of; removed: paths of what is there no more."""

    kind: str
    step: int = 0
    time_us: int = 0
    set: list[tuple[Path, Any]] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Began:
    """A run, as it is told at the begin of each file of it."""

    id: str
    entity: str
    project: str
    name: str
    notes: str
    tags: list[str]
    about: dict[str, str]
    config: Values | None
    start_us: int | None


@dataclass(kw_only=True, slots=True)
class Ended:
    """The end of a run."""

    code: int


def records(file: IO[bytes], tell: Callable[[str], None]) -> Iterator[bytes]:
    """The messages of one file. Half a record at its end is no damage: somebody is writing it. ValueError: it is no
    such file.

    `tell` hears of what is damaged; what follows in later blocks is read all the same.
    """
    begin = file.read(len(_MAGIC))
    if not _MAGIC.startswith(begin):
        raise ValueError("no file of W&B, or of a version that is not known")
    if begin != _MAGIC:
        return
    at, parts = len(_MAGIC), list[bytes]()
    while True:
        room = _BLOCK - at % _BLOCK
        if room < _HEAD.size:
            at = file.seek(at + room)
            continue
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        crc, size, kind = _HEAD.unpack(head)
        data = file.read(min(size, room - _HEAD.size))
        if len(data) < size <= room - _HEAD.size:
            return
        if zlib.crc32(data, zlib.crc32(bytes([kind]))) != crc or len(data) < size:
            tell(f"byte {at}: a record is damaged; the rest of its block is left out")
            at, parts = file.seek(at + room), []
            continue
        at += _HEAD.size + size
        parts = [data] if kind in (_WHOLE, _FIRST) else [*parts, data] if parts else []
        if kind in (_WHOLE, _LAST) and parts:
            yield b"".join(parts)
            parts = []


def decode(data: bytes) -> Values | Began | Ended | None:
    """What a record tells of a run; None where it tells of something else. ValueError, IndexError: it is damaged."""
    for number, value in _message(data).items():
        content = value[-1]
        if not isinstance(content, bytes):
            continue
        if number == _RUN:
            return _began(_message(content))
        if number == _EXIT:
            return Ended(code=_number(_message(content), 1))
        if number == _HISTORY:
            message = _message(content)
            step = signed(_number(_inner(message, 2), 1))
            return Values(kind="history", step=step, set=_items(message, 1))
        if number in (_SUMMARY, _CONFIG):
            return _changes("summary" if number == _SUMMARY else "config", _message(content))
        if number == _STATS:
            message = _message(content)
            return Values(kind="system", time_us=_moment(message, 2) or 0, set=_items(message, 3))
    return None


def _began(message: Message) -> Began:
    about = {name: _text(message, at) for name, at in (("group", 6), ("job_type", 7), ("sweep", 12), ("host", 13))}
    config = _inner(message, 4)
    return Began(
        id=_text(message, 1),
        entity=_text(message, 2),
        project=_text(message, 3),
        name=_text(message, 8),
        notes=_text(message, 9),
        tags=[each.decode() for each in message.get(10, []) if isinstance(each, bytes)],
        about={name: text for name, text in about.items() if text},
        config=_changes("config", config) if config else None,
        start_us=_moment(message, 17),
    )


def _changes(kind: str, message: Message) -> Values:
    removed = [_path(_message(each)) for each in message.get(2, []) if isinstance(each, bytes)]
    return Values(kind=kind, set=_items(message, 1), removed=removed)


def _items(message: Message, number: int) -> list[tuple[Path, Any]]:
    items = (_message(each) for each in message.get(number, []) if isinstance(each, bytes))
    return [(_path(item), _value(item)) for item in items]


def _path(item: Message) -> Path:
    """A key, or the keys on the way to a value inside of others."""
    inside = tuple(each.decode() for each in item.get(2, []) if isinstance(each, bytes))
    return inside or (_text(item, 1),)


def _value(item: Message) -> Any:
    """As JSON, or in a field of its type. RecursionError is a ValueError here."""
    text = _text(item, 16) or _text(item, 8)
    if text:
        try:
            return json.loads(text, parse_int=_integer)
        except RecursionError:
            raise ValueError("values within values without an end") from None
    if 4 in item:
        return bool(item[4][-1])
    if 5 in item:
        value = _number(item, 5)
        return value >> 1 ^ -(value & 1)  # sint64
    if 6 in item and isinstance(item[6][-1], bytes) and len(item[6][-1]) == _DOUBLE.size:
        return _DOUBLE.unpack(item[6][-1])[0]
    return _text(item, 7) if 7 in item else None


def _integer(digits: str) -> int | float:
    """W&B writes -0.0 as -0."""
    return -0.0 if digits == "-0" else int(digits)


def _message(data: bytes) -> Message:
    found: Message = {}
    for number, _, value in fields(data):
        found.setdefault(number, []).append(value)
    return found


def _inner(message: Message, number: int) -> Message:
    content = message.get(number, [b""])[-1]
    return _message(content) if isinstance(content, bytes) else {}


def _text(message: Message, number: int) -> str:
    content = message.get(number, [b""])[-1]
    return content.decode() if isinstance(content, bytes) else ""


def _number(message: Message, number: int) -> int:
    content = message.get(number, [0])[-1]
    return content if isinstance(content, int) else 0


def _moment(message: Message, number: int) -> int | None:
    """Of google.protobuf.Timestamp: microseconds."""
    moment = _inner(message, number)
    return signed(_number(moment, 1)) * 1_000_000 + _number(moment, 2) // 1000 if moment else None
