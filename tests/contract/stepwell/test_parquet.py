"""Parquet files of pandas and polars into a server, and runs out for them, where nothing of the server is installed."""

from __future__ import annotations

import json
import math
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import polars as pl
import pytest

from serving import Server

SOURCES = str(Path(__file__).parents[3] / "src")


@pytest.fixture
def command(
    shared_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs `stepwell ARGUMENTS`, which must go well; what it printed."""
    monkeypatch.syspath_prepend(SOURCES)
    from stepwell.transfer.commands import add

    def run(*arguments: str | Path) -> str:
        parser = ArgumentParser()
        add(parser.add_subparsers())
        asked = vars(parser.parse_args([*map(str, arguments), "--url", shared_server.url]))
        status = asked.pop("run")(asked)
        told = capsys.readouterr()
        assert (status, told.err) == (0, "")
        return told.out

    return run


def points(server: Server, run_id: str, metric: str) -> list[tuple[int, int, Any]]:
    with urllib.request.urlopen(f"{server.url}/api/v1/runs/{run_id}/points?metric={metric}", timeout=60) as answer:
        page = json.load(answer)
    marks = page["non_finite"].get("values", {"at": [], "value": []})
    for at, word in zip(marks["at"], marks["value"], strict=True):
        page["values"][at] = word
    return list(zip(page["steps"], page["times_us"], page["values"], strict=True))


def write_pandas(path: Path) -> None:
    times = pd.to_datetime([1_000_001_999, 2_000_000, 3_000_000], unit="ns", utc=True)
    frame = pd.DataFrame({"step": [0, 1, 2**53 + 1], "time": times, "loss": [0.1, math.inf, -math.inf]})
    frame["rare"] = pd.array([None, 2, None], dtype="Int64")
    frame.index = pd.Index([7, 8, 9])
    frame.to_parquet(path)


def write_polars(path: Path) -> None:
    rows = {"step": [0, 1, 2**53 + 1], "time_us": [1_000_001, 2_000, 3_000], "loss": [0.1, math.inf, -math.inf]}
    pl.DataFrame({**rows, "rare": [None, 2, None]}).write_parquet(path)


@pytest.mark.parametrize("write", [write_pandas, write_polars])
def test_frames_come_exactly_and_once(
    write: Callable[[Path], None], command: Callable[..., str], shared_server: Server, tmp_path: Path
) -> None:
    run_id, path = uuid4().hex, tmp_path / "train.parquet"
    write(path)
    told = command("import", "parquet", path, "--run-id", run_id)
    assert "1 runs with 2 series and 4 points" in told
    assert told.rstrip().endswith("the same")
    loss = points(shared_server, run_id, "loss")
    assert loss == [(0, 1_000_001, 0.1), (1, 2_000, "Infinity"), (2**53 + 1, 3_000, "-Infinity")]
    assert points(shared_server, run_id, "rare") == [(1, 2_000, 2)]
    assert "4 points are on the server already\n0 points sent" in command("import", "parquet", path, "--run-id", run_id)


def test_what_goes_out_is_read_by_both_and_comes_in_again(
    command: Callable[..., str], shared_server: Server, tmp_path: Path
) -> None:
    run_id = uuid4().hex
    series = {"metric": "loss", "steps": [0, 1, 2**62], "times_us": [5, 6, 7], "values": [0.1, "NaN", -0.0]}
    for path, body in (
        ("/runs", {"id": run_id, "params": {"lr": "ä"}}),
        (f"/runs/{run_id}/points", {"series": [series, {**series, "labels": {"task": "w"}}]}),
    ):
        urllib.request.urlopen(f"{shared_server.url}/api/v1{path}", json.dumps(body).encode(), timeout=60).close()
    assert "6 points written" in command("export", "parquet", tmp_path / "out", run_id)
    assert "6 are in files already\nnothing is to be written" in command("export", "parquet", tmp_path / "out", run_id)
    frame = pd.read_parquet(tmp_path / "out" / "points")
    assert frame["step"].tolist() == [0, 1, 2**62] * 2
    assert frame["time_us"].tolist() == [5, 6, 7] * 2
    assert [repr(value) for value in frame["value"].tolist()] == ["0.1", "nan", "-0.0"] * 2
    assert sorted(set(frame["labels"])) == ["", '{"task": "w"}']
    runs = pl.read_parquet(tmp_path / "out" / "runs.parquet")
    assert runs.select("run_id", "end_time_us", "params").rows() == [(run_id, None, '{"lr": "ä"}')]
    again = command("import", "parquet", tmp_path / "out")
    assert "0 runs are new, 0 changed; 6 points are on the server already\n0 points sent" in again
