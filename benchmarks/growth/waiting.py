"""How long a writer waits: alone and among many with one point a request, and among readers with large requests."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from multiprocessing import get_context
from pathlib import Path

import filling
import numpy as np
from asking import Asking, Row, serving
from driving import drive, request
from servers import HOST

LOOKED = 60  # longest stall is looked for over so many seconds
PAUSE = 0.08  # seconds from one batch of a writer to its next, where writers have a pace: 100,000 points a second
BATCH = "/api/2.0/mlflow/runs/log-batch"
_LONG = {"series": [{"run_id": "long", "metric": "loss"}], "budget": 1000}
READERS = {
    "whole": ("GET", "/api/2.0/mlflow/metrics/get-history?run_id=long&metric_key=loss", None),
    "charts": ("POST", "/api/v1/buckets", json.dumps(_LONG)),
}
MANY = 64
WRITERS, KEYS, STEPS = 8, 100, 10


def single(folder: Path, tiny: bool) -> Iterator[Row]:
    """One point a request: over one connection, beside what the disk alone takes; and over 64, beside a server that
    only parses and answers."""
    seconds = 1 if tiny else 10
    with serving(folder / "null", null=True) as (server, _):
        null, cores = _counted(server, lambda: drive(server.port, _each(_runs(server, MANY - 1)), seconds))
        most = len(null) / cores
    with serving(folder / "single") as (server, _):
        runs = _runs(server, MANY)
        alone = np.asarray(drive(server.port, [_points(runs[0])], seconds))
        least = _appends(folder / "appends", len(next(_points(runs[0]))), len(alone))
        many, cores = _counted(server, lambda: drive(server.port, _each(runs[1:]), seconds))
        kept = sum(_kept(server, run, "loss") for run in runs)
    if kept != len(alone) + len(many):
        raise RuntimeError(f"{len(alone) + len(many)} points were acknowledged and {kept} are there")
    p50 = float(np.median(alone))
    yield Row(
        part="single",
        what="one point a request, 1 connection",
        found=f"{len(alone) / seconds:,.0f} requests/s, p50 {p50:.2f} ms; append and fdatasync alone {least:.2f} ms",
        wanted="append and fdatasync + 0.5 ms",
        holds=p50 <= least + 0.5,
    )
    rate = len(many) / cores
    yield Row(
        part="single",
        what=f"one point a request, {MANY - 1} connections",
        found=f"{len(many) / seconds:,.0f} requests/s, {rate:,.0f} for each core of the server, {_spread(many)}; "
        f"parsing and answering alone: {most:,.0f} for each core",
        wanted="12,000 for each core",
        holds=rate >= 12_000,
    )


def stalls(folder: Path, tiny: bool) -> Iterator[Row]:
    """Eight writers, at a pace and as fast as they are acknowledged, while a million points are read whole again and
    again and charts are drawn.
    """
    seconds, points = (2, 10_000) if tiny else (LOOKED, 1_000_000)
    directory = folder / "stalls"
    with filling.store(directory) as to:
        filling.series(to, "long", filling.curve(points))
    with serving(directory) as (server, _):
        runs = _runs(server, WRITERS)
        # At a pace first: what the others leave to be packed would be in its way.
        kinds = (("at a pace among readers", READERS, PAUSE), ("alone", (), 0.0), ("among readers", READERS, 0.0))
        for name, others, every in kinds:
            with reading(server, others, seconds) as read:
                batches = [_batches(run, name) for run in runs]
                begin = server.cpu()
                taken = drive(server.port, batches, seconds, every=every)
                cores = (server.cpu() - begin) / seconds
            kept = sum(_kept(server, run, f"{name} 0") for run in runs)
            if kept * KEYS != len(taken) * KEYS * STEPS:
                raise RuntimeError(f"{len(taken)} batches were acknowledged and {kept} points of a series are there")
            rate = len(taken) * KEYS * STEPS / seconds
            p99, worst = float(np.quantile(taken, 0.99)), max(taken)
            meanwhile = "".join(f"; {name} {len(ms)} times, median {np.median(ms):.0f} ms" for name, ms in read.items())
            yield Row(
                part="stalls",
                what=f"{WRITERS} writers of {KEYS} keys x {STEPS}, {name}",
                found=f"{rate:,.0f} points/s, {_spread(taken)}; {cores:.1f} cores{meanwhile}",
                wanted="p99 25 ms, none over 100 ms",
                holds=p99 <= 25 and worst <= 100,
            )


def _spread(taken: list[float]) -> str:
    p50, p99 = np.quantile(taken, (0.5, 0.99))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f}, longest {max(taken):.1f}"


def _runs(server: Asking, count: int) -> list[str]:
    made = (server.ask("POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "0"}') for _ in range(count))
    return [json.loads(answer)["run"]["info"]["run_id"] for answer in made]


def _kept(server: Asking, run: str, metric: str) -> int:
    """How many points a series has."""
    body = {"run_ids": [run], "metrics": [metric], "columns": ["count"]}
    return int(sum(json.loads(server.ask("POST", "/api/v1/summaries", json.dumps(body).encode()))["count"]))


def _each(runs: list[str]) -> list[Iterator[bytes]]:
    return [_points(run) for run in runs]


def _points(run: str) -> Iterator[bytes]:
    """Requests of MLflow's log-metric, one step after another."""
    for step in itertools.count():
        body = {
            "run_id": run,
            "key": "loss",
            "value": 1 / (step + 1),
            "timestamp": 1_790_000_000_000 + step,
            "step": step,
        }
        yield request("POST", "/api/2.0/mlflow/runs/log-metric", json.dumps(body).encode())


def _batches(run: str, prefix: str) -> Iterator[bytes]:
    """Requests of 100 metrics x 10 steps. Only the steps are put in anew: the client should cost little."""
    rng = np.random.default_rng(3)
    head = f'{{"run_id": "{run}", "metrics": ['
    metrics = [
        (at, f'{{"key": "{prefix} {key}", "value": {rng.normal()!r}, "timestamp": {1_790_000_000_000 + at}, "step": ')
        for at in range(STEPS)
        for key in range(KEYS)
    ]
    for first in itertools.count(0, STEPS):
        steps = [f"{first + at}}}" for at in range(STEPS)]
        body = head + ", ".join([text + steps[at] for at, text in metrics]) + "]}"
        yield request("POST", BATCH, body.encode())


def _counted(server: Asking, work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """What the work gave, and the seconds of processor time that the server used for it."""
    begin = server.cpu()
    found = work()
    return found, server.cpu() - begin


def _appends(file: Path, size: int, times: int) -> float:
    """Median milliseconds to append so many bytes to a file and to have them on the disk."""
    data, taken = os.urandom(size), []
    with file.open("ab", buffering=0) as out:
        for _ in range(min(times, 2_000)):
            begin = time.perf_counter()
            out.write(data)
            os.fdatasync(out.fileno())
            taken.append(1e3 * (time.perf_counter() - begin))
    return float(np.median(taken))


@contextmanager
def reading(server: Asking, kinds: Collection[str], seconds: float) -> Iterator[dict[str, list[float]]]:
    """For so long each of them asks from a process of its own, as fast as it is answered; what is given has the
    milliseconds of each answer in the end. Threads of the process that writes would make its requests wait for them.
    """
    taken: dict[str, list[float]] = {}
    if not kinds:
        yield taken
        return
    with ProcessPoolExecutor(len(kinds), mp_context=get_context("spawn")) as pool:
        for each in [pool.submit(_read, server.port, kind, 0.0) for kind in kinds]:
            each.result()  # its process is there
        asked = {kind: pool.submit(_read, server.port, kind, seconds) for kind in kinds}
        yield taken
        taken |= {kind: future.result() for kind, future in asked.items()}


def _read(port: int, kind: str, seconds: float) -> list[float]:
    """Milliseconds of each answer; it asks once at least. RuntimeError: an answer was no success, or of another length
    than the first, though the series stays as it is.
    """
    wire, (verb, path, body) = http.client.HTTPConnection(HOST, port, timeout=300), READERS[kind]
    taken, lengths, begin = list[float](), set[int](), time.perf_counter()
    while not taken or time.perf_counter() < begin + seconds:
        asked = time.perf_counter()
        wire.request(verb, path, body, {"Content-Type": "application/json"})
        answer = wire.getresponse()
        lengths.add(sum(map(len, iter(partial(answer.read, 1 << 20), b""))))
        if answer.status != HTTPStatus.OK or len(lengths) > 1:
            raise RuntimeError(f"{verb} {path} answered {answer.status}, bytes: {sorted(lengths)}")
        taken.append(1e3 * (time.perf_counter() - asked))
    return taken
