"""What a server with a thousand million points takes: memory as it stands, while it reads, and after an hour's kinds of
work were asked of it. An own part, since filling takes half an hour.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import filling
from asking import Asking, Row, serving
from servers import disk_bytes

RUNS, METRICS, POINTS = 10, 100, 1_000_000
MOST = 250  # MB, however many points there are


def billion(folder: Path, tiny: bool) -> Iterator[Row]:
    """Ten runs of a hundred metrics of a million points: charts of all of it, histories read whole, searches."""
    runs, metrics, points = (2, 5, 10_000) if tiny else (RUNS, METRICS, POINTS)
    directory = folder / "billion"
    values, begin = filling.curve(points), time.perf_counter()
    with filling.store(directory) as to:
        for number in range(runs * metrics):
            filling.series(to, f"r{number // metrics}", values, metric=f"m{number % metrics}")
    filled, stored = time.perf_counter() - begin, runs * metrics * points
    disk = disk_bytes(directory, ("reserve",))
    yield _row(f"{stored:,} points stored", f"in {filled / 60:.0f} minutes, {disk / stored:.2f} bytes a point")
    with serving(directory) as (server, ready):
        yield _row("ready", f"{ready:.2f} s", wanted="1 s", holds=ready <= 1)
        idle = server.memory()
        yield _row("memory when idle", f"{idle:.0f} MB", wanted="90 MB", holds=idle <= 90)
        charts = [_charts(server, run, metrics) for run in range(runs)]
        yield _row(f"{metrics} charts of 1,000 buckets, seen first", f"{sum(charts) / runs:.0f} ms, {_mb(server)}")
        for run in range(min(runs, 5)):
            _history(server, run, points)
        yield _row("histories of five series read whole", _mb(server))
        ms = server.ms("POST", "/api/v1/runs/search", {"filter": "metrics.m3 > 0", "limit": 100})
        most = server.memory()
        yield _row("search, and memory after all of it", f"{ms:.1f} ms, {most:.0f} MB", f"{MOST} MB", most <= MOST)
    shutil.rmtree(directory)


def _row(what: str, found: str, wanted: str = "", holds: bool | None = None) -> Row:
    return Row(part="billion", what=what, found=found, wanted=wanted, holds=holds)


def _mb(server: Asking) -> str:
    return f"{server.memory():.0f} MB"


def _charts(server: Asking, run: int, metrics: int) -> float:
    """Milliseconds of a page with a chart of each metric."""
    series = [{"run_id": f"r{run}", "metric": f"m{metric}"} for metric in range(metrics)]
    body, begin = json.dumps({"series": series, "budget": 1000}).encode(), time.perf_counter()
    server.ask("POST", "/api/v1/buckets", body, Accept="application/vnd.stepwell.buckets")
    return 1e3 * (time.perf_counter() - begin)


def _history(server: Asking, run: int, points: int) -> None:
    """RuntimeError: not all of them came."""
    answer = server.ask("GET", f"/api/2.0/mlflow/metrics/get-history?run_id=r{run}&metric_key=m{run}")
    if answer.count(b'"step":') != points:
        raise RuntimeError(f"{answer.count(b'step')} of {points} points came")
