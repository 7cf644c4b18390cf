"""What the benchmark client does not ask of a server, or asks while it reads the answers: new runs with params, a chart
of a hundred runs, and a history in pages. Bodies are made and answers are read while no clock runs.
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

API, AJAX = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
PARAMS = 25
RUNS, STEPS = 100, 1_000  # MLflow takes no more than 100 runs in a chart, and no more than 1,000 points in a batch
LONG, PAGE = 100_000, 25_000
TIMES = 3
T0 = 1_790_000_000_000
_KIND = {"Content-Type": "application/json"}


class _Asking:
    """One connection, and how long the server took to answer all that was asked since `seconds` was set to zero."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
        self.seconds = 0.0

    def __call__(self, verb: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. RuntimeError: it was no success."""
        sent = json.dumps(body) if body else None
        begin = time.perf_counter()
        self._connection.request(verb, path, sent, _KIND)
        answer = self._connection.getresponse()
        content = answer.read()
        self.seconds += time.perf_counter() - begin
        if answer.status != 200:
            raise RuntimeError(f"{verb} {path} answered {answer.status}: {content[:200]!r}")
        return json.loads(content)


def rows(url: str) -> list[dict[str, Any]]:
    """Three rows, like those of the client."""
    ask = _Asking(url)
    experiment = ask("POST", f"{API}/experiments/create", {"name": f"pages {time.time_ns()}"})["experiment_id"]
    made, runs = _new_runs(ask, experiment)
    for number, run in enumerate(runs):
        _fill(ask, run, "m", number, STEPS)
    _fill(ask, runs[0], "long", 0, LONG)
    return [
        {"row": f"new run with {PARAMS} params", "ms": round(1e3 * made, 2)},
        {"row": f"chart of {RUNS} runs", **_chart(ask, runs)},
        {"row": f"history of {LONG} in pages", **_history(ask, runs[0])},
    ]


def _new_runs(ask: _Asking, experiment: str) -> tuple[float, list[str]]:
    """Seconds for each, and their ids."""
    params = [{"key": f"p{n}", "value": str(n / 7)} for n in range(PARAMS)]
    runs, ask.seconds = [], 0.0
    for _ in range(RUNS):
        made = ask("POST", f"{API}/runs/create", {"experiment_id": experiment, "start_time": T0})
        runs.append(made["run"]["info"]["run_id"])
        ask("POST", f"{API}/runs/log-batch", {"run_id": runs[-1], "params": params})
    return ask.seconds / RUNS, runs


def _fill(ask: _Asking, run: str, key: str, number: int, points: int) -> None:
    for first in range(0, points, STEPS):
        at = [
            {"key": key, "value": number + 1 / (s + 1), "timestamp": T0 + s, "step": s}
            for s in range(first, first + STEPS)
        ]
        ask("POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": at})


def _chart(ask: _Asking, runs: list[str]) -> dict[str, Any]:
    wanted = urlencode([*(("run_ids", run) for run in runs), ("metric_key", "m"), ("max_results", "320")])
    taken = []
    for _ in range(TIMES):
        ask.seconds = 0.0
        points = len(ask("GET", f"{AJAX}/metrics/get-history-bulk-interval?{wanted}")["metrics"])
        taken.append(ask.seconds)
    return {"ms": round(1e3 * statistics.median(taken), 1), "points": points}


def _history(ask: _Asking, run: str) -> dict[str, Any]:
    """RuntimeError: a point came twice or not at all."""
    taken = []
    for _ in range(TIMES):
        ask.seconds, steps, token = 0.0, list[int](), ""
        while True:
            asked = {
                "run_id": run,
                "metric_key": "long",
                "max_results": PAGE,
                **({"page_token": token} if token else {}),
            }
            page = ask("GET", f"{API}/metrics/get-history?{urlencode(asked)}")
            steps += [int(metric.get("step", 0)) for metric in page["metrics"]]
            token = page.get("next_page_token", "")
            if not token:
                break
        if sorted(steps) != list(range(LONG)):
            raise RuntimeError(f"{len(steps)} of {LONG} points came")
        taken.append(ask.seconds)
    return {"secs": round(statistics.median(taken), 3), "points": LONG}
