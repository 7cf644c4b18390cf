"""CSV files into a server: exactly what stands in them, once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from serving import Server
from stepwell.__main__ import main
from stepwell.client.transport import Unavailable
from stepwell.transfer import server
from transfer.conftest import Program, Stored

MICROSECONDS_2026 = 1_767_225_600_000_000
WIDE = """step,time,loss,acc
0,2026-01-01T00:00:00Z,0.1,nan
1,2026-01-01T01:00:01.000001+01:00,-0.0,
9223372036854775807,2026-01-01 00:00:02.500000999Z,-inf,5e-324
-3,1767225600.123456,Infinity,1
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "train.csv"
    path.write_text(text)
    return path


def test_every_column_is_a_metric_and_every_cell_arrives_exactly(
    program: Program, stored: Stored, tmp_path: Path
) -> None:
    experiment = uuid4().hex
    done = program("import", "csv", write(tmp_path, WIDE), "--experiment", experiment)
    assert (done.status, done.err) == (0, "")
    assert "1 runs with 2 series and 7 points" in done.out
    assert done.out.rstrip().endswith("the same")
    (run_id,) = stored.runs(experiment)
    start = MICROSECONDS_2026
    loss = stored.points(run_id, "loss")
    assert loss == [
        (-3, start + 123_456, "Infinity"),
        (0, start, 0.1),
        (1, start + 1_000_001, 0.0),
        (2**63 - 1, start + 2_500_000, "-Infinity"),
    ]
    assert str(loss[2][2]) == "-0.0"
    assert stored.points(run_id, "acc") == [
        (-3, start + 123_456, 1.0),
        (0, start, "NaN"),
        (2**63 - 1, start + 2_500_000, 5e-324),
    ]
    run = stored.run(run_id)["run"]
    assert (run["name"], run["status"]) == ("train", "FINISHED")
    assert (run["start_time_us"], run["end_time_us"]) == (start, start + 2_500_000)


def test_importing_twice_changes_nothing(program: Program, stored: Stored, tmp_path: Path) -> None:
    experiment = uuid4().hex
    path = write(tmp_path, WIDE)
    program("import", "csv", path, "--experiment", experiment)
    (run_id,) = stored.runs(experiment)
    before = stored.run(run_id)
    done = program("import", "csv", path, "--experiment", experiment)
    assert done.status == 0
    assert "0 runs are new, 0 changed; 7 points are on the server already\n0 points sent" in done.out
    assert stored.run(run_id) == before


def test_what_is_appended_is_all_that_is_sent_also_without_times(
    program: Program, stored: Stored, tmp_path: Path
) -> None:
    path = write(tmp_path, "loss\n3\n2\n")
    run_id = uuid4().hex
    assert program("import", "csv", path, "--run-id", run_id).status == 0
    path.write_text("loss\n3\n2\n1\n")
    done = program("import", "csv", path, "--run-id", run_id)
    assert "2 points are on the server already\n1 points sent" in done.out
    points = stored.points(run_id, "loss")
    assert [(step, value) for step, _, value in points] == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert len({time_us for _, time_us, _ in points}) == 1


def test_an_import_that_was_interrupted_goes_on(
    program: Program, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = uuid4().hex
    path = write(tmp_path, WIDE)
    once = server.Server.write

    def write_once(self: server.Server, run_id: str, series: Any) -> Iterator[int]:
        yield next(once(self, run_id, series))
        raise Unavailable("the server has gone")

    with monkeypatch.context() as patched:
        patched.setattr(server, "_BATCH", 3)
        patched.setattr(server.Server, "write", write_once)
        cut = program("import", "csv", path, "--run-id", run_id)
    assert (cut.status, cut.err) == (1, "stepwell: the server has gone. Run this again: it goes on where it was\n")
    done = program("import", "csv", path, "--run-id", run_id)
    assert "0 runs are new, 0 changed; 3 points are on the server already\n4 points sent" in done.out
    assert len(stored.points(run_id, "loss") + stored.points(run_id, "acc")) == 7


def test_a_param_keeps_its_value_and_it_is_said(program: Program, stored: Stored, tmp_path: Path) -> None:
    run_id = uuid4().hex
    stored.post("/runs", {"id": run_id, "params": {"lr": "1"}})
    program("export", "csv", tmp_path / "out", run_id)
    path = tmp_path / "out" / "runs.csv"
    path.write_text(path.read_text().replace('""lr"": ""1""', '""lr"": ""2"", ""new"": ""3""'))
    done = program("import", "csv", tmp_path / "out")
    told = f"stepwell: run {run_id}, param 'lr': the server has another value, which stays\n"
    assert (done.status, done.err) == (1, told)
    assert stored.run(run_id)["params"] == {"lr": "1", "new": "3"}


def test_the_client_alone_has_these_commands_too(
    shared_server: Server, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = uuid4().hex
    monkeypatch.setenv("STEPWELL_URL", shared_server.url)
    monkeypatch.setattr(sys, "argv", ["stepwell", "import", "csv", str(write(tmp_path, WIDE)), "--run-id", run_id])
    monkeypatch.setattr("stepwell.__main__.find_spec", lambda _: None)
    assert main() == 0
    assert len(stored.points(run_id, "loss")) == 4


def test_a_dry_run_writes_nothing(program: Program, stored: Stored, tmp_path: Path) -> None:
    run_id = uuid4().hex
    done = program("import", "csv", write(tmp_path, WIDE), "--run-id", run_id, "--dry-run")
    assert done.status == 0
    assert "nothing is written; 7 points would be sent" in done.out
    assert stored.run(run_id) is None


def test_a_column_names_the_runs_and_others_are_chosen(program: Program, stored: Stored, tmp_path: Path) -> None:
    experiment = uuid4().hex
    path = write(tmp_path, "epoch;when_ms;name;loss;note\n1;1000;b;1;x\n2;2000,5;a;2;y\n1;1000.5;a;3;\n")
    named = ["--step", "epoch", "--time", "when_ms", "--run", "name", "--leave-out", "note"]
    done = program("import", "csv", path, "--experiment", experiment, *named)
    assert done.status == 1
    assert f"{path}, line 3: time: '2000,5' is neither a number nor a moment" in done.err
    a, b = stored.runs(experiment)
    assert stored.points(a, "loss") == [(1, 1_000_500, 3.0)]
    assert stored.points(b, "loss") == [(1, 1_000_000, 1.0)]


def test_a_row_may_be_a_point(program: Program, stored: Stored, tmp_path: Path) -> None:
    run_id = uuid4().hex
    rows = f'{run_id},loss,"{{""task"": ""w=1""}}",1,5,0.5\n{run_id},loss,,1,5,0.25\n{run_id},loss,,1,5,0.25\n'
    done = program("import", "csv", write(tmp_path, "run_id,metric,labels,step,time_us,value\n" + rows))
    assert done.status == 0
    assert "2 series and 2 points, 1 more that equal one of them" in done.out
    found = stored.get(f"/runs/{run_id}/series")
    assert (found["labels"], found["count"]) == ([{}, {"task": "w=1"}], [1, 1])


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        ("", [], "there is no line with the names of the columns"),
        ("step,loss\n", ["--time", "when"], "there is no column 'when'; there are step, loss"),
        ("step,loss\n", ["--leave-out", "when"], "there is no column 'when'"),
        ("step,time\n", [], "no column is left that could be a metric"),
        ("a,a\n", [], "two columns have the same name"),
        ("run,a\n", ["--run-id", "x"], "column 'run' names the runs: one id cannot be theirs"),
    ],
)
def test_what_is_no_table_is_said(program: Program, tmp_path: Path, text: str, flags: list[str], told: str) -> None:
    path = write(tmp_path, text)
    done = program("import", "csv", path, *flags)
    assert (done.status, done.err) == (2, f"stepwell: {path}: {told}\n")


def test_a_file_that_is_not_there_is_a_wrong_question(program: Program, tmp_path: Path) -> None:
    done = program("import", "csv", tmp_path / "no.csv")
    assert done.status == 2
    assert "no.csv" in done.err


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("1.5,1,1", "step: '1.5' is no whole number"),
        ("9223372036854775808,1,1", "step: 9223372036854775808 is not within 64 bits"),
        ("1e999999999,1,1", "step: 1E+999999999 is not within 64 bits"),
        ("1,inf,1", "time in microseconds: Infinity is not within 64 bits"),
        ("1,1,1_a", "loss: '1_a' is no number"),
        ("1,1,1_000", "loss: '1_000' is no number"),
        ("1_000,1,1", "step: '1_000' is no whole number"),
        ("1,1_000,1", "time: '1_000' is neither a number nor a moment"),
        ("1,1,1e400", "loss: '1e400' is beyond a float of 64 bits"),
        ("1,1,-1e309", "loss: '-1e309' is beyond a float of 64 bits"),
        ("1,nan,1", "time: 'nan' is neither a number nor a moment"),
        ("1,1e15,1", "time in microseconds: 1.000000E+21 is not within 64 bits"),
        ("1,-1e9,x", "loss: 'x' is no number"),
        ("1,1", "2 cells under 3 columns"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_come(
    program: Program, stored: Stored, tmp_path: Path, cell: str, told: str
) -> None:
    run_id = uuid4().hex
    path = write(tmp_path, f"step,time,loss\n{cell}\n7,7,7\n")
    done = program("import", "csv", path, "--run-id", run_id)
    assert (done.status, done.err) == (1, f"stepwell: {path}, line 2: {told}\n")
    assert stored.points(run_id, "loss") == [(7, 7_000_000, 7.0)]
    assert stored.run(run_id)["run"]["start_time_us"] == 7_000_000


def test_names_hold_what_parts_the_columns(program: Program, stored: Stored, tmp_path: Path) -> None:
    run_id = uuid4().hex
    done = program("import", "csv", write(tmp_path, 'step,"loss;a;b"\n1,0.5\n'), "--run-id", run_id)
    assert (done.status, done.err) == (0, "")
    assert stored.points(run_id, "loss;a;b")[0][2] == 0.5
