"""Files: there when commit returns and never before, whole or Corrupt, in folders that behave like folders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from stepwell.core.errors import Invalid, NotFound, StepwellError
from stepwell.core.model import BlobInfo, Lifecycle
from stepwell.core.store import Store
from stores import LIVES, NOW, RUN, Shelf, W, change, make_runs

BIG = bytes(range(256)) * 20_000


def store_file(store: Store, path: str, content: bytes = b"x", *, owner: str = RUN, at: int = NOW) -> BlobInfo:
    writer = store.open_blob(workspace=W, owner=owner, path=path, at=at)
    try:
        writer.write(content)
        return writer.commit()
    finally:
        writer.abort()


def content_of(store: Store, path: str, *, owner: str = RUN) -> bytes:
    reader = store.get_blob(workspace=W, owner=owner, path=path)
    try:
        return b"".join(reader.chunks(7_000))
    finally:
        reader.close()


def listed(store: Store, folder: str = "", *, owner: str = RUN) -> list[tuple[str, int | None]]:
    return [(info.path, info.size) for info in store.list_blobs(workspace=W, owner=owner, folder=folder)]


@pytest.mark.parametrize("owner", [RUN, ""])
@pytest.mark.parametrize("again", LIVES.values(), ids=LIVES)
def test_a_file_comes_back_as_it_was_stored(shelf: Shelf, store: Store, again: Callable[[Shelf], Store], owner: str):
    writer = store.open_blob(workspace=W, owner=owner, path="models/é ü/weights.bin", at=NOW + 5)
    for start in range(0, len(BIG), 100_000):
        writer.write(BIG[start : start + 100_000])
    assert listed(store, owner=owner) == []
    info = writer.commit()
    assert info == BlobInfo(
        path="models/é ü/weights.bin", size=len(BIG), sha256=hashlib.sha256(BIG).digest(), stored_at=NOW + 5
    )
    store_file(store, "empty", b"", owner=owner)
    store = again(shelf)
    assert content_of(store, info.path, owner=owner) == BIG
    assert content_of(store, "empty", owner=owner) == b""
    assert store.list_blobs(workspace=W, owner=owner, folder="models/é ü") == [info]
    assert list(store.check()) == []


def test_a_file_without_commit_never_was(shelf: Shelf, store: Store):
    writer = store.open_blob(workspace=W, owner=RUN, path="a", at=NOW)
    writer.write(b"x")
    writer.abort()
    writer.abort()
    half = store.open_blob(workspace=W, owner=RUN, path="b", at=NOW)
    half.write(b"x")
    for life in (lambda: shelf.store, shelf.revive):
        other = life()
        assert listed(other) == []
        with pytest.raises(NotFound):
            content_of(other, "b")
    half.abort()


def test_a_newer_file_replaces_an_older_one(store: Store):
    store_file(store, "a", b"old")
    reader = store.get_blob(workspace=W, owner=RUN, path="a")
    store_file(store, "a", b"newer", at=NOW + 1)
    assert b"".join(reader.chunks(1)) == b"old", "who reads it already reads on"
    reader.close()
    assert content_of(store, "a") == b"newer"
    assert listed(store) == [("a", 5)]


def test_a_file_can_be_read_while_it_is_deleted(store: Store):
    store_file(store, "a", BIG)
    reader = store.get_blob(workspace=W, owner=RUN, path="a")
    chunks = reader.chunks(1_000_000)
    first = next(chunks)
    store.delete_blobs(workspace=W, owner=RUN, path="")
    store.purge_runs(workspace=W, run_ids=[RUN])
    store.compact()
    assert first + b"".join(chunks) == BIG
    reader.close()


def test_folders_are_listed_one_level_at_a_time(store: Store):
    for path in ("b/c/d", "b/c/e", "b/a", "b.txt", "bb/x", "a", "B", "b-/y"):
        store_file(store, path)
    assert listed(store) == [("B", 1), ("a", 1), ("b", None), ("b-", None), ("b.txt", 1), ("bb", None)]
    assert listed(store, "b") == [("b/a", 1), ("b/c", None)]
    assert listed(store, "b/c") == [("b/c/d", 1), ("b/c/e", 1)]
    assert listed(store, "b/a") == [("b/a", 1)], "a file is listed alone"
    assert listed(store, "b/none") == listed(store, "none") == listed(store, owner="none") == []


def test_deleting_takes_a_file_or_all_below_a_folder(store: Store):
    for path in ("b/c/d", "b/c/e", "b/a", "bb", "b-"):
        store_file(store, path)
    store_file(store, "b/a", owner="")
    assert store.delete_blobs(workspace=W, owner=RUN, path="none") == 0
    assert store.delete_blobs(workspace=W, owner=RUN, path="b/a") == 1
    assert store.delete_blobs(workspace=W, owner=RUN, path="b") == 2
    assert listed(store) == [("b-", 1), ("bb", 1)]
    assert store.delete_blobs(workspace=W, owner=RUN, path="") == 2
    assert listed(store) == []
    assert listed(store, owner="") == [("b", None)], "another owner's"
    store_file(store, "b", b"a file where a folder was")


def test_a_file_and_a_folder_cannot_share_a_name(store: Store):
    store_file(store, "a/b")
    store_file(store, "c")
    for path in ("a", "a/b/c", "c/d", "c/d/e"):
        with pytest.raises(Invalid):
            store_file(store, path)
    assert listed(store) == [("a", None), ("c", 1)]


def test_of_two_uploads_that_clash_the_first_wins(store: Store):
    folder = store.open_blob(workspace=W, owner=RUN, path="a/b", at=NOW)
    file = store.open_blob(workspace=W, owner=RUN, path="a", at=NOW)
    file.write(b"x")
    file.commit()
    folder.write(b"y")
    with pytest.raises(Invalid):
        folder.commit()
    folder.abort()
    assert listed(store) == [("a", 1)]


BAD_PATHS = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a/.", "a\\b", "a\0b", "x" * 5000]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_bad_paths_are_refused(store: Store, path: str):
    calls: list[Callable[[], object]] = [
        lambda: store_file(store, path),
        lambda: content_of(store, path),
    ]
    if path:  # an empty one means everything
        calls.append(lambda: store.list_blobs(workspace=W, owner=RUN, folder=path))
        calls.append(lambda: store.delete_blobs(workspace=W, owner=RUN, path=path))
    for call in calls:
        with pytest.raises(Invalid):
            call()
    assert listed(store) == []


REFUSALS: dict[str, tuple[Callable[[Store], object], type[StepwellError]]] = {
    "an unknown run": (lambda store: store_file(store, "a", owner="none"), NotFound),
    "reading of an unknown run": (lambda store: content_of(store, "a", owner="none"), NotFound),
    "reading what is not there": (lambda store: content_of(store, "none"), NotFound),
    "reading a folder": (lambda store: content_of(store, "folder"), NotFound),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refusals(store: Store, refusal: str):
    store_file(store, "folder/a")
    call, error = REFUSALS[refusal]
    with pytest.raises(error):
        call(store)


def test_files_of_a_deleted_run_are_kept(store: Store):
    store_file(store, "a", b"kept")
    change(store, lifecycle=Lifecycle.DELETED)
    store.compact()
    assert content_of(store, "a") == b"kept"


def test_files_of_many_runs_do_not_meet(store: Store):
    make_runs(store, "r2")
    store_file(store, "a", b"1")
    store_file(store, "a", b"2", owner="r2")
    store_file(store, "a", b"3", owner="")
    store.purge_runs(workspace=W, run_ids=["r2"])
    store.compact()
    assert (content_of(store, "a"), content_of(store, "a", owner="")) == (b"1", b"3")
    assert list(store.check()) == []
