"""What is measured becomes samples of a task and metrics of a run; how often, and of whom."""

from __future__ import annotations

from typing import Any

import pytest

from stepwell.agent.readings import Usage
from stepwell.agent.rounds import Sample
from stepwell.client.commands import main
from stepwell.client.environment import cuda_visible, interval, task
from stepwell.client.measuring import as_records
from stepwell.client.records import USAGE, Note


def test_usage_is_the_task_s_and_all_else_the_run_s() -> None:
    usage = (
        Usage(resource="cpu", percent=5),
        Usage(resource="gpu", percent=90, device="0"),
        Usage(resource="gpu", percent=80, device="1"),
        Usage(resource="gpu_mem", percent=25, device="0"),
    )
    samples = [
        Sample(time_us=1_790_000_000_000_123, usage=usage, measures={"disk_used_bytes": 7}),
        Sample(time_us=1_790_000_005_000_999, usage=(), measures={}),
    ]
    note, *rows = as_records("worker-1", samples)
    assert isinstance(note, Note)
    assert note.kind == USAGE
    assert note.fields == {
        "task": "worker-1",
        "samples": [
            {"time": 1_790_000_000_000.123, "cpu": 5},
            {"time": 1_790_000_000_000.123, "device": "0", "gpu": 90, "gpu_mem": 25},
            {"time": 1_790_000_000_000.123, "device": "1", "gpu": 80},
        ],
    }
    assert rows == [(1_790_000_000_000_123, 1_790_000_000_000, {"system/worker-1/disk_used_bytes": 7})]


@pytest.mark.parametrize(
    ("given", "variables", "seconds"),
    [
        (None, {}, 5),
        (None, {"STEPWELL_SYSTEM": "2.5"}, 2.5),
        (None, {"STEPWELL_SYSTEM": "0"}, 0),
        (None, {"LOCAL_RANK": "1"}, 0),
        (None, {"LOCAL_RANK": "1", "STEPWELL_SYSTEM": "2"}, 0),
        (3, {"LOCAL_RANK": "1", "STEPWELL_SYSTEM": "0"}, 3),
        (True, {"STEPWELL_SYSTEM": "0"}, 5),
        (False, {"STEPWELL_SYSTEM": "2"}, 0),
        (0, {}, 0),
        ("10", {}, 10),
    ],
)
def test_how_often(monkeypatch: pytest.MonkeyPatch, given: Any, variables: dict[str, str], seconds: float) -> None:
    for name in ("STEPWELL_SYSTEM", "LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert interval(given) == seconds


@pytest.mark.parametrize("given", ["often", "-1", "0.05", "3601", "inf", "nan"])
def test_a_wrong_interval_is_named(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    with pytest.raises(ValueError, match=given):
        interval(given)
    monkeypatch.setenv("STEPWELL_SYSTEM", given)
    with pytest.raises(ValueError, match=given):
        interval()


def test_the_environment_says_who_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_TASK", "reader-1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert task() == "reader-1"
    assert task("own") == "own"
    assert cuda_visible() == "2"
    monkeypatch.setenv("STEPWELL_TASK", "x" * 256)
    with pytest.raises(ValueError, match="256 characters"):
        task()


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ([], "--run is needed"),
        (["--run", "a/b"], "without '/'"),
        (["--run", "a", "--interval", "0"], "--interval 0"),
        (["--run", "a", "--interval", "soon"], "soon"),
        (["--run", "a", "--task", "b/c"], "b/c"),
        (["--run", "a", "--url", "ftp://x"], "ftp"),
    ],
)
def test_an_agent_that_is_wrongly_asked_says_so(
    flags: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", *flags]) == 2
    assert word in capsys.readouterr().err
