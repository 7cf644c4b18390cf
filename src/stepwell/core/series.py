"""Points in columns: their order, their identity, and the integer key of a value. Nothing here knows where they are
stored.

A point is identified by (series, step, time, value, occurrence) (ADR 0001). Values compare by canonical bits: there
is one
NaN, -0.0 differs from 0.0, and -Inf < ... < -0.0 < 0.0 < ... < +Inf < NaN. `value_key` maps that order onto int64, so
every
engine can sort, index and compare values as integers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

I64: TypeAlias = NDArray[np.int64]
F64: TypeAlias = NDArray[np.float64]

Labels: TypeAlias = tuple[tuple[str, str], ...]  # sorted by name; () is the series without labels
Key: TypeAlias = tuple[int, int, int, int]  # (step, time, value_key, occurrence)

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_NAN = np.float64(struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000))[0])
_LOW63 = np.int64(INT64_MAX)
_INT, _DOUBLE = struct.Struct("<q"), struct.Struct("<d")


def value_keys(values: F64) -> I64:
    """Order-preserving int64 keys of float64 values; every NaN maps to one key above +Inf."""
    bits = canonical(values).view(np.int64)
    return bits ^ ((bits >> 63) & _LOW63)


def values_of(keys: I64) -> F64:
    """The values behind `value_keys`, exactly (NaN in canonical form)."""
    keys = np.ascontiguousarray(keys, dtype=np.int64)
    return (keys ^ ((keys >> 63) & _LOW63)).view(np.float64)


def canonical(values: F64) -> F64:
    """The same values with every NaN in one bit pattern; the input itself when it has none."""
    values = np.ascontiguousarray(values, dtype=np.float64)
    nan = np.isnan(values)
    return np.where(nan, _NAN, values) if nan.any() else values


def value_key(value: float) -> int:
    """`value_keys` of one value."""
    bits: int = _INT.unpack(_DOUBLE.pack(value))[0] if value == value else 0x7FF8000000000000
    return bits ^ INT64_MAX if bits < 0 else bits


def value_of(key: int) -> float:
    """The value behind `value_key`."""
    return float_of(key ^ INT64_MAX if key < 0 else key)


def float_of(bits: int) -> float:
    """The float64 that has these bits, read as an int64."""
    value: float = _DOUBLE.unpack(_INT.pack(bits))[0]
    return value


class Order(StrEnum):
    """How the points of a series are read. Every order is total: ties end at the arrival number."""

    KEY = "key"  # (step, time, value, occurrence)
    TIME = "time"  # (time, step, value, occurrence)
    ARRIVAL = "arrival"  # as acknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Points of one series as equally long columns.

    step: int64; time: int64 microseconds UTC; value: float64; occurrence: int64, 0 but for deliberate repeats;
    arrival: int64, the store's number of the point, rising in the order of acknowledgement.
    """

    step: I64
    time: I64
    value: F64
    occurrence: I64
    arrival: I64

    def __len__(self) -> int:
        return len(self.step)

    def take(self, index: Any) -> Self:
        """The points at `index` (an array of positions, a mask or a slice), in its order."""
        return type(self)(
            step=self.step[index],
            time=self.time[index],
            value=self.value[index],
            occurrence=self.occurrence[index],
            arrival=self.arrival[index],
        )

    def sort_columns(self, order: Order) -> tuple[I64, ...]:
        """The columns of `order`, most significant first."""
        if order is Order.ARRIVAL:
            return (self.arrival,)
        keys = value_keys(self.value)
        if order is Order.TIME:
            return (self.time, self.step, keys, self.occurrence)
        return (self.step, self.time, keys, self.occurrence)

    def sorted(self, order: Order) -> Self:
        """The same points in `order`; itself when they already stand so."""
        if len(self) < 2:
            return self
        columns = self.sort_columns(order)
        if ascending(columns).all():
            return self
        return self.take(np.lexsort(columns[::-1]))

    def key(self, position: int) -> Key:
        """The identity of the point at `position`."""
        return (
            int(self.step[position]),
            int(self.time[position]),
            value_key(float(self.value[position])),
            int(self.occurrence[position]),
        )

    @classmethod
    def empty(cls) -> Self:
        """No points."""
        none = np.empty(0, np.int64)
        return cls(step=none, time=none, value=np.empty(0, np.float64), occurrence=none, arrival=none)

    @classmethod
    def concat(cls, parts: list[Self]) -> Self:
        """The points of `parts`, one after another."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        return cls(
            step=np.concatenate([p.step for p in parts]),
            time=np.concatenate([p.time for p in parts]),
            value=np.concatenate([p.value for p in parts]),
            occurrence=np.concatenate([p.occurrence for p in parts]),
            arrival=np.concatenate([p.arrival for p in parts]),
        )


def distinct(numbers: I64) -> I64:
    """The numbers rising, each once. `np.unique` loads all of numpy.ma before it begins: a fifth of a start."""
    ordered = np.sort(numbers)
    found: I64 = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def ascending(columns: tuple[I64, ...]) -> NDArray[np.bool_]:
    """For each neighbouring pair of rows whether the first is strictly below the second, lexicographically; length
    n-1.
    """
    below = np.zeros(max(len(columns[0]) - 1, 0), np.bool_)
    equal = np.ones_like(below)
    for column in columns:
        left, right = column[:-1], column[1:]
        below |= equal & (left < right)
        equal &= left == right
        if not equal.any():  # as a rule the first columns tell
            break
    return below
