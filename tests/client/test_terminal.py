"""Runs and metrics at the terminal, as tables and as lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import uuid4

import pytest

from serving import Server, binary
from stepwell.cli import main

Program: TypeAlias = Callable[..., tuple[int, str, str]]
START = 1_767_225_600_000_000


@pytest.fixture
def program(shared_server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs `stepwell ARGUMENTS` here: its exit status, stdout and stderr."""
    monkeypatch.setenv("STEPWELL_URL", shared_server.url)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def send(server: Server, verb: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(f"{server.url}/api/v1{path}", json.dumps(body).encode(), method=verb)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def make(server: Server, status: str, experiment: str, **fields: Any) -> str:
    """A run with two metrics."""
    run_id = uuid4().hex
    number = send(server, "POST", "/experiments", {"name": experiment})["id"]
    made = {"id": run_id, "experiment_id": number, "start_time_us": START, "name": "first", **fields}
    send(server, "POST", "/runs", made)
    series = [
        {"metric": "loss", "steps": [0, 1], "times_us": [START, START + 1], "values": [0.5, 0.25]},
        {"metric": "odd", "labels": {"task": "w"}, "steps": [7], "times_us": [START], "values": ["NaN"]},
    ]
    send(server, "POST", f"/runs/{run_id}/points", {"series": series})
    send(server, "PATCH", f"/runs/{run_id}", {"status": status, "end_time_us": START + 1_000_000})
    return run_id


def test_runs_are_a_table_or_json(program: Program, shared_server: Server) -> None:
    experiment = uuid4().hex
    run_id = make(shared_server, "FAILED", experiment, params={"lr": "0.1"})
    chosen = ["--experiment", experiment, "--metric", "loss", "--metric", "odd", "--param", "lr"]
    status, out, err = program("runs", *chosen)
    assert (status, err) == (0, "")
    titles, row = out.splitlines()
    assert titles.split() == "id name status start time end time params.lr metrics.loss metrics.odd".split()
    moments = ["2026-01-01", "00:00:00", "2026-01-01", "00:00:01"]
    assert row.split() == [run_id, "first", "FAILED", *moments, "0.1", "0.25", "nan"]
    status, out, err = program("runs", *chosen, "--json")
    found = json.loads(out)
    assert (found["id"], found["metrics.loss"], found["metrics.odd"]) == (run_id, 0.25, "NaN")


def test_what_a_terminal_cannot_show_is_escaped(shared_server: Server) -> None:
    experiment = uuid4().hex
    make(shared_server, "FINISHED", experiment, name="\u5b57")
    command = [str(binary()), "runs", "--url", shared_server.url, "--experiment", experiment]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" \\u5b57 " in done.stdout


def test_metrics_are_a_table_or_json(program: Program, shared_server: Server) -> None:
    run_id = make(shared_server, "FINISHED", uuid4().hex)
    status, out, _ = program("metrics", run_id)
    assert status == 0
    titles, loss, odd = out.splitlines()
    assert titles.split() == "metric labels count last step last value min value max value mean".split()
    assert loss.split() == ["loss", "2", "1", "0.25", "0.25", "0.5", "0.375"]
    assert odd.split() == ["odd", "task=w", "1", "7", "nan"]
    status, out, _ = program("metrics", run_id, "--json")
    assert [json.loads(line)["metric"] for line in out.splitlines()] == ["loss", "odd"]


@pytest.mark.parametrize(("ended", "wanted"), [("FINISHED", 0), ("FAILED", 1), ("KILLED", 1)])
def test_the_tail_of_a_run_that_has_ended_is_its_last_points_and_how_it_ended(
    program: Program, shared_server: Server, ended: str, wanted: int
) -> None:
    run_id = make(shared_server, ended, uuid4().hex)
    status, out, err = program("tail", run_id)
    assert (status, err) == (wanted, "")
    assert out.splitlines() == [
        "2026-01-01 00:00:00         7  odd task=w = nan",
        "2026-01-01 00:00:00         1  loss = 0.25",
    ]
    _, out, _ = program("tail", run_id, "--json", "--metric", "odd")
    point = {"metric": "odd", "labels": {"task": "w"}, "step": 7, "time_us": START, "value": "NaN"}
    assert [json.loads(line) for line in out.splitlines()] == [point]


def test_what_comes_is_shown_once_until_the_run_ends(shared_server: Server) -> None:
    run_id = make(shared_server, "RUNNING", uuid4().hex)
    command = [str(binary()), "tail", run_id, "--json", "--url", shared_server.url]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert tail.stdout is not None
    first = [json.loads(tail.stdout.readline())["metric"] for _ in range(2)]
    # A late point, one of a new metric, and one beyond.
    series = [
        {"metric": "loss", "steps": [-3, 2], "times_us": [START + 2, START + 3], "values": [1, 2]},
        {"metric": "new", "steps": [0], "times_us": [START + 4], "values": [3]},
    ]
    send(shared_server, "POST", f"/runs/{run_id}/points", {"series": series})
    then = [json.loads(tail.stdout.readline()) for _ in range(3)]
    send(shared_server, "PATCH", f"/runs/{run_id}", {"status": "FINISHED"})
    rest, _ = tail.communicate(timeout=120)
    assert (first, rest, tail.returncode) == (["odd", "loss"], "", 0)
    assert sorted((each["metric"], each["step"]) for each in then) == [("loss", -3), ("loss", 2), ("new", 0)]


def test_what_is_not_there_and_what_is_wrongly_asked(program: Program) -> None:
    for command in ("metrics", "tail"):
        status, out, err = program(command, "no such run")
        assert (status, out, "no such run" in err) == (1, "", True)
    assert program("runs", "--limit", "0")[0] == 2
    assert program("runs", "--filter", "what")[0] == 2
    assert program("runs", "--experiment", "none such")[0] == 2
