"""What each mode leaves on the disk, byte by byte."""

from pathlib import Path

from crash.powerloss import Choice, Mode, PowerLossDisk
from crash.toy import content_of


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


def test_name_taken_again_after_a_rename_stays_with_the_new_file(tmp_path: Path, disk: PowerLossDisk) -> None:
    files = disk.files
    for folder in ("a", "b"):
        files.make_folder(folder)
    files.sync_folder("")
    for content in (b"first", b"second"):
        writing = files.create("a/name")
        writing.write(content)
        writing.sync()
        writing.close()
        files.sync_folder("a")
        if content == b"first":
            files.rename("a/name", "b/name")
    files.sync_folder("b")  # only now is the old name's removal complete on disk
    image = disk.image(Choice(at=len(disk.journal.operations), mode=Mode.DROP), tmp_path / "after")
    assert content_of(image.path) == {"a/name": b"second", "b/name": b"first"}


def test_late_write_during_a_sync_is_not_covered(tmp_path: Path, disk: PowerLossDisk) -> None:
    writing = disk.files.create("f")
    disk.files.sync_folder("")
    writing.write(b"before")
    begun = len(disk.journal.operations)
    writing.write(b"meanwhile")
    disk.journal.synced(disk.journal.node(("f",)), begun, ok=True)
    writing.close()
    assert file_of(disk, tmp_path, len(disk.journal.operations), Mode.DROP, 0) == b"before"
