"""What the benchmark client does not ask of a server: new runs with params, and a chart of a hundred runs."""

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
TIMES = 3


def rows(url: str) -> list[dict[str, Any]]:
    """Two rows, like those of the client."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)

    def ask(verb: str, path: str, body: Any = None) -> Any:
        connection.request(verb, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{verb} {path} answered {answer.status}: {content[:200]!r}")
        return json.loads(content)

    experiment = ask("POST", f"{API}/experiments/create", {"name": f"pages {time.time_ns()}"})["experiment_id"]
    params = [{"key": f"p{n}", "value": str(n / 7)} for n in range(PARAMS)]
    runs, begin = [], time.perf_counter()
    for _ in range(RUNS):
        made = ask("POST", f"{API}/runs/create", {"experiment_id": experiment, "start_time": 1_790_000_000_000})
        runs.append(made["run"]["info"]["run_id"])
        ask("POST", f"{API}/runs/log-batch", {"run_id": runs[-1], "params": params})
    created = (time.perf_counter() - begin) / RUNS
    for number, run in enumerate(runs):
        at = [
            {"key": "m", "value": number + 1 / (s + 1), "timestamp": 1_790_000_000_000 + s, "step": s}
            for s in range(STEPS)
        ]
        ask("POST", f"{API}/runs/log-batch", {"run_id": run, "metrics": at})
    wanted = urlencode([*(("run_ids", run) for run in runs), ("metric_key", "m"), ("max_results", "320")])
    taken = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        points = len(ask("GET", f"{AJAX}/metrics/get-history-bulk-interval?{wanted}")["metrics"])
        taken.append(1e3 * (time.perf_counter() - begin))
    return [
        {"row": f"new run with {PARAMS} params", "ms": round(1e3 * created, 2)},
        {"row": f"chart of {RUNS} runs", "ms": round(statistics.median(taken), 1), "points": points},
    ]
