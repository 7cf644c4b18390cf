"""The blob store: paths, contents, replacement, damage, and what interruptions leave."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from catalogs import Bench, new_run
from stepwell.core.errors import Busy, Corrupt, Invalid, NotFound, StorageFailed, StorageFull, TooLarge
from stepwell.core.model import BlobInfo
from stepwell.storage.catalog import blob_rows
from stepwell.storage.files import RealFiles, RealWriting


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.catalog.create_runs(workspace="w", new=[new_run("r"), new_run("s")])
    return bench


def put(bench: Bench, path: str, *chunks: bytes, owner: str = "r") -> BlobInfo:
    writer = bench.catalog.open_blob(workspace="w", owner=owner, path=path, at=7)
    try:
        for chunk in chunks:
            writer.write(chunk)
        return writer.commit()
    finally:
        writer.abort()


def content(bench: Bench, path: str, owner: str = "r") -> bytes:
    reader = bench.catalog.get_blob(workspace="w", owner=owner, path=path)
    try:
        return b"".join(reader.chunks(3))
    finally:
        reader.close()


def listed(bench: Bench, folder: str = "", owner: str = "r") -> list[tuple[str, int | None]]:
    found = bench.catalog.list_blobs(workspace="w", owner=owner, folder=folder)
    return [(info.path, info.size) for info in found]


def test_a_file_is_read_as_it_was_written(bench: Bench):
    info = put(bench, "model/ü.bin", b"hello ", b"", b"world")
    assert info == BlobInfo(path="model/ü.bin", size=11, sha256=hashlib.sha256(b"hello world").digest(), stored_at=7)
    assert content(bench, "model/ü.bin") == b"hello world"
    reader = bench.catalog.get_blob(workspace="w", owner="r", path="model/ü.bin")
    assert reader.info == info
    reader.close()
    assert put(bench, "empty").size == 0
    assert content(bench, "empty") == b""
    assert len(bench.contents()) == 2


def test_files_belong_to_their_owner(bench: Bench):
    put(bench, "a", b"run")
    put(bench, "a", b"workspace", owner="")
    assert (content(bench, "a"), content(bench, "a", owner="")) == (b"run", b"workspace")
    assert listed(bench, owner="s") == []
    for workspace, owner in (("w", "s"), ("v", "r"), ("v", ""), ("w", "x")):
        with pytest.raises(NotFound):
            bench.catalog.get_blob(workspace=workspace, owner=owner, path="a")
        assert bench.catalog.list_blobs(workspace=workspace, owner=owner, folder="") == []
        assert bench.catalog.delete_blobs(workspace=workspace, owner=owner, path="") == 0
    with pytest.raises(NotFound, match="no run 'x'"):
        bench.catalog.open_blob(workspace="w", owner="x", path="a", at=1)


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a\\b", "a\0b", "../../etc/passwd"]
)
def test_a_path_that_may_not_be_is_refused(bench: Bench, path: str):
    with pytest.raises(Invalid, match="path"):
        bench.catalog.open_blob(workspace="w", owner="r", path=path, at=1)
    with pytest.raises(Invalid):
        bench.catalog.get_blob(workspace="w", owner="r", path=path)
    assert bench.contents() == []


def test_a_path_may_be_as_long_as_the_limit(bench: Bench):
    put(bench, "x" * 4096, b"1")
    with pytest.raises(TooLarge) as error:
        put(bench, "x" * 4097, b"1")
    assert error.value.limit == 4096


def test_a_file_and_a_folder_cannot_share_a_path(bench: Bench):
    put(bench, "a/b/c", b"1")
    put(bench, "a/b-d", b"1")
    for path in ("a", "a/b", "a/b/c/d", "a/b/c/d/e"):
        with pytest.raises(Invalid, match="is a f"):
            put(bench, path, b"2")
    early = bench.catalog.open_blob(workspace="w", owner="r", path="x/y", at=1)
    put(bench, "x", b"first")
    early.write(b"second")
    with pytest.raises(Invalid, match="is a file"):
        early.commit()
    early.abort()
    assert len(bench.contents()) == 3
    assert listed(bench) == [("a", None), ("x", 5)]


def test_folders_are_listed_by_their_direct_children(bench: Bench):
    for path in ("a", "b/1", "b/2/x", "b/2/y", "b/20", "b.txt", "b0", "c/d/e/f", "z"):
        put(bench, path, b"12")
    assert listed(bench) == [("a", 2), ("b", None), ("b.txt", 2), ("b0", 2), ("c", None), ("z", 2)]
    assert listed(bench, "b") == [("b/1", 2), ("b/2", None), ("b/20", 2)]
    assert listed(bench, "b/2") == [("b/2/x", 2), ("b/2/y", 2)]
    assert listed(bench, "c/d") == [("c/d/e", None)]
    assert listed(bench, "b/2/x") == [("b/2/x", 2)]
    assert listed(bench, "none") == listed(bench, "b/2/x/y") == []
    with pytest.raises(Invalid):
        listed(bench, "b/../a")


def test_a_long_folder_is_listed_whole(bench: Bench):
    paths = [f"d/{n:04}" for n in range(1_100)] + ["d/0500x/deep/1", "d/0500x/deep/2"]
    for number, path in enumerate(paths):
        info = BlobInfo(path=path, size=0, sha256=b"", stored_at=1)
        blob_rows.put(bench.conn, "w", "r", info, f"of/{number}")
    found = [path for path, _ in listed(bench, "d")]
    assert found == sorted({*paths[:1_100], "d/0500x"})


def test_files_are_deleted_alone_by_folder_or_all(bench: Bench):
    paths = ("a", "b/1", "b/2/x", "b0", "c")
    for path in paths:
        put(bench, path, b"1")
    put(bench, "a", b"1", owner="")
    delete = bench.catalog.delete_blobs
    assert delete(workspace="w", owner="r", path="none") == 0
    assert delete(workspace="w", owner="r", path="a") == 1
    assert delete(workspace="w", owner="r", path="b") == 2
    assert listed(bench) == [("b0", 1), ("c", 1)]
    assert len(bench.contents()) == 3
    assert delete(workspace="w", owner="r", path="") == 2
    assert listed(bench, owner="") == [("a", 1)]
    assert len(bench.contents()) == 1


def test_an_open_reader_outlives_replacement_and_deletion(bench: Bench):
    put(bench, "a", b"old")
    reader = bench.catalog.get_blob(workspace="w", owner="r", path="a")
    put(bench, "a", b"new")
    assert content(bench, "a") == b"new"
    assert len(bench.contents()) == 1
    bench.catalog.delete_blobs(workspace="w", owner="r", path="a")
    assert bench.contents() == []
    assert b"".join(reader.chunks()) == b"old"
    reader.close()


def test_what_is_not_committed_never_was(bench: Bench):
    put(bench, "a", b"old")
    writer = bench.catalog.open_blob(workspace="w", owner="r", path="a", at=9)
    writer.write(b"new")
    assert content(bench, "a") == b"old"
    writer.abort()
    writer.abort()
    assert content(bench, "a") == b"old"
    assert len(bench.contents()) == 1


def test_a_run_that_is_purged_meanwhile_takes_no_file(bench: Bench):
    writer = bench.catalog.open_blob(workspace="w", owner="r", path="a", at=9)
    writer.write(b"new")
    bench.purge("w", ["r"])
    with pytest.raises(NotFound):
        writer.commit()
    assert bench.contents() == []


def test_a_content_stays_when_nobody_knows_whether_its_row_is_stored(bench: Bench):
    bench.broken = StorageFailed()
    with pytest.raises(StorageFailed):
        put(bench, "a", b"new")
    bench.broken = None
    assert content(bench, "a") == b"new"


def test_damage_is_an_error_and_is_named(bench: Bench):
    put(bench, "whole", b"123")
    put(bench, "flipped", b"456")
    put(bench, "short", b"789")
    put(bench, "gone", b"012")
    for path, change in (("flipped", b"457"), ("short", b"78"), ("gone", None)):
        file = place(bench, path)
        if change is None:
            file.unlink()
        else:
            file.write_bytes(change)
    assert content(bench, "whole") == b"123"
    for path in ("flipped", "short"):
        with pytest.raises(Corrupt, match="checksum"):
            content(bench, path)
    with pytest.raises(Corrupt, match="missing"):
        content(bench, "gone")
    found = sorted((damage.place, damage.cost) for damage in bench.catalog.check_files())
    assert [place.split("'")[1] for place, _ in found] == ["flipped", "gone", "short"]
    assert ["checksum" in cost or "cannot be read" in cost for _, cost in found] == [True] * 3


def place(bench: Bench, path: str) -> Path:
    ((file,),) = bench.conn.execute("SELECT file FROM blob WHERE path = ?", (path,))
    return bench.folder / "blobs" / str(file)


def test_a_link_in_the_place_of_a_content_is_refused(bench: Bench, tmp_path: Path):
    put(bench, "a", b"1")
    file = place(bench, "a")
    file.unlink()
    secret = tmp_path / "secret"
    secret.write_bytes(b"1")
    file.symlink_to(secret)
    with pytest.raises(Invalid):
        content(bench, "a")


def test_a_sweep_removes_what_an_interruption_left_and_nothing_else(bench: Bench):
    put(bench, "kept", b"1")
    kept = bench.contents()
    orphan = bench.folder / "blobs" / "ab"
    orphan.mkdir(exist_ok=True)
    (orphan / "cd").write_bytes(b"left")
    (bench.folder / "tmp" / "0.part").write_bytes(b"left")
    again = Bench(bench.folder)
    again.conn.execute("INSERT INTO blob SELECT 1, 0, 'kept', 1, x'', 1, ?", (kept[0].removeprefix("blobs/"),))
    writer = again.catalog.open_blob(workspace="w", owner="", path="underway", at=1)
    writer.write(b"1")
    assert "blobs/ab/cd" in again.contents()
    again.catalog.remove_files()
    assert [name for name in again.contents() if name.startswith("blobs/")] == kept
    writer.commit()
    again.catalog.remove_files()
    assert content(again, "underway", owner="") == b"1"
    assert len(again.contents()) == 2


def test_a_content_that_cannot_be_removed_is_removed_later(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    put(bench, "a", b"1")
    bench.catalog.remove_files()

    def refuse(_files: RealFiles, name: str) -> None:
        raise OSError(errno.EIO, "no", name)

    with monkeypatch.context() as broken:
        broken.setattr(RealFiles, "unlink", refuse)
        assert bench.catalog.delete_blobs(workspace="w", owner="r", path="a") == 1
    assert len(bench.contents()) == 1
    bench.catalog.remove_files()
    assert bench.contents() == []


@pytest.mark.parametrize(
    ("number", "error", "stuck"),
    [(errno.ENOSPC, StorageFull, False), (errno.EIO, StorageFailed, True), (errno.EMFILE, Busy, False)],
)
def test_a_disk_that_fails_stops_files_and_a_full_one_does_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception], stuck: bool
):
    def refuse(_writing: RealWriting, _data: bytes) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as broken:
        broken.setattr(RealWriting, "write", refuse)
        with pytest.raises(error):
            put(bench, "a", b"1")
    assert bench.contents() == []
    assert bool(bench.catalog.files_failed()) is stuck
    if stuck:
        with pytest.raises(StorageFailed):
            put(bench, "a", b"1")
    else:
        put(bench, "a", b"1")
        assert content(bench, "a") == b"1"


def test_a_failed_sync_stops_files(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def refuse(_writing: RealWriting) -> None:
        raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr(RealWriting, "sync", refuse)
    with pytest.raises(StorageFailed):
        put(bench, "a", b"1")
    monkeypatch.undo()
    with pytest.raises(StorageFailed, match="synced"):
        put(bench, "a", b"1")
