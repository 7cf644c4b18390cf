"""Event files of TensorBoard's own writers into a server, and ours in front of TensorBoard's own reader."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary
from tensorboard.plugins.scalar import summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_ndarray
from tensorboardX import SummaryWriter

from serving import Server, binary

VALUES = [0.1, math.nan, math.inf, -math.inf, -0.0, 1e-45, 3.4028234663852886e38]
STEPS = [0, 1, 1, 2**40, 2**63 - 1, -1, 7]
TIME = 1_767_225_600.125001  # seconds; the microseconds that a double near it can tell


def run(server: Server, *arguments: str | Path) -> str:
    done = subprocess.run(
        [binary(), *arguments, "--url", server.url],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "no_proxy": "*"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def get(server: Server, path: str) -> Any:
    with urllib.request.urlopen(f"{server.url}/api/v1{path}", timeout=60) as answer:
        return json.load(answer)


def post(server: Server, path: str, body: Any) -> Any:
    with urllib.request.urlopen(f"{server.url}/api/v1{path}", json.dumps(body).encode(), timeout=60) as answer:
        return json.load(answer)


def run_ids(server: Server, experiment: str) -> dict[str, str]:
    named = quote(f"name = '{experiment}'")
    number = get(server, f"/experiments?filter={named}")["experiments"]["id"]
    runs = post(server, "/runs/search", {"experiment_ids": number})["runs"]
    return dict(zip(runs["name"], runs["id"], strict=True))


def points(server: Server, run_id: str, metric: str) -> list[tuple[int, int, str]]:
    page = get(server, f"/runs/{run_id}/points?metric={quote(metric)}")
    values = page["values"]
    marks = page["non_finite"].get("values", {"at": [], "value": []})
    for at, word in zip(marks["at"], marks["value"], strict=True):
        values[at] = float(word)
    return sorted(zip(page["steps"], page["times_us"], map(repr, values), strict=True))


def expected() -> list[tuple[int, int, str]]:
    single = [struct.unpack("<f", struct.pack("<f", value))[0] for value in VALUES]
    return sorted(
        (step, round((TIME + at) * 1e6), repr(value))
        for at, (step, value) in enumerate(zip(STEPS, single, strict=True))
    )


def write_tensorboardx(folder: Path) -> None:
    """Values of its own field; and what is no scalar."""
    with SummaryWriter(str(folder)) as writer:
        for at, (step, value) in enumerate(zip(STEPS, VALUES, strict=True)):
            writer.add_scalar("train/loss", value, step, walltime=TIME + at)
        writer.add_histogram("weights", [0.0, 1.0, 2.0], 1)
        writer.add_text("note", "hello", 1)


def write_tensorboard(folder: Path) -> None:
    """Values as tensors of TensorBoard 2."""
    folder.mkdir(parents=True)
    writer = EventFileWriter(str(folder))
    for at, (step, value) in enumerate(zip(STEPS, VALUES, strict=True)):
        summary = summary_v2.scalar_pb("train/loss", value)
        writer.add_event(Event(wall_time=TIME + at, step=step, summary=summary))
    writer.add_event(Event(wall_time=TIME, step=1, summary=Summary()))
    writer.close()


@pytest.mark.parametrize("write", [write_tensorboardx, write_tensorboard])
def test_what_the_writers_of_others_wrote_comes_exactly_and_once(
    write: Any, shared_server: Server, tmp_path: Path
) -> None:
    board = tmp_path / uuid4().hex
    write(board / "a" / "b")
    told = run(shared_server, "import", "tensorboard", board)
    assert f"1 runs with 1 series and {len(VALUES)} points" in told
    assert told.rstrip().endswith("the same")
    ids = run_ids(shared_server, board.name)
    assert points(shared_server, ids["a/b"], "train/loss") == expected()
    again = run(shared_server, "import", "tensorboard", board)
    assert f"0 runs are new, 0 changed; {len(VALUES)} points are on the server already\n0 points sent" in again


def test_tensorboard_reads_what_is_exported_with_every_bit(shared_server: Server, tmp_path: Path) -> None:
    run_id = uuid4().hex
    body = {"metric": "train/loss", "steps": [0, 1, 2**40], "times_us": [5, 1_767_225_600_125_001, 6]}
    series = [{**body, "values": [0.1, "NaN", -1e300]}, {**body, "metric": "acc", "values": [1, 2, 3]}]
    post(shared_server, "/runs", {"id": run_id, "name": "a: b"})
    post(shared_server, f"/runs/{run_id}/points", {"series": series})
    run(shared_server, "export", "tensorboard", tmp_path / "board", run_id)
    (folder,) = (tmp_path / "board").iterdir()
    assert folder.name.startswith("a_ b-")
    board = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    assert sorted(board.Tags()["tensors"]) == ["acc", "train/loss"]
    found = [
        (each.step, each.wall_time, repr(float(make_ndarray(each.tensor_proto))))
        for each in board.Tensors("train/loss")
    ]
    assert found == [(0, 5e-6, "0.1"), (1, 1_767_225_600.125001, "nan"), (2**40, 6e-6, "-1e+300")]
    metadata = board.SummaryMetadata("acc")
    assert (metadata.plugin_data.plugin_name, metadata.data_class) == ("scalars", DATA_CLASS_SCALAR)
