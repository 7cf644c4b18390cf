"""Charts of long series: as many buckets of a million points as of a hundred million."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import psycopg
from asking import Asking, Row
from fleet import Databases, serving

from stepwell.core.series import Points
from stepwell.storage.warehouse import Address
from stepwell.storage.warehouse.points import ClickHouse, PointTables, Rows

RAW = "application/vnd.stepwell.buckets"
SIZES = (1_000_000, 10_000_000, 100_000_000)
BLOCK = 4_000_000  # points that are inserted at once
START = 1_790_000_000_000_000
TIMES = 21
MOST = 1.5


def charts(databases: Databases, tiny: bool) -> Iterator[Row]:
    """1,000 buckets of series of growing length, of the whole and of a window cut at both ends."""
    address = databases.warehouse()
    sizes = [size // 1_000 for size in SIZES] if tiny else list(SIZES)
    with serving(address) as (server,):
        for size in sizes:
            run = json.dumps({"id": f"r{size}"}).encode()
            server.ask("POST", "/api/v1/runs", run)
            point = {"series": [{"metric": "loss", "steps": [0], "values": [0.5], "times_us": [START]}]}
            server.ask("POST", f"/api/v1/runs/r{size}/points", json.dumps(point).encode())
    for size in sizes:
        _fill(address, f"r{size}", size)
    with serving(address) as (server,):
        whole = [_asked(databases, server, size, {}) for size in sizes]
        cut = [_asked(databases, server, size, _cut(size)) for size in sizes]
    for name, found in (("of all", whole), ("of a window cut at both ends", cut)):
        for size, (ms, cpu) in zip(sizes, found, strict=True):
            what = f"1,000 buckets {name} of {size:,} points"
            yield Row(part="charts", what=what, found=f"{cpu:.0f} ms of all processors, {ms:.0f} ms until the answer")
        ratio = found[-1][1] / found[0][1]
        yield Row(
            part="charts",
            what=f"1,000 buckets {name}: {sizes[-1]:,} against {sizes[0]:,} points, processor time",
            found=f"{ratio:.2f} x",
            wanted=f"{MOST} x",
            holds=ratio <= MOST,
        )
        waited = found[-1][0] / found[0][0]
        yield Row(part="charts", what=f"1,000 buckets {name}: the same, until the answer", found=f"{waited:.2f} x")


def _cut(size: int) -> dict[str, int]:
    return {"min_step": size // 81, "max_step": size - size // 79}


def _fill(address: Address, run_id: str, size: int) -> None:
    """Bring a series to its length as a move would, and sum it up as the server does in the background."""
    with (
        psycopg.connect(address.catalog, autocommit=True) as connection,
        closing(ClickHouse(address.clickhouse)) as raw,
    ):
        found = "SELECT run.key, series.key FROM run JOIN series ON series.run_key = run.key WHERE run.id = %s"
        row = connection.execute(found, (run_id,)).fetchone()
        assert row is not None
        run, series = row
        last = connection.execute("SELECT last_value FROM arrival").fetchone()
        assert last is not None
        first = last[0] + 1
        tables = PointTables(raw)
        for at in range(1, size, BLOCK):
            tables.insert(_rows(run, series, np.arange(at, min(size, at + BLOCK), dtype=np.int64), first))
        connection.execute("SELECT setval('arrival', %s)", (first + size,))
        connection.execute("UPDATE run SET next_arrival = %s WHERE key = %s", (first + size, run))
        connection.execute("UPDATE journal SET moved_at = now() WHERE run_key = %s", (run,))
        tables.insert(_rows(run, series, np.zeros(1, np.int64), first - 1))
        tables.roll_up(settled={(run, series): first + size})


def _rows(run: int, series: int, step: np.ndarray, first: int) -> Rows:
    rng = np.random.default_rng(int(step[0]))
    value = (np.exp(-step / 2e7) + rng.normal(0, 0.02, len(step))).astype(np.float32).astype(np.float64)
    points = Points(
        step=step,
        time=START + step * 100_000 + rng.integers(0, 5_000, len(step)),
        value=value,
        occurrence=np.zeros(len(step), np.int64),
        arrival=first + step,
    )
    same = np.full(len(step), run, np.int64)
    return Rows(run=same, series=np.full(len(step), series, np.int64), points=points)


def _asked(databases: Databases, server: Asking, size: int, window: dict[str, int]) -> tuple[float, float]:
    """Milliseconds until an answer, and of processor time for one, both the median."""
    asked = {"series": [{"run_id": f"r{size}", "metric": "loss"}], "budget": 1000, "window": window}
    body = json.dumps(asked).encode()
    server.ask("POST", "/api/v1/buckets", body, Accept=RAW)
    waited, used = [], []
    for _ in range(TIMES):
        before, begin = databases.used(server.cpu), time.perf_counter()
        for _ in range(4):  # processor time is counted in hundredths of a second
            server.ask("POST", "/api/v1/buckets", body, Accept=RAW)
        waited.append((time.perf_counter() - begin) / 4)
        used.append((databases.used(server.cpu) - before).whole / 4)
    return 1e3 * statistics.median(waited), 1e3 * statistics.mean(sorted(used)[: TIMES * 3 // 4])
