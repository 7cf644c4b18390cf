"""Runs as a stream of Arrow's, for its own library and for polars, where nothing of the server is installed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pytest

from serving import Server

SOURCES = str(Path(__file__).parents[3] / "src")
PROGRAM = "import sys; from stepwell.__main__ import main; sys.exit(main())"


def export(server: Server, *arguments: str | Path, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "export", "arrow", *arguments, "--url", server.url],
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
        env={**os.environ, "PYTHONPATH": SOURCES, "no_proxy": "*"},
        check=False,
    )


def told(done: subprocess.CompletedProcess[bytes]) -> str:
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    return done.stdout.decode()


@pytest.fixture
def run_ids(shared_server: Server) -> list[str]:
    """Two runs, one of them with points."""
    found = [uuid4().hex, uuid4().hex]
    series = {"metric": "loss", "steps": [0, 1, 2**62], "times_us": [5, 6, 7], "values": [0.1, "NaN", -0.0]}
    for path, body in (
        ("/runs", {"id": found[0], "name": "first", "params": {"lr": "ä"}}),
        ("/runs", {"id": found[1]}),
        (f"/runs/{found[0]}/points", {"series": [series, {**series, "metric": "cpu", "labels": {"task": "w"}}]}),
    ):
        urllib.request.urlopen(f"{shared_server.url}/api/v1{path}", json.dumps(body).encode(), timeout=60).close()
    return found


def check(data: bytes, run_ids: list[str]) -> None:
    with pa.ipc.open_stream(data) as stream:
        runs: list[dict[str, Any]] = json.loads(stream.schema.metadata[b"stepwell.runs"])
        table = stream.read_all()
    assert [(run["id"], run["params"]) for run in runs] == [(run_ids[0], {"lr": "ä"}), (run_ids[1], {})]
    assert runs[0]["name"] == "first"
    frame = pl.read_ipc_stream(io.BytesIO(data))
    for each in (table.to_pydict(), frame.to_dict(as_series=False)):
        assert list(each) == ["run_id", "metric", "labels", "step", "time_us", "value"]
        assert each["run_id"] == [run_ids[0]] * 6
        assert each["metric"] == ["cpu"] * 3 + ["loss"] * 3
        assert each["labels"] == ['{"task": "w"}'] * 3 + [""] * 3
        assert (each["step"], each["time_us"]) == ([0, 1, 2**62] * 2, [5, 6, 7] * 2)
        assert [repr(value) for value in each["value"]] == ["0.1", "nan", "-0.0"] * 2


def test_a_file_is_written_once(shared_server: Server, run_ids: list[str], tmp_path: Path) -> None:
    path = tmp_path / "points.arrows"
    assert "nothing is written; 6 points would be" in told(export(shared_server, path, *run_ids, "--dry-run"))
    assert not path.exists()
    first = told(export(shared_server, path, *run_ids))
    assert "2 runs with 6 points; 0 are in files already\n6 points written" in first
    assert first.rstrip().endswith("the same")
    check(path.read_bytes(), run_ids)
    before = path.stat().st_ino
    again = told(export(shared_server, path, *run_ids))
    assert "2 runs with 6 points; 6 are in files already\nnothing is to be written" in again
    assert (path.stat().st_ino, [each.name for each in tmp_path.iterdir()]) == (before, [path.name])
    path.write_bytes(path.read_bytes()[:-100])
    assert "6 points written" in told(export(shared_server, path, *run_ids))
    check(path.read_bytes(), run_ids)


def test_a_stream_is_all_that_is_printed(shared_server: Server, run_ids: list[str]) -> None:
    done = export(shared_server, "-", *run_ids)
    assert done.returncode == 0
    assert "6 points written" in done.stderr.decode()
    check(done.stdout, run_ids)


def test_a_stream_that_nobody_reads_ends(shared_server: Server, run_ids: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = export(shared_server, "-", *run_ids, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (1, "stepwell: Broken pipe")
