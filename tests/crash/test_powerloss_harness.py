"""The power-loss disk must find what it is there to find: each bug is planted in a toy program and has to be caught."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from crash.powerloss import Choice, CrashImage, Fault, Mode, PowerLoss, PowerLossDisk, Step, images
from stepwell.core.errors import StorageFailed, StorageFull
from stepwell.storage.embedded.publishing import Publisher
from stepwell.storage.embedded.reserve import Reserve


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[PowerLossDisk]:
    live = tmp_path / "live"
    live.mkdir()
    with PowerLossDisk(live) as disk:
        yield disk


def connect(disk: PowerLossDisk, *, synchronous: str = "full", **options: int) -> apsw.Connection:
    db = apsw.Connection(str(disk.root / "toy.db"), vfs=disk.vfs, **options)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", synchronous)
    db.pragma("wal_autocheckpoint", 0)
    return db


def numbers_in(path: Path) -> set[int]:
    """The committed rows of a disk; none when the power went before the table was there."""
    db = apsw.Connection(str(path / "toy.db"))
    try:
        assert db.pragma("integrity_check") == "ok"
        if not db.table_exists("main", "t"):
            return set()
        return {number for (number,) in db.execute("SELECT n FROM t")}
    finally:
        db.close()


def acknowledged_rows_are_there(image: CrashImage) -> None:
    lost = set(image.marks) - numbers_in(image.path)
    assert not lost, f"lost {sorted(lost)}"


def toy(disk: PowerLossDisk, *, synchronous: str = "full", early: bool = False, rows: int = 24) -> None:
    """Rows 1, 2, ... each in a commit of its own, acknowledged by a mark; checkpoints of both kinds between them."""
    db = connect(disk, synchronous=synchronous)
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, filling BLOB)")
    for n in range(1, rows + 1):
        if early:
            disk.mark(n)
        db.execute("INSERT INTO t VALUES (?, ?)", (n, bytes(500 * (n % 5))))
        if not early:
            disk.mark(n)
        if n % 8 == 0:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE if n % 16 else apsw.SQLITE_CHECKPOINT_PASSIVE)
    db.close()


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


def numbers_in_live(disk: PowerLossDisk) -> set[int]:
    db = connect(disk)
    rows = {number for (number,) in db.execute("SELECT n FROM t")}
    db.close()
    return rows


# --- connections -----------------------------------------------------------------------------------------------------


def test_readers_see_each_commit_at_once_from_their_threads(disk: PowerLossDisk) -> None:
    writer = connect(disk)
    writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    committed, wrong, stop = [0], list[str](), threading.Event()

    def read() -> None:
        db = apsw.Connection(str(disk.root / "toy.db"), vfs=disk.vfs, flags=apsw.SQLITE_OPEN_READONLY)
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
    reader = apsw.Connection(str(disk.root / "toy.db"), vfs=disk.vfs, flags=apsw.SQLITE_OPEN_READONLY)
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


def content_of(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


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


# --- what each mode does, byte by byte -------------------------------------------------------------------------------


def written(disk: PowerLossDisk, durable: bytes, unsynced: bytes, offset_parts: int = 1) -> int:
    """File `f` with a durable beginning and unsynced writes behind it; the boundary after them."""
    writing = disk.files.create("f")
    writing.write(durable)
    writing.sync()
    disk.files.sync_folder("")
    step = len(unsynced) // offset_parts
    for start in range(0, len(unsynced), step):
        writing.write(unsynced[start : start + step])
    writing.close()
    return len(disk.journal.operations)


def file_of(disk: PowerLossDisk, tmp_path: Path, at: int, mode: Mode, seed: int) -> bytes:
    return (disk.image(Choice(at=at, mode=mode, seed=seed), tmp_path / f"{mode}-{seed}").path / "f").read_bytes()


def test_drop_and_keep(tmp_path: Path, disk: PowerLossDisk) -> None:
    at = written(disk, b"d" * 600, b"n" * 600)
    assert file_of(disk, tmp_path, at, Mode.DROP, 0) == b"d" * 600
    assert file_of(disk, tmp_path, at, Mode.KEEP, 0) == b"d" * 600 + b"n" * 600


def test_prefix_keeps_the_first_writes_and_subset_any(tmp_path: Path, disk: PowerLossDisk) -> None:
    at = written(disk, b"", b"abcdefgh", offset_parts=8)
    prefixes = {file_of(disk, tmp_path, at, Mode.PREFIX, seed) for seed in range(40)}
    assert prefixes <= {b"abcdefgh"[:n] for n in range(9)}
    assert len(prefixes) > 4
    subsets = {file_of(disk, tmp_path, at, Mode.SUBSET, seed) for seed in range(40)}
    assert any(b"\0" in found.rstrip(b"\0") for found in subsets)  # a later write without an earlier one


def test_torn_write_is_cut_at_sectors(tmp_path: Path, disk: PowerLossDisk) -> None:
    at = written(disk, b"d" * 100, b"n" * 4096)
    torn = [file_of(disk, tmp_path, at, Mode.TORN, seed).ljust(4196, b"\0") for seed in range(20)]
    for found in torn:
        assert found[:100] == b"d" * 100
        sectors = [found[100:512], *(found[n : n + 512] for n in range(512, 4196, 512))]
        assert all(set(sector) <= {0} or set(sector) == {ord("n")} for sector in sectors)
        assert 0 < found.count(b"n") < 4096
    assert len(set(torn)) > 10


def test_garbage_appears_only_where_the_file_grew(tmp_path: Path, disk: PowerLossDisk) -> None:
    at = written(disk, b"d" * 100, b"n" * 4096)
    found = [file_of(disk, tmp_path, at, Mode.GARBAGE, seed) for seed in range(20)]
    assert all(len(content) == 4196 and content[:100] == b"d" * 100 for content in found)
    assert any(len(set(content[512:])) > 50 for content in found)


def test_unsynced_removal_may_come_back(tmp_path: Path, disk: PowerLossDisk) -> None:
    written(disk, b"durable", b"n")
    disk.files.unlink("f")
    at = len(disk.journal.operations)
    assert file_of(disk, tmp_path, at, Mode.NAMES_LOST, 0) == b"durablen"
    disk.files.sync_folder("")
    assert content_of(disk.image(Choice(at=at + 1, mode=Mode.DROP), tmp_path / "after").path) == {}


def test_unsynced_rename_may_go_back_and_never_loses_both_names(tmp_path: Path, disk: PowerLossDisk) -> None:
    files = disk.files
    files.make_folder("a")
    files.make_folder("b")
    files.sync_folder("")
    writing = files.create("a/old")
    writing.write(b"x")
    writing.sync()
    writing.close()
    files.sync_folder("a")
    files.rename("a/old", "b/new")
    files.sync_folder("a")  # the wrong one
    at = len(disk.journal.operations)
    seen = set()
    for seed in range(20):
        found = content_of(disk.image(Choice(at=at, mode=Mode.SUBSET, seed=seed), tmp_path / str(seed)).path)
        assert set(found.values()) == {b"x"}
        seen.add(tuple(found))
    assert ("a/old",) in seen
    assert ("b/new",) in seen


def test_late_write_during_a_sync_is_not_covered(tmp_path: Path, disk: PowerLossDisk) -> None:
    writing = disk.files.create("f")
    disk.files.sync_folder("")
    writing.write(b"before")
    begun = len(disk.journal.operations)
    writing.write(b"meanwhile")
    disk.journal.synced(disk.journal.node(("f",)), begun, ok=True)
    writing.close()
    assert file_of(disk, tmp_path, len(disk.journal.operations), Mode.DROP, 0) == b"before"


# --- faults ----------------------------------------------------------------------------------------------------------


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
    db = apsw.Connection(str(disk.root / "toy.db"), vfs=disk.vfs)
    db.pragma("synchronous", "extra")  # the only setting that syncs the folder after the journal's removal
    db.execute("CREATE TABLE t (n)")
    disk.faults.fail(Step.SYNC_FOLDER, Fault.IO_ERROR, skip=1)
    with pytest.raises(apsw.IOError):
        db.execute("INSERT INTO t VALUES (1)")
    db.close()
