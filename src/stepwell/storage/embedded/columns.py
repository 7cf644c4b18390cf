"""Which way each of many columns is packed: the writing side of the integer and value bodies of FORMAT.md.

All columns go through each pass together, so that a short one costs little more than its bytes. What reads them is in
packing.py.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import F64, I64, canonical
from stepwell.storage.embedded.packing import (
    CONSTANT,
    DECIMALS,
    FLOAT32,
    FLOAT64,
    SCALED,
    U64,
    Packer,
    fold,
    pack_planes,
    varint,
    zigzag,
)

T = TypeVar("T", np.int64, np.uint64, np.float64)
AT_ONCE: Final = 2048  # rows up to which ways are compared on all of a column; of a longer one on some, which take less
TRIAL: Final = 512  # of these
NARROW: Final = 2  # bytes of residuals that are packed as soon as weighed
EASY: Final = 1  # bits of a residual on average, up to which no other way is looked at
FEW: Final = 16  # numbers that mostly tell what all of a column allow
SAMPLES: Final = 31  # of a column, of which the middle one is near most
WHOLE: Final = 2.0**53  # below it every whole number is a float64
_POWERS: Final = np.power(10.0, np.arange(DECIMALS + 1))  # exact up to 10^22
_CONSTANT: Final = struct.Struct("<Bd")


# --- integers ---


def pack_ints(numbers: I64, edges: I64, packer: Packer) -> list[bytes]:
    """A small integer body, if not always the smallest, for each column numbers[edges[i]:edges[i+1]], none empty."""
    starts, lengths = edges[:-1], _lengths(edges)
    firsts = numbers[starts]
    strides = np.where(lengths > 1, numbers[np.minimum(starts + 1, edges[1:] - 1)] - firsts, 0)
    expected = np.repeat(strides, lengths)[:-1] if len(strides) > 1 else strides
    steady = _every(_inside(numbers[1:] - numbers[:-1] == expected, edges), starts)
    bodies = [
        _steady(first, stride) if evenly else b""
        for first, stride, evenly in zip(firsts.tolist(), strides.tolist(), steady.tolist(), strict=True)
    ]
    if not steady.all():
        rest = np.flatnonzero(~steady)
        for place, body in zip(rest.tolist(), _pack_uneven(*_chosen(numbers, edges, rest), packer), strict=True):
            bodies[place] = body
    return bodies


def _steady(first: int, stride: int) -> bytes:
    if stride:
        return b"\x10" + zigzag(first) + zigzag(stride)
    return b"\x00" + zigzag(first) if first else b""


def _pack_uneven(numbers: I64, edges: I64, packer: Packer) -> list[bytes]:
    """Columns of three numbers or more."""
    bodies: list[bytes] = [b""] * (len(edges) - 1)
    is_long = _lengths(edges) > AT_ONCE
    short, long = np.flatnonzero(~is_long), np.flatnonzero(is_long)
    if len(short):
        for place, ways in zip(short.tolist(), _ways(*_chosen(numbers, edges, short)), strict=True):
            bodies[place] = min((way.pack(at, packer) for way, at in ways), key=len)
    if len(long):
        middles = (edges[long] + edges[long + 1] - TRIAL) // 2
        parts = numbers[(middles[:, np.newaxis] + np.arange(TRIAL)).ravel()]
        trials = _ways(parts, np.arange(len(long) + 1) * TRIAL)
        for place, ways in zip(long.tolist(), trials, strict=True):  # alone: what fits a cache is passed faster
            way = ways[0][0] if len(ways) == 1 else min(ways, key=lambda one: len(one[0].pack(one[1], packer)))[0]
            column = numbers[edges[place] : edges[place + 1]]
            bodies[place] = _Residuals.of(column, np.array([0, len(column)]), way.order).pack(0, packer)
    return bodies


def _ways(numbers: I64, edges: I64) -> list[list[tuple[_Residuals, int]]]:
    """The one or two ways to pack each column, one of which packs as small as any, or nearly: what has its residuals of
    some order, and its place there.

    How many bits the residuals have tells it without packing them, for a quarter of the time; those of order 1 are
    looked at alone where they have next to none, as those of what goes on evenly from one request to the next. But what
    comes back again and again compresses better than its bits tell, and only order 0 leaves that to be seen.
    """
    once = _Residuals.of(numbers, edges, 1)
    bits = once.bits()
    found = [[(once, place)] for place in range(len(bits))]
    hard = np.flatnonzero(bits > _lengths(edges) * EASY)
    if not len(hard):
        return found
    (numbers, edges), bits = _chosen(numbers, edges, hard), bits[hard]
    twice = _Residuals.of(numbers, edges, 2)
    bits_twice = twice.bits()
    for at in np.flatnonzero(bits_twice < bits).tolist():
        found[hard[at]] = [(twice, at)]
    rising = _every(_inside(numbers[1:] > numbers[:-1], edges), edges[:-1])
    falling = _every(_inside(numbers[1:] < numbers[:-1], edges), edges[:-1])
    turning = np.flatnonzero(~(rising | falling))  # only there a number may come back
    if len(turning):
        plain = _Residuals.of(*_chosen(numbers, edges, turning), 0)
        clear = (plain.width > NARROW) & (plain.bits() <= np.minimum(bits, bits_twice)[turning])
        for at, (place, only) in enumerate(zip(hard[turning].tolist(), clear.tolist(), strict=True)):
            found[place] = [(plain, at)] if only else [(plain, at), *found[place]]
    return found


class _Residuals(NamedTuple):
    """Columns as small unsigned residuals and what gives them back.

    words: of all columns, those of column i between edges[i] and edges[i+1].
    """

    order: int
    firsts: list[list[int]]
    base: I64
    divisor: I64
    words: U64
    edges: I64
    width: I64

    @classmethod
    def of(cls, numbers: I64, edges: I64, order: int) -> _Residuals:
        """Each column has more than `order` numbers."""
        firsts = []
        for _ in range(order):
            firsts.append(numbers[edges[:-1]].tolist())
            numbers = numbers[1:] - numbers[:-1]
            if len(edges) > 2:
                numbers = np.delete(numbers, edges[1:-1] - 1)  # from one column to the next
            edges = edges - np.arange(len(edges))
        starts = edges[:-1]
        base = _middles(numbers, edges) if order else _floors(numbers, starts)
        away = numbers - _spread(base, edges) if base.any() else numbers
        divisor = _divisors(away, edges)
        if (divisor > 1).any():
            away = away // _spread(divisor, edges)
        words = fold(away) if order else np.ascontiguousarray(away).view(np.uint64)
        return cls(
            order=order,
            firsts=firsts,
            base=base,
            divisor=divisor,
            words=words.astype("<u8", copy=False),
            edges=edges,
            width=_octets(np.maximum.reduceat(words, starts)),
        )

    def bits(self) -> F64:
        """How many bits the residuals of each column have, nearly; in order 0 without what all of them have."""
        words, starts = self.words, self.edges[:-1]
        if not self.order:
            words = words - _spread(np.minimum.reduceat(words, starts), self.edges)
        found: F64 = np.add.reduceat(np.log2(words + 1.0), starts)
        return found

    def pack(self, column: int, packer: Packer) -> bytes:
        """The body of one column."""
        width, divisor = int(self.width[column]), int(self.divisor[column])
        parts = [bytes([width | self.order << 4 | (divisor > 1) << 6])]
        parts += [zigzag(firsts[column]) for firsts in self.firsts]
        parts.append(zigzag(int(self.base[column])))
        if divisor > 1:
            parts.append(varint(divisor))
        words = self.words[self.edges[column] : self.edges[column + 1]]
        parts += pack_planes(words.view(np.uint8).reshape(-1, 8), width, packer)
        return b"".join(parts)


def _middles(numbers: I64, edges: I64) -> I64:
    """A number of the middle of each column, from some of them: most are near it, so most residuals are small."""
    lengths = _lengths(edges)
    if len(lengths) == 1:
        some = numbers[:: len(numbers) // 256 + 1]
        middle: I64 = np.partition(some, len(some) // 2)[len(some) // 2 : len(some) // 2 + 1]
        return middle
    places = edges[:-1, np.newaxis] + np.arange(SAMPLES) * lengths[:, np.newaxis] // SAMPLES
    middles: I64 = np.partition(numbers[places], SAMPLES // 2, axis=1)[:, SAMPLES // 2]
    return middles


def _floors(numbers: I64, starts: I64) -> I64:
    """The least number, or 0 where taking it off would save no byte: bits of floats then keep their places."""
    least, greatest = np.minimum.reduceat(numbers, starts), np.maximum.reduceat(numbers, starts)
    span = (greatest - least).view(np.uint64)
    saves = np.where(least >= 0, _octets(greatest.view(np.uint64)) > _octets(span), span < 2**56)
    return np.where(saves, least, 0)


def _divisors(numbers: I64, edges: I64) -> I64:
    """The greatest common divisor of each column; 1 where there is none (nothing but 0, or -2^63, which is its own
    negative).
    """
    found: I64 = np.gcd.reduce(numbers[_few(edges)], axis=1)
    if (found != 1).any():
        maybe = np.flatnonzero(found != 1)
        chosen, inner = _chosen(numbers, edges, maybe)
        found[maybe] = np.gcd.reduceat(chosen, inner[:-1])
    return np.maximum(found, 1)


def _octets(numbers: U64) -> I64:
    """How many bytes each number takes."""
    return np.array([(number.bit_length() + 7) // 8 for number in numbers.tolist()], np.int64)


# --- values ---


def pack_values(values: F64, edges: I64, packer: Packer) -> list[bytes]:
    """The smallest value body found for each column of values; NaN is stored in its one form."""
    values = canonical(values)
    bits, starts = values.view(np.int64), edges[:-1]
    same = _every(_inside(bits[1:] == bits[:-1], edges), starts)
    bodies = list(map(constant, values[starts].tolist()))
    if not same.all():
        rest = np.flatnonzero(~same)
        for place, body in zip(rest.tolist(), _pack_varied(*_chosen(values, edges, rest), packer), strict=True):
            bodies[place] = body
    return bodies


def constant(value: float) -> bytes:
    """The value body of one or more points of the same value."""
    return _CONSTANT.pack(CONSTANT, value if value == value else math.nan)


def _pack_varied(values: F64, edges: I64, packer: Packer) -> list[bytes]:
    """Whole numbers below 2^53 are never larger than all the bits of what they stand for: those only where nothing else
    is exact.
    """
    narrow, as_narrow = _narrow(values, edges)
    numbers, decimals = _scaled(values, edges)
    whole = decimals >= 0
    both = np.flatnonzero(as_narrow & whole & (_lengths(edges) > AT_ONCE))
    for place in both.tolist():  # of a long column on a part
        part = slice(int(edges[place]), int(edges[place]) + TRIAL)
        ways = (pack_ints(column[part], np.array([0, TRIAL]), packer)[0] for column in (narrow, numbers))
        as_narrow[place] = len(next(ways)) <= len(next(ways))
        whole[place] = not as_narrow[place]
    bodies: list[bytes] = [b""] * len(whole)
    heads = [bytes([SCALED, max(each, 0)]) for each in decimals.tolist()]
    raw = ~(as_narrow | whole)
    for chosen, column, head in (
        (as_narrow, narrow, bytes([FLOAT32])),
        (whole, numbers, None),
        (raw, values.view(np.int64), bytes([FLOAT64])),
    ):
        places = np.flatnonzero(chosen)
        if not len(places):
            continue
        for place, packed in zip(places.tolist(), pack_ints(*_chosen(column, edges, places), packer), strict=True):
            body = (heads[place] if head is None else head) + packed
            if not bodies[place] or len(body) < len(bodies[place]):
                bodies[place] = body
    return bodies


def _narrow(values: F64, edges: I64) -> tuple[I64, NDArray[np.bool_]]:
    """The bits of the float32 that each value is, and which columns they give back bit by bit."""
    fits: NDArray[np.bool_] = np.logical_and.reduce(_is_narrow(values[_few(edges)]), axis=1)
    numbers = np.zeros(len(values), np.int64)
    places = np.flatnonzero(fits)
    if len(places):
        chosen, inner = _chosen(values, edges, places)
        fits[places] = _every(_is_narrow(chosen), inner[:-1])
        with np.errstate(over="ignore", under="ignore"):
            bits = chosen.astype(np.float32).view(np.uint32)
        numbers[_within(edges, places)] = bits
    return numbers, fits


def _is_narrow(values: F64) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", under="ignore"):
        same: NDArray[np.bool_] = values.astype(np.float32).astype(np.float64).view(np.int64) == values.view(np.int64)
    return same


def _scaled(values: F64, edges: I64) -> tuple[I64, I64]:
    """The values as whole numbers of some power of ten of each column; the power, -1 where not every bit comes back."""
    few = values[_few(edges)]
    with np.errstate(over="ignore", invalid="ignore"):
        small = (np.abs(few) < WHOLE).all(axis=1)  # not for NaN either
        fits = np.stack([(np.rint(few * power) / power == few).all(axis=1) for power in _POWERS])
    decimals = np.where(small & fits.any(axis=0), fits.argmax(axis=0), -1)
    numbers = np.zeros(len(values), np.int64)
    places = np.flatnonzero(decimals >= 0)
    if len(places):
        chosen, inner = _chosen(values, edges, places)
        powers = _spread(_POWERS[decimals[places]], inner)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(chosen * powers)
            exact = np.abs(scaled) < WHOLE
            whole = np.where(exact, scaled, 0.0).astype(np.int64)  # from here on there is no -0.0: the division tells
        exact &= (whole / powers).view(np.int64) == chosen.view(np.int64)
        decimals[places[~_every(exact, inner[:-1])]] = -1
        numbers[_within(edges, places)] = whole
    return numbers, decimals


# --- columns one after another ---


def _lengths(edges: I64) -> I64:
    return edges[1:] - edges[:-1]


def _spread(numbers: NDArray[T], edges: I64) -> NDArray[T]:
    """A number of each column, for each of its numbers; alone, where there is one column."""
    return numbers if len(numbers) == 1 else np.repeat(numbers, _lengths(edges))


def _few(edges: I64) -> I64:
    """Places of the first numbers of each column; the last one again where there are fewer."""
    places: I64 = np.minimum(edges[:-1, np.newaxis] + np.arange(FEW), edges[1:, np.newaxis] - 1)
    return places


def _chosen(numbers: NDArray[T], edges: I64, columns: I64) -> tuple[NDArray[T], I64]:
    """Some of the columns."""
    lengths = _lengths(edges)
    if len(columns) == len(lengths):
        return numbers, edges
    return numbers[_within(edges, columns)], np.append(0, np.cumsum(lengths[columns]))


def _within(edges: I64, columns: I64) -> NDArray[np.bool_]:
    """Whether each number is of one of the columns."""
    kept = np.zeros(len(edges) - 1, np.bool_)
    kept[columns] = True
    return np.repeat(kept, _lengths(edges))


def _inside(holds: NDArray[np.bool_], edges: I64) -> NDArray[np.bool_]:
    """For each number: what holds of it and the next one, True for the last of a column."""
    every = np.ones(len(holds) + 1, np.bool_)
    every[:-1] = holds
    every[edges[1:] - 1] = True
    return every


def _every(holds: NDArray[np.bool_], starts: Sequence[int] | I64) -> NDArray[np.bool_]:
    """For each column whether it holds of all its numbers."""
    found: NDArray[np.bool_] = np.logical_and.reduceat(holds, starts)
    return found
