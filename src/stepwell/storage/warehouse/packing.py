"""Columns of int64 in few bytes: as their differences, where these lie close together. FORMAT.md has the bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from stepwell.core.errors import Corrupt
from stepwell.core.series import I64

_HEAD: Final = struct.Struct("<Bqq")  # bytes of each difference, first number, least difference
_TYPES: Final = {1: "<u1", 2: "<u2", 4: "<u4"}
WHOLE: Final = 8  # bytes of a number that is stored as it is


def pack(columns: Sequence[I64]) -> bytes:
    """Columns one behind another, each at least one number long."""
    return b"".join(map(_packed, columns))


def unpack(data: bytes, *, count: int, columns: int) -> list[I64]:
    """What `pack` was given: so many columns of so many numbers, which are all there is. Raises Corrupt."""
    found, at = [], 0
    try:
        for _ in range(columns):
            width, first, least = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            found.append(_column(data, at, count, width, first, least))
            at += count * WHOLE if width == WHOLE else (count - 1) * width
    except (struct.error, ValueError, KeyError) as error:
        raise Corrupt("packed columns end too early, or have a width that is none") from error
    if at != len(data):
        raise Corrupt("there is something behind packed columns")
    return found


def _packed(column: I64) -> bytes:
    differences = column[1:] - column[:-1]  # beyond 64 bits they turn over, and back again when they are added up
    least, most = (int(differences.min()), int(differences.max())) if len(differences) else (0, 0)
    first = int(column[0])
    if least == most:
        return _HEAD.pack(0, first, least)
    for width, type_ in _TYPES.items():
        if most - least < 1 << 8 * width:
            return _HEAD.pack(width, first, least) + (differences - least).astype(type_).tobytes()
    return _HEAD.pack(WHOLE, 0, 0) + column.astype("<i8", copy=False).tobytes()


def _column(data: bytes, at: int, count: int, width: int, first: int, least: int) -> I64:
    if width == WHOLE:
        return np.frombuffer(data, "<i8", count, at).astype(np.int64, copy=False)
    column = np.full(count, least, np.int64)
    if width:
        column[1:] += np.frombuffer(data, _TYPES[width], count - 1, at)
    column[0] = first
    return np.cumsum(column)
