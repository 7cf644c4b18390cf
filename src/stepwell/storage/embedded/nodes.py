"""Summary nodes: the buckets of a block as bytes and back, exactly (FORMAT.md, section "Node payload").

Nothing here knows about the database or when nodes are worth storing; `core.buckets` has the arithmetic.

Why 128 points a node: 0.31 bytes a point for float32-born values (256 points: 0.17), beside 4 for the points; a chart
of 1000 buckets over a million points has 7.8 nodes a bucket, so that edges snapped to nodes move by 6 % of a bucket at
most (256 points: 13 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.errors import Corrupt
from stepwell.core.series import F64, I64, canonical
from stepwell.storage.embedded.codec import opened, sealed
from stepwell.storage.embedded.packing import U64, Packer, fold, unfold, varint, widened

WIDTH = 128  # points of a node, but for the last one of a block
FINE = 16  # of one that is made of points when a chart needs finer ones; none of these is stored
MAX_NODES = 65_536
NODES_V1 = 0xA1

_NARROW, _PLAIN = 1, 2
COUNT, FIRST_STEP, LAST_STEP, MIN_TIME, MAX_TIME = 0, 1, 3, 9, 10  # rows of numbers
_ROWS = 20
_TIMES = slice(6, 11)  # rows of times told from the first point's
_STEPS = slice(3, 6)
_NUMBERS = slice(0, 14)
_FLOATS = slice(14, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTable:
    """Nodes as two matrices, a column for each node. Of many blocks these are joined in a tenth of the time that it
    takes with the columns of `Buckets`, of which there are nineteen.
    """

    numbers: I64  # (14, nodes), as `_number_rows` begins
    values: F64  # (6, nodes), as `_float_rows` begins

    def __len__(self) -> int:
        return len(self.numbers[0])

    @classmethod
    def of(cls, nodes: Buckets) -> Self:
        """The same nodes."""
        return cls(numbers=_numbers(nodes), values=_values(nodes))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The nodes of one part or more, one after another."""
        return cls(
            numbers=np.concatenate([part.numbers for part in parts], axis=1),
            values=np.concatenate([part.values for part in parts], axis=1),
        )

    def part(self, start: int, end: int) -> Self:
        """Some of the nodes, as windows of the matrices."""
        return type(self)(numbers=self.numbers[:, start:end], values=self.values[:, start:end])

    def buckets(self) -> Buckets:
        """The same nodes, as windows of the matrices."""
        rows, values = self.numbers, self.values
        return Buckets(
            count=rows[0],
            first=Samples(step=rows[1], time=rows[2], value=values[0]),
            last=Samples(step=rows[3], time=rows[6], value=values[1]),
            min=Samples(step=rows[4], time=rows[7], value=values[2]),
            max=Samples(step=rows[5], time=rows[8], value=values[3]),
            finite_count=rows[0] - rows[11] - rows[12] - rows[13],
            mean=values[4],
            m2=values[5],
            nan_count=rows[11],
            pos_inf_count=rows[12],
            neg_inf_count=rows[13],
            min_time=rows[9],
            max_time=rows[10],
        )


def encode(nodes: NodeTable, packer: Packer) -> bytes:
    """The payload of 1 to MAX_NODES nodes in key order."""
    if not 1 <= len(nodes) <= MAX_NODES:
        raise ValueError(f"a payload holds 1 to {MAX_NODES} nodes, not {len(nodes)}")
    rows, divisor = _number_rows(nodes.numbers)
    floats, narrow = _float_rows(nodes.values)
    matrix = np.concatenate([fold(rows), floats])
    raw = matrix.astype("<u8", copy=False).view(np.uint8).reshape(_ROWS, len(nodes), 8).transpose(0, 2, 1).tobytes()
    frame = packer.compress(raw)
    plain = len(frame) >= len(raw)
    flags = narrow * _NARROW | plain * _PLAIN
    head = bytes([NODES_V1]) + varint(len(nodes)) + bytes([flags]) + varint(divisor)
    return sealed(head + (raw if plain else frame))


def decode(payload: bytes | memoryview, packer: Packer) -> NodeTable:
    """The nodes of a payload; Corrupt when it is not exactly what `encode` wrote."""
    reader, count = opened(payload, NODES_V1, MAX_NODES)
    flags = reader.take(1)[0]
    divisor = reader.varint()
    rest = reader.take(len(reader.data) - reader.at)
    size = _ROWS * 8 * count
    if flags > _NARROW | _PLAIN or not 1 <= divisor < 2**63 or (flags & _PLAIN and len(rest) != size):
        raise Corrupt("the nodes of a block cannot be read")
    raw = rest if flags & _PLAIN else packer.decompress(rest, size)
    planes = np.frombuffer(raw, np.uint8).reshape(_ROWS, 8, count)
    matrix = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<u8").reshape(_ROWS, count).astype("u8", copy=False)
    return NodeTable(
        numbers=_told(matrix[_NUMBERS], divisor), values=_floats(matrix[_FLOATS], narrow=bool(flags & _NARROW))
    )


def _numbers(nodes: Buckets) -> I64:
    return np.stack(
        [
            nodes.count,
            nodes.first.step,
            nodes.first.time,
            nodes.last.step,
            nodes.min.step,
            nodes.max.step,
            nodes.last.time,
            nodes.min.time,
            nodes.max.time,
            nodes.min_time,
            nodes.max_time,
            nodes.nan_count,
            nodes.pos_inf_count,
            nodes.neg_inf_count,
        ]
    )


def _values(nodes: Buckets) -> F64:
    return np.stack([nodes.first.value, nodes.last.value, nodes.min.value, nodes.max.value, nodes.mean, nodes.m2])


def _number_rows(numbers: I64) -> tuple[I64, int]:
    """Rows 0 to 13 of the matrix before they are folded, and the divisor of times."""
    rows = numbers.copy()
    rows[_STEPS] -= rows[1]
    rows[_TIMES] -= rows[2]
    divisor = _divisor(rows)
    rows[2] //= divisor
    rows[_TIMES] //= divisor
    rows[:3, 1:] = np.diff(rows[:3])
    return rows, divisor


def _divisor(rows: I64) -> int:
    """1000 for times of whole milliseconds, the usual case, else 1."""
    whole = not (rows[2] % 1000).any() and not (rows[_TIMES] % 1000).any()
    return 1000 if whole else 1


def _told(words: U64, divisor: int) -> I64:
    """Back from `_number_rows`."""
    rows = unfold(words)
    np.cumsum(rows[:3], axis=1, out=rows[:3])
    if divisor != 1:
        rows[2] *= divisor
        rows[_TIMES] *= divisor
    rows[_STEPS] += rows[1]
    rows[_TIMES] += rows[2]
    return rows


def _float_rows(values: F64) -> tuple[U64, bool]:
    """Rows 14 to 19, and whether the values of points are float32 in them."""
    values = canonical(values)
    words = values.view(np.uint64)
    with np.errstate(over="ignore", under="ignore"):
        small = values[:4].astype(np.float32)
    narrow = bool((small.astype(np.float64).view(np.uint64) == words[:4]).all())
    if narrow:
        words = np.concatenate([small.view(np.uint32).astype(np.uint64), words[4:]])
    told = words.copy()
    told[:, 1:] ^= words[:, :-1]
    return told, narrow


def _floats(told: U64, *, narrow: bool) -> F64:
    """Back from `_float_rows`."""
    words = np.bitwise_xor.accumulate(told, axis=1)
    values: F64 = words.view(np.float64)
    if narrow:
        values[:4] = widened(words[:4].astype(np.uint32))
    return values
