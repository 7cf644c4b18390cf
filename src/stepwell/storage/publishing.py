"""Putting a whole file in place so that a power loss leaves the old one, the new one or nothing: the steps in order.

Temporary file, write, sync, rename, sync of the folder. What is stored where, and who may read it, is for the blob
store to say.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EEXIST, EINVAL, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOSPC, ENOTDIR

from stepwell.core.errors import AlreadyExists, Busy, Invalid, NotFound, StepwellError, StorageFailed, StorageFull
from stepwell.storage.files import ROOT, Files, Kind, Writing


class Publisher:
    """Puts files below a root durably. Any number of threads may share one.

    `temporary` is the folder for files that are being written. The process that holds the data directory's lock calls
    `discard_unfinished` once before the first `put`.
    """

    def __init__(self, files: Files, *, temporary: str = "tmp") -> None:
        self._files = files
        self._temporary = temporary
        self._numbers = itertools.count()
        # A folder that exists may still be lost with the power: it counts as there once this process synced its parent.
        self._durable_folders = {ROOT}
        self._lock = threading.Lock()

    def put(self, name: str, chunks: Iterable[bytes | memoryview]) -> int:
        """Store the chunks as the file `name`, replacing what had it; its size in bytes. Durable when this returns.

        Raises StorageFull, or StorageFailed after which nothing more may be written until a restart. What `chunks`
        raises passes through. After any error the old file, if any, is still in place and the temporary one is removed,
        except that a failed sync of the folder leaves open which of the two a restart will find.
        """
        unfinished = self.begin(name)
        try:
            for chunk in chunks:
                unfinished.write(chunk)
            return unfinished.commit()
        finally:
            unfinished.abort()

    def begin(self, name: str) -> Unfinished:
        """The same in steps, for content that comes from elsewhere: nothing has the name before `Unfinished.commit`."""
        with mapped(name):
            self._ensure_folder(self._temporary)
            self._ensure_folder(folder_of(name))
            temporary, writing = self._create()
        return Unfinished(self._files, name=name, temporary=temporary, writing=writing)

    def remove(self, name: str) -> bool:
        """Remove the file `name` durably; False when there was none (its absence is durable then too)."""
        with mapped(name):
            try:
                self._files.unlink(name)
                found = True
            except FileNotFoundError:
                found = False
        with suppress(NotFound), syncing(name):
            self._files.sync_folder(folder_of(name))
        return found

    def discard_unfinished(self) -> int:
        """Remove what an interrupted process left in the temporary folder; how many files."""
        with mapped(self._temporary):
            self._ensure_folder(self._temporary)
            left = [entry for entry in self._files.entries(self._temporary) if entry.kind is Kind.FILE]
            for entry in left:
                self._files.unlink(f"{self._temporary}/{entry.name}")
        return len(left)

    def _create(self) -> tuple[str, Writing]:
        while True:
            name = f"{self._temporary}/{next(self._numbers)}.part"
            with suppress(FileExistsError):
                return name, self._files.create(name)

    def _ensure_folder(self, name: str) -> None:
        with self._lock:
            known = name in self._durable_folders
        if known:
            return
        parent = folder_of(name)
        self._ensure_folder(parent)
        self._files.make_folder(name)
        with syncing(name):
            self._files.sync_folder(parent)
        with self._lock:
            self._durable_folders.add(name)


class Unfinished:
    """A file on its way in. Not shared between threads. Always `abort` at the end: after `commit` it is nothing."""

    def __init__(self, files: Files, *, name: str, temporary: str, writing: Writing) -> None:
        self._files = files
        self._name = name
        self._temporary: str | None = temporary
        self._writing = writing
        self._size = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Append all of a chunk. Raises StorageFull, StorageFailed."""
        with mapped(self._name):
            self._writing.write(chunk)
        self._size += len(chunk) if isinstance(chunk, bytes) else chunk.nbytes

    def commit(self) -> int:
        """Put it in place; its size in bytes. Durable when this returns; once only."""
        if self._temporary is None:
            raise ValueError(f"{self._name!r} is finished already")
        with syncing(self._name):
            self._writing.sync()
        self._writing.close()
        with mapped(self._name):
            self._files.rename(self._temporary, self._name)
        self._temporary = None
        with syncing(self._name):
            self._files.sync_folder(folder_of(self._name))
        return self._size

    def abort(self) -> None:
        """Forget it, unless it is in place; idempotent."""
        temporary, self._temporary = self._temporary, None
        self._writing.close()
        if temporary is not None:
            with suppress(OSError):
                self._files.unlink(temporary)


def folder_of(name: str) -> str:
    """The name of the folder that holds `name`; the root for a name of one part."""
    return name.rpartition("/")[0]


@contextmanager
def mapped(name: str) -> Iterator[None]:
    """Turn the OSErrors of a block into the domain's errors."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, name) from error


@contextmanager
def syncing(name: str) -> Iterator[None]:
    """As `mapped`, for a sync: whatever its reason, what it was to cover may be gone, and a retry would not know."""
    try:
        yield
    except FileNotFoundError as error:
        raise storage_error(error, name) from error
    except OSError as error:
        raise StorageFailed(f"{name!r} could not be synced: {error.strerror}", field=name) from error


def storage_error(error: OSError, name: str) -> StepwellError:
    """What an OSError on the file `name` means to the caller."""
    if error.errno in {ENOSPC, EDQUOT}:
        return StorageFull()
    if error.errno in {EMFILE, ENFILE}:
        return Busy("Too many files are open; nothing was stored. Try again.")
    if error.errno == ENOENT:
        return NotFound(f"File {name!r} does not exist.", field=name)
    if error.errno == EEXIST:
        return AlreadyExists(f"File {name!r} exists already.", field=name)
    if error.errno in {EINVAL, ELOOP, ENOTDIR, ENAMETOOLONG}:
        return Invalid(f"{name!r} is not the name of a plain file: {error.strerror}.", field=name)
    return StorageFailed(f"{name!r} could not be written or read: {error.strerror}", field=name)
