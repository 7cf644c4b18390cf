"""The agent and a real server: what it measures is read back with the words of ModelArts, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import stepwell
from client.conftest import Stored, ended
from serving import HOST, Server, free_port
from stepwell.agent.readings import Failed, Reading, Usage
from stepwell.client.commands import main

PATIENCE = 60  # seconds until something that does not happen is an error


class Devices:
    """A collector that stands for the devices of a large machine, which is not there. `looks` counts calls."""

    name = "devices"

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.looks = 0

    def read(self) -> Reading:
        self.looks += 1
        self.asked.release()
        usage = [
            Usage(resource=resource, percent=10.0 * (i + 1), device="" if i < 2 else "0")
            for i, resource in enumerate(("cpu", "mem", "gpu", "gpu_mem", "npu", "npu_mem"))
        ]
        return Reading(usage=tuple(usage), measures={"disk_used_bytes": 5.0})

    def wait(self, looks: int) -> None:
        for _ in range(looks):
            assert self.asked.acquire(timeout=PATIENCE)


class Broken:
    """A collector that never succeeds."""

    name = "broken"

    def read(self) -> Reading:
        raise Failed("no such register")


def by_minute(stored: Stored, run_id: str, task: str) -> dict[str, list[float]]:
    """What ModelArts' client reads: six means a minute."""
    import urllib.request

    path = f"/v2/default/training-jobs/{run_id}/metrics/{task}"
    with urllib.request.urlopen(stored.url + path, timeout=60) as answer:
        return {each["metric"]: each["value"] for each in json.load(answer)["metrics"]}


SIX = {"cpuUsage": 10, "memUsage": 20, "gpuUtil": 30, "gpuMemUsage": 40, "npuUtil": 50, "npuMemUsage": 60}


def measured(run: stepwell.Run, *collectors: Any, task: str = "worker-0") -> None:
    run.watch(task, 0.1, collectors)


def test_the_six_of_modelarts_come_back(stored: Stored, spool: Path) -> None:
    devices = Devices()
    run = stepwell.init(url=stored.url, spool=spool)
    measured(run, devices, Broken(), task="worker-3")
    devices.wait(3)
    assert run.finish()
    values = by_minute(stored, run.id, "worker-3")
    assert {name: set(each) - {-1} for name, each in values.items()} == {name: {value} for name, value in SIX.items()}
    assert len({len(each) for each in values.values()}) == 1
    success = stored.points(run.id, "system/worker-3/collector_devices_success")
    assert {value for _, value in success} == {1}
    assert {value for _, value in stored.points(run.id, "system/worker-3/collector_broken_success")} == {0}
    assert stored.count(run.id, "system/worker-3/disk_used_bytes") == len(success)
    assert stored.count(run.id, "resource/gpu") == len(success)
    assert list(run.problems) == ["the collector broken failed: no such register"]
    assert run.dropped == 0
    assert list(spool.rglob("*")) == []


def test_samples_beside_a_training_leave_its_steps_alone(stored: Stored, spool: Path) -> None:
    devices = Devices()
    with stepwell.init(url=stored.url, spool=spool) as run:
        measured(run, devices)
        for i in range(50):
            run.log({"loss": i})
        devices.wait(2)
        run.log({"loss": 50})
    assert stored.points(run.id, "loss") == [(i, float(i)) for i in range(51)]
    assert run._last == {"loss": 50}


def test_a_server_that_is_away_for_a_while_misses_no_sample(server: Server, spool: Path) -> None:
    devices = Devices()
    run = stepwell.init(url=server.url, spool=spool)
    measured(run, devices)
    devices.wait(2)
    server.kill()
    devices.wait(5)
    server.start()
    devices.wait(2)
    assert run.finish()
    stored = Stored(server.url)
    taken = stored.points(run.id, "system/worker-0/disk_used_bytes")
    assert devices.looks - 1 <= len(taken) <= devices.looks  # the last look may still have been under way
    steps = [step for step, _ in taken]
    assert steps == sorted(set(steps))
    assert [step for step, _ in stored.points(run.id, "resource/npu_mem")] == steps
    assert {name: set(each) - {-1} for name, each in by_minute(stored, run.id, "worker-0").items()} == {
        name: {value} for name, value in SIX.items()
    }


def test_a_server_that_is_away_until_the_end_gets_all_by_a_sync(serve: Callable[..., Server], spool: Path) -> None:
    devices = Devices()
    port = free_port()
    run = stepwell.init(url=f"http://{HOST}:{port}", spool=spool)
    measured(run, devices)
    devices.wait(4)
    assert not run.finish(patience=0.2)
    stored = Stored(serve(port=port).url)
    assert main(["sync", str(spool)]) == 0
    count = stored.count(run.id, "resource/cpu")
    assert count >= 3
    for sent in spool.rglob("sent.json"):
        sent.unlink()  # all of it once more
    assert main(["sync", str(spool)]) == 0
    assert stored.count(run.id, "resource/cpu") == count
    assert set(by_minute(stored, run.id, "worker-0")["gpuUtil"]) - {-1} == {30}


def test_a_run_measures_the_machine_that_it_runs_on(
    stored: Stored, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_SYSTEM", "0.1")
    monkeypatch.setenv("RANK", "2")
    run = stepwell.init(url=stored.url, spool=spool)
    stop = threading.Event()
    while stored.count(run.id, "resource/mem") == 0 and run.flush(PATIENCE):
        stop.wait(0.05)
    assert run.finish()
    memory = [each for each in by_minute(stored, run.id, "worker-2")["memUsage"] if each != -1]
    assert memory
    assert all(0 < each <= 100 for each in memory)


def test_a_child_is_measured_by_its_parent_alone(stored: Stored, program: Callable[..., Any]) -> None:
    text = """
    import threading
    run = stepwell.init(id="parent-and-child", system=0.1)
    names = lambda: {each.name for each in threading.enumerate()}
    assert "stepwell-agent" in names()
    child = os.fork()
    if child == 0:
        run.log({"child": 1.0})
        alone = "stepwell-agent" not in names()
        run.close()
        os._exit(0 if alone else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    run.finish()
    assert run.problems == {}, run.problems
    """
    ended(program(text, url=stored.url))
    assert stored.count("parent-and-child", "child") == 1
    assert stored.count("parent-and-child", "resource/mem") >= 1


def test_what_cannot_be_measured_costs_no_run(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Path:
        raise FileNotFoundError("the current folder is gone")

    monkeypatch.setattr(Path, "cwd", gone)
    with stepwell.init(mode="offline", spool=spool, system=True) as run:
        run.log({"loss": 1.0})
        assert run.flush()
    assert list(run.problems) == ["the machine cannot be measured: FileNotFoundError: the current folder is gone"]


@contextmanager
def agent(program: str, *flags: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command, which is ended at the end."""
    process = subprocess.Popen(
        [program, "agent", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lines(process: subprocess.Popen[str], count: int) -> Iterable[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_the_command_measures_a_run_of_somebody_else(
    shared_server: Server, stored: Stored, spool: Path, tmp_path: Path
) -> None:
    with stepwell.init(experiment="watched", url=stored.url, spool=tmp_path / "own") as run:
        run.log({"loss": 1.0}, step=1)
        run.flush()
        flags = ("--run", run.id, "--url", stored.url, "--spool", str(spool), "--interval", "0.1")
        with agent(str(shared_server.program), *flags, env={"GROUP_RANK": "1"}) as process:
            (told,) = lines(process, 1)
            assert told.startswith(f"measuring worker-1 of {run.url}")
            wait = threading.Event()
            while stored.count(run.id, "resource/mem") == 0 and process.poll() is None:
                wait.wait(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        assert stored.run(run.id)["run"]["status"] == "RUNNING"
    assert max(by_minute(stored, run.id, "worker-1")["memUsage"]) > 0
    assert not list(spool.rglob("*.spool"))


def test_an_agent_that_comes_first_makes_the_run_where_it_belongs(
    shared_server: Server, stored: Stored, spool: Path, tmp_path: Path
) -> None:
    flags = ("--run", "first-by-agent", "--experiment", "early", "--url", stored.url, "--spool", str(spool))
    with agent(str(shared_server.program), *flags) as process:
        lines(process, 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    with stepwell.init(id="first-by-agent", experiment="early", url=stored.url, spool=tmp_path / "own") as run:
        run.log({"loss": 1.0})
    found = stored.run("first-by-agent")["run"]
    names = stored.get("/experiments")["experiments"]
    assert names["name"][names["id"].index(found["experiment_id"])] == "early"
    assert found["status"] == "FINISHED"


def test_an_agent_without_a_server_keeps_its_samples(shared_server: Server, stored: Stored, spool: Path) -> None:
    flags = ("--run", "kept", "--url", f"http://{HOST}:{free_port()}", "--spool", str(spool), "--interval", "0.1")
    with agent(str(shared_server.program), *flags) as process:
        lines(process, 1)
        wait = threading.Event()
        while process.poll() is None and not any(
            b"system/worker-0" in each.read_bytes() for each in spool.rglob("*.spool")
        ):
            wait.wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1
    assert main(["sync", str(spool), "--url", stored.url]) == 0
    assert stored.count("kept", "resource/mem") > 0


def test_it_prints_what_it_sees(shared_server: Server) -> None:
    with agent(str(shared_server.program), "--print", "--interval", "0.1") as process:
        first, second = (json.loads(line) for line in lines(process, 2))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert {each["resource"] for each in first["usage"]} >= {"mem"}
    assert {each["resource"] for each in second["usage"]} >= {"mem"}
    assert second["measures"]["collector_cpu_success"] == 1


def test_who_has_seen_enough_ends_it(shared_server: Server) -> None:
    with agent(str(shared_server.program), "--print", "--interval", "0.1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None
