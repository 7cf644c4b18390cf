"""What MLflow's own server answered to 227 recorded requests, asked of Stepwell in the same order.

Statuses, error codes and whole answers must be equal but for what `captures/deviations.json` says, with its reasons.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import Server

CAPTURES = Path(__file__).parent / "captures"
DEVIATIONS = json.loads((CAPTURES / "deviations.json").read_text())
ANSWERS = DEVIATIONS["answers"]
TIMES = ("creation_time", "last_update_time", "creation_timestamp_ms", "last_updated_timestamp_ms")
TEXT = re.compile(r"\{(.)\*(\d+)\}")


def pairs() -> list[dict[str, Any]]:
    lines = (CAPTURES / "pairs.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def made(kind: str, key: str = "", count: int = 0) -> dict[str, Any]:
    """A large batch, as the recording's program made it."""
    metrics = [{"key": key, "value": float(i), "timestamp": i, "step": i} for i in range(count)]
    pair = [{"key": f"p{i}", "value": "1"} for i in range(count)]
    match kind:
        case "metrics":
            return {"metrics": metrics, "params": [], "tags": []}
        case "params":
            return {"metrics": [], "params": pair, "tags": []}
        case "tags":
            return {"metrics": [], "params": [], "tags": pair}
        case "mixed":
            return {"metrics": metrics[:901], "params": pair[:50], "tags": pair[:50]}
    raise ValueError(kind)


class Replay:
    """The recorded conversation with one server, and the names that stand for what this server made up."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60)
        self.names = {"{suffix}": "b67848ef"}

    def filled(self, value: Any) -> Any:
        """`value` with this server's names in it."""
        if isinstance(value, str):
            for name, text in self.names.items():
                value = value.replace(name, text)
            return TEXT.sub(lambda found: found[1] * int(found[2]), value)
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        return value

    def ask(self, pair: dict[str, Any]) -> httpx.Response:
        """Send the request of a pair."""
        verb, path = self.filled(pair["request"]).split(" ", 1)
        content: bytes | None = None
        if "make" in pair:
            wanted = dict(pair["make"])
            body = {"run_id": self.names["{run}"], **made(wanted.pop("make"), **wanted)}
            content = json.dumps(body).encode()
        elif "raw" in pair:
            content = self.filled(pair["raw"]).encode()
        elif "body" in pair:
            content = json.dumps(self.filled(pair["body"])).encode()
        headers = {"content-type": pair.get("content_type", "application/json")} if content is not None else {}
        return self.client.request(verb, path, params=self.filled(pair.get("query")), content=content, headers=headers)

    def learn(self, label: str, response: httpx.Response) -> None:
        """Remember the names that the server made up."""
        if label == "create exp":
            self.names["{experiment}"] = response.json()["experiment_id"]
        elif label == "create exp artifact frag":
            self.names["{other}"] = response.json()["experiment_id"]
        elif label == "create run":
            self.names["{run}"] = response.json()["run"]["info"]["run_id"]
        elif label == "create logged model":
            self.names["{model}"] = response.json()["model"]["info"]["model_id"]

    def settled(self, answer: Any) -> Any:
        """An answer without what differs every time: times and tokens only have to be there; tags have no order."""
        if isinstance(answer, list):
            return [self.settled(each) for each in answer]
        if not isinstance(answer, dict):
            return answer
        found = {key: self.settled(value) for key, value in answer.items()}
        for key in TIMES:
            if key in found:
                assert isinstance(found[key], int)
                found[key] = "a time"
        if "next_page_token" in found:
            found["next_page_token"] = "a token"
        for key in ("tags", "params"):
            if key in found:
                found[key] = sorted(found[key], key=lambda pair: pair["key"])
        return found


def expected(pair: dict[str, Any]) -> dict[str, Any]:
    """What Stepwell is to answer."""
    return ANSWERS.get(pair["label"], pair)


def compare(pair: dict[str, Any], response: httpx.Response, replay: Replay) -> None:
    want = expected(pair)
    assert response.status_code == want["status"], response.text
    if "error_code" in want:
        body = response.json()
        assert body.keys() == {"error_code", "message"}
        assert body["error_code"] == want["error_code"]
        assert body["message"]
    if "answer" in want:
        assert replay.settled(response.json()) == replay.settled(replay.filled(want["answer"]))
        assert ("-0.0" in response.text) is ("-0.0" in json.dumps(want["answer"]))
    if "text" in want:
        assert response.text == want["text"]
    if "points" in want:
        steps = [metric["step"] for metric in response.json()["metrics"]]
        assert (steps[0], steps[-1], steps == sorted(steps)) == (want["first"], want["last"], True)
        assert 2 <= len(steps) <= want["points"]
    if "keys" in want:
        assert response.json().keys() >= set(want["keys"])


def test_the_recorded_conversation(server: Server) -> None:
    replay = Replay(server.url)
    wrong = []
    for pair in pairs():
        response = replay.ask(pair)
        replay.learn(pair["label"], response)
        try:
            compare(pair, response, replay)
        except (AssertionError, ValueError, KeyError) as error:
            wrong.append(f"{pair['label']}: {error}")
    replay.client.close()
    assert wrong == [], "\n\n".join(wrong)


@pytest.mark.parametrize("label", ANSWERS)
def test_a_deviation_is_one(label: str) -> None:
    (pair,) = [pair for pair in pairs() if pair["label"] == label]
    want = expected(pair)
    assert want["why"]
    same = all(json.dumps(want.get(key)) == json.dumps(pair.get(key)) for key in ("status", "error_code", "answer"))
    assert not same or want.keys() & {"points", "keys"}
