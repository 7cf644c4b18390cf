"""What W&B's own client has written offline, brought to a server."""

from __future__ import annotations

import json
import math
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import wandb

from serving import Server, binary

LOSS = [0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
STEPS = [0, 1, 2, 5, 100, 2**40, 2**53 + 1]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B's client keeps everything in a folder of this test and speaks to nobody."""
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


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


def run_ids(server: Server, experiment: str) -> list[str]:
    named = quote(f"name = '{experiment}'")
    number = get(server, f"/experiments?filter={named}")["experiments"]["id"]
    body = json.dumps({"experiment_ids": number}).encode()
    with urllib.request.urlopen(f"{server.url}/api/v1/runs/search", body, timeout=60) as answer:
        return list(json.load(answer)["runs"]["id"])


def points(server: Server, run_id: str, metric: str) -> list[tuple[int, str]]:
    page = get(server, f"/runs/{run_id}/points?metric={quote(metric)}")
    values = page["values"]
    marks = page["non_finite"].get("values", {"at": [], "value": []})
    for at, word in zip(marks["at"], marks["value"], strict=True):
        values[at] = float(word)
    return list(zip(page["steps"], map(repr, map(float, values)), strict=True))


def test_a_run_comes_whole_and_once(shared_server: Server, tmp_path: Path) -> None:
    project = f"p{uuid4().hex}"
    with wandb.init(
        dir=tmp_path,
        project=project,
        name="first",
        config={"lr": 0.1, "net": {"layers": [1, 2], "act": "relu"}},
        tags=["good"],
        notes="a note",
        group="sweep 1",
    ) as logged:
        for step, value in zip(STEPS, LOSS, strict=True):
            logged.log({"loss": value, "nested": {"deep": step % 7}, "text": "x" * 40_000}, step=step)
        logged.config.update({"late": None})
        logged.summary["best"] = 0.25
        (tmp_path / "weights.bin").write_bytes(b"weights" * 1000)
        logged.save(tmp_path / "weights.bin", base_path=tmp_path)
        began = logged.start_time
    told = run(shared_server, "import", "wandb", tmp_path / "wandb")
    assert told.rstrip().endswith("the same")
    (run_id,) = run_ids(shared_server, project)
    found = get(shared_server, f"/runs/{run_id}")
    assert (found["run"]["name"], found["run"]["status"]) == ("first", "FINISHED")
    assert abs(found["run"]["start_time_us"] / 1e6 - began) < 60
    assert found["run"]["end_time_us"] >= found["run"]["start_time_us"]
    assert found["params"] == {"lr": "0.1", "net.layers": "[1, 2]", "net.act": "relu", "late": "null"}
    assert found["tags"]["good"] == ""
    assert found["tags"]["wandb.group"] == "sweep 1"
    assert found["note"] == "a note"
    assert points(shared_server, run_id, "loss") == [
        (step, repr(value)) for step, value in zip(STEPS, LOSS, strict=True)
    ]
    assert points(shared_server, run_id, "nested.deep") == [(step, repr(float(step % 7))) for step in STEPS]
    assert points(shared_server, run_id, "best") == [(STEPS[-1], "0.25")]
    with urllib.request.urlopen(
        f"{shared_server.url}/api/v1/runs/{run_id}/artifacts/weights.bin", timeout=60
    ) as answer:
        assert answer.read() == b"weights" * 1000
    files = get(shared_server, f"/runs/{run_id}/artifacts")["path"]
    assert {"requirements.txt", "weights.bin"} <= set(files)
    assert "0 runs are new, 0 changed" in (again := run(shared_server, "import", "wandb", tmp_path / "wandb"))
    assert "already, 0 sent\n0 points sent" in again


def test_a_run_that_failed_and_was_resumed_is_one(shared_server: Server, tmp_path: Path) -> None:
    project, id_ = f"p{uuid4().hex}", uuid4().hex[:8]
    logged = wandb.init(dir=tmp_path, project=project, id=id_)
    logged.log({"loss": 1.0}, step=0)
    logged.finish(exit_code=1)
    run(shared_server, "import", "wandb", tmp_path)
    (run_id,) = run_ids(shared_server, project)
    assert get(shared_server, f"/runs/{run_id}")["run"]["status"] == "FAILED"
    logged = wandb.init(dir=tmp_path, project=project, id=id_, resume="allow")
    logged.log({"loss": 0.5}, step=1)
    logged.finish()
    run(shared_server, "import", "wandb", tmp_path)
    assert run_ids(shared_server, project) == [run_id]
    assert get(shared_server, f"/runs/{run_id}")["run"]["status"] == "FINISHED"
    assert points(shared_server, run_id, "loss") == [(0, "1.0"), (1, "0.5")]
