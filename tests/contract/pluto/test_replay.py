"""A recorded run of the client, asked of Stepwell in the same order. Every answer has what the client looks at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from serving import Server

CAPTURES = Path(__file__).parent / "captures"
# What a server makes up itself: these are there, with a value of the same type.
MADE = {"runId", "number", "displayId", "url", "organizationSlug", "slug"}


def conversation() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CAPTURES / "conversation.jsonl").read_text().splitlines()]


def alike(ours: Any, theirs: Any, name: str = "") -> None:
    """Everything that was in the recorded answer is in ours; more may be."""
    if isinstance(theirs, dict):
        assert theirs.keys() <= ours.keys(), (theirs, ours)
        for key, value in theirs.items():
            alike(ours[key], value, key)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            alike(mine, other, name)
    elif name in MADE or str(theirs).startswith("/storage/"):
        assert type(ours) is type(theirs)
        assert ours
    else:
        assert ours == theirs, name


def test_the_recorded_run(server: Server) -> None:
    run = ""
    links: list[str] = []
    with httpx.Client(base_url=server.url, headers={"authorization": "Bearer mlpi_x"}, timeout=60) as http:
        for each in conversation():
            headers = {**each["headers"], **({"x-run-id": run} if run else {})}
            path, body = each["path"], each["body"].replace('"runId": 1', f'"runId": {run}').encode()
            if path.startswith("/storage/"):
                path, body = links.pop(0), bytes(int(each["body"].split()[0][1:]))
            answer = http.request(each["method"], path, content=body, headers=headers)
            assert answer.status_code == each["status"], (each["name"], answer.text)
            if isinstance(each["answer"], dict):
                alike(answer.json(), each["answer"])
            else:
                assert answer.text == each["answer"]
            if path.endswith("/create"):
                run = str(answer.json()["runId"])
            if path == "/files":
                links = [url for files in answer.json().values() for file in files for url in file.values()]
        details = http.get(f"/api/runs/details/{run}").json()
        assert details["status"] == "COMPLETED"
        assert details["config"] == {"lr": 0.1, "model": {"depth": 3}, "epochs": 3}
        assert details["tags"] == ["t2", "t3"]
        found = http.get("/api/runs/metrics", params={"runId": run, "projectName": "capture-proj"}).json()["metrics"]
        values = {(row["logName"], row["step"]): (row["value"], row["valueFlag"]) for row in found}
        assert values["train/loss", 2] == (0.3333333333333333, "")
        assert values["train/nan", 5] == (0, "NaN")
        assert values["train/inf", 5] == (0, "Inf")
        assert len(found) == 20 + 7 + 9
        files = http.get("/api/runs/files", params={"runId": run, "projectName": "capture-proj"}).json()["files"]
        assert [(file["logName"], file["fileSize"]) for file in files] == [("img", 69), ("txt", 11)]
