"""Room behind the end of the write-ahead log, made before it is needed."""

from __future__ import annotations

from typing import Final

import apsw

from stepwell.storage.embedded.database import PAGE_SIZE

ROOM: Final = 120 << 10  # bytes made at a time: SQLite writes no more than 128 KiB in one call
LEAST: Final = 8  # frames that there is always room for, and that a commit has for which room is kept
_HEAD, _FRAME = 32, 24 + PAGE_SIZE  # bytes of its head, and of a page in it


class LogRoom:
    """Writes zeros where the log will go on. Used by the writer thread between its commits.

    What lies in blocks that a file has already is on the disk in two thirds of the time of what makes the file longer:
    with each such commit the file system has to keep the file's new end as well. SQLite reads its log up to the
    first frame that is none, and zeros are none (https://sqlite.org/fileformat2.html#the_write_ahead_log).
    """

    def __init__(self, database: str) -> None:
        self._name = f"{database}-wal"
        self._file: apsw.VFSFile | None = None
        self._length = 0  # of the file, at least
        self._frames = 0

    def keep(self, frames: int) -> None:
        """See to it that there is room behind so many frames, which are all that the log has."""
        grown, self._frames = frames - self._frames, frames
        if not frames or grown > LEAST:  # nothing is known of the log yet; what is large has itself to write
            return
        least = _HEAD + (frames + LEAST) * _FRAME
        if least <= self._length:
            return
        try:
            if self._file is None:
                # Below the layer of checksums, which would take it for the database's own log.
                self._file = apsw.VFSFile("", self._name, [apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE, 0])
            self._length = self._file.xFileSize()
            if self._length < least:  # behind all that the file has: nothing is ever written over
                self._file.xWrite(bytes(ROOM), self._length)
                self._length += ROOM
        except apsw.Error:  # no room, then: the log grows with each commit
            self._length = least + ROOM

    def emptied(self) -> None:
        """The log has no bytes any more."""
        self._length = 0

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._file is not None:
            self._file.xClose()
            self._file = None
