"""Files of runs on their way: what a source has of them, and whether two are the same."""

from __future__ import annotations

import fnmatch
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, TypeAlias

from stepwell.client.digests import digest

Note: TypeAlias = Callable[[str], None]  # hears what is being worked on


class File(Protocol):
    """A file of a run, where it comes from."""

    @property
    def path(self) -> str:
        """What it is called on the server."""

    @property
    def size(self) -> int:
        """In bytes."""

    def digest(self) -> str | None:
        """SHA-256 of its content, in hexadecimal; None where only reading all of it from afar would tell."""

    def local(self) -> AbstractContextManager[Path]:
        """It, on this machine as long as the context lasts. OSError, Unavailable, Refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A file that a server has."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFile:
    """A `File` of this machine."""

    path: str
    place: Path

    @property
    def size(self) -> int:
        """In bytes."""
        return self.place.stat().st_size

    def digest(self) -> str | None:
        """Of its content."""
        return digest(self.place)

    @contextmanager
    def local(self) -> Iterator[Path]:
        """Itself."""
        yield self.place


@dataclass(frozen=True, kw_only=True, slots=True)
class DistantFile:
    """A `File` that `fetch` brings."""

    path: str
    size: int
    fetch: Callable[[IO[bytes]], None]

    def digest(self) -> str | None:
        """None."""
        return None

    @contextmanager
    def local(self) -> Iterator[Path]:
        """A copy that goes again."""
        with tempfile.NamedTemporaryFile(prefix="stepwell-") as file:
            self.fetch(file)
            file.flush()
            yield Path(file.name)


def below(folder: Path, tell: Note) -> Iterator[LocalFile]:
    """The files of a folder and of those in it, by their paths; none where there is no such folder. `tell` hears of
    folders that cannot be read."""
    for place in files_named(folder, "*", tell) if folder.is_dir() else ():
        yield LocalFile(path=place.relative_to(folder).as_posix(), place=place)


def files_named(folder: Path, pattern: str, tell: Note) -> list[Path]:
    """The files below a folder whose names are such, sorted. `tell` hears of folders that cannot be read."""

    def unreadable(error: OSError) -> None:
        tell(f"{error.filename}: {error.strerror}")

    return sorted(
        path
        for place, _, names in os.walk(folder, onerror=unreadable)
        for name in fnmatch.filter(names, pattern)
        if (path := Path(place, name)).is_file()
    )


def is_same(file: File, there: Stored | None) -> bool:
    """Whether a server has this file. Of a distant one, the size alone is compared."""
    return there is not None and file.size == there.size and file.digest() in (None, there.sha256)


def place_of(folder: Path, path: str) -> Path:
    """Where a file that is called so lies in a folder. ValueError: outside of it."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or PurePosixPath(path).is_absolute():
        raise ValueError(f"{path!r} is no path within a folder")
    return folder.joinpath(*parts)


def shown(path: str, size: int) -> str:
    """A file, for a person who waits for it."""
    return f"{path} ({megabytes(size)})"


def megabytes(size: int) -> str:
    """For people."""
    return f"{size / 1e6:.1f} MB"


@dataclass(kw_only=True, slots=True)
class Sums:
    """What became of files. size: of all; there: how many were there already."""

    count: int = 0
    size: int = 0
    there: int = 0
    moved: int = 0

    def add(self, size: int, *, there: bool) -> None:
        """One more. What is not there is `moved` once it has been."""
        self.count += 1
        self.size += size
        self.there += there

    def line(self, where: str, done: str, *, dry: bool) -> str:
        """What to say of them; "" where there are none."""
        if not self.count:
            return ""
        lacking = self.count - self.there
        what = f"{lacking} would be {done}" if dry else f"{self.moved} {done}"
        return f"{self.count} files of {megabytes(self.size)}; {self.there} are {where} already, {what}"
