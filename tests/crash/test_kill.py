"""kill -9 of a real server under load, at any moment: all that was acknowledged is there at the next start, once."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crash.traffic import Caller, Repeater, Talk, assert_kept
from serving import Server, binary
from stepwell.web import control

ROWS = 5_000  # of a write in columns


@contextmanager
def callers(server: Server, seed: int) -> Iterator[list[Caller]]:
    """Three that write, one of them much and one that purges, while somebody has everything flushed and merged."""
    found = [
        Caller(server.port, 10 * seed + number, purges=number == 2, rows=ROWS if number == 0 else 0)
        for number in range(3)
    ]
    tidying = Repeater(lambda: list(control.ask(server.data_dir, "gc", {}) or ()))
    threads: list[Caller | Repeater] = [*found, tidying]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for thread in threads:
            thread.end.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()


def rounds(server: Server, *, seed: int, times: int, points: int = 1) -> None:
    """Kill and look, again and again on one directory; at the end once more everything, and the check.

    Every other kill comes only when `points` were acknowledged since the last; the others as soon as anything was.
    """
    rng = random.Random(seed)
    everyone: list[Caller] = []
    for number in range(times):
        with callers(server, 1_000 * seed + number) as here:
            wait_for_some(here, points if number % 2 else 1)
            time.sleep(rng.uniform(0.0, 0.5))
            server.kill()
        server.start()
        assert_kept(server.port, here)
        everyone += here
    assert_kept(server.port, everyone)
    print(f"seed {seed}: {times} kills, {sum(caller.acknowledged for caller in everyone):,} points")
    assert server.stop() == 0
    assert "Traceback" not in server.log()
    checked = subprocess.run(
        [binary(), "check", "--data-dir", server.data_dir], capture_output=True, text=True, check=False, timeout=120
    )
    assert (checked.returncode, checked.stdout) == (0, "no damage found\n"), checked.stdout + checked.stderr


def wait_for_some(here: list[Caller], points: int = 1) -> None:
    """Until every caller was told that something is stored, and all of them together that `points` are."""
    until = time.monotonic() + 60
    while not all(told := [caller.acknowledged for caller in here]) or sum(told) < points:
        assert time.monotonic() < until, "nothing was acknowledged within a minute"
        time.sleep(0.005)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_acknowledged_survives_kill(serve: Callable[..., Server], seed: int):
    rounds(serve(), seed=seed, times=5)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_what_was_acknowledged_survives_a_thousand_kills(serve: Callable[..., Server], seed: int):
    """All twenty together: at least ten million acknowledged points."""
    rounds(serve(), seed=seed, times=50, points=20_000)


def test_the_end_of_a_caller_takes_nothing_with_it(serve: Callable[..., Server]):
    """A caller that dies in the middle of a request leaves all of it or nothing, and others in peace."""
    server = serve()
    with callers(server, 7) as here:
        wait_for_some(here)
        talk = Talk(server.port)
        begun = talk._connection
        begun.connect()
        begun.sock.sendall(b"POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{")
        talk.close()
        server.kill()
    server.start()
    assert_kept(server.port, here)


def test_a_server_that_is_killed_again_while_it_recovers_loses_nothing(serve: Callable[..., Server]):
    server = serve()
    with callers(server, 9) as here:
        wait_for_some(here)
        time.sleep(0.3)
        server.kill()
    rng = random.Random(9)
    for _ in range(4):
        server.start(wait=False)
        time.sleep(rng.uniform(0.1, 0.6))
        server.kill()
    server.start()
    assert_kept(server.port, here)
    assert server.stop() == 0


def test_every_byte_after_a_kill_is_accounted_for(serve: Callable[..., Server], tmp_path: Path):
    """What uploads left unfinished is swept; what is stored stays."""
    server = serve(data_dir=tmp_path / "data")
    with callers(server, 11) as here:
        wait_for_some(here)
        time.sleep(0.4)
        server.kill()
    (server.data_dir / "tmp" / "left.part").write_bytes(b"x" * 1_000)
    server.start()
    list(control.ask(server.data_dir, "gc", {}) or ())
    assert_kept(server.port, here)
    talk = Talk(server.port)
    assert talk.ask("GET", "/healthz").status == 200
    talk.close()
    assert server.stop() == 0
    stored = sum(1 for path in (server.data_dir / "blobs").rglob("*") if path.is_file())
    assert stored == sum(len(run.stored.files) for caller in here for run in caller.runs if run.purged is False)
    assert not list((server.data_dir / "tmp").iterdir())
