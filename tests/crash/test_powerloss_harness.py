"""The power-loss disk must find what it is there to find: each bug is planted in a toy program and has to be caught."""

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from crash.powerloss import Choice, CrashImage, Mode, PowerLoss, PowerLossDisk, images
from crash.toy import acknowledged_rows_are_there, connect, content_of, numbers_in, numbers_in_live, toy
from stepwell.storage.publishing import Publisher

# --- commits ---------------------------------------------------------------------------------------------------------


def test_full_sync_keeps_every_acknowledged_commit(disk: PowerLossDisk) -> None:
    toy(disk)
    report = disk.replay(acknowledged_rows_are_there, variants=2)
    assert report.boundaries == len(disk.journal.operations) - disk.journal.first + 1
    assert report.disks > report.boundaries  # several different disks per boundary, or nothing was tried


@pytest.mark.parametrize("synchronous", ["off", "normal"])
def test_missing_sync_is_caught(disk: PowerLossDisk, synchronous: str) -> None:
    toy(disk, synchronous=synchronous)
    with pytest.raises(PowerLoss, match="lost"):
        disk.replay(acknowledged_rows_are_there)


def test_sync_off_survives_when_all_is_kept(disk: PowerLossDisk) -> None:
    """What a kill -9 test sees: it proves nothing about the power."""
    toy(disk, synchronous="off")
    disk.replay(acknowledged_rows_are_there, modes=[Mode.KEEP])


def test_acknowledgement_before_the_sync_is_caught(disk: PowerLossDisk) -> None:
    toy(disk, early=True)
    with pytest.raises(PowerLoss, match="lost") as caught:
        disk.replay(acknowledged_rows_are_there)
    assert "mark" in caught.value.losses[0].operation


def test_part_of_a_transaction_is_never_seen(disk: PowerLossDisk) -> None:
    db = connect(disk)
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filling BLOB)")
    for first in range(0, 60, 20):
        with db:
            db.executemany("INSERT INTO t VALUES (?, ?)", [(n, bytes(900)) for n in range(first, first + 20)])
    db.close()

    def whole_or_nothing(image: CrashImage) -> None:
        assert len(numbers_in(image.path)) % 20 == 0

    disk.replay(whole_or_nothing, variants=4)


def test_recovery_may_be_interrupted_too(tmp_path: Path, disk: PowerLossDisk) -> None:
    toy(disk, rows=6)
    last_mark = max(at for at in range(len(disk.journal.operations)) if "mark" in disk.journal.describe(at))
    crash = disk.image(Choice(at=last_mark, mode=Mode.DROP), tmp_path / "crash")
    assert (crash.path / "toy.db-wal").stat().st_size > 0
    with PowerLossDisk(crash.path) as second:
        rows = numbers_in_live(second)
        assert rows == set(crash.marks) == {1, 2, 3, 4, 5, 6}

        def nothing_more_is_lost(image: CrashImage) -> None:
            assert numbers_in(image.path) == rows

        assert second.replay(nothing_more_is_lost, variants=3).disks > 10


# --- connections -----------------------------------------------------------------------------------------------------


def test_readers_see_each_commit_at_once_from_their_threads(disk: PowerLossDisk) -> None:
    writer = connect(disk)
    writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    committed, wrong, stop = [0], list[str](), threading.Event()

    def read() -> None:
        db = apsw.Connection(str(disk.root / "toy.db"), flags=apsw.SQLITE_OPEN_READONLY)
        while not stop.is_set():
            before = committed[0]
            count = db.execute("SELECT count(*) FROM t").get
            if count < before:
                wrong.append(f"{count} rows after the commit of {before}")
        db.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for n in range(1, 151):
        writer.execute("INSERT INTO t VALUES (?)", (n,))
        committed[0] = n
        if n % 50 == 0:
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    stop.set()
    for reader in readers:
        reader.join()
    writer.close()
    assert wrong == []


def test_read_only_connection_may_close_last(disk: PowerLossDisk) -> None:
    writer = connect(disk)
    writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    reader = apsw.Connection(str(disk.root / "toy.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert reader.execute("SELECT count(*) FROM t").get == 0
    writer.close()
    reader.close()


def test_shared_memory_is_no_part_of_an_image(tmp_path: Path, disk: PowerLossDisk) -> None:
    db = connect(disk)
    db.execute("CREATE TABLE t (n)")
    assert (disk.root / "toy.db-shm").exists()
    found = list(images(disk.journal, len(disk.journal.operations), into=tmp_path))
    assert found
    assert all({p.name for p in image.path.iterdir()} <= {"toy.db", "toy.db-wal"} for image in found)
    db.close()


def test_memory_map_and_chunked_growth_lose_nothing(disk: PowerLossDisk) -> None:
    db = connect(disk)
    db.pragma("mmap_size", 1 << 24)
    chunk = ctypes.c_int(1 << 16)
    assert db.file_control("main", apsw.SQLITE_FCNTL_CHUNK_SIZE, ctypes.addressof(chunk))
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filling BLOB)")
    for n in range(12):
        db.execute("INSERT INTO t VALUES (?, zeroblob(9000))", (n,))
        disk.mark(n)
        if n % 4 == 3:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            assert db.execute("SELECT sum(length(filling)) FROM t").get == 9000 * (n + 1)
    assert (disk.root / "toy.db").stat().st_size % (1 << 16) == 0
    db.close()
    disk.replay(acknowledged_rows_are_there)


# --- files -----------------------------------------------------------------------------------------------------------


def store_files(disk: PowerLossDisk, *, leave_out: str = "") -> None:
    """Three files put in place step by step, one of the steps left out."""
    files = disk.files
    files.make_folder("tmp")
    files.make_folder("blobs")
    if leave_out != "parent":
        files.sync_folder("")
    for n in range(3):
        writing = files.create(f"tmp/{n}")
        writing.write(b"%d" % n * 2000)
        if leave_out != "content":
            writing.sync()
        writing.close()
        files.rename(f"tmp/{n}", f"blobs/{n}")
        if leave_out != "folder":
            files.sync_folder("blobs")
        disk.mark(n)


def acknowledged_files_are_whole(image: CrashImage) -> None:
    for n in image.marks:
        assert (image.path / f"blobs/{n}").read_bytes() == b"%d" % n * 2000


def test_file_with_all_syncs_survives(disk: PowerLossDisk) -> None:
    store_files(disk)
    assert disk.replay(acknowledged_files_are_whole, variants=3).disks > 30


@pytest.mark.parametrize("step", ["content", "folder", "parent"])
def test_file_with_a_missing_sync_is_caught(disk: PowerLossDisk, step: str) -> None:
    store_files(disk, leave_out=step)
    with pytest.raises(PowerLoss):
        disk.replay(acknowledged_files_are_whole)


def test_missing_sync_of_the_folder_shows_without_the_new_name(disk: PowerLossDisk) -> None:
    store_files(disk, leave_out="folder")
    with pytest.raises(PowerLoss, match="No such file"):
        disk.replay(acknowledged_files_are_whole, modes=[Mode.NAMES_LOST])


def test_missing_sync_of_content_shows_as_an_empty_file(disk: PowerLossDisk) -> None:
    store_files(disk, leave_out="content")
    with pytest.raises(PowerLoss, match="b''"):
        disk.replay(acknowledged_files_are_whole, modes=[Mode.DATA_LOST])


def test_publisher_leaves_the_old_file_or_the_new_one(disk: PowerLossDisk) -> None:
    publisher = Publisher(disk.files)
    versions = [b"a" * 3000, b"b" * 5000, b"c" * 100]
    for n, content in enumerate(versions):
        assert publisher.put("blobs/aa/one", [content[:70], memoryview(content)[70:]]) == len(content)
        disk.mark(n)

    def one_of_two(image: CrashImage) -> None:
        path, acked = image.path / "blobs/aa/one", len(image.marks)
        found = path.read_bytes() if path.exists() else None
        assert found in [*versions[max(0, acked - 1) : acked + 1], *([None] if not acked else [])]

    disk.replay(one_of_two, variants=3)


def test_publisher_removes_durably(disk: PowerLossDisk) -> None:
    publisher = Publisher(disk.files)
    publisher.put("blobs/one", [b"secret"])
    assert publisher.remove("blobs/one")
    assert not publisher.remove("blobs/one")
    disk.mark("purged")

    def gone_once_promised(image: CrashImage) -> None:
        assert not (image.marks and (image.path / "blobs/one").exists())

    disk.replay(gone_once_promised, variants=2)


# --- database and files in one order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("row_first", [False, True])
def test_row_that_names_a_file_which_is_not_there_yet(disk: PowerLossDisk, row_first: bool) -> None:
    db, publisher = connect(disk), Publisher(disk.files)
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    steps: list[Callable[[int], object]] = [
        lambda n: publisher.put(f"blobs/{n}", [b"%d" % n]),
        lambda n: db.execute("INSERT INTO t VALUES (?)", (n,)),
    ]
    for n in range(5):
        for step in reversed(steps) if row_first else steps:
            step(n)
    db.close()

    def every_row_has_its_file(image: CrashImage) -> None:
        for n in numbers_in(image.path):
            assert (image.path / f"blobs/{n}").read_bytes() == b"%d" % n

    if row_first:
        with pytest.raises(PowerLoss):
            disk.replay(every_row_has_its_file)
    else:
        disk.replay(every_row_has_its_file)


# --- reproducing -----------------------------------------------------------------------------------------------------


def test_loss_names_the_disk_and_builds_it_again(tmp_path: Path, disk: PowerLossDisk) -> None:
    toy(disk, synchronous="off")
    refused = list[dict[str, bytes]]()

    def check(image: CrashImage) -> None:
        before = content_of(image.path)
        try:
            acknowledged_rows_are_there(image)
        except AssertionError:
            refused.append(before)
            raise

    with pytest.raises(PowerLoss) as caught:
        disk.replay(check, modes=[Mode.SCATTER, Mode.TORN, Mode.GARBAGE, Mode.PREFIX], seed=7)
    losses = caught.value.losses
    assert str(losses[0].choice) in str(caught.value)
    for number, (loss, content) in enumerate(zip(losses, refused, strict=True)):
        again = disk.image(loss.choice, tmp_path / f"again-{number}")
        assert content_of(again.path) == content
        with pytest.raises(AssertionError):
            acknowledged_rows_are_there(again)


def test_seed_decides_the_random_disks(tmp_path: Path, disk: PowerLossDisk) -> None:
    toy(disk, synchronous="off", rows=4)
    at = len(disk.journal.operations)

    def scattered(seed: int, name: str) -> dict[str, bytes]:
        return content_of(disk.image(Choice(at=at, mode=Mode.SCATTER, seed=seed), tmp_path / name).path)

    assert scattered(1, "a") == scattered(1, "b")
    assert scattered(1, "c") != scattered(2, "d")


def test_limit_takes_the_moments_after_each_promise_first(disk: PowerLossDisk) -> None:
    toy(disk, synchronous="off")
    seen = list[Choice]()
    report = disk.replay(lambda image: seen.append(image.choice), limit=40)
    assert report.disks == len(seen) <= 40
    with pytest.raises(PowerLoss, match="lost"):
        disk.replay(acknowledged_rows_are_there, limit=40)
