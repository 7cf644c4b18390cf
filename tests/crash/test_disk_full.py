"""The disk is full: writes are refused in the dialect's own words, reads and purges go on, room brings writes back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import disks
from crash.powerloss import PowerLossDisk
from crash.reopening import checker, marking, on_disk
from crash.story import Create, Put, Story, Write, files_of
from crash.traffic import MLFLOW, Caller, Gone, Talk, assert_kept
from serving import Server, binary
from stepwell.core.errors import StorageFull
from stepwell.core.model import NO_COLUMNS
from stepwell.storage.embedded import EmbeddedStore
from stepwell.storage.embedded.reserve import RESERVE_BYTES
from stores import W, add, make_runs, new_run, read_rows, selector

MIB = 2**20
LOSS = ("loss", ())
WITHIN = 60.0  # seconds, for what must come about by itself


def until(come_about: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WITHIN
    while not come_about():
        assert time.monotonic() < end, f"not within a minute: {what}"
        time.sleep(0.02)


# --- the engine on a disk of a given size -----------------------------------------------------------------------------


def fill(store: EmbeddedStore, *, run: str = "a") -> int:
    """Write until it is refused; how many points were acknowledged."""
    step = len(read_rows(store, selector(run)))
    while True:
        try:
            add(store, [(step + n, step + n, (step + n) / 7) for n in range(500)], run)
        except StorageFull:
            return step
        step += 500


@contextmanager
def small(disk: PowerLossDisk, room: int) -> Iterator[EmbeddedStore]:
    """A store with three runs and so many bytes left beside its reserve."""
    with on_disk(disk) as store:
        make_runs(store, "a", "b", "c")
        add(store, [(n, n, float(n)) for n in range(2_000)], "b")
        disk.faults.capacity = disk.journal.used() + room
        yield store


@pytest.mark.parametrize("room", [0, 5_000, 100_000, 400_000])
def test_a_full_disk_refuses_writes_and_nothing_else(disk: PowerLossDisk, room: int):
    with small(disk, room) as store:
        stored = fill(store)
        assert "full" in store.healthy()
        for refused in (
            lambda: add(store, [(1, 1, 1.0)], "c"),
            lambda: store.create_runs(workspace=W, new=[new_run("d")]),
            lambda: Put(owner="b", path="x", content=bytes(RESERVE_BYTES + MIB)).do(store),
        ):
            with pytest.raises(StorageFull):
                refused()
        assert read_rows(store, selector("a"))[stored - 1 :][:1] == read_rows(store, selector("a"))[-1:]
        assert len(read_rows(store, selector("b"))) == 2_000
        store.flush()
        assert store.purge_runs(workspace=W, run_ids=["b"]) == 1
        assert store.get_runs(workspace=W, run_ids=["b"], columns=NO_COLUMNS)[0] is None
        assert len(read_rows(store, selector("a"))) == stored
        assert "full" in store.healthy()
        disk.faults.heal()
        until(lambda: _written(store, "c"), "writes are taken again")
        assert store.healthy() == ""
        assert not list(store.check())
        assert disk.files.entry("reserve").size == RESERVE_BYTES


def _written(store: EmbeddedStore, run: str) -> bool:
    try:
        add(store, [(1, 1, 1.0)], run)
    except StorageFull:
        return False
    return True


def test_a_file_that_does_not_fit_leaves_nothing(disk: PowerLossDisk):
    with small(disk, 200_000) as store:
        with pytest.raises(StorageFull):
            Put(owner="a", path="big.bin", content=bytes(MIB)).do(store)
        assert files_of(store, "a") == {}
        assert store.healthy() == "", "small writes still fit"
        Put(owner="a", path="small.bin", content=bytes(1_000)).do(store)
        add(store, [(1, 1, 1.0)], "a")
        assert files_of(store, "a") == {("a", "small.bin"): bytes(1_000)}
        assert not list((disk.root / "tmp").iterdir())


def test_a_disk_that_is_full_at_the_start_can_be_read_and_purged(disk: PowerLossDisk):
    with small(disk, 300_000) as store:
        stored = fill(store)
    with on_disk(disk) as store:
        assert len(read_rows(store, selector("a"))) == stored
        assert disk.files.free_space() < MIB
        assert store.purge_runs(workspace=W, run_ids=["a"]) == 1
        disk.faults.heal()
        until(lambda: _written(store, "c"), "writes are taken again")
        assert not list(store.check())


def test_a_checkpoint_that_finds_no_room_stops_nothing_for_good(disk: PowerLossDisk):
    """The log holds what the database has no room for; the write itself was durable."""
    with on_disk(disk) as store:
        make_runs(store, "a")
        disk.faults.capacity = disk.journal.used() + 30_000
        store._checkpoints._due = 1
        add(store, [(n, n, n / 3) for n in range(1_000)], "a")
        until(lambda: "full" in store.healthy(), "the checkpoint found no room")
        assert len(read_rows(store, selector("a"))) == 1_000
        disk.faults.heal()
        until(lambda: _written(store, "a"), "writes are taken again")


def test_power_lost_on_a_full_disk_loses_nothing(disk: PowerLossDisk):
    """Half-written commits, a released reserve, a purge in what it gave: at each moment all acknowledged is there."""
    story = Story("caller", [Create(runs=("a",)), *(_line(n) for n in range(60))])
    with on_disk(disk) as store:
        mark = marking(disk, store)
        story.tell(store, mark=mark, part=slice(5))
        disk.journal.first = len(disk.journal.operations)
        disk.faults.capacity = disk.journal.used() + 60_000
        told = 5
        while _told(store, story, told, mark):
            told += 1
        disk.faults.heal()
        until(lambda: _told(store, story, told, mark), "there is room again")
        story.tell(store, mark=mark, part=slice(told, told + 3))
    disk.replay(checker([story]), limit=60, seed=8)


def _told(store: EmbeddedStore, story: Story, number: int, mark: Callable[[object], None]) -> bool:
    try:
        story.tell(store, mark=mark, part=slice(number, number + 1))
    except StorageFull:
        return False
    return True


def _line(number: int) -> Write:
    return Write(points={"a": {LOSS: [(300 * number + n, n, n / 3 + number) for n in range(300)]}})


# --- a real server on a real small disk -------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory."""
    with disks.small_disk(tmp_path / "disk", "200m") as folder:
        yield folder


def load(folder: Path) -> Path:
    """A file that leaves little room, beside those who write too."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while (found := os.statvfs(folder)).f_bavail * found.f_frsize > 3 * MIB:
            file.write(bytes(MIB))
    return ballast


@contextmanager
def writing(server: Server, seed: int) -> Iterator[list[Caller]]:
    found = [Caller(server.port, 100 * seed + number, purges=number == 2) for number in range(3)]
    for caller in found:
        caller.start()
    yield found
    for caller in found:
        caller.end.set()
    for caller in found:
        caller.join(60)
        assert not caller.is_alive()


def test_a_server_lives_through_a_full_disk(serve: Callable[..., Server], small_disk: Path):
    server = serve(data_dir=small_disk / "data")
    talk = Talk(server.port)
    with writing(server, 1) as before:
        until(lambda: all(caller.acknowledged > 100 for caller in before), "something is stored")
        ballast = load(small_disk)
        until(lambda: all(caller.refused for caller in before), "writes are refused")
        until(lambda: talk.ask("GET", "/healthz").status == 503, "the health says so")
    health = talk.ask("GET", "/healthz").json
    assert (health["status"], "full" in health["reason"]) == ("read_only", True)
    assert_kept(server.port, before)  # reads go on
    victim = next(run for run in before[0].runs if not run.purged)
    refused = talk.tell(f"{MLFLOW}/runs/log-metric", {"run_id": victim.run_id, "key": "k", "value": 1, "timestamp": 1})
    assert (refused.status, refused.json["error_code"]) == (507, "RESOURCE_EXHAUSTED")
    native = talk.tell(
        f"/api/v1/runs/{victim.run_id}/points", {"series": [{"metric": "m", "steps": [1], "values": [1]}]}
    )
    assert (native.status, native.json["error"]["code"]) == (507, "storage_full")
    assert talk.ask("DELETE", f"/api/v1/runs/{victim.run_id}?purge=true").status == 200
    victim.purged = True
    assert_kept(server.port, before)

    ballast.unlink()
    until(lambda: talk.ask("GET", "/healthz").status == 200, "it recovers by itself")
    with writing(server, 2) as after:
        until(lambda: all(caller.acknowledged > 100 for caller in after), "writes are taken again")
    assert not any(caller.refused for caller in after)
    assert_kept(server.port, before + after)
    talk.close()
    server.restart()
    assert_kept(server.port, before + after)
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_a_server_starts_on_a_disk_that_others_filled_while_it_was_away(
    serve: Callable[..., Server], small_disk: Path, tmp_path: Path
):
    """What it held back is all the room there is for a log."""
    server = serve(data_dir=small_disk / "data")
    with writing(server, 4) as here:
        until(lambda: all(caller.acknowledged > 100 for caller in here), "something is stored")
    assert server.stop() == 0
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    server.start(wait=False)
    talk = Talk(server.port)
    until(lambda: _answered(talk), "it answers")
    assert_kept(server.port, here)
    copy = tmp_path / "copy"
    subprocess.run([binary(), "backup", copy, "--data-dir", server.data_dir], check=True, timeout=60)
    ballast.unlink()
    until(server.answers, "it takes writes")
    talk.close()
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def test_a_server_that_is_killed_on_a_full_disk_starts_again(serve: Callable[..., Server], small_disk: Path):
    server = serve(data_dir=small_disk / "data")
    with writing(server, 3) as here:
        until(lambda: all(caller.acknowledged > 100 for caller in here), "something is stored")
        ballast = load(small_disk)
        until(lambda: all(caller.refused for caller in here), "writes are refused")
        server.kill()
    server.start(wait=False)
    talk = Talk(server.port)
    until(lambda: _answered(talk), "it answers")
    assert_kept(server.port, here)
    ballast.unlink()
    until(server.answers, "it recovers by itself")
    assert_kept(server.port, here)
    talk.close()
    assert server.stop() == 0


def _answered(talk: Talk) -> bool:
    try:
        return talk.ask("GET", "/healthz").status in {200, 503}
    except Gone:
        return False
