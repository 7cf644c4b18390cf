"""The spool's bytes: frames that are written once and read back whole, or named as damaged. FORMAT.md has the layout.

What stands in a frame is `records`'; which of it was sent is `outbox`'.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAGIC: Final = b"\xabSW1"
FRAME_BYTES: Final = 16 << 20  # of a payload
SEGMENT_BYTES: Final = 8 << 20  # from here on the next segment
HELD_BYTES: Final = 32 << 20  # of frames in memory while the disk takes none
_HEAD: Final = struct.Struct("<4sII")
_SALT: Final = struct.Struct("<QI")


@dataclass(frozen=True)
class Frame:
    """A payload and where it lies: `begin` to `end` of the segment."""

    begin: int
    end: int
    payload: bytes


@dataclass(frozen=True)
class Damage:
    """Bytes that are no frame. `tail`: they reach to the end, so that they may be one that is not written yet."""

    begin: int
    end: int
    tail: bool


def pack(payload: bytes, offset: int) -> bytes:
    """The frame of `payload` at this offset of a segment."""
    return _HEAD.pack(MAGIC, len(payload), _checksum(payload, offset)) + payload


def scan(data: bytes, base: int = 0) -> Iterator[Frame | Damage]:
    """All that stands in a segment, in its order, every byte in exactly one of them. `data` begins at offset `base`."""
    place, end = base, base + len(data)
    while place < end:
        found = _frame_at(data, base, place)
        if found is None:
            following = _next_frame(data, base, place + 1)
            yield Damage(place, end if following is None else following.begin, tail=following is None)
            found = following
        if found is None:
            return
        yield found
        place = found.end


def segment_name(number: int) -> str:
    """The file of the segment; its number sorts as its name does."""
    return f"{number:06d}.spool"


class Spool:
    """Writes the frames of one process into its folder, which is made with the first of them.

    What the disk does not take is held, up to HELD_BYTES, and tried again with the next `write`; `failure` says why.
    For any thread. No method raises OSError.
    """

    def __init__(self, folder: Path, head: bytes, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.failure = ""
        self._head = head  # the payload that begins each segment
        self._segment_bytes = segment_bytes
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._gone = 0  # frames that were held and are no more
        self._descriptor = -1
        self._number = 0
        self._offset = 0
        self._lock = threading.Lock()

    @property
    def segment(self) -> int:
        """The number of the segment that is being written; 0: none yet."""
        return self._number

    def append(self, payload: bytes) -> bool:
        """Take a payload and write it if the disk does. False: it is lost, too large or too much with what is held."""
        if len(payload) > FRAME_BYTES:
            return False
        with self._lock:
            if self._held_bytes + len(payload) > HELD_BYTES:
                self._write()
                if self._held_bytes + len(payload) > HELD_BYTES:
                    return False
            self._held.append(payload)
            self._held_bytes += len(payload)
            self._write()
            return True

    def write(self) -> bool:
        """Try again to write what is held. Whether nothing is held any more."""
        with self._lock:
            return self._write()

    def sync(self) -> bool:
        """Whether all that was appended is on the disk now, safe from a loss of power."""
        with self._lock:
            if not self._write():
                return False
            if self._descriptor < 0:
                return True
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self.failure = _told(error)
                return False
            return True

    def held(self) -> tuple[int, list[bytes]]:
        """What the disk does not take at present, oldest first, and the number of the first."""
        with self._lock:
            return self._gone, list(self._held)

    def let_go(self, number: int) -> None:
        """What was held before this number is on the server: the disk need not take it."""
        with self._lock:
            while self._held and self._gone < number:
                self._pop()
            if not self._held:
                self.failure = ""

    def close(self) -> bool:
        """Write and sync what can be. Whether all is on the disk."""
        whole = self.sync()
        with self._lock:
            self._close()
        return whole

    def abandon(self) -> None:
        """In a forked child: the parent writes this folder."""
        self._lock = threading.Lock()
        self._held.clear()
        self._close()

    def _write(self) -> bool:
        try:
            while self._held:
                payload = self._held[0]
                if self._descriptor < 0 or self._offset >= self._segment_bytes:
                    self._begin_segment()
                self._put(payload)
                self._pop()
        except OSError as error:
            self.failure = _told(error)
            return False
        self.failure = ""
        return True

    def _pop(self) -> None:
        self._held_bytes -= len(self._held.popleft())
        self._gone += 1

    def _begin_segment(self) -> None:
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / segment_name(self._number + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            head = pack(self._head, 0)
            _put_all(descriptor, head, 0)
            _sync_folder(self.folder)
        except OSError:
            os.close(descriptor)
            raise
        self._close()
        self._descriptor, self._number, self._offset = descriptor, self._number + 1, len(head)

    def _put(self, payload: bytes) -> None:
        """After a failure the same bytes go to the same place."""
        frame = pack(payload, self._offset)
        _put_all(self._descriptor, frame, self._offset)
        self._offset += len(frame)

    def _close(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1


def _checksum(payload: bytes, offset: int) -> int:
    return zlib.crc32(payload, zlib.crc32(_SALT.pack(offset, len(payload))))


def _frame_at(data: bytes, base: int, place: int) -> Frame | None:
    begin = place - base
    inside = begin + _HEAD.size
    if inside > len(data):
        return None
    magic, length, checksum = _HEAD.unpack_from(data, begin)
    end = inside + length
    if magic != MAGIC or length > FRAME_BYTES or end > len(data):
        return None
    payload = data[inside:end]
    return Frame(place, base + end, payload) if _checksum(payload, place) == checksum else None


def _next_frame(data: bytes, base: int, place: int) -> Frame | None:
    while (at := data.find(MAGIC, place - base)) >= 0:
        found = _frame_at(data, base, base + at)
        if found is not None:
            return found
        place = base + at + 1
    return None


def _put_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]


def _sync_folder(folder: Path) -> None:
    """So that the new segment's name survives a loss of power. Some network file systems refuse: they need not."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _told(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
