"""Columns of numbers to bytes and back, exactly: the integer and value bodies of FORMAT.md, section "Block payload".

Nothing here knows what the numbers mean. Reading checks structure, not integrity: the checksum is the caller's.
"""

from __future__ import annotations

import math
import struct
import threading
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from stepwell.core.errors import Corrupt
from stepwell.core.series import F64, I64, canonical

U64: TypeAlias = NDArray[np.uint64]
Words: TypeAlias = NDArray[Any]  # of any unsigned type

LEVEL = 1  # of zstd: higher levels gain under 1 % on byte planes
AT_ONCE = 2048  # rows up to which encodings are compared on all of a column; of a longer one on some, which take less
TRIAL = 512  # of these
NARROW = 2  # bytes of residuals that are packed as soon as weighed
SMALL = 24  # planes of fewer bytes stay as they are
DECIMALS = 9

WHOLE = 2.0**53  # below it every whole number is a float64

FLOAT64, FLOAT32, SCALED, CONSTANT = range(4)
_CONSTANT = struct.Struct("<Bd")


class Packer(threading.local):
    """The zstd contexts, made anew in each thread that uses it and kept there. One Packer serves all threads.

    Working memory only: no result depends on what it did before.
    """

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=0,
            write_checksum=0,
            write_dict_id=0,
        )
        self._compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)

    def compress(self, raw: bytes) -> bytes:
        """One zstd frame without magic number, content size and checksum."""
        return self._compressor.compress(raw)

    def decompress(self, frame: bytes | memoryview, size: int) -> bytes:
        """The `size` bytes of a frame; Corrupt when it is not a frame of that size."""
        if frame[:1] != b"\x00":  # a frame with a header of another kind could ask for any amount of memory
            raise Corrupt("a compressed column has an unknown header")
        try:
            raw = self._decompressor.decompress(frame, max_output_size=size)
        except zstandard.ZstdError as error:
            raise Corrupt("a compressed column cannot be read") from error
        if len(raw) != size:
            raise Corrupt("a compressed column has the wrong length")
        return raw


class Reader:
    """A cursor over bytes; reading past the end is Corrupt."""

    __slots__ = ("at", "data")

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise Corrupt("stored bytes end too early")
        return self.data[start : self.at]

    def varint(self) -> int:
        """The next varint, below 2^64."""
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if number >> 64:
            raise Corrupt("a stored number is too large")
        return number

    def signed(self) -> int:
        """The next zigzag."""
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def done(self) -> None:
        """Corrupt unless everything was read."""
        if self.at != len(self.data):
            raise Corrupt("stored bytes are longer than they say")


def varint(number: int) -> bytes:
    """LEB128 of a number from 0."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number: int) -> bytes:
    """The varint of a signed 64-bit number."""
    return varint((number << 1) ^ (number >> 63) if number < 0 else number << 1)


def fold(numbers: I64) -> U64:
    """Signed to unsigned, small to small: 0, -1, 1, -2 to 0, 1, 2, 3."""
    return ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)


def unfold(words: Words) -> I64:
    """Back from `fold`, computed in the width that the words have."""
    one = words.dtype.type(1)
    signed: I64 = ((words >> one) ^ -(words & one)).view(f"i{words.itemsize}").astype(np.int64, copy=False)
    return signed


# --- integers ---


def pack_ints(numbers: I64, packer: Packer) -> bytes:
    """A small integer body, if not always the smallest, for one or more int64 numbers."""
    first = int(numbers[0])
    if len(numbers) == 1 or (numbers == first).all():
        return b"\x00" + zigzag(first) if first else b""
    steady = _Residuals.of(numbers, 1)
    if steady.width == 0:
        return steady.pack(packer)
    if len(numbers) <= AT_ONCE:
        return min((found.pack(packer) for found in _promising(numbers, steady)), key=len)
    middle = (len(numbers) - TRIAL) // 2
    part = numbers[middle : middle + TRIAL]
    order = min(_promising(part, _Residuals.of(part, 1)), key=lambda found: len(found.pack(packer))).order
    return (steady if order == 1 else _Residuals.of(numbers, order)).pack(packer)


def _promising(numbers: I64, steady: _Residuals) -> list[_Residuals]:
    """Residuals of one or two orders, one of which packs as small as any, or nearly.

    How many bits the residuals have tells it without packing them, for a quarter of the time. But what comes back
    again and again compresses better than its bits tell, and only order 0 leaves that to be seen. `steady` has order 1.
    """
    if len(numbers) > 2:
        twice = _Residuals.of(numbers, 2)
        smooth = min(steady, twice, key=_Residuals.bits)
    else:
        smooth = steady
    rises = numbers[1:] > numbers[:-1]
    if rises.all() or not (rises | (numbers[1:] == numbers[:-1])).any():
        return [smooth]  # no number comes back
    plain = _Residuals.of(numbers, 0)
    clear = plain.width > NARROW and plain.bits() <= smooth.bits()
    return [plain] if clear else [plain, smooth]


def unpack_ints(body: memoryview, count: int, packer: Packer) -> I64:
    """The `count` numbers of an integer body; Corrupt when it is none."""
    if not len(body):
        return np.zeros(count, np.int64)
    reader = Reader(body)
    tag = reader.take(1)[0]
    width, order = tag & 15, tag >> 4 & 3
    if width > 8 or order > 2 or tag & 128 or order >= count:
        raise Corrupt("a column has an unknown encoding")
    firsts = [reader.signed() for _ in range(order)]
    base = np.int64(reader.signed())
    divisor = reader.varint() if tag & 64 else 1
    words = _unpack_planes(reader, count - order, width, packer) if width else None
    reader.done()
    if words is None and order < 2:
        return np.full(count, base) if order == 0 else firsts[0] + np.arange(count, dtype=np.int64) * base
    return _summed(_signed(words, count - order, order, divisor), base, firsts)


def _signed(words: Words | None, count: int, order: int, divisor: int) -> I64:
    """The residuals as what they stand for: unfolded, times the divisor."""
    if words is None:
        return np.zeros(count, np.int64)
    numbers: I64 = unfold(words) if order else words.astype(np.uint64, copy=False).view(np.int64)
    if divisor != 1:
        numbers = (numbers.view(np.uint64) * np.uint64(divisor)).view(np.int64)
    return numbers


def _summed(numbers: I64, base: np.int64, firsts: list[int]) -> I64:
    if base:
        numbers = numbers + base
    for first in reversed(firsts):
        summed = np.empty(len(numbers) + 1, np.int64)
        summed[0] = first
        summed[1:] = numbers
        numbers = np.cumsum(summed, out=summed)
    return numbers


class _Residuals(NamedTuple):
    """Numbers as small unsigned residuals and what gives them back."""

    order: int
    firsts: list[int]
    base: int
    divisor: int
    words: U64
    width: int

    @classmethod
    def of(cls, numbers: I64, order: int) -> _Residuals:
        firsts: list[int] = []
        for _ in range(order):
            firsts.append(int(numbers[0]))
            numbers = numbers[1:] - numbers[:-1]
        base = _middle(numbers) if order else _floor(numbers)
        away = numbers - np.int64(base) if base else numbers
        divisor = _divisor(away)
        if divisor > 1:
            away = away // divisor
        words = fold(away) if order else np.ascontiguousarray(away).view(np.uint64)
        return cls(order, firsts, base, divisor, words, _width(words))

    def bits(self) -> float:
        """How many bits the residuals have, nearly; in order 0 without what all of them have."""
        words = self.words if self.order else self.words - self.words.min()
        return float(np.log2(words + 1.0).sum())

    def pack(self, packer: Packer) -> bytes:
        parts = [bytes([self.width | self.order << 4 | (self.divisor > 1) << 6])]
        parts += map(zigzag, self.firsts)
        parts.append(zigzag(self.base))
        if self.divisor > 1:
            parts.append(varint(self.divisor))
        octets = self.words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
        planes, size = octets.T[: self.width].tobytes(), len(octets)
        parts += [_pack_plane(planes[at : at + size], packer) for at in range(0, len(planes), size)]
        return b"".join(parts)


def _middle(numbers: I64) -> int:
    """A number of the middle, from a few of them: most are near it, so most residuals are small."""
    some = numbers[:: len(numbers) // 256 + 1]
    return int(np.partition(some, len(some) // 2)[len(some) // 2])


def _floor(numbers: I64) -> int:
    """The least number, or 0 where taking it off would save no byte: bits of floats then keep their places."""
    least, greatest = int(numbers.min()), int(numbers.max())
    if least >= 0 and _octets(greatest) > _octets(greatest - least):
        return least
    return least if least < 0 and greatest - least < 2**56 else 0


def _divisor(numbers: I64) -> int:
    """The greatest common divisor; 1 when there is none (nothing but 0, or -2^63, which is its own negative)."""
    if np.gcd.reduce(numbers[:16]) == 1:
        return 1
    return max(int(np.gcd.reduce(numbers)), 1)


def _width(words: U64) -> int:
    return _octets(int(words.max()))


def _octets(number: int) -> int:
    return (number.bit_length() + 7) // 8


def _pack_plane(raw: bytes, packer: Packer) -> bytes:
    if raw.count(raw[0]) == len(raw) and len(raw) > 1:
        return b"\x01" + raw[:1]
    if len(raw) >= SMALL:
        frame = packer.compress(raw)
        if len(frame) < len(raw) - len(raw) // 32:
            return varint(len(frame)) + frame
    return b"\x00" + raw


def _unpack_planes(reader: Reader, count: int, width: int, packer: Packer) -> Words:
    """The words, in the smallest type that holds `width` bytes."""
    size = 1 << (width - 1).bit_length()
    octets = np.empty((count, size), np.uint8)
    octets[:, width:] = 0
    for byte in range(width):
        method = reader.varint()
        if method == 1:
            octets[:, byte] = reader.take(1)[0]
        else:
            raw = packer.decompress(reader.take(method), count) if method else reader.take(count)
            octets[:, byte] = np.frombuffer(raw, np.uint8)
    words: Words = octets.view(f"<u{size}").reshape(count).astype(f"u{size}", copy=False)
    return words


# --- values ---


def pack_values(values: F64, packer: Packer) -> bytes:
    """The smallest value body found for one or more float64; NaN is stored in its one form."""
    values = canonical(values)
    if len(values) == 1 or _same(values, values[:1]):
        return constant(float(values[0]))
    narrow, scaled = _narrow(values), _scaled(values)
    candidates = [] if narrow is None else [(bytes([FLOAT32]), narrow)]
    if scaled is not None:  # whole numbers below 2^53 are never larger than all the bits of what they stand for
        candidates.append(scaled)
    if len(candidates) == 2 and len(values) > AT_ONCE:
        candidates = [min(candidates, key=lambda candidate: len(pack_ints(candidate[1][:TRIAL], packer)))]
    candidates = candidates or [(bytes([FLOAT64]), values.view(np.int64))]
    return min((head + pack_ints(numbers, packer) for head, numbers in candidates), key=len)


def constant(value: float) -> bytes:
    """The value body of one or more points of the same value."""
    return _CONSTANT.pack(CONSTANT, value if value == value else math.nan)


def unpack_values(body: memoryview, count: int, packer: Packer) -> F64:
    """The `count` values of a value body; Corrupt when it is none."""
    kind = body[0] if len(body) else None
    if kind == FLOAT64:
        return unpack_ints(body[1:], count, packer).view(np.float64)
    if kind == FLOAT32:
        return widened(unpack_ints(body[1:], count, packer).astype(np.uint32))
    if kind == CONSTANT and len(body) == 9:
        return np.full(count, np.frombuffer(body[1:], "<f8")[0])
    if kind != SCALED or len(body) < 2 or body[1] > DECIMALS:
        raise Corrupt("a value column has an unknown encoding")
    return unpack_ints(body[2:], count, packer) / np.float64(10 ** body[1])


def widened(bits: NDArray[np.uint32]) -> F64:
    """The float64 values of float32 bits, NaN in its one form."""
    with np.errstate(invalid="ignore"):  # a signalling NaN, which nobody writes, would warn
        return canonical(bits.view(np.float32).astype(np.float64))


def _narrow(values: F64) -> I64 | None:
    """The bits of the float32 that the values are, if all are."""
    with np.errstate(over="ignore", under="ignore"):
        if len(values) > 16 and not _same(values[:16], values[:16].astype(np.float32).astype(np.float64)):
            return None
        narrow = values.astype(np.float32)
    return narrow.view(np.uint32).astype(np.int64) if _same(values, narrow.astype(np.float64)) else None


def _scaled(values: F64) -> tuple[bytes, I64] | None:
    """The values as whole numbers of some power of ten, if that gives every bit back."""
    few = values[:16]
    if not (np.abs(few) < WHOLE).all():  # not for NaN either
        return None
    powers = np.power(10.0, np.arange(DECIMALS + 1))  # exact up to 10^22
    fits = (np.rint(few * powers[:, None]) / powers[:, None] == few).all(axis=1)
    if not fits.any():
        return None
    decimals = int(fits.argmax())
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(values * powers[decimals])
    if not (np.abs(scaled) < WHOLE).all():
        return None
    numbers = scaled.astype(np.int64)  # from here on there is no -0.0: only the division below can tell
    return (bytes([SCALED, decimals]), numbers) if _same(values, numbers / powers[decimals]) else None


def _same(a: F64, b: F64) -> bool:
    return bool((a.view(np.int64) == b.view(np.int64)).all())
