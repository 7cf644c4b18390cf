"""What a store writes is its owner's alone to read, whatever the directory it lies in lets others do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.storage import repair_store, restore_store
from stepwell.storage.embedded import EmbeddedStore
from stores import NOW, RUN, W, add, make_runs


@pytest.fixture(autouse=True)
def permissive() -> Iterator[None]:
    """As most users have it: files are everybody's to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    """A directory that somebody made, as `mkdir` does."""
    tmp_path.chmod(0o755)
    place = tmp_path / "data"
    place.mkdir(mode=0o755)
    store = EmbeddedStore(place, clock=lambda: NOW, background=False)
    try:
        make_runs(store, RUN)
        add(store, [(1, 1, 0.5)])
        writer = store.open_blob(workspace=W, owner=RUN, path="folder/a.txt", at=NOW)
        writer.write(b"content")
        writer.commit()
        assert found(place) >= {"stepwell.db", "stepwell.db-wal", "stepwell.db-shm"}
        for target in ("copy", "copy.zip"):
            (tmp_path / "copy").mkdir(exist_ok=True)
            list(store.backup(target=tmp_path / target, credentials=True))
    finally:
        store.close()
    return tmp_path


def found(place: Path) -> set[str]:
    """The names of files; none of them may be read by others than its owner."""
    files = [path for path in (place, *place.rglob("*")) if path.is_file()]
    assert {str(path): stat.filemode(path.stat().st_mode) for path in files if path.stat().st_mode & 0o077} == {}
    return {path.name for path in files}


def test_of_a_store(open_to_all: Path) -> None:
    assert "stepwell.db" in found(open_to_all / "data")


def test_of_a_backup(open_to_all: Path) -> None:
    assert {"stepwell.db", "manifest.json"} < found(open_to_all / "copy")
    assert found(open_to_all / "copy.zip") == {"copy.zip"}


@pytest.mark.parametrize("source", ["copy", "copy.zip"])
def test_of_a_restored_store(open_to_all: Path, source: str) -> None:
    (open_to_all / "restored").mkdir()
    list(restore_store(open_to_all / source, open_to_all / "restored"))
    assert "stepwell.db" in found(open_to_all / "restored")


def test_of_a_repaired_store(open_to_all: Path) -> None:
    place = open_to_all / "data"
    (content,) = (path for path in (place / "blobs").rglob("*") if path.is_file())
    content.write_bytes(b"another")
    assert list(repair_store(place, clock=lambda: NOW))
    assert "stepwell.db" in found(place)
