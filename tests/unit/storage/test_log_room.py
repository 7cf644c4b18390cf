"""Room in the write-ahead log."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from stepwell.storage.embedded import EmbeddedStore, care
from stepwell.storage.embedded.database import FILE, PAGE_SIZE
from stepwell.storage.embedded.log_room import LEAST, ROOM, LogRoom
from stepwell.storage.embedded.writer import Request
from stores import NOW, RUN, add, make_runs, read_rows

FRAME = 24 + PAGE_SIZE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "store", clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    yield store
    store.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "store" / f"{FILE}-wal"


def lengths(store: EmbeddedStore, log: Path, steps: range) -> list[int]:
    """Of the log after each commit, once what follows on it is done."""
    found = []
    for step in steps:
        add(store, [(step, 0, 1.0)])
        store._writer.submit(Request(run=lambda connection, stage: None, alone=True, outside=True)).result()
        found.append(log.stat().st_size)
    return found


def test_the_file_grows_once_for_many_commits(store: EmbeddedStore, log: Path) -> None:
    found = lengths(store, log, range(100))
    assert len(set(found)) <= 1 + 100 * FRAME // (ROOM - LEAST * FRAME)
    assert log.read_bytes().endswith(bytes(LEAST * FRAME))


def test_what_lies_before_the_room_is_read_after_a_crash(store: EmbeddedStore, log: Path, tmp_path: Path) -> None:
    lengths(store, log, range(100))
    shutil.copytree(log.parent, tmp_path / "crashed", ignore=shutil.ignore_patterns("lock", "*-shm"))
    again = EmbeddedStore(tmp_path / "crashed", clock=lambda: NOW, background=False)
    try:
        assert [step for step, *_ in read_rows(again)] == list(range(100))
    finally:
        again.close()


def test_an_emptied_log_has_no_bytes_until_the_next_commit(store: EmbeddedStore, log: Path) -> None:
    lengths(store, log, range(3))
    store._background._shrink(0)
    assert log.stat().st_size == 0
    (length,) = lengths(store, log, range(3, 4))
    assert length >= ROOM


def test_only_small_commits_get_room(tmp_path: Path) -> None:
    database, file = tmp_path / "long.db", tmp_path / "long.db-wal"
    database.touch()
    file.touch()
    room = LogRoom(str(database))
    for frames, length in ((1, ROOM), (100, ROOM), (101, 2 * ROOM), (4_000, 2 * ROOM)):
        room.keep(frames)
        assert file.stat().st_size == length, frames
    room.close()


def test_a_log_that_begins_anew_soon_is_not_made_longer(
    store: EmbeddedStore, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grows with each commit once the room is used that it had."""
    monkeypatch.setattr(care, "CHECKPOINT_PAGES", 1)
    found = lengths(store, log, range(100))[ROOM // FRAME :]
    assert len(set(found)) == len(found)


def test_a_full_disk_is_the_next_commits_matter(
    store: EmbeddedStore, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Full(apsw.VFSFile):
        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            asked.append(offset)
            raise apsw.FullError

    store._checkpoints._room.close()
    monkeypatch.setattr(apsw, "VFSFile", Full)
    lengths(store, log, range(200))
    assert 0 < len(asked) <= 1 + 200 * FRAME // (ROOM - LEAST * FRAME)
    assert len(read_rows(store)) == 200
