"""Measures how the cost of Stepwell's requests grows with what is stored, and what it adds to parsing and answering.

    .venv/bin/python benchmarks/growth/run.py [--tiny] [--only PART ...]

Writes benchmarks/results/growth-<date>-<commit>.json and .md; what is there of other parts stays. The
parts: ingest, single, stalls, charts, pages, search, wide, start, disk; and, when it is named, billion.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import billion
import filling
import numpy as np
import table
import waiting
from asking import Asking, Row, serving
from servers import disk_bytes
from ways import Way, ways

RAW = "application/vnd.stepwell.buckets"  # columns as the processor has them, which the web page asks for
RAW_SUMMARIES = "application/vnd.stepwell.summaries"
WRITERS = 8
# What is compared with MLflow's interface, and how many times as fast it is to be.
AGAINST = (
    ("MLflow log-batch, 1 key x 1,000", "native JSON, 1 key x 1,000", None),
    ("MLflow log-batch, 100 keys x 10", "native JSON, 100 keys x 10", None),
    ("MLflow log-batch, 1 key x 1,000", "native raw, 1 key x 1,000", 3),
    ("MLflow log-batch, 100 keys x 10", "native raw, 100 keys x 10", 3),
    ("MLflow log-batch, 1,000 keys x 1", "native raw, 1,000 keys x 1", None),
    ("MLflow log-batch, 1 key x 1,000", "native raw, 1 key x 10,000", 3),
    ("MLflow log-batch, 100 keys x 10", "native raw, 100 keys x 100", 3),
)

# --- what a point costs beyond parsing and answering ------------------------------------------------------------------


def ingest(folder: Path, tiny: bool) -> Iterator[Row]:
    """Processor time of the whole server for a request, flushes included; that of the null server divided by it."""
    points = 5_000 if tiny else 100_000  # of each writer
    found: dict[bool, dict[str, float]] = {}
    for null in (True, False):
        directory = folder / ("null" if null else "real")
        with serving(directory, null=null) as (server, _):
            writers = [ways(*_a_run(server, number)) for number in range(WRITERS)]
            found[null] = {each[0].name: _cost(server, each, points) for each in zip(*writers, strict=True)}
    real, least = found[False], found[True]
    for way in ways("", ""):
        share = least[way.name] / real[way.name]
        yield Row(
            part="ingest",
            what=way.name,
            found=f"{1e6 * real[way.name]:.2f} us a point ({1e-3 / real[way.name]:,.0f} k a second of a processor), "
            f"null {1e6 * least[way.name]:.2f}: {share:.0%}",
            wanted="" if way.wanted is None else f"{way.wanted:.0%} of its null mode",
            holds=None if way.wanted is None else share >= way.wanted,
        )
    for peer, own, wanted in AGAINST:
        ratio, bare = real[peer] / real[own], least[peer] / least[own]
        yield Row(
            part="ingest",
            what=f"{own} against {peer}",
            found=f"{ratio:.1f} x, nothing stored {bare:.1f} x",
            wanted=f"{wanted} x" if wanted else "",
            holds=ratio >= wanted if wanted else None,
        )


def _a_run(server: Asking, number: int) -> tuple[str, str]:
    project = json.dumps({"runName": f"growth {number}", "projectName": "growth"}).encode()
    key = json.loads(server.ask("POST", "/api/runs/create", project))["runId"]
    answer = server.ask("POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "0"}')
    return json.loads(answer)["run"]["info"]["run_id"], str(key)


def _cost(server: Asking, writers: Sequence[Way], points: int) -> float:
    """Seconds of the server's processors for one point, of several writers with a run each and so many points."""
    requests = max(points // writers[0].points, 1)
    bodies = [[way.body(10_000 * n) for n in range(requests + 1)] for way in writers]
    connections = [server.another() for _ in writers]

    def send(writer: int, part: slice) -> None:
        way = writers[writer]
        for body in bodies[writer][part]:
            connections[writer].ask(way.verb, way.path, body, **way.headers)

    with ThreadPoolExecutor(len(writers)) as pool:
        list(pool.map(send, range(len(writers)), repeat(slice(0, 1))))
        begin = server.cpu()
        list(pool.map(send, range(len(writers)), repeat(slice(1, None))))
    return (_settled(server) - begin) / (requests * writers[0].points * len(writers))


def _settled(server: Asking) -> float:
    """Seconds of processor time used when all points are in blocks: moving them is part of the cost."""
    while True:
        time.sleep(2.5)
        used = server.cpu()
        if b"\nstepwell_head_points 0\n" in server.another().ask("GET", "/metrics"):
            return used


# --- charts -----------------------------------------------------------------------------------------------------------


def charts(folder: Path, tiny: bool) -> Iterator[Row]:
    """1,000 buckets, all columns, over series of growing length."""
    sizes = [10**n for n in range(3, 6 if tiny else 9)]
    directory = folder / "charts"
    with filling.store(directory) as to:
        for size in sizes:
            filling.series(to, f"r{size}", filling.curve(size))
    disk = disk_bytes(directory, ("reserve",)) / sum(sizes)
    whole: dict[int, float] = {}
    with serving(directory) as (server, ready):
        for size in sizes:
            for name, window in _windows(size).items():
                body = {"series": [{"run_id": f"r{size}", "metric": "loss"}], "budget": 1000, "window": window}
                as_json = server.ms("POST", "/api/v1/buckets", body)
                ms = server.ms("POST", "/api/v1/buckets", body, Accept=RAW)
                if name == "whole":
                    whole[size] = ms
                yield Row(
                    part="charts",
                    what=f"1,000 buckets of {size:,} points, {name}",
                    found=f"{ms:.2f} ms, as JSON {as_json:.2f} ms",
                    wanted="5 ms" if size >= 10**6 else "",
                    holds=ms <= 5 if size >= 10**6 else None,
                )
        memory = server.memory()
        begin = time.perf_counter()
        server.ask("DELETE", f"/api/v1/runs/r{sizes[-3]}")
        deleted = 1e3 * (time.perf_counter() - begin)
    ratio = whole[sizes[-1]] / whole[sizes[-3]]
    yield Row(
        part="charts",
        what=f"{sizes[-1]:,} against {sizes[-3]:,} points",
        found=f"{ratio:.2f} x",
        wanted="1.5 x",
        holds=ratio <= 1.5,
    )
    yield Row(
        part="charts",
        what=f"delete a run of {sizes[-3]:,} points",
        found=f"{deleted:.1f} ms",
        wanted="20 ms",
        holds=deleted <= 20,
    )
    yield Row(
        part="charts", what=f"ready with {sum(sizes):,} points", found=f"{ready:.2f} s", wanted="1 s", holds=ready <= 1
    )
    yield Row(part="charts", what="memory after all of it", found=f"{memory:.0f} MB")
    yield Row(
        part="disk",
        what="float32-born values, jittered times",
        found=f"{disk:.2f} bytes a point",
        wanted="6",
        holds=disk <= 6,
    )
    shutil.rmtree(directory)


def _windows(size: int) -> dict[str, dict[str, int]]:
    return {
        "whole": {},
        "half": {"min_step": size // 4, "max_step": size * 3 // 4},
        "a hundredth": {"min_step": size // 2, "max_step": size // 2 + size // 100},
        "cut at both ends": {"min_step": size // 81, "max_step": size - size // 79},
    }


# --- searches and wide runs -------------------------------------------------------------------------------------------

SEARCHES = (
    ("metrics.m3 > 1.5", ["metrics.m3 DESC"]),
    ("metrics.m3 < 100", ["metrics.m5 ASC"]),
    ("tags.team = 't3' and metrics.m1 > 2", []),
    ("", []),
)


def search(folder: Path, tiny: bool) -> Iterator[Row]:
    """Pages of 100 of growing numbers of runs, while 1,000 of them are being written."""
    for count in (1_000,) if tiny else (1_000, 10_000, 100_000):
        directory = folder / f"search-{count}"
        with filling.store(directory) as to:
            filling.runs(to, count)
        with serving(directory) as (server, _), writing(server, min(count, 1_000)):
            for text, order in SEARCHES:
                body = {"filter": text, "order_by": order, "limit": 100, "columns": {"metrics": ["m3", "m5"]}}
                ms = server.ms("POST", "/api/v1/runs/search", body)
                what = f"{count:,} runs: {text or 'all'}{', by ' + order[0] if order else ''}"
                yield Row(part="search", what=what, found=f"{ms:.1f} ms", wanted="15 ms", holds=ms <= 15)
        shutil.rmtree(directory)


@contextmanager
def writing(server: Asking, runs: int) -> Iterator[None]:
    """Meanwhile each of the first runs gets a point, once before this begins and then every few seconds."""
    connection, ended = server.another(), threading.Event()

    def write(number: int) -> None:
        point = {"metric": "m3", "steps": [number // runs + 1], "values": [number % 97 / 50]}
        path = f"/api/v1/runs/run{number % runs:06d}/points"
        connection.ask("POST", path, json.dumps({"series": [point]}).encode())

    def write_on() -> None:
        for number in itertools.count(runs):
            if ended.wait(0.005):
                return
            write(number)

    for number in range(runs):
        write(number)
    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def pages(folder: Path, tiny: bool) -> Iterator[Row]:
    """A page of charts: one metric of 20 runs, and of 100, of 10,000 points each."""
    runs, points, directory = 10 if tiny else 100, 1_000 if tiny else 10_000, folder / "pages"
    with filling.store(directory) as to:
        for number in range(runs):
            filling.series(to, f"r{number}", filling.curve(points))
    with serving(directory) as (server, _):
        for count in (runs // 5, runs):
            series = [{"run_id": f"r{number}", "metric": "loss"} for number in range(count)]
            body = {"series": series, "budget": 320}
            as_json = server.ms("POST", "/api/v1/buckets", body)
            ms = server.ms("POST", "/api/v1/buckets", body, Accept=RAW)
            what = f"320 buckets each of {count} runs x {points:,} points"
            yield Row(part="pages", what=what, found=f"{ms:.1f} ms, as JSON {as_json:.1f} ms")
    shutil.rmtree(directory)


def wide(folder: Path, tiny: bool) -> Iterator[Row]:
    """The summaries of runs with growing numbers of metrics."""
    directory, sizes = folder / "wide", (1_000,) if tiny else (1_000, 10_000)
    with filling.store(directory) as to:
        for metrics in sizes:
            filling.wide(to, f"w{metrics}", metrics=metrics, points=3)
    with serving(directory) as (server, _):
        for metrics in sizes:
            body = {"run_ids": [f"w{metrics}"]}
            _verify_summaries(server, body, metrics)
            ms = server.ms("POST", "/api/v1/summaries", {**body, "columns": ["last_value"]})
            every = server.ms("POST", "/api/v1/summaries", body, Accept=RAW_SUMMARIES)
            as_json = server.ms("POST", "/api/v1/summaries", body)
            yield Row(
                part="wide",
                what=f"summaries of {metrics:,} metrics",
                found=f"{ms:.1f} ms, with all columns {every:.1f} ms, these as JSON {as_json:.1f} ms",
                wanted="10 ms",
                holds=max(ms, every) <= 10,
            )
    shutil.rmtree(directory)


def _verify_summaries(server: Asking, body: dict[str, list[str]], metrics: int) -> None:
    """RuntimeError: the raw form does not say what the JSON says."""
    asked = json.dumps(body).encode()
    told = json.loads(server.ask("POST", "/api/v1/summaries", asked))
    raw = server.ask("POST", "/api/v1/summaries", asked, Accept=RAW_SUMMARIES)
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8 : 8 + size])
    names = [column["name"] for column in head["columns"]]
    cells = np.frombuffer(raw, "<f8", offset=8 + size).reshape(len(names), -1)
    last = cells[names.index("last_value")]
    if not len(last) == metrics or head["metric"] != told["metric"] or last.tolist() != told["last_value"]:
        raise RuntimeError(f"the summaries of {metrics} metrics differ")


# --- starts and disks -------------------------------------------------------------------------------------------------


def start(folder: Path, tiny: bool) -> Iterator[Row]:
    """Ready after a kill with a full journal: of few long series, and of very many short ones."""
    for metrics, points in ((100, 30), (1_000, 1)) if tiny else ((100, 3_000), (300_000, 1)):
        directory = folder / f"start-{metrics}"
        with serving(directory, kill=True) as (server, _):
            server.ask("POST", "/api/v1/runs", b'{"id": "wide"}')
            for at in range(0, metrics, 10_000):
                names = range(at, min(metrics, at + 10_000))
                series = [{"metric": f"k{n}", "steps": list(range(points)), "values": [n / 3] * points} for n in names]
                server.ask("POST", "/api/v1/runs/wide/points", json.dumps({"series": series}).encode())
        with serving(directory) as (server, ready):
            begin = time.perf_counter()
            server.ask("POST", "/api/v1/runs/search", b'{"limit": 10}')
            first = time.perf_counter() - begin
        what = f"killed with {metrics:,} series x {points:,} in the journal"
        found = f"ready in {ready:.2f} s, first search {first:.2f} s"
        yield Row(part="start", what=what, found=found, wanted="1 s", holds=ready <= 1)
        shutil.rmtree(directory)


def disk(folder: Path, tiny: bool) -> Iterator[Row]:
    """What points take when all is at rest: the log of the database and free pages count, the reserve does not."""
    points = 10_000 if tiny else 2_000_000
    directory = folder / "random"
    with filling.store(directory) as to:
        filling.series(to, "random", np.random.default_rng(5).random(points))
    taken = disk_bytes(directory, ("reserve",)) / points
    yield Row(part="disk", what="random float64", found=f"{taken:.2f} bytes a point", wanted="10", holds=taken <= 10)
    shutil.rmtree(directory)
    runs, metrics = (2, 50) if tiny else (15, 1_500)
    directory = folder / "short"
    with filling.store(directory) as to:
        for number in range(runs):
            filling.wide(to, f"w{number}", metrics=metrics, points=150)
    taken = disk_bytes(directory, ("reserve",)) / (runs * metrics * 150)
    what = f"series of 150 points ({runs:,} runs x {metrics:,} metrics)"
    yield Row(part="disk", what=what, found=f"{taken:.2f} bytes a point", wanted="16", holds=taken <= 16)
    shutil.rmtree(directory)


# --- the whole --------------------------------------------------------------------------------------------------------

PARTS = {
    "ingest": ingest,
    "single": waiting.single,
    "stalls": waiting.stalls,
    "charts": charts,
    "pages": pages,
    "search": search,
    "wide": wide,
    "start": start,
    "disk": disk,
    "billion": billion.billion,
}
ASKED_FOR: Final = {"billion"}  # never without being named: they take long


def main() -> int:
    """Measure, print, write; 1 when a target is missed."""
    asked = table.asked(__doc__, PARTS, unless_named=ASKED_FOR)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="growth-") as scratch:
        for name in asked.only:
            for row in PARTS[name](Path(scratch), asked.tiny):
                rows.append(row)
                print(table.line(row), flush=True)
    if not asked.tiny:
        table.write("growth", rows, asked.out, table.facts("growth/run.py"))
    return int(table.missed(rows))


if __name__ == "__main__":
    sys.exit(main())
