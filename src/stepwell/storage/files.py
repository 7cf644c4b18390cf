"""Files on disk as the engine sees them: the `Files` protocol and its real implementation. No rule of the blob store.

Every primitive is one step that a power loss can fall between, so that tests can put a recording layer in its place. A
name is a relative path with `/` between its parts, below one root; symbolic links are refused in every part of it.
Nothing is durable before the sync that covers it: `Writing.sync` for content, `sync_folder` for a folder's names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from errno import EINVAL, EIO
from pathlib import Path
from typing import BinaryIO, Protocol

ROOT = ""  # the name of the root folder itself
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that somebody put there must not hang; it changes nothing for a plain file.
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kind(StrEnum):
    """What a directory entry is."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"  # a link, pipe, socket or device: listed so that a check can name it, never opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name in a folder; `size` in bytes, 0 for anything but a file."""

    name: str
    kind: Kind
    size: int


class Writing(Protocol):
    """A new file open for writing, from its beginning to its end. Not shared between threads."""

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`, or raise OSError with an unknown part of it written."""
        ...

    def allocate(self, size: int) -> None:
        """Give the file `size` bytes of real blocks, so that they are taken from the free space now."""
        ...

    def sync(self) -> None:
        """Make the content durable, not yet its name. After an OSError nothing of it may be called durable again."""
        ...

    def close(self) -> None:
        """Close; idempotent, and says nothing about durability."""
        ...


class Files(Protocol):
    """One-step file operations below a root. They raise OSError; `publishing.storage_error` gives it its meaning."""

    @property
    def root(self) -> Path:
        """The folder that every name is relative to."""
        ...

    def create(self, name: str) -> Writing:
        """A new, empty file (mode 0600). FileExistsError when the name is taken."""
        ...

    def open(self, name: str) -> BinaryIO:
        """An existing plain file for reading; a link, pipe or device is refused."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, replacing what had it. Durable after `sync_folder` of the target's folder."""
        ...

    def unlink(self, name: str) -> None:
        """Remove a file's name. Durable after `sync_folder`."""
        ...

    def make_folder(self, name: str) -> bool:
        """Make one folder (mode 0700) in an existing one; False when it was there.

        Durable after `sync_folder` of its parent.
        """
        ...

    def sync_folder(self, name: str) -> None:
        """Make every earlier change of names in this folder durable."""
        ...

    def entries(self, name: str) -> tuple[Entry, ...]:
        """What the folder holds, sorted by name."""
        ...

    def entry(self, name: str) -> Entry:
        """What one name is, links not followed. FileNotFoundError when there is nothing."""
        ...

    def free_space(self) -> int:
        """Bytes that this process may still write to the disk below the root."""
        ...


class RealFiles:
    """`Files` on the operating system. Stateless apart from the root, so any number of threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The folder that every name is relative to."""
        return self._root

    def create(self, name: str) -> RealWriting:
        """A new, empty file (mode 0600)."""
        with self._parent(name) as (folder, leaf):
            return RealWriting(os.open(leaf, _CREATE_FLAGS, 0o600, dir_fd=folder))

    def open(self, name: str) -> BinaryIO:
        """An existing plain file for reading."""
        with self._parent(name) as (folder, leaf):
            descriptor = os.open(leaf, _READ_FLAGS, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(EINVAL, "not a plain file", name)
        return os.fdopen(descriptor, "rb")

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, replacing what had it."""
        with self._parent(source) as (old_folder, old), self._parent(target) as (new_folder, new):
            os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)

    def unlink(self, name: str) -> None:
        """Remove a file's name."""
        with self._parent(name) as (folder, leaf):
            os.unlink(leaf, dir_fd=folder)

    def make_folder(self, name: str) -> bool:
        """Make one folder in an existing one; False when it was there."""
        with self._parent(name) as (folder, leaf):
            try:
                os.mkdir(leaf, 0o700, dir_fd=folder)
            except FileExistsError:
                os.close(os.open(leaf, _FOLDER_FLAGS, dir_fd=folder))  # a link or a file in its place is an error
                return False
            return True

    def sync_folder(self, name: str) -> None:
        """Make every earlier change of names in this folder durable."""
        with self._folder(parts_of(name)) as folder:
            os.fsync(folder)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """What the folder holds, sorted by name."""
        with self._folder(parts_of(name)) as folder, os.scandir(folder) as found:
            return tuple(sorted((_entry(e.name, e.stat(follow_symlinks=False)) for e in found), key=lambda e: e.name))

    def entry(self, name: str) -> Entry:
        """What one name is, links not followed."""
        with self._parent(name) as (folder, leaf):
            return _entry(leaf, os.stat(leaf, dir_fd=folder, follow_symlinks=False))

    def free_space(self) -> int:
        """Bytes that this process may still write to the disk below the root."""
        disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize

    @contextmanager
    def _parent(self, name: str) -> Iterator[tuple[int, str]]:
        parts = parts_of(name)
        if not parts:
            raise _refused(name)
        with self._folder(parts[:-1]) as folder:
            yield folder, parts[-1]

    @contextmanager
    def _folder(self, parts: tuple[str, ...]) -> Iterator[int]:
        """A descriptor of the folder, reached one part at a time: O_NOFOLLOW guards only the last part of a path."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                inner = os.open(part, _FOLDER_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


class RealWriting:
    """`Writing` over a file descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`."""
        left = memoryview(data).cast("B")
        while left:
            written = os.write(self._open(), left)
            if not written:
                raise OSError(EIO, "the disk took no bytes")
            left = left[written:]

    def allocate(self, size: int) -> None:
        """Give the file `size` bytes of real blocks."""
        os.posix_fallocate(self._open(), 0, size)

    def sync(self) -> None:
        """Make the content durable."""
        os.fsync(self._open())

    def close(self) -> None:
        """Close; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            raise OSError(EINVAL, "the file is closed")
        return self._descriptor


def created(path: Path) -> BinaryIO:
    """A new, empty file, open for writing, which is its owner's alone, whatever its folder lets others do.
    FileExistsError."""
    return os.fdopen(os.open(path, _CREATE_FLAGS, 0o600), "wb")


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name, () for the root. OSError (EINVAL) for an absolute name, an empty part, `.`, `..`, a NUL."""
    parts = tuple(name.split("/")) if name else ()
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise _refused(name)
    return parts


def _refused(name: str) -> OSError:
    return OSError(EINVAL, "not the name of something below the root", name)


def _entry(name: str, found: os.stat_result) -> Entry:
    if stat.S_ISREG(found.st_mode):
        return Entry(name=name, kind=Kind.FILE, size=found.st_size)
    return Entry(name=name, kind=Kind.FOLDER if stat.S_ISDIR(found.st_mode) else Kind.OTHER, size=0)
