"""The real file layer: exact bytes, links refused in every part of a name, errors in the domain's words."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.core.errors import AlreadyExists, Invalid, NotFound, StorageFailed, StorageFull
from stepwell.storage.embedded.reserve import RESERVE_BYTES, Reserve
from stepwell.storage.files import Entry, Kind, RealFiles, parts_of
from stepwell.storage.publishing import Publisher, mapped, storage_error, syncing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def files(root: Path) -> RealFiles:
    return RealFiles(root)


def test_create_writes_all_bytes_into_a_private_file(files: RealFiles, root: Path) -> None:
    writing = files.create("one")
    writing.write(b"abc")
    writing.write(memoryview(b"-def-")[1:4])
    writing.sync()
    writing.close()
    writing.close()
    files.sync_folder("")
    assert (root / "one").read_bytes() == b"abcdef"
    assert (root / "one").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError, match="closed"):
        writing.write(b"x")


def test_create_never_replaces(files: RealFiles, root: Path) -> None:
    (root / "one").write_bytes(b"old")
    (root / "link").symlink_to("nowhere")
    for name in ("one", "link"):
        with pytest.raises(FileExistsError):
            files.create(name)
    assert (root / "one").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["/etc/passwd", "..", "a/../b", "./a", "a//b", "a/", "nul\0", "a/."])
def test_names_stay_below_the_root(files: RealFiles, name: str) -> None:
    for act in (files.open, files.create, files.unlink, files.make_folder, files.entry, files.entries):
        with pytest.raises(OSError, match="below the root"):
            act(name)
    with pytest.raises(OSError, match="below the root"):
        files.rename("a", name)


def test_the_root_is_no_file(files: RealFiles) -> None:
    assert parts_of("") == ()
    with pytest.raises(OSError, match="below the root"):
        files.unlink("")


def test_links_are_refused_in_every_part(files: RealFiles, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for name in ("file", "folder/secret"):
        with pytest.raises(Invalid), mapped(name):
            files.open(name)
    with pytest.raises(Invalid), mapped("folder"):
        files.make_folder("folder")
    with pytest.raises(Invalid), mapped("folder/new"):
        files.create("folder/new")
    with pytest.raises(Invalid), mapped("folder"):
        files.entries("folder")
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_pipe_is_refused_without_waiting(files: RealFiles, root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(Invalid), mapped("pipe"):
        files.open("pipe")


def test_folder_is_not_read_as_a_file(files: RealFiles) -> None:
    files.make_folder("folder")
    with pytest.raises(Invalid), mapped("folder"):
        files.open("folder")


def test_entries_name_everything_and_follow_nothing(files: RealFiles, root: Path) -> None:
    assert files.make_folder("b")
    assert not files.make_folder("b")
    (root / "a").write_bytes(b"123")
    (root / "c").symlink_to("a")
    listed = files.entries("")
    assert listed == (
        Entry(name="a", kind=Kind.FILE, size=3),
        Entry(name="b", kind=Kind.FOLDER, size=0),
        Entry(name="c", kind=Kind.OTHER, size=0),
    )
    assert tuple(files.entry(entry.name) for entry in listed) == listed


def test_rename_replaces(files: RealFiles, root: Path) -> None:
    files.make_folder("b")
    (root / "new").write_bytes(b"new")
    (root / "b/old").write_bytes(b"old")
    files.rename("new", "b/old")
    assert (root / "b/old").read_bytes() == b"new"
    assert not (root / "new").exists()


def test_no_descriptor_is_left_open(files: RealFiles, root: Path) -> None:
    (root / "file").write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts descriptors
    for _ in range(20):
        files.make_folder("a")
        files.make_folder("a/b")
        files.entries("a/b")
        files.sync_folder("a/b")
        with pytest.raises(OSError, match="Not a directory"):
            files.open("file/x")
        with pytest.raises(OSError, match="plain"):
            files.open("a")
        with files.open("file") as opened:
            assert opened.read() == b"x"
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_reserve_takes_real_blocks_and_gives_them_back(files: RealFiles, root: Path) -> None:
    reserve = Reserve(files)
    assert not reserve.held
    assert reserve.fill()
    assert reserve.held
    found = (root / "reserve").stat()
    assert found.st_size == RESERVE_BYTES
    assert found.st_blocks * 512 >= RESERVE_BYTES
    assert Reserve(files).fill()
    assert (root / "reserve").stat().st_ino == found.st_ino
    reserve.release()
    reserve.release()
    assert not reserve.held
    assert not (root / "reserve").exists()


def test_half_made_reserve_is_made_again(files: RealFiles, root: Path) -> None:
    (root / "reserve").write_bytes(b"\0" * 10)
    reserve = Reserve(files, size=5000)
    assert not reserve.held
    assert reserve.fill()
    assert (root / "reserve").stat().st_size == 5000


def test_free_space_is_what_the_system_says(files: RealFiles, root: Path) -> None:
    disk = os.statvfs(root)
    assert 0 < files.free_space() <= disk.f_blocks * disk.f_frsize


def test_publisher_makes_folders_and_counts_bytes(files: RealFiles, root: Path) -> None:
    publisher = Publisher(files)
    chunks: list[bytes | memoryview] = [b"12", memoryview(bytearray(b"345"))]
    assert publisher.put("a/b/c/one", iter(chunks)) == 5
    assert publisher.put("empty", []) == 0
    assert (root / "a/b/c/one").read_bytes() == b"12345"
    assert (root / "empty").read_bytes() == b""
    assert list((root / "tmp").iterdir()) == []


def test_publisher_passes_the_sender_s_error_and_keeps_nothing(files: RealFiles, root: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        Publisher(files).put("one", broken())
    assert not (root / "one").exists()
    assert list((root / "tmp").iterdir()) == []


def test_publisher_discards_what_an_earlier_process_left(files: RealFiles, root: Path) -> None:
    (root / "tmp").mkdir()
    (root / "tmp/0.part").write_bytes(b"left")
    assert Publisher(files).put("one", [b"x"]) == 1  # takes another name
    assert Publisher(files).discard_unfinished() == 1
    assert list((root / "tmp").iterdir()) == []


def test_removing_what_is_not_there(files: RealFiles) -> None:
    publisher = Publisher(files)
    assert not publisher.remove("one")
    assert not publisher.remove("no/such/folder")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("ENOSPC", StorageFull),
        ("EDQUOT", StorageFull),
        ("ENOENT", NotFound),
        ("EEXIST", AlreadyExists),
        ("ELOOP", Invalid),
        ("ENOTDIR", Invalid),
        ("ENAMETOOLONG", Invalid),
        ("EIO", StorageFailed),
        ("EROFS", StorageFailed),
    ],
)
def test_errors_in_the_domain_s_words(number: str, expected: type[Exception]) -> None:
    code = int(getattr(errno, number))
    found = storage_error(OSError(code, os.strerror(code)), "blobs/one")
    assert type(found) is expected


def test_any_failed_sync_stops_writing() -> None:
    for number in (5, 28, 122):
        with pytest.raises(StorageFailed, match="blobs/one"), syncing("blobs/one"):
            raise OSError(number, os.strerror(number))
