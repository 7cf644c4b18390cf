"""Requests that the real clients sent, as they were recorded, and the answers that they understood."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx

from serving import Server

CAPTURES = Path(__file__).parent / "captures" / "pairs.jsonl"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
CHOSEN_BY_THE_SERVER = ("createdAt", "modifiedAt")


def pairs(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def settled(answer: Any) -> Any:
    """An answer without what the server makes up, which only has to be there and of the right form."""
    found = json.loads(json.dumps(answer))
    for resource in found.get("resources", []):
        for name in CHOSEN_BY_THE_SERVER:
            assert TIME.fullmatch(resource.pop(name))
        for metric in resource.get("metrics", []):
            assert TIME.fullmatch(metric["timestamp"])
            if metric["name"] == "no_ts":
                metric["timestamp"] = "now"
    if "error" in found:  # what people read is in our own words
        assert found["error"].pop("requestId")
        details = found["error"].pop("details")
        assert [detail.keys() for detail in details] == [{"code", "message"}]
        if found["error"]["code"] == "02010001":
            assert found["error"].pop("message")
    if "access_token" in found:
        assert found.pop("access_token")
    return found


def replay(server: Server, path: Path) -> None:
    wrong = []
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for number, pair in enumerate(pairs(path), 1):
            verb, target = pair["request"].split(" ", 1)
            body = pair.get("body")
            content = json.dumps(body) if isinstance(body, dict) else body
            response = client.request(verb, target, headers=pair["headers"], content=content)
            found = response.json() if response.content else None
            same = (
                settled(found) == settled(pair["answer"]) if found and "answer" in pair else found is pair.get("answer")
            )
            if response.status_code != pair["status"] or not same:
                wrong.append(f"{number} {pair['request']}: {response.status_code} {response.text}")
    assert wrong == [], "\n\n".join(wrong)


def test_the_recorded_conversation(server: Server) -> None:
    replay(server, CAPTURES)


def test_the_recording_has_every_verb_and_every_refusal() -> None:
    told = {(pair["request"].split(" ")[0], pair["status"]) for pair in pairs(CAPTURES)}
    assert told >= {("PATCH", 204), ("PATCH", 400), ("GET", 200), ("GET", 400), ("DELETE", 200), ("DELETE", 404)}
