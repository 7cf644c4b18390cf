"""Where the contents of files are kept: the `Contents` protocol, and a folder as one. No rule of the blob store.

A content has a name that is given once, is never changed, and is read only after a row of the catalog names it. So it
needs no name of its own while it is on its way in: what has no row was never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, Protocol

from stepwell.storage.files import Files, Kind
from stepwell.storage.publishing import Publisher, mapped

FOLDER: Final = "blobs"


class Arriving(Protocol):
    """A content on its way in. Not shared between threads. Always `abort` at the end: after `commit` it is nothing."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append all of a chunk. StepwellError: then nothing of it is stored."""
        ...

    def commit(self) -> int:
        """Keep it; its size in bytes. Durable and whole when this returns; once only. StepwellError."""
        ...

    def abort(self) -> None:
        """Forget it, unless it is kept; idempotent, raises nothing."""
        ...


class Content(Protocol):
    """A content open for reading, from its beginning to its end. Not shared between threads."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, up to `size` of them; none at the end. StepwellError."""
        ...

    def close(self) -> None:
        """Always call it; idempotent."""
        ...


class Contents(Protocol):
    """Contents by name: two hexadecimal digits, `/`, and more of them. Any number of threads may share one."""

    def begin(self, name: str, /) -> Arriving:
        """A new content. StepwellError."""
        ...

    def open(self, name: str, /) -> Content:
        """One that was kept. NotFound; other StepwellErrors: it cannot be read now."""
        ...

    def remove(self, names: Sequence[str], /) -> list[str]:
        """Remove those that are there; which of them may still be there."""
        ...

    def leftovers(self) -> Iterator[list[str]]:
        """Names of contents, some at a time, of which those without a row may be removed unless this process is about
        to name them; and forget uploads that nobody will end. Not all of them are told: what may be on its way in
        another process is not. StepwellError."""
        ...


class Folder:
    """Contents as files in the folder `blobs`. `alone`: no other process has it, as who holds a directory's lock knows;
    then what was interrupted is removed here, and contents without a row are told, once."""

    def __init__(self, files: Files, *, alone: bool) -> None:
        self._files = files
        self._publisher = Publisher(files)
        self._told = not alone
        if alone:
            self._publisher.discard_unfinished()

    def begin(self, name: str) -> Arriving:
        """See Contents."""
        return self._publisher.begin(f"{FOLDER}/{name}")

    def open(self, name: str) -> FileContent:
        """See Contents."""
        with mapped(name):
            return FileContent(name, self._files.open(f"{FOLDER}/{name}"))

    def remove(self, names: Sequence[str]) -> list[str]:
        """See Contents."""
        return [name for name in names if not self._remove(name)]

    def _remove(self, name: str) -> bool:
        try:
            self._files.unlink(f"{FOLDER}/{name}")
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def leftovers(self) -> Iterator[list[str]]:
        """See Contents."""
        if self._told:
            return
        for folder in self._folders():
            with mapped(folder):
                entries = self._files.entries(f"{FOLDER}/{folder}")
            yield [f"{folder}/{entry.name}" for entry in entries if entry.kind is Kind.FILE]
        self._told = True

    def _folders(self) -> list[str]:
        with mapped(FOLDER):
            try:
                return [entry.name for entry in self._files.entries(FOLDER) if entry.kind is Kind.FOLDER]
            except FileNotFoundError:
                return []


class FileContent:
    """`Content` over an open file, which it owns."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file

    def read(self, size: int) -> bytes:
        """See Content."""
        with mapped(self._name):
            return self._file.read(size)

    def close(self) -> None:
        """See Content."""
        self._file.close()
