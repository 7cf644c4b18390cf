"""Import and export on a data directory that no server has open."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from serving import Server
from transfer.conftest import Program, Stored


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A run of more points than one request brings."""
    path = tmp_path / "train.csv"
    values = "nan inf -inf -0.0 0.1".split() * 22_000
    rows = [f"{step},{step * 1000},{value}" for step, value in enumerate(values)]
    path.write_text("\n".join(["step,time_us,loss", *rows, ""]))
    return path


def test_a_directory_takes_and_gives_as_a_server_does(program: Program, table: Path, tmp_path: Path) -> None:
    run_id, place = uuid4().hex, tmp_path / "data"
    told = program("import", "csv", table, "--run-id", run_id, "--data-dir", place)
    assert (told.status, told.err) == (0, "")
    assert "1 runs are new" in told.out
    assert told.out.rstrip().endswith("the same")
    again = program("import", "csv", table, "--run-id", run_id, "--data-dir", place)
    assert "0 runs are new, 0 changed; 110000 points are on the server already\n0 points sent" in again.out
    inside = program("export", "csv", tmp_path / "inside", "--data-dir", place)
    assert (inside.status, inside.err) == (0, "")
    assert "110000 points written" in inside.out
    with Server(place) as server:
        stored: Any = Stored(server.url).run(run_id)
        assert [stored["metrics"][name] for name in ("metric", "last_step")] == [["loss"], [109_999]]
        outside = program("export", "csv", tmp_path / "outside", "--url", server.url)
        assert outside.status == 0
        held = program("export", "csv", tmp_path / "held", "--data-dir", place)
        assert (held.status, held.out) == (1, "")
        assert f"{place} is open in a server or another command: give that server's address with --url" in held.err
    for name in ("runs.csv", f"points/{run_id}.csv"):
        assert (tmp_path / "inside" / name).read_bytes() == (tmp_path / "outside" / name).read_bytes()


def test_files_go_in_and_out_without_a_server(program: Program, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000  # more than one piece
    run = tmp_path / "mlruns" / "1" / "abc"
    (run / "artifacts").mkdir(parents=True)
    (run.parent / "meta.yaml").write_text("name: e\n")
    (run / "meta.yaml").write_text("run_id: abc\n")
    (run / "artifacts" / "weights").write_bytes(content)
    place, out = tmp_path / "data", tmp_path / "out"
    told = program("import", "mlflow", tmp_path / "mlruns", "--data-dir", place)
    assert "1 files of 5.1 MB; 0 are on the server already, 1 sent" in told.out
    assert "0 are there already, 1 written" in program("export", "csv", out, "--data-dir", place).out
    assert (out / "files" / "abc" / "weights").read_bytes() == content


def test_only_an_import_that_writes_makes_a_directory(program: Program, tmp_path: Path) -> None:
    place, table = tmp_path / "data", tmp_path / "a.csv"
    table.write_text("step,loss\n1,2\n")
    out = program("export", "csv", tmp_path / "out", "--data-dir", place)
    assert (out.status, out.err) == (2, f"stepwell: {place}: no such data directory\n")
    dry = program("import", "csv", table, "--dry-run", "--data-dir", place)
    assert (dry.status, dry.err) == (0, "")
    assert "1 runs are new" in dry.out
    assert "nothing is written; 1 points would be sent" in dry.out
    assert not place.exists()
    assert program("import", "csv", table, "--data-dir", place).status == 0
    assert place.is_dir()


def test_what_is_no_source_makes_no_directory(program: Program, tmp_path: Path) -> None:
    place, empty = tmp_path / "data", tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n")
    for kind, source in (
        ("csv", tmp_path / "none"),
        ("csv", tmp_path / "picture"),
        ("csv", empty),
        ("tensorboard", empty),
        ("wandb", empty),
        ("mlflow", empty),
        ("mlflow", tmp_path / "picture"),
    ):
        for into in (place, empty):
            done = program("import", kind, source, "--data-dir", into)
            assert (done.status, done.out) == (2, ""), done
            assert str(source) in done.err
    assert not place.exists()
    assert not [*empty.iterdir()]


def test_no_path_is_no_directory(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("step,loss\n1,2\n")
    for argv in (("import", "csv", "a.csv"), ("import", "csv", "a.csv", "--dry-run"), ("export", "csv", "out")):
        done = program(*argv, "--data-dir", "")
        assert (done.status, done.out, done.err) == (2, "", "stepwell: --data-dir: '' is not a path\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_place_that_is_no_data_directory_stays_as_it_is(program: Program, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    done = program("export", "csv", tmp_path / "out", "--data-dir", tmp_path / "mine")
    assert (done.status, done.out) == (2, "")
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_server_or_a_directory_and_not_both(program: Program, tmp_path: Path) -> None:
    ended = program("export", "csv", tmp_path / "out", "--data-dir", tmp_path, "--url", "http://127.0.0.1:1")
    assert (ended.status, ended.out) == (2, "")
    assert "not allowed with" in ended.err


def test_where_the_server_is_not_installed_it_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from stepwell.transfer.commands import add

    parser = ArgumentParser()
    add(parser.add_subparsers())
    asked = vars(parser.parse_args(["export", "csv", str(tmp_path / "out"), "--data-dir", str(tmp_path)]))
    assert asked.pop("run")(asked) == 2
    assert "--data-dir needs the server: pip install 'stepwell[server]'" in capsys.readouterr().err
