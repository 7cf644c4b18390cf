"""A consistent copy of the directory while it is in use: the database as of one moment, and the files that it names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import apsw

from stepwell.core.errors import AlreadyExists, Corrupt
from stepwell.storage.embedded.database import CHECKSUMS, FILE, PAGE_SIZE
from stepwell.storage.embedded.publishing import mapped
from stepwell.storage.embedded.statements import POINTS as SQL

MANIFEST: Final = "manifest.json"
FOLDER: Final = "blobs"
_PAGES: Final = 2_048  # copied between two looks at the clock of others
_CHUNK: Final = 1 << 20

Snapshot = Callable[[], AbstractContextManager[apsw.Connection]]


def backup(snapshot: Snapshot, *, source: Path, target: Path, at: int, form: int) -> None:
    """Write the copy into `target`, which is made and must be new or empty. Opening it as a data directory restores it.

    A file that is deleted while it is copied is deleted in the copy too. AlreadyExists, StorageFull, StorageFailed.
    """
    with mapped(str(target)):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(target.iterdir()):
            raise AlreadyExists(f"{target} is not empty", field="target")
    _copy_database(snapshot, target / FILE)
    entries = [_described(target, FILE)]
    for name in _files(target / FILE):
        with mapped(name):
            if _copy(source / FOLDER / name, target / FOLDER / name):
                entries.append(_described(target, f"{FOLDER}/{name}"))
            else:
                _forget(target / FILE, name)
    entries[0] = _described(target, FILE)
    text = json.dumps({"format": form, "created_at": at, "files": entries}, indent=1)
    with mapped(MANIFEST):
        _write(target / MANIFEST, text.encode())
        _sync_folders(target)


def _copy_database(snapshot: Snapshot, target: Path) -> None:
    copy = apsw.Connection(str(target), vfs=CHECKSUMS)
    try:
        with snapshot() as connection:
            _make_alike(connection, copy)
            with copy.backup("main", connection, "main") as progress:
                while not progress.done:
                    progress.step(_PAGES)
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


def _forget(database: Path, name: str) -> None:
    copy = apsw.Connection(str(database), vfs=CHECKSUMS)
    try:
        SQL.run(copy, "drop_blob_file", (name,))
    finally:
        copy.close()


def _copy(source: Path, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with source.open("rb") as reading, target.open("xb") as writing:
            shutil.copyfileobj(reading, writing, _CHUNK)
            writing.flush()
            os.fsync(writing.fileno())
    except FileNotFoundError:
        return False
    return True


def _described(target: Path, name: str) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with (target / name).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"name": name, "size": size, "sha256": digest.hexdigest()}


def verify(target: Path) -> None:
    """Raise Corrupt unless every file of a copy is as its manifest says."""
    entries = json.loads((target / MANIFEST).read_text("utf-8"))["files"]
    for entry in entries:
        try:
            found = _described(target, entry["name"])
        except FileNotFoundError:
            raise Corrupt(f"{entry['name']} is missing from the copy") from None
        if found != entry:
            raise Corrupt(f"{entry['name']} of the copy is not what the manifest says")


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
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
