"""What the page is measured with: curves of many runs, a long table, runs that go on. Through the native API."""

from __future__ import annotations

import http.client
import json
import math
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

POINTS = 2000
SENDERS = 8


class Api:
    """One connection to the native API."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, path: str, body: Any) -> Any:
        """The answer of a POST; an error ends the program."""
        self._connection.request("POST", f"/api/v1{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            message = f"{path}: {answer.status} {text[:300]!r}"
            raise RuntimeError(message)
        return json.loads(text)


def curve(seed: int, points: int = POINTS) -> list[float]:
    """A noisy curve that falls."""
    noise = random.Random(seed)
    return [math.exp(-step / points * (1 + seed % 7)) + noise.gauss(0, 0.02) for step in range(points)]


def curves(port: int, *, prefix: str, runs: int, metrics: int) -> list[str]:
    """Runs that have ended with `metrics` curves of POINTS points each; their ids."""
    api, ids = Api(port), [f"{prefix}-{number}" for number in range(runs)]
    for number, run in enumerate(ids):
        api.post("/runs", {"id": run, "name": run, "params": {"lr": str(number)}})
        series = [
            {"metric": f"m/{metric:02}", "steps": list(range(POINTS)), "values": curve(number * metrics + metric)}
            for metric in range(metrics)
        ]
        api.post(f"/runs/{run}/points", {"series": series, "status": "FINISHED"})
    return ids


def keys(port: int, *, prefix: str, runs: int, metrics: int) -> list[str]:
    """Runs that have ended with so many short curves; their ids."""
    api, ids = Api(port), [f"{prefix}-{number}" for number in range(runs)]
    for run in ids:
        api.post("/runs", {"id": run, "name": run})
        series = [
            {"metric": f"k/{metric:04}", "steps": [0, 1, 2], "values": curve(metric, 3)} for metric in range(metrics)
        ]
        api.post(f"/runs/{run}/points", {"series": series, "status": "FINISHED"})
    return ids


def many(port: int, count: int) -> None:
    """So many runs in an experiment of their own, which has the id 1."""
    experiment = Api(port).post("/experiments", {"name": "many"})["id"]

    def some(sender: int) -> None:
        api = Api(port)
        for number in range(sender, count, SENDERS):
            run = {
                "name": f"run {number}",
                "experiment_id": experiment,
                "status": "FINISHED",
                "params": {"n": str(number)},
            }
            api.post("/runs", run)

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(some, range(SENDERS)))


def running(port: int, *, prefix: str, runs: int, metrics: int) -> list[str]:
    """Runs that go on, with one point in each metric; their ids."""
    ids = [f"{prefix}-{number}" for number in range(runs)]
    for run in ids:
        Api(port).post("/runs", {"id": run, "name": run})
    more(port, ids, metrics, 0)
    return ids


def more(port: int, ids: list[str], metrics: int, step: int) -> None:
    """One more point in each metric of each run."""
    api = Api(port)
    for run in ids:
        series = [
            {"metric": f"m/{metric:02}", "steps": [step], "values": [math.sin(step / 50 + metric)]}
            for metric in range(metrics)
        ]
        api.post(f"/runs/{run}/points", {"series": series})
