"""kill -9 at any moment: what a flush acknowledged is there after a sync, whole, once, and nothing is bent."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from client.conftest import Stored
from serving import Server
from stepwell.client.commands import main

TRAINING = """
run = stepwell.init(id=sys.argv[1], experiment="killed")
for step in range(10**9):
    run.log({f"m{i}": step + i / 8 for i in range(3)}, step=step)
    if step % 50 == 49:
        print(step if run.flush() else "unflushed", flush=True)
    if step % 7 == 0:
        time.sleep(0.001)
"""


@pytest.mark.parametrize("round_", range(20))
def test_what_was_flushed_outlives_a_kill(
    shared_server: Server,
    stored: Stored,
    spool: Path,
    program: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
    round_: int,
) -> None:
    run_id = uuid4().hex
    mode = ("online", "offline")[round_ % 2]
    process = program(TRAINING, run_id, url=shared_server.url, STEPWELL_MODE=mode)
    flushed: list[int] = []
    begun = threading.Event()

    def follow() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            flushed.append(int(line))
            begun.set()

    with process:
        follower = threading.Thread(target=follow)
        follower.start()
        assert begun.wait(60)
        time.sleep(random.random())
        process.kill()
        follower.join()

    for _ in range(2):  # twice changes nothing
        status = main(["sync", str(spool), "--url", shared_server.url])
        told = capsys.readouterr()
        assert (status, told.err) == (0, "") or "unfinished: the process ended while it wrote" in told.err
        for i in range(3):
            found = stored.points(run_id, f"m{i}")
            assert len(found) > flushed[-1]
            assert found == [(step, step + i / 8) for step in range(len(found))]
    assert stored.run(run_id)["run"]["status"] == "RUNNING"


def test_a_kill_costs_a_tenth_of_a_second(
    shared_server: Server, stored: Stored, spool: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    run_id = uuid4().hex
    text = """
    run = stepwell.init(id=sys.argv[1], mode="offline")
    run.flush()
    for step in range(100):
        run.log({"loss": step}, step=step)
        time.sleep(0.001)
    time.sleep(5)  # far more than a tenth: a busy machine may give the worker no time sooner
    os.kill(os.getpid(), 9)
    """
    process = program(text, run_id, url=shared_server.url)
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert main(["sync", str(spool)]) == 0
    assert stored.points(run_id, "loss") == [(step, float(step)) for step in range(100)]


@pytest.mark.parametrize("way", ["with block", "open"])
def test_a_training_that_handles_sigterm_ends_as_killed_with_all_that_it_logged(
    shared_server: Server, stored: Stored, spool: Path, program: Callable[..., subprocess.Popen[str]], way: str
) -> None:
    run_id = uuid4().hex
    begin = {
        "with block": "with stepwell.init(id=sys.argv[1], system=0) as run:",
        "open": "run = stepwell.init(id=sys.argv[1], system=0)\n    if True:",
    }[way]
    text = f"""
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    {begin}
        for step in range(10**9):
            run.log({{"loss": step}}, step=step)
            if step == 100:
                print("ready", flush=True)
            time.sleep(0.0005)
    """
    process = program(text, run_id, url=shared_server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    run = stored.run(run_id)["run"]
    assert (run["status"], run["status_reason"]) == ("KILLED", "SystemExit: 143")
    found = stored.points(run_id, "loss")
    assert len(found) > 100
    assert found == [(step, float(step)) for step in range(len(found))]
    assert list(spool.rglob("*")) == []


def test_a_run_handles_no_signal(spool: Path, program: Callable[..., subprocess.Popen[str]]) -> None:
    text = """
    import signal
    before = [signal.getsignal(each) for each in signal.valid_signals()]
    run = stepwell.init(mode="offline")
    run.log({"loss": 1.0})
    run.flush()
    assert [signal.getsignal(each) for each in signal.valid_signals()] == before
    print("ready", flush=True)
    time.sleep(60)
    """
    process = program(text)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
