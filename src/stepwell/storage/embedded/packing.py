"""Columns of numbers from bytes: the integer and value bodies of FORMAT.md, section "Block payload", and what they are
made of. `columns.py` writes them.

Nothing here knows what the numbers mean. Reading checks structure, not integrity: the checksum is the caller's.
"""

from __future__ import annotations

import threading
from typing import Any, TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from stepwell.core.errors import Corrupt
from stepwell.core.series import F64, I64, canonical

U64: TypeAlias = NDArray[np.uint64]
Words: TypeAlias = NDArray[Any]  # of any unsigned type

LEVEL = 1  # of zstd: higher levels gain under 1 % on byte planes
SMALL = 24  # planes of fewer bytes stay as they are
DECIMALS = 9

FLOAT64, FLOAT32, SCALED, CONSTANT = range(4)


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
        for byte in self.data[self.at :]:
            self.at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        else:
            raise Corrupt("stored bytes end too early")
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
    if number < 0x80:
        return bytes((number,))
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


def pack_planes(octets: NDArray[np.uint8], width: int, packer: Packer) -> list[bytes]:
    """The first `width` bytes of numbers, a plane for each. octets: array (n, 8), lowest byte first."""
    planes, size = octets.T[:width].tobytes(), len(octets)
    return [_pack_plane(planes[at : at + size], packer) for at in range(0, len(planes), size)]


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
