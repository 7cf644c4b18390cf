"""A backup as one file: a zip that compresses nothing, since what is in it is compressed. The manifest comes last."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from stepwell.core.errors import AlreadyExists, Invalid
from stepwell.storage.files import created

SUFFIX: Final = ".zip"
PART: Final = ".part"  # behind the name, until all is there
_CHUNK: Final = 1 << 20
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same for the same content


class Source(Protocol):
    """Where a copy lies."""

    def open(self, name: str) -> IO[bytes]:
        """A file of it. FileNotFoundError."""
        ...


class Folder:
    """A copy in a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> IO[bytes]:
        """See Source."""
        return (self._path / name).open("rb")


class Archive:
    """A copy in one file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def open(self, name: str) -> IO[bytes]:
        """See Source."""
        try:
            return self._archive.open(name)
        except KeyError:
            raise FileNotFoundError(name) from None


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """A copy, in a directory or in one file. Invalid: the file is no archive, or is damaged."""
    if not path.is_file():
        yield Folder(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield Archive(archive)
    except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
        raise Invalid(f"{path} is no backup, or is damaged: {error}", field="source") from error


def begin(target: Path) -> Path:
    """The directory in which the files of an archive are gathered. AlreadyExists: the archive is there."""
    if target.exists():
        raise AlreadyExists(f"{target} exists already", field="target")
    folder = target.with_name(target.name + PART)
    if folder.exists():
        raise AlreadyExists(f"{folder} is left of a backup that did not end; remove it", field="target")
    return folder


def finish(folder: Path, target: Path, last: str) -> None:
    """Make the archive of all files of a directory, `last` at its end, and remove the directory."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    unfinished = folder / f"{last}{SUFFIX}"
    with created(unfinished) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in [*(name for name in names if name != last), last]:
                info = zipfile.ZipInfo(name, _DATE)
                info.external_attr = 0o600 << 16
                with (folder / name).open("rb") as reading, archive.open(info, "w", force_zip64=True) as writing:
                    shutil.copyfileobj(reading, writing, _CHUNK)
                (folder / name).unlink()  # so that never much more than one copy is there
        file.flush()
        os.fsync(file.fileno())
    os.link(unfinished, target)  # unlike a renaming, never over another file
    shutil.rmtree(folder)
    fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
