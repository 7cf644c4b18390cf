"""Runs of a server into files, and back into a server as they were."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from serving import Server
from transfer.conftest import Program, Stored

VALUES = [0.1, "NaN", "Infinity", "-Infinity", -0.0, 5e-324, 1.7976931348623157e308]
STEPS = [0, 1, 1, 2**62, 2**63 - 1, -(2**63), 7]
TIMES = [1_767_225_600_000_001 + at for at in range(7)]


def patch(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="PATCH")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


@pytest.fixture
def experiment(stored: Stored) -> str:
    """Two runs: one with all kinds of things, one with nothing."""
    name = f"o'export {uuid4().hex}"
    number = stored.post("/experiments", {"name": name})["id"]
    ids = [f"{name} {each}" for each in "ab"]  # not every id can be the name of a file
    for run_id in ids:
        stored.post("/runs", {"id": run_id, "experiment_id": number, "name": run_id[-1], "start_time_us": TIMES[0]})
    series = [
        {"metric": "train/loss", "steps": STEPS, "times_us": TIMES, "values": VALUES},
        {"metric": 'a "q", ä\n', "steps": [1], "times_us": [5], "values": [2]},
        {"metric": "cpu", "labels": {"task": "w=1", "a": ""}, "steps": [1], "times_us": [5], "values": [2]},
        {"metric": "cpu", "steps": [1], "times_us": [5], "values": [3]},
    ]
    url = f"{stored.url}/api/v1/runs/{ids[0].replace(' ', '%20')}"
    stored.post(f"/runs/{ids[0].replace(' ', '%20')}/points", {"series": series})
    patch(url, {"params": {"lr": "0.1", "ä": "x,\n;"}, "set_tags": {"note": '"'}, "status": "FAILED"})
    return name


def everything(stored: Stored, experiment: str) -> Any:
    found = []
    for run_id in stored.runs(experiment.replace("'", "''")):
        run = stored.run(run_id)
        kept = "id name user status start_time_us end_time_us".split()
        metrics = sorted(set(run["metrics"]["metric"]))
        series = stored.get(f"/runs/{run_id.replace(' ', '%20')}/series")
        found.append(
            (
                {name: run["run"][name] for name in kept},
                run["params"],
                run["tags"],
                {metric: repr(stored.points(run_id, metric)) for metric in metrics},
                [series[column] for column in ("metric", "labels", "count")],
            )
        )
    return found


def test_a_folder_of_csv_becomes_the_same_runs_on_another_server(
    program: Program, stored: Stored, experiment: str, tmp_path: Path
) -> None:
    done = program("export", "csv", tmp_path / "out", "--experiment", experiment)
    assert (done.status, done.err) == (0, "")
    assert "2 runs with 10 points; 0 are in files already\n10 points written" in done.out
    assert done.out.rstrip().endswith("the same")
    assert list((tmp_path / "out").rglob("*.part")) == []
    with Server(tmp_path / "data") as other:
        back = program("import", "csv", tmp_path / "out", "--url", other.url)
        assert (back.status, back.err) == (0, "")
        assert "2 runs with 4 series and 10 points" in back.out
        there = everything(Stored(other.url), experiment)
    assert len(there) == 2
    assert there == everything(stored, experiment)


def test_what_is_in_files_is_not_written_again(
    program: Program, stored: Stored, experiment: str, tmp_path: Path
) -> None:
    program("export", "csv", tmp_path, "--experiment", experiment)
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.rglob("points/*")}
    again = program("export", "csv", tmp_path, "--experiment", experiment)
    assert again.status == 0
    assert "2 runs with 10 points; 10 are in files already\nnothing is to be written" in again.out
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.rglob("points/*")} == before
    run_id = f"{experiment} b"
    point = {"metric": "late", "steps": [0], "times_us": [0], "values": [1]}
    stored.post(f"/runs/{run_id.replace(' ', '%20')}/points", {"series": [point]})
    later = program("export", "csv", tmp_path, run_id)
    assert "1 runs with 1 points; 0 are in files already\n1 points written" in later.out
    assert len((tmp_path / "runs.csv").read_text().split(experiment)) == 5  # both runs are still told of


@pytest.mark.parametrize(
    "rest", ["", "run_id,metric\n", "\x00\n", "run_id,metric,labels,step,time_us,value\na,b,{,1,1,1\n"]
)
def test_a_file_that_is_damaged_is_written_anew(program: Program, experiment: str, tmp_path: Path, rest: str) -> None:
    program("export", "csv", tmp_path, "--experiment", experiment)
    (path,) = (path for path in tmp_path.rglob("points/*") if "train/loss" in path.read_text())
    whole = path.read_text()
    path.write_text(rest)
    assert program("export", "csv", tmp_path, "--experiment", experiment).status == 0
    assert path.read_text() == whole


def test_event_files_keep_every_bit(program: Program, stored: Stored, experiment: str, tmp_path: Path) -> None:
    board = tmp_path / uuid4().hex
    done = program("export", "tensorboard", board, f"{experiment} a")
    assert (done.status, done.err) == (0, "")
    assert "1 runs with 10 points; 0 are in files already\n10 points written" in done.out
    assert program("import", "tensorboard", board).status == 0
    (run_id,) = stored.runs(board.name)
    for metric in ("train/loss", 'a "q", ä\n'):
        assert repr(stored.points(run_id, metric)) == repr(stored.points(f"{experiment} a", metric))
    assert stored.points(run_id, "cpu") == [(1, 5, 3.0)]
    assert stored.points(run_id, 'cpu{"a": "", "task": "w=1"}') == [(1, 5, 2.0)]
    again = program("export", "tensorboard", board, f"{experiment} a")
    assert "10 are in files already\nnothing is to be written" in again.out


def test_a_dry_run_makes_nothing(program: Program, experiment: str, tmp_path: Path) -> None:
    done = program("export", "csv", tmp_path / "out", "--experiment", experiment, "--dry-run")
    assert done.status == 0
    assert "nothing is written; 10 points would be" in done.out
    assert not (tmp_path / "out").exists()


def test_wrong_questions_are_told_apart_from_what_is_not_there(
    program: Program, experiment: str, tmp_path: Path
) -> None:
    none = program("export", "csv", tmp_path, "no such run")
    assert (none.status, none.err) == (1, "stepwell: there is no run 'no such run'\n")
    assert program("export", "csv", tmp_path, "--experiment", "none such").status == 2
    assert program("export", "csv", tmp_path, "--filter", "what").status == 2
    both = program("export", "csv", tmp_path, "a", "--experiment", experiment)
    assert (both.status, "give one or the other" in both.err) == (2, True)
    chosen = program("export", "csv", tmp_path, "--experiment", experiment, "--filter", "params.lr = '0.1'")
    assert "1 runs with 10 points" in chosen.out


def test_a_folder_of_another_origin_is_a_wrong_question(program: Program, tmp_path: Path) -> None:
    assert "runs.csv is missing" in program("import", "csv", tmp_path).err
    (tmp_path / "runs.csv").write_text("a,b\n")
    done = program("import", "csv", tmp_path)
    assert (done.status, "its columns are not run_id, experiment" in done.err) == (2, True)


def test_what_is_missing_is_the_folder_alone(program: Program) -> None:
    done = program("export", "csv")
    assert done.status == 2
    assert "the following arguments are required: DIR (try" in done.err
