"""Faults reach the program as a real disk's errors would; a program that handles them loses nothing it promised."""

from pathlib import Path

import apsw
import pytest

from crash.powerloss import CrashImage, Fault, PowerLoss, PowerLossDisk, Step
from crash.toy import acknowledged_rows_are_there, connect
from stepwell.core.errors import StorageFailed, StorageFull
from stepwell.storage.embedded.reserve import Reserve
from stepwell.storage.publishing import Publisher


def test_failed_sync_reaches_the_program_and_the_commit_is_gone(disk: PowerLossDisk) -> None:
    db = connect(disk)
    db.execute("CREATE TABLE t (n)")
    disk.faults.fail(Step.SYNC, Fault.IO_ERROR, name="*-wal")
    with pytest.raises(apsw.IOError) as caught:
        db.execute("INSERT INTO t VALUES (1)")
    assert getattr(caught.value, "extendedresult", None) == apsw.SQLITE_IOERR_FSYNC
    assert disk.faults.hits == [(Step.SYNC, "toy.db-wal")]
    assert db.execute("SELECT count(*) FROM t").get == 0
    db.close()


def test_sync_that_is_tried_again_after_it_failed_is_caught(disk: PowerLossDisk) -> None:
    writing = disk.files.create("f")
    disk.files.sync_folder("")
    writing.write(b"x" * 100)
    disk.faults.fail(Step.SYNC, Fault.IO_ERROR)
    with pytest.raises(OSError, match="Input/output error"):
        writing.sync()
    writing.sync()  # reports success, as Linux does
    disk.mark("durable")
    writing.close()

    def promised_content_is_there(image: CrashImage) -> None:
        assert not image.marks or (image.path / "f").read_bytes() == b"x" * 100

    with pytest.raises(PowerLoss):
        disk.replay(promised_content_is_there)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.NO_SPACE, apsw.FullError), (Fault.IO_ERROR, apsw.IOError), (Fault.SHORT, apsw.FullError)],
)
def test_write_fault_at_each_write_loses_nothing_acknowledged(
    tmp_path: Path, fault: Fault, error: type[apsw.Error]
) -> None:
    for skip in range(12):
        live = tmp_path / str(skip)
        live.mkdir()
        with PowerLossDisk(live) as disk:
            db = connect(disk)
            db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filling BLOB)")
            disk.faults.fail(Step.WRITE, fault, skip=skip)
            refused = 0
            for n in range(1, 6):
                try:
                    db.execute("INSERT INTO t VALUES (?, ?)", (n, bytes(5000)))
                    disk.mark(n)
                except error:
                    refused += 1
            assert refused == len(disk.faults.hits) == 1
            assert {number for (number,) in db.execute("SELECT n FROM t")} == set(disk_marks(disk))
            db.close()
            disk.replay(acknowledged_rows_are_there, limit=40)


def disk_marks(disk: PowerLossDisk) -> list[object]:
    return [operation.value for operation in disk.journal.operations if hasattr(operation, "value")]


def test_full_disk_heals(disk: PowerLossDisk) -> None:
    db = connect(disk)
    db.execute("CREATE TABLE t (n)")
    disk.faults.fill_up()
    for _ in range(3):
        with pytest.raises(apsw.FullError):
            db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(OSError, match="No space"):
        disk.files.create("f")
    disk.faults.heal()
    db.execute("INSERT INTO t VALUES (1)")
    assert db.execute("SELECT count(*) FROM t").get == 1
    db.close()


def test_capacity_counts_database_and_files_and_the_reserve_gives_room(disk: PowerLossDisk) -> None:
    db = connect(disk)
    db.execute("CREATE TABLE t (n, filling BLOB)")
    disk.faults.capacity = 400_000
    reserve = Reserve(disk.files, size=100_000)
    assert reserve.fill()
    assert reserve.held
    insert = "INSERT INTO t VALUES (?, zeroblob(9000))"
    with pytest.raises(apsw.FullError):
        db.executemany(insert, [(n,) for n in range(100)])
    rows = db.execute("SELECT count(*) FROM t").get
    assert 10 < rows < 40
    assert disk.files.free_space() < 20_000
    reserve.release()
    db.execute(insert, (rows,))
    assert not Reserve(disk.files, size=300_000).fill()
    assert not (disk.root / "reserve").exists()
    disk.faults.heal()  # closing copies the whole WAL into the database
    db.close()


def test_reserve_is_whole_or_made_again_after_any_crash(tmp_path: Path, disk: PowerLossDisk) -> None:
    Reserve(disk.files, size=10_000).fill()
    disk.mark("held")

    def can_be_held(image: CrashImage) -> None:
        with PowerLossDisk(image.path) as again:
            reserve = Reserve(again.files, size=10_000)
            assert reserve.held or not image.marks
            assert reserve.fill()
            assert (image.path / "reserve").stat().st_size == 10_000

    disk.replay(can_be_held)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("step", list(Step))
def test_publisher_under_a_fault_keeps_the_old_file(disk: PowerLossDisk, step: Step) -> None:
    publisher = Publisher(disk.files)
    publisher.put("blobs/one", [b"old"])
    disk.faults.fail(step, Fault.IO_ERROR)
    if step in {Step.RESIZE, Step.UNLINK, Step.MAKE_FOLDER}:
        publisher.put("blobs/one", [b"new"])  # takes no such step once its folders are there
        assert disk.faults.hits == []
    else:
        with pytest.raises(StorageFailed):
            publisher.put("blobs/one", [b"new"])
        assert (disk.root / "blobs/one").read_bytes() == (b"new" if step is Step.SYNC_FOLDER else b"old")
    assert names_in(disk.root / "tmp") == []


def test_publisher_on_a_full_disk_says_so_and_leaves_nothing(disk: PowerLossDisk) -> None:
    publisher = Publisher(disk.files)
    publisher.put("blobs/one", [b"old"])
    disk.faults.capacity = disk.journal.used() + 1000
    with pytest.raises(StorageFull):
        publisher.put("blobs/two", [b"x" * 600, b"x" * 600])
    assert names_in(disk.root / "blobs") == ["one"]
    assert names_in(disk.root / "tmp") == []
    assert publisher.put("blobs/two", [b"x" * 600]) == 600


def test_failed_folder_sync_of_a_deleted_journal_is_an_error(tmp_path: Path, disk: PowerLossDisk) -> None:
    db = apsw.Connection(str(disk.root / "toy.db"))
    db.pragma("synchronous", "extra")  # the only setting that syncs the folder after the journal's removal
    db.execute("CREATE TABLE t (n)")
    disk.faults.fail(Step.SYNC_FOLDER, Fault.IO_ERROR, skip=1)
    with pytest.raises(apsw.IOError):
        db.execute("INSERT INTO t VALUES (1)")
    db.close()
