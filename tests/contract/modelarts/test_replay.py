"""Ten recorded requests of the client, asked again: every recorded field is answered alike.

But for what `captures/deviations.json` says, with its reasons. Fields that the recording lacks may be there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.modelarts.conftest import MINUTE, START, Project
from serving import Server

CAPTURES = Path(__file__).parent / "captures"
PAIRS = [json.loads(line) for line in (CAPTURES / "pairs.jsonl").read_text().splitlines()]
DEVIATIONS = json.loads((CAPTURES / "deviations.json").read_text())
JOB = "2cd88daa-31a4-40a8-a58f-d186b0e93e4f"
PROJECT = "0123456789abcdef0123456789abcdef"
MADE_UP = {"metadata.id", "metadata.create_time", "status.start_time"}  # of a job that is made now


@pytest.fixture
def answers(server: Server, open_project: Any) -> dict[str, httpx.Response]:
    """What this server answers, asked in the order of the recording."""
    project: Project = open_project(server, PROJECT)
    samples = [{"time": START + 2 * MINUTE, "cpu": 2.43}, {"time": START + 3 * MINUTE, "cpu": 4.5, "mem": 0.52}]
    project.post_samples(JOB, samples)
    found = {}
    for pair in PAIRS:
        verb, target = pair["request"].split(" ", 1)
        content = json.dumps(pair["body"]).encode() if "body" in pair else None
        found[pair["label"]] = project.http.request(verb, target, content=content, headers=pair["headers"])
    return found


def compare(want: Any, got: Any, place: str, ignored: set[str]) -> None:
    """Every recorded field is there and equal."""
    if place in ignored:
        assert type(got) is type(want), place
    elif isinstance(want, dict):
        for key, value in want.items():
            assert key in got, f"{place}.{key} is missing"
            compare(value, got[key], f"{place}.{key}".lstrip("."), ignored)
    elif isinstance(want, list) and want and isinstance(want[0], dict) and "metadata" in want[0]:
        assert len(got) == len(want)
        for one, other in zip(want, got, strict=True):
            compare(one, other, "", ignored)
    else:
        assert got == want, place


def test_the_recording_is_answered(answers: dict[str, httpx.Response]) -> None:
    for pair in PAIRS:
        want = DEVIATIONS["answers"].get(pair["label"], pair)
        response = answers[pair["label"]]
        assert response.status_code == want["status"], (pair["label"], response.text)
        assert response.headers["x-request-id"]
        ignored = set(DEVIATIONS["fields"]) | (MADE_UP if pair["label"] == "create" else set())
        answer = response.json()
        if pair["label"] == "metrics with another key":
            answer["metrics"] = answer["metrics"][:1]
        compare(want["answer"], answer, "", ignored)


def test_metrics_are_answered_exactly(answers: dict[str, httpx.Response]) -> None:
    for pair in PAIRS:
        if pair["label"] in ("metrics", "metrics with a token"):
            assert answers[pair["label"]].json() == pair["answer"]


def test_every_deviation_is_one(answers: dict[str, httpx.Response]) -> None:
    pairs = {pair["label"]: pair for pair in PAIRS}
    for label, want in DEVIATIONS["answers"].items():
        assert want["reason"]
        assert (want["status"], want["answer"]) != (pairs[label]["status"], pairs[label]["answer"])
