"""A consistent copy of the directory while it is in use: the database as of one moment, and the files that it names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

import apsw

from stepwell.core.errors import AlreadyExists, Corrupt, Invalid
from stepwell.core.model import Copied
from stepwell.storage.embedded import archive
from stepwell.storage.embedded.database import CHECKSUMS, FILE, PAGE_SIZE
from stepwell.storage.embedded.statements import POINTS as SQL
from stepwell.storage.files import created
from stepwell.storage.publishing import mapped

MANIFEST: Final = "manifest.json"
FOLDER: Final = "blobs"
RESTORING: Final = f"{FILE}-restoring"  # until all is there: nobody takes the directory for a store
_PAGES: Final = 2_048  # copied between two looks at the clock of others
_CHUNK: Final = 1 << 20

Snapshot = Callable[[], AbstractContextManager[apsw.Connection]]


def backup(
    snapshot: Snapshot, *, source: Path, target: Path, at: int, form: int, credentials: bool
) -> Iterator[Copied]:
    """Write the copy into `target`, which is made and must be new or empty, or (`.zip`) into one new file. It is whole
    once it has its manifest.

    A file that is deleted while it is copied is deleted in the copy too. Without `credentials` nobody's come along. The
    server's key never does. AlreadyExists, StorageFull, StorageFailed.
    """
    if target.suffix == archive.SUFFIX:
        with mapped(str(target)):
            folder = archive.begin(target)
        try:
            yield from backup(snapshot, source=source, target=folder, at=at, form=form, credentials=credentials)
            with mapped(str(target)):
                archive.finish(folder, target, MANIFEST)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    _make_empty(target)
    total = 0
    for copied in _copy_database(snapshot, target / FILE):
        total = copied.total
        yield copied
    if not credentials:
        _forget(target / FILE, "drop_credentials", "drop_credential_keys")
    entries = [_described(target, FILE)]
    done = entries[0]["size"]
    for name in _files(target / FILE):
        with mapped(name):
            if _copy(source / FOLDER / name, target / FOLDER / name):
                entries.append(_described(target, f"{FOLDER}/{name}"))
                done += entries[-1]["size"]
                yield Copied(done=min(done, total), total=total, name=f"{FOLDER}/{name}")
            else:
                _forget(target / FILE, "drop_blob_file", args=(name,))
    entries[0] = _described(target, FILE)
    text = json.dumps({"format": form, "created_at": at, "credentials": credentials, "files": entries}, indent=1)
    with mapped(MANIFEST):
        _write(target / MANIFEST, text.encode())
        _sync_folders(target)
    yield Copied(done=total, total=total, name=MANIFEST)


def restore(source: Path, target: Path, *, form: int) -> Iterator[Copied]:
    """Make a data directory of a copy. Each file is compared with the manifest on its way; when one is not what that
    says, nothing stays. `target` is made and must be new or empty. Invalid: `source` is no copy, or of a newer format.
    AlreadyExists, Corrupt, StorageFull, StorageFailed.
    """
    with archive.opened(source) as files:
        yield from _restore(files, source, target, form=form)


def _restore(files: archive.Source, source: Path, target: Path, *, form: int) -> Iterator[Copied]:
    entries = _entries(files, source, form)
    _make_empty(target)
    total, done = sum(entry["size"] for entry in entries), 0
    try:
        for entry in entries:
            with mapped(entry["name"]):
                _copy_checked(entry, files, source, target)
            done += entry["size"]
            yield Copied(done=done, total=total, name=entry["name"])
        with mapped(FILE):
            (target / RESTORING).rename(target / FILE)
            _sync_folders(target)
    except BaseException:
        _clear(target)
        raise


def _copy_checked(entry: dict[str, Any], files: archive.Source, source: Path, target: Path) -> None:
    place = RESTORING if entry["name"] == FILE else entry["name"]
    try:
        with files.open(entry["name"]) as reading:
            there = _write_from(reading, target / place, most=entry["size"])
    except (FileNotFoundError, zipfile.BadZipFile):
        there = False
    if not there or _described(target, place) != {**entry, "name": place}:
        raise Corrupt(f"{entry['name']} of {source} is not what its manifest says; nothing was restored")


def _entries(files: archive.Source, source: Path, form: int) -> list[dict[str, Any]]:
    """What the manifest of a copy names, the database first."""
    try:
        with files.open(MANIFEST) as reading:
            manifest = json.loads(reading.read())
        entries = sorted(manifest["files"], key=lambda entry: (entry["name"] != FILE, entry["name"]))
        names = [PurePosixPath(entry["name"]) for entry in entries if isinstance(entry["size"], int)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"{source} is no backup: it has no {MANIFEST} that can be read", field="source") from None
    if not names or str(names[0]) != FILE or any(n.parts[0] != FOLDER or ".." in n.parts for n in names[1:]):
        raise Invalid(f"{source} is no backup: its {MANIFEST} names other files", field="source")
    if manifest["format"] > form:
        raise Invalid(
            f"{source} has format {manifest['format']}; this release reads up to {form}: use a newer Stepwell",
            field="source",
        )
    return entries


def _make_empty(target: Path) -> None:
    with mapped(str(target)):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(target.iterdir()):
            raise AlreadyExists(f"{target} is not empty", field="target")


def _clear(target: Path) -> None:
    for entry in target.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _copy_database(snapshot: Snapshot, target: Path) -> Iterator[Copied]:
    created(target).close()
    copy = apsw.Connection(str(target), vfs=CHECKSUMS)
    try:
        with snapshot() as connection:
            _make_alike(connection, copy)
            blobs = int(SQL.all(connection, "blob_bytes")[0][0])
            with copy.backup("main", connection, "main") as progress:
                while not progress.done:
                    progress.step(_PAGES)
                    total = progress.page_count * PAGE_SIZE
                    yield Copied(done=total - progress.remaining * PAGE_SIZE, total=total + blobs, name=FILE)
        # A copy of its own: without the write-ahead log's mark it needs no second file.
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
    finally:
        copy.close()


def _make_alike(connection: apsw.Connection, copy: apsw.Connection) -> None:
    """Let the first page of the copy say whether pages carry checksums, before any of them is written."""
    copy.reserve_bytes(reserve=connection.reserve_bytes(reserve=-1))
    copy.execute(f"PRAGMA page_size={PAGE_SIZE}")
    copy.execute("CREATE TABLE first_page (n)")


def _files(database: Path) -> Iterator[str]:
    copy = apsw.Connection(str(database), vfs=CHECKSUMS)
    try:
        yield from [str(name) for (name,) in copy.execute(SQL["blob_files"]).fetchall()]
    finally:
        copy.close()


def _forget(database: Path, *statements: str, args: tuple[str, ...] = ()) -> None:
    """Rows that are not to be in the copy, and every trace of them."""
    copy = apsw.Connection(str(database), vfs=CHECKSUMS)
    try:
        copy.execute("PRAGMA secure_delete=ON").fetchall()
        for statement in statements:
            SQL.run(copy, statement, args)
    finally:
        copy.close()


def _copy(source: Path, target: Path) -> bool:
    try:
        with source.open("rb") as reading:
            return _write_from(reading, target)
    except FileNotFoundError:
        return False


def _write_from(reading: IO[bytes], target: Path, *, most: int | None = None) -> bool:
    """Whether it was not more than so many bytes."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    length = 0
    with created(target) as writing:
        while chunk := reading.read(_CHUNK):
            length += len(chunk)
            if most is not None and length > most:
                return False
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return True


def _described(target: Path, name: str) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with (target / name).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"name": name, "size": size, "sha256": digest.hexdigest()}


def _write(path: Path, data: bytes) -> None:
    with created(path) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folders(target: Path) -> None:
    for folder in (target, *(p for p in target.rglob("*") if p.is_dir())):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
