"""Clients of a server that is away now and then: they send the same request again until it is acknowledged."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from serving import HOST

MLFLOW = "/api/2.0/mlflow"
POINTS = 20  # of one request
PATIENCE = 0.1  # seconds before a request is sent again; the server asks for one whole


@dataclass(slots=True)
class Answer:
    """What came back, or status 0 when nothing did."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


def ask(port: int, verb: str, path: str, message: object = None) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    try:
        body = None if message is None else json.dumps(message).encode()
        connection.request(verb, path, body, {"content-type": "application/json"})
        found = connection.getresponse()
        headers = {name.lower(): value for name, value in found.getheaders()}
        return Answer(found.status, headers, json.loads(found.read() or b"null"))
    except (OSError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()


class Trainer(threading.Thread):
    """Logs one run through each of some servers in turn, as a client does that must not lose anything.

    `refusals` are the answers other than 200, all of which it outlived.
    """

    def __init__(self, ports: Sequence[int], number: int) -> None:
        super().__init__(name=f"trainer-{number}", daemon=True)
        self.end = threading.Event()
        self.refusals: list[Answer] = []
        self.acknowledged = 0
        self._ports = ports
        self._number = number
        self._turn = number
        self.run_id = ""

    def run(self) -> None:
        """Until told to end; what was begun is brought to its end."""
        made = self._until_good(f"{MLFLOW}/runs/create", {"experiment_id": "0", "run_name": self.name})
        self.run_id = made["run"]["info"]["run_id"]
        while not self.end.is_set():
            first = self.acknowledged
            metrics = [
                {"key": "loss", "step": step, "value": step / 7, "timestamp": 1_000_000 + step}
                for step in range(first, first + POINTS)
            ]
            # Something old beside it, so that what is stored already is looked for in ClickHouse too.
            metrics += [{"key": "loss", "step": 0, "value": 0.0, "timestamp": 1_000_000}] if first else []
            self._until_good(f"{MLFLOW}/runs/log-batch", {"run_id": self.run_id, "metrics": metrics})
            self.acknowledged += POINTS

    def _until_good(self, path: str, message: object) -> Any:
        while True:
            self._turn += 1
            answer = ask(self._ports[self._turn % len(self._ports)], "POST", path, message)
            if answer.status == 200:
                return answer.body
            self.refusals.append(answer)
            time.sleep(PATIENCE)

    def wrong_refusals(self) -> list[Answer]:
        """Answers that are neither a lost connection nor a 503 that says when to come again."""
        return [
            answer
            for answer in self.refusals
            if answer.status and not (answer.status == 503 and int(answer.headers["retry-after"]) > 0)
        ]


def stored(port: int, run_id: str) -> Counter[tuple[int, float]]:
    """How often each point of a run is in the history, through one server."""
    found: Counter[tuple[int, float]] = Counter()
    token = ""
    while True:
        more = f"&page_token={token}" if token else ""
        path = f"{MLFLOW}/metrics/get-history?run_id={run_id}&metric_key=loss&max_results=20000{more}"
        answer = ask(port, "GET", path)
        assert answer.status == 200, answer.body
        found.update((int(each["step"]), float(each["value"])) for each in answer.body.get("metrics", ()))
        token = answer.body.get("next_page_token", "")
        if not token:
            return found


def assert_whole(ports: Sequence[int], trainers: Sequence[Trainer]) -> None:
    """Through every server: each acknowledged point once, and nothing else."""
    for trainer in trainers:
        assert trainer.wrong_refusals() == []
        wanted = {(step, step / 7): 1 for step in range(trainer.acknowledged)}
        for port in ports:
            assert dict(stored(port, trainer.run_id)) == wanted
            last = ask(port, "GET", f"{MLFLOW}/runs/get?run_id={trainer.run_id}").body["run"]["data"]["metrics"]
            assert [(each["key"], each["step"]) for each in last] == [("loss", trainer.acknowledged - 1)]
