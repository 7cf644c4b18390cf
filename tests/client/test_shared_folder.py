"""A spool that another machine sends, as on a network file system: also while the training still writes it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import stepwell
from client.conftest import Stored, ended
from serving import Server
from stepwell.client.commands import main


def test_a_sync_beside_a_training_takes_what_is_whole_and_loses_nothing(
    shared_server: Server, stored: Stored, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stepwell.init(url=shared_server.url, spool=spool, mode="offline")
    for step in range(3):
        run.log({"loss": step}, step=step)
        assert run.flush()  # each in a frame of its own
    assert main(["sync", str(spool)]) == 0
    assert stored.points(run.id, "loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]

    (segment,) = spool.rglob("*.spool")
    begin = segment.stat().st_size
    for step in range(3, 6):
        run.log({"loss": step}, step=step)
        assert run.flush()
    whole = segment.read_bytes()
    segment.write_bytes(whole[:begin] + bytes(40) + whole[begin + 40 :])  # not all of it is to be seen from there
    capsys.readouterr()
    assert main(["sync", str(spool)]) == 1
    assert f"its last {len(whole) - begin} bytes are not whole yet" in capsys.readouterr().err
    assert len(stored.points(run.id, "loss")) == 3

    segment.write_bytes(whole)
    run.log({"loss": 6}, step=6)
    assert run.finish()
    assert main(["sync", str(spool)]) == 0
    assert capsys.readouterr().err == ""
    assert stored.points(run.id, "loss") == [(step, float(step)) for step in range(7)]
    assert stored.run(run.id)["run"]["status"] == "FINISHED"


ASKED = """
lacking = []

def note(event, args):
    if event in {"fcntl.flock", "fcntl.lockf", "os.link", "os.symlink", "mmap.__new__", "os.mkfifo"}:
        lacking.append((event, *map(str, args)))

sys.addaudithook(note)
from stepwell.client.commands import main
"""


def test_nothing_is_asked_of_the_file_system_that_a_network_one_may_lack(
    shared_server: Server, stored: Stored, program: Callable[..., subprocess.Popen[str]]
) -> None:
    """No lock, no link, no map: a run, its files, its end, and a sync."""
    text = """
    for mode in ("online", "offline"):
        run = stepwell.init(id=f"{sys.argv[1]}-{mode}", mode=mode)
        for step in range(10):
            run.log({"loss": step}, step=step)
        run.file(__file__)
        assert run.flush()
        assert run.finish()
    assert main(["sync", os.environ["STEPWELL_SPOOL"]]) == 0
    assert lacking == [], lacking
    """
    ended(program(ASKED + text.replace("\n    ", "\n"), "plain", url=shared_server.url))
    for mode in ("online", "offline"):
        assert stored.count(f"plain-{mode}", "loss") == 10
