"""A training that logs, and what the server has afterwards."""

from __future__ import annotations

import gc
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest

import stepwell
from client.conftest import Stored, ended
from serving import Server
from stepwell.client import run as run_module
from stepwell.client.pipe import Pipe

Program = Callable[..., subprocess.Popen[str]]


def test_what_is_logged_is_on_the_server_bit_by_bit(shared_server: Server, stored: Stored, spool: Path) -> None:
    values = [0.1, -0.0, 1e-308, 1.7976931348623157e308, 5e-324, math.nan, math.inf, -math.inf, 3, True]
    with stepwell.init(url=shared_server.url, spool=spool) as run:
        for step, value in enumerate(values):
            run.log({"a": value, "b": -1}, step=step)
        run.log({"a": 7}, step=-(2**63))
    found = stored.points(run.id, "a")
    assert found[0] == (-(2**63), 7)
    wanted = [*values[:5], "NaN", "Infinity", "-Infinity", 3.0, 1.0]
    assert [repr(value) for _, value in found[1:]] == [repr(value) for value in wanted]
    assert stored.points(run.id, "b") == [(step, -1.0) for step in range(len(values))]


def test_all_that_a_run_has_arrives(shared_server: Server, stored: Stored, spool: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("first")
    experiment = f"it's {uuid4().hex}"
    run = stepwell.init(
        experiment=experiment,
        name="quick",
        params={"lr": 0.1, "model": {"layers": [1, 2], "bias": True}},
        tags={"stage": "try", "gone": 1, "left": 2},
        notes="A first try.",
        url=shared_server.url,
        spool=spool,
    )
    run.file(report, Path("docs/a b.txt"))
    report.write_text("changed afterwards")
    run.change(tags={"more": "x"}, remove_tags=["gone", "never there"], params={"late": None})
    run.change(remove_tags="left")
    run.alert("loss is NaN", "look", level="error")
    assert run.finish()
    events = stored.get(f"/runs/{run.id}/events")
    assert (events["kind"], events["text"]) == (["alert"], ["loss is NaN"])
    assert events["detail"] == ['{"level": "error", "text": "look"}']
    found = stored.run(run.id)
    assert found["run"]["status"] == "FINISHED"
    assert found["run"]["name"] == "quick"
    assert found["run"]["end_time_us"] >= found["run"]["start_time_us"]
    assert found["params"] == {"lr": "0.1", "model.layers": "[1, 2]", "model.bias": "True", "late": "None"}
    assert {"stage": "try", "more": "x", "mlflow.note.content": "A first try."}.items() <= found["tags"].items()
    assert found["note"] == "A first try."
    assert not {"gone", "left"} & set(found["tags"])
    number = found["run"]["experiment_id"]
    assert stored.get(f"/experiments/{number}")["name"] == experiment
    assert [*stored.get(f"/runs/{run.id}/artifacts?path=docs")["path"]] == ["docs/a b.txt"]
    assert stored.get(f"/runs/{run.id}/artifacts?path=docs")["size"] == [5]
    assert run.problems == {}
    assert list(spool.rglob("*")) == []


def test_ten_values_cost_a_training_a_handful_of_calls(spool: Path) -> None:
    """What a microsecond or two is, on a machine of any speed: no file, no lock, nothing for each value."""
    run = stepwell.init(mode="offline", spool=spool, system=0)
    run.log({"first": 0.5}, step=0)
    calls: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            calls.append(frame.f_code.co_name if event == "call" else argument.__name__)

    values = {f"m{at}": at / 8 for at in range(10)}
    sys.setprofile(profile)
    try:
        run.log(values, step=1)
    finally:
        sys.setprofile(None)
    run.close()
    assert calls[0] == "log"
    assert len(calls) < 10, calls
    assert not {"open", "write", "acquire", "__enter__", "wait"} & set(calls)


def test_two_runs_of_one_experiment_meet_in_it(shared_server: Server, stored: Stored, spool: Path) -> None:
    experiment = uuid4().hex
    runs = [stepwell.init(experiment=experiment, url=shared_server.url, spool=spool) for _ in range(2)]
    for run in runs:
        assert run.finish()
    assert len({stored.run(run.id)["run"]["experiment_id"] for run in runs}) == 1


def test_a_run_goes_on_in_a_later_process(shared_server: Server, stored: Stored, spool: Path) -> None:
    with stepwell.init(url=shared_server.url, spool=spool) as first:
        first.log({"loss": 2.0}, step=0)
    assert stored.run(first.id)["run"]["status"] == "FINISHED"
    again = stepwell.init(id=first.id, resume=True, url=shared_server.url, spool=spool)
    again.log({"loss": 1.0}, step=1)
    again.close()
    assert stored.run(first.id)["run"]["status"] == "RUNNING"
    assert stored.points(first.id, "loss") == [(0, 2.0), (1, 1.0)]


ENDINGS = [
    ("pass", "FINISHED"),
    ("raise ValueError('no')", "FAILED"),
    ("raise KeyboardInterrupt", "KILLED"),
    ("sys.exit(3)", "FAILED"),
    ("sys.exit(0)", "FINISHED"),
]


@pytest.mark.parametrize(("ending", "status"), ENDINGS)
def test_a_run_ends_as_its_block_does(
    shared_server: Server, stored: Stored, program: Program, ending: str, status: str
) -> None:
    run_id = uuid4().hex
    process = program(
        f"""
        with stepwell.init(id={run_id!r}) as run:
            run.log({{"loss": 1.0}}, step=1)
            {ending}
        """,
        url=shared_server.url,
    )
    process.communicate(timeout=60)
    assert stored.run(run_id)["run"]["status"] == status
    assert stored.points(run_id, "loss") == [(1, 1.0)]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        *ENDINGS,
        ("sys.exit('no data')", "FAILED"),
        ("exit(3)", "FAILED"),
        ("quit(code=1)", "FAILED"),
        ("sys.exit()", "FINISHED"),
        ("import asyncio\nasync def main():\n    sys.exit(3)\nasyncio.run(main())", "FAILED"),
        ("import threading\nt = threading.Thread(target=sys.exit, args=(3,))\nt.start()\nt.join()", "FINISHED"),
    ],
)
def test_a_run_that_nobody_ends_ends_with_its_process(
    shared_server: Server, stored: Stored, program: Program, ending: str, status: str
) -> None:
    run_id = uuid4().hex
    text = f"run = stepwell.init(id={run_id!r})\nrun.log({{'loss': 1.0}})\n{ending}\n"
    program(text, url=shared_server.url).communicate(timeout=60)
    found = stored.run(run_id)["run"]
    assert (found["status"], bool(found["status_reason"])) == (status, status != "FINISHED")
    assert stored.points(run_id, "loss") == [(0, 1.0)]


def test_a_code_of_before_a_run_is_not_its_end(shared_server: Server, stored: Stored, program: Program) -> None:
    run_id = uuid4().hex
    text = f"""
    stepwell.init(mode="disabled")
    try:
        sys.exit(3)
    except SystemExit:
        pass
    stepwell.init(id={run_id!r}).log({{"loss": 1.0}})
    """
    ended(program(text, url=shared_server.url))
    assert stored.run(run_id)["run"]["status"] == "FINISHED"


def test_runs_that_nobody_ends_wait_for_a_server_together(program: Program, spool: Path) -> None:
    text = """
    runs = [stepwell.init(id=f"r{at}", system=0) for at in range(10)]
    from stepwell.client import run
    run.PATIENCE = 3.0
    for each in runs:
        each.log({"loss": 1.0})
    print("over", flush=True)
    """
    process = program(text)
    assert process.stdout is not None
    assert process.stdout.readline() == "over\n"
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 15  # 30 s one after the other
    for at in range(10):
        assert f"stepwell sync {spool}/r{at}\n" in err


def test_a_folder_that_is_gone_is_no_error_and_a_home_is_one(
    shared_server: Server, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setenv("HOME", str(tmp_path))
    gone.rmdir()
    with stepwell.init(url=shared_server.url) as run:
        run.log({"loss": 1.0})
    assert stored.points(run.id, "loss") == [(0, 1.0)]
    with stepwell.init(mode="offline", spool="~/spool") as run:
        run.log({"loss": 1.0})
    assert [*(tmp_path / "spool").rglob("*.spool")]


def test_who_does_not_wait_at_the_end_is_told_what_is_left(program: Program, spool: Path) -> None:
    process = program("run = stepwell.init(id='r', system=0)\nrun.flush()\nprint('over', flush=True)")
    assert process.stdout is not None
    assert process.stdout.readline() == "over\n"
    time.sleep(1)  # it waits for a server
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert err.rstrip().endswith(f"to send it: stepwell sync {spool}/r")


def test_a_handler_of_signals_that_logs_while_a_run_is_begun_waits_for_nothing(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stepwell.init(mode="offline", spool=spool, system=0) as first:
        run = pickle.loads(pickle.dumps(first))

    def begin(*given: Any, **named: Any) -> Pipe:
        run.log({"handler": 1.0})
        return Pipe(*given, **named)

    monkeypatch.setattr(run_module, "Pipe", begin)
    run.log({"loss": 1.0})
    assert run.close()
    assert run.dropped == 1
    assert ["handler of signals" in problem for problem in run.problems] == [True]


def test_no_thread_is_no_error_and_no_loss(
    shared_server: Server, stored: Stored, spool: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    monkeypatch.setattr(run_module, "ROOM", 10)
    (tmp_path / "report").write_text("x")
    with stepwell.init(url=shared_server.url, spool=spool, params={"a": 1}) as run:
        for step in range(50):
            run.log({"loss": step / 4}, step=step)
        assert run.flush()
        run.file(tmp_path / "report")
        run.log({"loss": 99}, step=50)
    assert stored.points(run.id, "loss") == [*((step, step / 4) for step in range(50)), (50, 99.0)]
    assert stored.run(run.id)["run"]["status"] == "FINISHED"
    assert (run.dropped, [*spool.rglob("*")]) == (0, [])
    assert any("no thread can be started" in problem for problem in run.problems)


def test_without_a_thread_and_a_server_the_end_waits_no_longer(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    run = stepwell.init(url="http://127.0.0.1:9", spool=spool)
    run.log({"loss": 1.0})
    assert not run.finish(patience=1.0)
    assert [*spool.rglob("*.spool")]


def test_a_run_that_the_training_has_forgotten_ends_with_its_process(
    shared_server: Server, stored: Stored, program: Program
) -> None:
    run_id = uuid4().hex
    text = f"""
    def train():
        stepwell.init(id={run_id!r}, system=0).log({{"loss": 1.0}})

    train()
    """
    ended(program(text, url=shared_server.url))
    assert stored.run(run_id)["run"]["status"] == "FINISHED"
    assert stored.points(run_id, "loss") == [(0, 1.0)]


def test_a_run_that_has_ended_is_held_by_nothing(spool: Path) -> None:
    run = stepwell.init(mode="offline", spool=spool, system=0)
    run.finish()
    forgotten = weakref.ref(run)
    del run
    gc.collect()
    assert forgotten() is None


def test_nothing_that_is_logged_raises(shared_server: Server, stored: Stored, spool: Path) -> None:
    class Odd:
        def __float__(self) -> float:
            raise ZeroDivisionError

    with stepwell.init(url=shared_server.url, spool=spool) as run:
        bad: list[object] = [None, "text", [1], {}, object(), Odd(), 10**400, 1j]
        for value in bad:
            run.log({"good": 1.0, "bad": value}, step=0)
        run.log({"": 1.0, "x" * 1025: 1.0, "a\0b": 1.0, "\ud800": 1.0, 7: 1.0}, step=1)  # type: ignore[dict-item]
        run.log({"good": 2.0}, step=2**63)
        run.log(None)  # type: ignore[arg-type]
        run.log({"good": 3.0}, step="three")  # type: ignore[arg-type]
        run.file("/no/such/file")
        run.change(params={"": 1, "long": "x" * 70_000, "kept": "yes"}, tags={"a": "\ud800"})
        run.log({"good": 4.0}, step=3)
    assert {value for _, value in stored.points(run.id, "good")} == {1.0, 4.0}
    assert stored.run(run.id)["params"] == {"kept": "yes"}
    assert len(run.problems) >= 12
    assert run.dropped == 0
    assert not any(name.startswith("bad") for name in stored.run(run.id)["metrics"]["metric"])


def test_a_name_that_can_be_none_costs_no_other(shared_server: Server, stored: Stored, spool: Path) -> None:
    experiment = uuid4().hex
    for name in ("x" * 1025, "\ud800"):
        run = stepwell.init(experiment=experiment, name=name, url=shared_server.url, spool=spool)
        run.log({"loss": 1.0})
        assert run.finish()
        found = stored.run(run.id)["run"]
        assert stored.get(f"/experiments/{found['experiment_id']}")["name"] == experiment
        assert found["status"] == "FINISHED"
        assert [problem.partition(":")[0] for problem in run.problems] == ["name"]


def test_names_are_texts_whatever_they_are(shared_server: Server, stored: Stored, spool: Path) -> None:
    experiment = Path(uuid4().hex)
    run = stepwell.init(experiment=experiment, name=Path("a/b"), url=shared_server.url, spool=spool)  # type: ignore[arg-type]
    run.log({"loss": 1.0})
    assert run.finish()
    found = stored.run(run.id)["run"]
    assert found["name"] == "a/b"
    assert stored.get(f"/experiments/{found['experiment_id']}")["name"] == str(experiment)
    assert stored.points(run.id, "loss") == [(0, 1.0)]
    assert run.problems == {}


@pytest.mark.parametrize("words", ["a\0b", "\ud800", "x" * 2000, None])
def test_a_run_ends_whatever_its_error_says(
    shared_server: Server, stored: Stored, spool: Path, words: str | None
) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            return words  # type: ignore[return-value]  # None: it cannot say

    with pytest.raises(Odd), stepwell.init(url=shared_server.url, spool=spool) as run:
        raise Odd
    assert stored.run(run.id)["run"]["status"] == "FAILED"
    assert stored.run(run.id)["run"]["status_reason"].startswith("Odd")


def test_a_reason_that_can_be_none_does_not_keep_a_run_going(
    shared_server: Server, stored: Stored, spool: Path
) -> None:
    run = stepwell.init(url=shared_server.url, spool=spool)
    assert run.finish("FAILED", reason="x" * 70_000)
    assert stored.run(run.id)["run"]["status"] == "FAILED"
    assert [problem.partition(":")[0] for problem in run.problems] == ["reason"]


def test_files_of_any_name_hold_nothing_up(shared_server: Server, stored: Stored, spool: Path, tmp_path: Path) -> None:
    named = [os.fsdecode(b"\xff.txt"), "\u5b57" * 82]
    with stepwell.init(url=shared_server.url, spool=spool) as run:
        for name in named:
            (tmp_path / name).write_text("x")
            run.file(tmp_path / name)
        run.log({"after": 1.0})
    assert stored.points(run.id, "after") == [(0, 1.0)]
    assert stored.run(run.id)["run"]["status"] == "FINISHED"
    assert [*stored.get(f"/runs/{run.id}/artifacts")["path"]] == [named[1]]
    assert ["percent-encoded UTF-8" in problem for problem in run.problems] == [True]


def test_logging_after_the_end_is_told(shared_server: Server, stored: Stored, spool: Path) -> None:
    run = stepwell.init(url=shared_server.url, spool=spool)
    assert run.finish()
    run.log({"late": 1.0})
    run.change(tags={"a": "b"})
    run.alert("late")
    assert run.flush()
    assert run.finish()
    assert list(run.problems) == ["something was logged after the run was closed"]
    assert stored.run(run.id)["metrics"]["metric"] == []


def test_what_the_server_refuses_is_set_aside_and_costs_no_other(
    shared_server: Server, stored: Stored, spool: Path
) -> None:
    run = stepwell.init(params={"lr": 1}, url=shared_server.url, spool=spool)
    run.change(params={"lr": 2, "depth": 3}, tags={"a": "b"})  # a param keeps its first value
    run.log({"loss": 1.0})
    assert run.finish()
    found = stored.run(run.id)
    assert found["params"] == {"lr": "1", "depth": "3"}
    assert {"a": "b"}.items() <= found["tags"].items()
    (refused,) = spool.rglob("refused.jsonl")
    assert '"lr": "2"' in refused.read_text()
    assert any("lr" in problem and str(refused) in problem for problem in run.problems)


def test_a_disabled_run_does_nothing(spool: Path) -> None:
    with stepwell.init(mode="disabled", spool=spool) as run:
        run.log({"loss": 1.0})
        assert run.flush()
    assert run.problems == {}
    assert not spool.exists()


def test_importing_it_needs_nothing_but_python(program: Program) -> None:
    text = """
    run = stepwell.init(mode="offline")
    run.log({"loss": 1.0})
    run.finish()
    foreign = {name.partition(".")[0] for name in sys.modules}
    assert not foreign & {"numpy", "apsw", "msgspec", "orjson", "torch", "pandas"}, foreign
    ours = sorted(name for name in sys.modules if name.startswith("stepwell."))
    assert all(name.startswith(("stepwell.agent", "stepwell.client")) for name in ours), ours
    """
    ended(program(text))


def test_several_processes_write_one_run(shared_server: Server, stored: Stored, program: Program) -> None:
    run_id = uuid4().hex
    text = f"""
    rank = int(sys.argv[1])
    run = stepwell.init(id={run_id!r}, experiment="several")
    for step in range(300):
        run.log({{f"rank{{rank}}": step, "all": rank}}, step=step)
    run.finish() if rank == 0 else run.close()
    """
    for process in [program(text, str(rank), url=shared_server.url) for rank in range(3)]:
        ended(process)
    for rank in range(3):
        assert stored.points(run_id, f"rank{rank}") == [(step, float(step)) for step in range(300)]
    assert len(stored.points(run_id, "all")) == 900


def test_a_run_is_the_same_in_a_process_that_unpickles_it(shared_server: Server, stored: Stored, spool: Path) -> None:
    run = stepwell.init(url=shared_server.url, spool=spool)
    other = pickle.loads(pickle.dumps(run))
    other.log({"there": 2.0}, step=0)
    run.log({"here": 1.0}, step=0)
    assert other.close()
    assert run.finish()
    assert stored.points(run.id, "there") == [(0, 2.0)]
    assert stored.points(run.id, "here") == [(0, 1.0)]


def test_a_prompt_offers_what_the_client_has() -> None:
    assert {"init", "Run", "query", "Query", "Denied", "Refused", "Unavailable"} <= set(dir(stepwell))
    assert all(hasattr(stepwell, name) for name in dir(stepwell))
