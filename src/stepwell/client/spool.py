"""The spool's bytes: frames that are written once and read back whole, or named as damaged. FORMAT.md has the layout.

What stands in a frame is `records`'; which of it was sent is `outbox`'.
"""

from __future__ import annotations

import contextlib
import errno
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
_GONE: Final = frozenset({errno.ENOENT, errno.ESTALE})  # somebody removed the segment; a network file system forgot it


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
    What it took but then fails to sync is held again and written once more: a network file system often finds only then
    that there is no room, and drops what it had taken. For any thread. No method raises OSError.
    """

    def __init__(self, folder: Path, head: bytes, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.failure = ""
        self._head = head  # the payload that begins each segment
        self._segment_bytes = segment_bytes
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._gone = 0  # frames that were held and are no more
        self._unsynced: deque[bytes] = deque()  # written behind _synced; a segment of them at most
        self._copies: list[Path] = []  # files to sync as well
        self._descriptor = -1
        self._path = folder
        self._number = 0
        self._offset = 0
        self._synced = 0
        self._lock = threading.RLock()

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

    def copied(self, path: Path) -> None:
        """A file that the next `sync` is to sync, too, if it is still there."""
        with self._lock:
            self._copies.append(path)

    def write(self) -> bool:
        """Try again to write what is held. Whether nothing is held any more."""
        with self._lock:
            return self._write()

    def sync(self) -> bool:
        """Whether all that was appended is on the disk now, safe from a loss of power."""
        with self._lock:
            if not self._write():
                return False
            try:
                while self._copies:
                    _sync_file(self._copies[-1])
                    self._copies.pop()
                self._sync_segment()
            except OSError as error:
                self._fail(error)
                return False
            return True

    def held(self) -> tuple[int, list[bytes]]:
        """What the disk does not take at present, oldest first, and the number of the first."""
        with self._lock:
            return self._gone, list(self._held)

    def let_go(self, first: int, count: int) -> None:
        """So many of what was held from this number on are on the server: the disk need not take them.

        Nothing goes where older ones came back meanwhile: all are sent again, which is no harm.
        """
        with self._lock:
            if self._gone < first:
                return
            while self._held and self._gone < first + count:
                self._pop()
            if not self._held:
                self.failure = ""

    def close(self) -> bool:
        """Write and sync what can be. Whether all is on the disk."""
        whole = self.sync() or self.sync()  # what a failed sync has lost is written again
        with self._lock:
            self._close()
        return whole

    def abandon(self) -> None:
        """In a forked child: the parent writes this folder."""
        self._lock = threading.RLock()
        self._held.clear()
        self._unsynced.clear()
        self._copies.clear()
        self._close()

    def _write(self) -> bool:
        try:
            if self._held and self._descriptor >= 0:
                os.stat(self._path)  # noqa: PTH116  a segment that was removed takes writes all the same
            while self._held:
                if self._descriptor < 0 or self._offset >= self._segment_bytes:
                    self._begin_segment()
                self._put(self._held[0])
                self._unsynced.append(self._pop())
        except OSError as error:
            with contextlib.suppress(OSError):  # half a frame would be read as damage
                os.ftruncate(self._descriptor, self._offset)
            self._fail(error)
            return False
        self.failure = ""
        return True

    def _fail(self, error: OSError) -> None:
        self.failure = _told(error)
        if error.errno in _GONE:
            self._take_back()

    def _pop(self) -> bytes:
        payload = self._held.popleft()
        self._held_bytes -= len(payload)
        self._gone += 1
        return payload

    def _take_back(self) -> None:
        """Hold again what is written and not synced, for a new segment: what was read is never written over."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):  # what stays is read twice, or is named as damaged
            if self._synced:
                os.ftruncate(self._descriptor, self._synced)
            else:
                self._path.unlink()
        self._held.extendleft(reversed(self._unsynced))
        self._held_bytes += sum(map(len, self._unsynced))
        self._gone -= len(self._unsynced)
        self._unsynced.clear()
        self._close()

    def _sync_segment(self) -> None:
        if self._descriptor < 0:
            return
        try:
            os.fsync(self._descriptor)
        except OSError:
            self._take_back()  # the next sync may succeed, without what this one has lost
            raise
        self._unsynced.clear()
        self._synced = self._offset

    def _begin_segment(self) -> None:
        self._sync_segment()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / segment_name(self._number + 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o600)
        _sync_folder(self.folder)
        self._close()
        self._descriptor, self._path = descriptor, path
        self._number, self._offset, self._synced = self._number + 1, 0, 0

    def _put(self, payload: bytes) -> None:
        """After a failure the same bytes go to the same place."""
        if self._offset == 0:
            self._offset = _put_frame(self._descriptor, self._head, 0)
        self._offset = _put_frame(self._descriptor, payload, self._offset)

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


def _put_frame(descriptor: int, payload: bytes, offset: int) -> int:
    """Where the next frame begins."""
    view = memoryview(pack(payload, offset))
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]
    return offset


def _sync_file(path: Path) -> None:
    """A file that is gone meanwhile was sent."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_folder(path.parent)


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
