"""A SQLite VFS over real files that takes every write, resize, sync and removal through a recording disk.

It inherits from SQLite's own "unix", which keeps locks and shared memory; so WAL works, with any number of connections.
"""

from __future__ import annotations

import os
from errno import ENOSPC
from pathlib import Path

import apsw

from crash.powerloss.disk import Disk
from crash.powerloss.journal import Parts

BASE = "unix"
NAME = "power-loss"
# SQLite syncs the folder with the first sync of a new file of these kinds (unixSync, UNIXFILE_DIRSYNC).
_SYNCS_FOLDER = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


class RecordingVFS(apsw.VFS):
    """The process's default VFS, below the store's own layer of checksums: databases of the disks that it knows are
    recorded, all others pass by."""

    def __init__(self) -> None:
        self._disks: list[Disk] = []
        super().__init__(NAME, BASE, makedefault=True)

    def add(self, disk: Disk) -> None:
        """Record what is done to databases of a disk."""
        self._disks.append(disk)

    def remove(self, disk: Disk) -> None:
        """Let its files be."""
        self._disks.remove(disk)

    def _owner(self, path: str | None) -> tuple[Disk, Parts] | None:
        if path is None:
            return None
        for disk in self._disks:
            parts = disk.parts(path)
            if parts is not None:
                return disk, parts
        return None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        owner = self._owner(name.filename() if isinstance(name, apsw.URIFilename) else name)
        if owner is None:
            return apsw.VFSFile(BASE, name, flags)
        return RecordingFile(*owner, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        owner = self._owner(filename)
        if owner is None:
            super().xDelete(filename, syncdir)
            return
        disk, parts = owner
        remove = super().xDelete
        try:
            disk.unlink(parts, lambda: remove(filename, False))
        except OSError as error:
            raise _failure(error, apsw.SQLITE_IOERR_DELETE) from error
        if syncdir:
            try:
                disk.sync_folder(parts[:-1])
            except OSError as error:
                raise _failure(error, apsw.SQLITE_IOERR_DIR_FSYNC) from error


class RecordingFile(apsw.VFSFile):
    """One open database, journal or WAL file. Several may be open on one path: they share its node."""

    def __init__(self, disk: Disk, parts: Parts, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk, self._parts = disk, parts
        self._read_only = bool(flags[0] & apsw.SQLITE_OPEN_READONLY)
        creates = bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
        self._sync_folder_too = creates and bool(flags[0] & _SYNCS_FOLDER)
        with disk.journal.lock:
            node = disk.journal.find(parts)
            if node is not None or not creates:
                super().__init__(BASE, name, flags)
                assert node is not None, f"{'/'.join(parts)} was made behind the disk's back"
                self._node = node
                return
            open_it = super().__init__
            try:
                self._node = disk.create(parts, lambda: open_it(BASE, name, flags))
            except OSError as error:
                raise _failure(error, apsw.SQLITE_CANTOPEN) from error

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        write = super().xWrite
        try:
            self._disk.write(self._node, self._parts, offset, bytes(data), lambda part: write(part, offset))
        except OSError as error:
            raise _failure(error, apsw.SQLITE_IOERR_WRITE) from error

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        truncate = super().xTruncate
        try:
            self._disk.resize(self._node, self._parts, newsize, lambda: truncate(newsize))
        except OSError as error:
            raise _failure(error, apsw.SQLITE_IOERR_TRUNCATE) from error

    def xSync(self, flags: int) -> None:  # noqa: N802
        del flags  # SQLITE_SYNC_NORMAL and _FULL are one fsync on Linux; _DATAONLY still writes a changed size
        try:
            self._disk.sync(self._node, self._parts)
        except OSError as error:
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC) from error
        if self._sync_folder_too:
            self._sync_folder_too = False
            try:
                self._disk.sync_folder(self._parts[:-1])
            except OSError:
                return  # SQLite does not look at the result of this sync either

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802
        handled = super().xFileControl(op, ptr)
        if op == apsw.SQLITE_FCNTL_SIZE_HINT:
            with self._disk.journal.lock:  # with PRAGMA chunk_size the base has extended the file itself
                size = Path(self._disk.root, *self._parts).stat().st_size
                if size > self._disk.journal.size(self._node):
                    self._disk.journal.resize(self._node, size)
        return handled

    def xLock(self, level: int) -> None:  # noqa: N802
        try:
            super().xLock(level)
        except apsw.IOError as error:
            if not self._read_only:
                raise
            # The last connection to close tries for the exclusive lock, which a read-only descriptor cannot take.
            # SQLite ignores that error and goes on; apsw would raise it out of close(). Busy is ignored by both.
            raise apsw.BusyError(os.strerror(11)) from error


def _failure(error: OSError, code: int) -> Exception:
    """The error of SQLite's own VFS: no space is SQLITE_FULL, all else the step's extended code."""
    return apsw.exception_for(apsw.SQLITE_FULL if error.errno == ENOSPC else code)


# Before any store of this process opens: its layer of checksums lies on the default VFS of the moment when it loads.
RECORDING = RecordingVFS()
