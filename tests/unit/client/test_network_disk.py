"""A spool on a network file system, which may lose what it took until a sync, forget a segment, and show readers
elsewhere the end of a file before its beginning."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.client.outbox import Item, Outbox, Place, is_settled, outboxes
from stepwell.client.records import Note, encode_note
from stepwell.client.spool import Spool, segment_name

HEAD = encode_note(Note("segment", {"version": 1, "run": "r", "machine": "another", "pid": 1}))


class Disk:
    """Takes what is written, and with the next fsync keeps it or loses it, as `plan` says call by call.

    A word of the plan is the name of an error, "" none. What an fsync loses is zeros in the file, and the one after it
    succeeds: so do file systems behave whose server had no room, or was away for too long.
    """

    def __init__(self, plan: list[str]) -> None:
        self.plan = plan
        self.forgotten: set[int] = set()
        self._pwrite, self._fsync, self._ftruncate = os.pwrite, os.fsync, os.ftruncate
        self._dirty: dict[int, list[tuple[int, int]]] = {}

    def _next(self, descriptor: int) -> None:
        word = self.plan.pop(0) if self.plan else ""
        if descriptor in self.forgotten:
            word = "ESTALE"
        if word == "ESTALE":
            self.forgotten.add(descriptor)
        if word:
            number = getattr(errno, word)
            raise OSError(number, os.strerror(number))

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        self._next(descriptor)
        taken = self._pwrite(descriptor, data, offset)
        self._dirty.setdefault(descriptor, []).append((offset, taken))
        return taken

    def fsync(self, descriptor: int) -> None:
        dirty = self._dirty.pop(descriptor, [])
        try:
            self._next(descriptor)
        except OSError:
            for offset, length in dirty:
                self._pwrite(descriptor, bytes(length), offset)
            raise

    def ftruncate(self, descriptor: int, length: int) -> None:
        self._next(descriptor)
        self._ftruncate(descriptor, length)

    def close(self, descriptor: int) -> None:
        self.forgotten.discard(descriptor)
        self._dirty.pop(descriptor, None)


def on(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    close = os.close

    def closed(descriptor: int) -> None:
        disk.close(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    monkeypatch.setattr(os, "ftruncate", disk.ftruncate)
    monkeypatch.setattr(os, "close", closed)


def note(number: int) -> bytes:
    return encode_note(Note("change", {"number": number}))


def numbers(folder: Path, *, ended: bool = True) -> list[int]:
    """Those of all whole notes, in their order."""
    return [
        item.record.fields["number"]
        for item in Outbox(folder).items(Place(0, 0), ended=ended)
        if isinstance(item, Item) and isinstance(item.record, Note) and item.record.kind == "change"
    ]


@given(
    plan=st.lists(st.sampled_from(["", "", "", "EIO", "EDQUOT", "ENOSPC", "ESTALE", "ETIMEDOUT"]), max_size=40),
    syncs=st.lists(st.booleans(), min_size=1, max_size=30),
    segment_bytes=st.sampled_from([150, 300, 10_000]),
)
def test_what_a_sync_acknowledged_is_there_whatever_failed_before(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str], syncs: list[bool], segment_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with pytest.MonkeyPatch.context() as monkeypatch:
        on(Disk(list(plan)), monkeypatch)
        spool = Spool(folder, HEAD, segment_bytes=segment_bytes)
        for number, sync in enumerate(syncs):
            assert spool.append(note(number))
            if sync and spool.sync():
                assert set(numbers(folder)) == set(range(number + 1))
        for _ in plan:  # until it has failed often enough
            spool.sync()
        assert spool.close()
    found = numbers(folder)
    assert list(dict.fromkeys(found)) == list(range(len(syncs)))
    if not any(plan):
        assert len(found) == len(syncs)
    assert spool.held() == (len(syncs), [])


def test_a_sync_that_fails_says_so_and_the_next_one_writes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Disk([*[""] * 4, "EDQUOT"]), monkeypatch)  # after the folder, the head and two notes
    spool = Spool(tmp_path, HEAD)
    for number in range(2):
        assert spool.append(note(number))
    assert not spool.sync()
    assert spool.failure == os.strerror(errno.EDQUOT)
    assert spool.held() == (0, [note(0), note(1)])
    assert numbers(tmp_path) == []
    assert spool.sync()
    assert spool.failure == ""
    assert numbers(tmp_path) == [0, 1]


def test_what_was_read_before_it_was_lost_hides_nothing_that_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Disk([*[""] * 3, "", *[""] * 2, "EIO"]), monkeypatch)  # folder, head, note, sync; two notes, sync
    spool = Spool(tmp_path, HEAD)
    outbox = Outbox(tmp_path)
    spool.append(note(0))
    assert spool.sync()
    for number in (1, 2):
        spool.append(note(number))
    outbox.mark([item.after for item in outbox.items(Place(0, 0), ended=False)][-1])  # all three are on the server
    assert not spool.sync()
    spool.let_go(*((held := spool.held())[0], len(held[1])))  # and once more
    assert spool.append(note(3))
    assert spool.close()
    assert outbox.unsent_bytes() > 0
    left = [item for item in outbox.items(outbox.sent(), ended=True) if isinstance(item, Item)]
    assert [item.record.fields.get("number") for item in left if isinstance(item.record, Note)] == [None, 3]
    assert numbers(tmp_path) == [0, 3]


def test_what_came_back_from_the_disk_is_not_let_go_with_what_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(["", "", "", "ENOSPC"])
    on(disk, monkeypatch)
    spool = Spool(tmp_path, HEAD)
    spool.append(note(0))
    spool.append(note(1))
    first, payloads = spool.held()
    assert (first, payloads) == (1, [note(1)])
    disk.plan = ["", "EIO"]
    assert not spool.sync()  # while somebody sends note 1, it is written and lost, and note 0 with it
    spool.let_go(first, len(payloads))
    assert spool.held() == (0, [note(0), note(1)])
    spool.let_go(0, 2)
    assert spool.held() == (2, [])


def test_a_spool_that_is_removed_begins_again(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, HEAD)
    spool.append(note(0))
    assert spool.sync()
    spool.append(note(1))
    shutil.rmtree(folder)
    assert spool.append(note(2))
    assert "No such file" in spool.failure
    assert spool.sync()
    assert spool.failure == ""
    assert numbers(folder) == [1, 2]  # what was synced, somebody removed; what was not is written again
    assert Outbox(folder).head()["run"] == "r"
    assert [number for number, _ in Outbox(folder).segments()] == [2]


def test_files_are_synced_with_what_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    spool = Spool(tmp_path, HEAD)
    for name in ("kept", "sent"):
        (tmp_path / name).write_text("a file")
        spool.copied(tmp_path / name)
        spool.append(note(0))
    (tmp_path / "sent").unlink()
    assert spool.sync()
    assert str(tmp_path / "kept") in synced
    assert synced.index(str(tmp_path / "kept")) < synced.index(str(tmp_path / segment_name(1)))
    synced.clear()
    assert spool.sync()
    assert str(tmp_path / "kept") not in synced


def test_a_reader_elsewhere_waits_for_what_it_does_not_see_yet(tmp_path: Path) -> None:
    spool = Spool(tmp_path, HEAD)
    spool.append(note(0))
    path = tmp_path / segment_name(1)
    begin = path.stat().st_size
    for number in range(1, 4):
        spool.append(note(number))
    spool.close()
    whole = path.read_bytes()
    end = begin + (len(whole) - begin) // 3
    path.write_bytes(whole[:begin] + bytes(end - begin) + whole[end:])  # the pages came in another order
    outbox = Outbox(tmp_path)
    assert not is_settled(outbox)
    assert numbers(tmp_path, ended=False) == [0]
    path.write_bytes(whole)
    assert numbers(tmp_path, ended=False) == [0, 1, 2, 3]


def test_what_is_long_untouched_comes_from_no_living_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path, HEAD, segment_bytes=100)
    for number in range(3):
        spool.append(note(number))
    spool.close()
    *earlier, (_, last) = Outbox(tmp_path).segments()
    for _, path in earlier:
        os.utime(path, (0, 0))
    assert not is_settled(Outbox(tmp_path))
    then = time.time() - 3600
    os.utime(last, (then, then))
    assert is_settled(Outbox(tmp_path))


def test_marks_of_two_machines_do_not_meet_before_they_are_whole(tmp_path: Path) -> None:
    boxes = [Outbox(tmp_path) for _ in range(2)]  # the same number of a process, as on two machines
    written: list[str] = []
    replace = Path.replace

    def noted(path: Path, to: Path) -> Path:
        written.append(path.name)
        return replace(path, to)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Path, "replace", noted)
        for box in boxes:
            box.mark(Place(1, 7))
    assert len(set(written)) == 2
    assert boxes[0].sent() == Place(1, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["sent.json"]


def test_a_folder_that_its_own_process_removes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / segment_name(1)).write_bytes(b"")
    look = os.scandir

    def scandir(place: str | Path) -> object:
        if str(place).endswith("/a"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(place))
        return look(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [each.folder for each in outboxes(tmp_path)] == [tmp_path / "b"]
