"""A spool on a full disk: the training goes on, what fits into memory arrives, the rest is counted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import disks
import stepwell
from client.conftest import Stored
from serving import HOST, Server, free_port
from stepwell.client import spool as spool_module
from stepwell.client.commands import main


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB in memory."""
    with disks.small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


def fill(folder: Path) -> Path:
    """A file that takes all the room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk has no end")


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_file_that_does_not_fit_takes_no_room(small_disk: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(2 << 20))
    run = stepwell.init(mode="offline", spool=small_disk, system=0)
    run.file(large)
    assert not [path for path in small_disk.rglob("*-large") if path.exists()]
    assert any("No space left" in problem for problem in run.problems)
    assert run.finish()


def test_the_server_gets_what_the_disk_does_not_take(shared_server: Server, stored: Stored, small_disk: Path) -> None:
    run = stepwell.init(url=shared_server.url, spool=small_disk)
    run.log({"loss": 0.0}, step=0)
    assert run.flush()
    fill(small_disk)
    for step in range(1, 20_000):
        run.log({"loss": step, "acc": 1.0}, step=step)
    until(lambda: stored.count(run.id, "loss") == 20_000)
    assert not run.flush() or run.problems
    assert run.finish()
    assert stored.points(run.id, "loss") == [(step, float(step)) for step in range(20_000)]
    assert run.dropped == 0
    assert any("No space left" in problem for problem in run.problems)


def test_offline_it_is_written_once_there_is_room(
    shared_server: Server, stored: Stored, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stepwell.init(url=shared_server.url, spool=small_disk, mode="offline")
    run.log({"loss": 0.0}, step=0)
    assert run.flush()
    ballast = fill(small_disk)
    for step in range(1, 1000):
        run.log({"loss": step}, step=step)
    until(lambda: not run.flush())
    os.truncate(ballast, 4096)
    assert run.flush()
    assert run.finish()
    assert main(["sync", str(small_disk)]) == 0, capsys.readouterr().err
    assert stored.points(run.id, "loss") == [(step, float(step)) for step in range(1000)]


def test_what_neither_disk_nor_memory_takes_is_counted_and_the_oldest_kept(
    shared_server: Server, stored: Stored, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "HELD_BYTES", 40_000)
    run = stepwell.init(url=shared_server.url, spool=small_disk, mode="offline")
    run.log({"loss": 0.0}, step=0)
    assert run.flush()
    ballast = fill(small_disk)
    for step in range(1, 10_000):
        run.log({"loss": step}, step=step)
        if step % 100 == 0:
            run.flush()
    run.flush()
    assert run.dropped > 0
    os.truncate(ballast, 4096)
    run.finish()
    assert main(["sync", str(small_disk)]) == 0
    found = stored.points(run.id, "loss")
    assert found == [(step, float(step)) for step in range(10_000 - run.dropped)]
    assert len(found) > 1000


def test_what_neither_disk_nor_server_has_taken_at_the_end_is_counted(
    serve: Callable[..., Server], small_disk: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    run = stepwell.init(url=f"http://{HOST}:{port}", spool=small_disk, system=0)
    run.log({"loss": 0.0}, step=0)
    assert run.flush()
    fill(small_disk)
    for step in range(1, 20_000):
        run.log({"loss": step, "acc": 1.0}, step=step)
    assert not run.finish(patience=0.5)
    (small_disk / "ballast").unlink()
    stored = Stored(serve(port=port).url)
    assert main(["sync", str(small_disk)]) == 0  # nothing that is there is damaged
    kept = stored.count(run.id, "loss") + stored.count(run.id, "acc")
    assert 0 < run.dropped - (1 + 2 * 19_999 - kept) <= 2  # and the end of the run
    assert f"{run.dropped} values of run {run.id} are lost" in caplog.text
    capsys.readouterr()
