"""An hour of everything at once, and whether anything drifts: latencies, memory, sizes of files, blocks.

    .venv/bin/python benchmarks/growth/mixed.py [--minutes 60] [--rate 100] [--every 60]

Four writers send `--rate` batches of 100 keys x 10 points a second together, one more connection sends single points,
one draws charts, one searches. Each waits for its turn by the clock, so what is measured is a server at a steady load,
not at its limit. Writes results/mixed-<date>-<commit>.json and .md, a row for each `--every` seconds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import asking
import numpy as np
import table
from servers import ROOT

KINDS = ("batch", "single", "chart", "search")
WRITERS, KEYS, STEPS = 4, 100, 10
GAUGES = ("head_points", "wal_bytes", "database_bytes", "database_free_bytes", "blocks_written_total", "merges_total")


class Load:
    """Threads that ask at fixed times, and how long each request took since they were last looked at."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self._threads: list[threading.Thread] = []
        self.failed: list[str] = []

    def start(self, kind: str, pause: float, ask: Callable[[Any, int], None]) -> None:
        """`ask(connection, number)` every `pause` seconds, at once where the one before took longer."""
        thread = threading.Thread(target=self._loop, args=(kind, pause, ask))
        self._threads.append(thread)
        thread.start()

    def _loop(self, kind: str, pause: float, ask: Callable[[Any, int], None]) -> None:
        connection, due = self._server.another(), time.perf_counter()
        for number in itertools.count():
            due = max(due + pause, time.perf_counter())
            if self._ended.wait(due - time.perf_counter()):
                return
            begin = time.perf_counter()
            try:
                ask(connection, number)
            except Exception as error:  # noqa: BLE001 - told at the end, whatever it was
                self.failed.append(f"{kind} {number}: {error}")
                return
            with self._lock:
                self._taken[kind].append(1e3 * (time.perf_counter() - begin))

    def taken(self) -> dict[str, list[float]]:
        """Milliseconds by kind since the last call."""
        with self._lock:
            found, self._taken = self._taken, {kind: [] for kind in KINDS}
        return found

    def stop(self) -> None:
        """End all."""
        self._ended.set()
        for thread in self._threads:
            thread.join()


def start(load: Load, rate: float) -> None:
    """All kinds of requests."""
    names = [f"k{n}" for n in range(KEYS)]

    def batch(writer: int) -> Callable[[Any, int], None]:
        def ask(connection: Any, number: int) -> None:
            steps = list(range(number * STEPS, (number + 1) * STEPS))
            rng = np.random.default_rng(number)
            series = [{"metric": name, "steps": steps, "values": rng.normal(size=STEPS).tolist()} for name in names]
            body = json.dumps({"series": series}).encode()
            connection.ask("POST", f"/api/v1/runs/w{writer}/points", body)

        return ask

    def single(connection: Any, number: int) -> None:
        point = {"metric": "one", "steps": [number], "values": [number / 7]}
        connection.ask("POST", "/api/v1/runs/w0/points", json.dumps({"series": [point]}).encode())

    def chart(connection: Any, number: int) -> None:
        series = [{"run_id": f"w{number % WRITERS}", "metric": names[number % KEYS]}]
        connection.ask("POST", "/api/v1/buckets", json.dumps({"series": series, "budget": 1000}).encode())

    def search(connection: Any, number: int) -> None:
        body = {"filter": f"metrics.k{number % KEYS} < 1", "order_by": ["metrics.k1"], "limit": 100}
        connection.ask("POST", "/api/v1/runs/search", json.dumps(body).encode())

    for writer in range(WRITERS):
        load.start("batch", WRITERS / rate, batch(writer))
    load.start("single", 0.02, single)
    load.start("chart", 0.1, chart)
    load.start("search", 0.1, search)


def row(server: Any, load: Load, seconds: float) -> dict[str, float]:
    """What the last interval was like."""
    found: dict[str, float] = {"seconds": round(seconds), "memory_mb": round(server.memory(), 1)}
    for kind, taken in load.taken().items():
        found[f"{kind}_count"] = len(taken)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            found[f"{kind}_{name}_ms"] = round(float(np.quantile(taken, share)), 2) if taken else 0.0
    lines = server.ask("GET", "/metrics").decode().splitlines()
    numbers = {line.split()[0]: float(line.split()[1]) for line in lines if line and line[0] != "#"}
    found |= {name: numbers[f"stepwell_{name}"] for name in GAUGES if f"stepwell_{name}" in numbers}
    return found


def main() -> int:
    """Load, look every interval, write; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=100, help="batches of 1,000 points a second")
    parser.add_argument("--every", type=float, default=60, help="seconds")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    args = parser.parse_args()
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="mixed-") as scratch, asking.serving(Path(scratch) / "data") as (server, _):
        for writer in range(WRITERS):
            server.ask("POST", "/api/v1/runs", json.dumps({"id": f"w{writer}"}).encode())
        load, began = Load(server), time.perf_counter()
        start(load, args.rate)
        try:
            while time.perf_counter() - began < 60 * args.minutes and not load.failed:
                time.sleep(args.every)
                rows.append(row(server, load, time.perf_counter() - began))
                print(json.dumps(rows[-1]), flush=True)
        finally:
            load.stop()
    facts = table.facts("growth/mixed.py")
    target = args.out / f"mixed-{datetime.now(UTC):%Y-%m-%d}-{facts['commit']}"
    target.with_suffix(".json").write_text(json.dumps({**facts, "failed": load.failed, "rows": rows}, indent=1) + "\n")
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([f"{each.get(name, 0):g}" for name in names] for each in rows)]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    told = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    target.with_suffix(".md").write_text(f"{text}\n\n{told}\n")
    for failure in load.failed:
        print(failure, file=sys.stderr)
    return int(bool(load.failed))


if __name__ == "__main__":
    sys.exit(main())
