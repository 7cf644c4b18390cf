"""Puts known data into a data directory, in process, as fast as the engine takes it. Nothing here measures requests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stepwell.core.clock import system_clock
from stepwell.core.errors import Busy
from stepwell.core.model import NewRun, PointBatch, RunWrite
from stepwell.storage.embedded import EmbeddedStore

WORKSPACE = "default"
START = 1_790_000_000_000_000  # microseconds
CHUNK = 500_000
METRICS = 10  # of a run in a search
METRIC_NAMES = tuple((f"m{number}", ()) for number in range(METRICS))


@contextmanager
def store(directory: Path) -> Iterator[EmbeddedStore]:
    """The store of a directory, closed at the end: all points are in blocks then."""
    found = EmbeddedStore(directory, clock=system_clock)
    try:
        yield found
        found.compact()
    finally:
        found.close()


def put(to: EmbeddedStore, writes: Sequence[RunWrite]) -> None:
    """Write and wait; again where points came too fast."""
    while True:
        try:
            return to.write(workspace=WORKSPACE, writes=writes).result(300)
        except Busy:
            time.sleep(0.05)


def new_run(run_id: str, **fields: object) -> NewRun:
    """A run of a known name."""
    return NewRun(id=run_id, name=run_id, origin="native", at=system_clock(), **fields)  # type: ignore[arg-type]


def series(to: EmbeddedStore, run_id: str, values: np.ndarray, *, metric: str = "loss") -> None:
    """A run with one series, whose times jitter by some milliseconds as real ones do."""
    rng = np.random.default_rng(1)
    put(to, [RunWrite(run_id=run_id, make=new_run(run_id), at=system_clock())])
    for at in range(0, len(values), CHUNK):
        part = values[at : at + CHUNK]
        steps = np.arange(at, at + len(part), dtype=np.int64)
        times = START + steps * 100_000 + rng.integers(0, 5_000, len(part))
        batch = PointBatch(
            series=((metric, ()),), which=np.zeros(len(part), np.int64), step=steps, time=times, value=part
        )
        put(to, [RunWrite(run_id=run_id, points=batch, at=system_clock())])


def curve(points: int) -> np.ndarray:
    """A loss as it falls, with noise, born as float32."""
    falling = np.exp(-np.arange(points) / (points / 5)) + np.random.default_rng(2).normal(0, 0.02, points)
    return falling.astype(np.float32).astype(np.float64)


def runs(to: EmbeddedStore, count: int) -> None:
    """Many runs with a point in each of ten metrics, params and tags."""
    rng = np.random.default_rng(3)
    for at in range(0, count, 500):
        put(to, [_one(number, rng) for number in range(at, min(count, at + 500))])


def _one(number: int, rng: np.random.Generator) -> RunWrite:
    made = new_run(
        f"run{number:06d}",
        params={"lr": str(10 ** -(number % 5)), "seed": str(number)},
        tags={"team": f"t{number % 7}"},
    )
    return RunWrite(run_id=made.id, make=made, points=last_values(rng, step=0), at=system_clock())


def last_values(rng: np.random.Generator, *, step: int) -> PointBatch:
    """A point in each of the metrics of a run."""
    every = np.arange(METRICS)
    return PointBatch(
        series=METRIC_NAMES,
        which=every,
        step=np.full(METRICS, step),
        time=np.full(METRICS, START + step),
        value=rng.normal(size=METRICS),
    )


def wide(to: EmbeddedStore, run_id: str, *, metrics: int, points: int) -> None:
    """A run with very many metrics."""
    rng = np.random.default_rng(4)
    batch = PointBatch(
        series=tuple((f"k/{number:05d}", ()) for number in range(metrics)),
        which=np.tile(np.arange(metrics), points),
        step=np.repeat(np.arange(points), metrics),
        time=START + np.repeat(np.arange(points) * 60_000_000, metrics) + rng.integers(0, 5_000, metrics * points),
        value=rng.normal(size=metrics * points).astype(np.float32).astype(np.float64),
    )
    put(to, [RunWrite(run_id=run_id, make=new_run(run_id), points=batch, at=system_clock())])
