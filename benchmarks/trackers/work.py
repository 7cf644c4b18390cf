"""The work that every tracker does: a loop that logs ten metrics a step, then reading all of it back, in processes of
their own. Each tracker's part (with_NAME.py) runs where that tracker is installed, so nothing here needs a package.

    python with_NAME.py log|train|one|all FOLDER STEPS SECONDS

prints one line of JSON. What is read is compared with what was logged, number by number, when the clock has stopped.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from struct import pack, unpack
from typing import Final, Protocol

TRAINING: Final = 2_000  # steps of a loop
LOOPS: Final = 8
METRICS: Final = tuple(f"train/metric-{number}" for number in range(10))


class Tracker(Protocol):
    """One product, used as its documentation says."""

    def begin(self, folder: Path) -> None:
        """Begin a run whose data lie in the folder."""
        ...

    def log(self, values: Mapping[str, float], step: int) -> None:
        """The call in the training loop."""
        ...

    def end(self) -> None:
        """Return when everything is where the product keeps it."""
        ...

    def read(self, folder: Path, metric: str) -> Iterable[tuple[int, float]]:
        """Steps and values of one metric of the only run in the folder, by its own reader, in the order of steps."""
        ...


def values(steps: int) -> list[dict[str, float]]:
    """What is logged at each step: noise that a float32 can hold, for some trackers keep no more."""
    noise = random.Random(7)
    return [{name: unpack("f", pack("f", noise.gauss(1.0, 0.1)))[0] for name in METRICS} for _ in range(steps)]


def log(tracker: Tracker, folder: Path, steps: int, seconds: float) -> dict[str, float]:
    """How long logging took until all was stored, and how long the calls in the loop: it ends early after `seconds`."""
    rows = values(steps)
    begun = time.perf_counter()
    tracker.begin(folder)
    calls: list[float] = []
    first = before = time.perf_counter()
    for step, row in enumerate(rows):
        tracker.log(row, step)
        after = time.perf_counter()
        calls.append(after - before)
        before = after
        if after - first > seconds:
            break
    tracker.end()
    ended = time.perf_counter()
    calls.sort()
    return {
        "steps": len(calls),
        "begin_seconds": first - begun,
        "seconds": ended - first,
        "points_per_second": len(calls) * len(METRICS) / (ended - first),
        "call_us": calls[len(calls) // 2] * 1e6,
        "longest_call_ms": calls[-1] * 1e3,
    }


def train(tracker: Tracker, folder: Path) -> dict[str, float]:
    """By how much logging slows a loop in which a step computes for a millisecond, in Python: what the library does in
    other threads of the process counts too. The least of some loops with and without it: other work only slows."""
    begun = time.perf_counter()
    _compute(100_000)
    count = int(100_000 * 0.001 / (time.perf_counter() - begun))
    rows = enumerate(values(LOOPS * TRAINING))

    def loop(log: Callable[[Mapping[str, float], int], None]) -> float:
        begun = time.perf_counter()
        for step, row in islice(rows, TRAINING):
            _compute(count)
            log(row, step)
        return time.perf_counter() - begun

    silent = [loop(lambda row, step: None) for _ in range(LOOPS // 2)]
    tracker.begin(folder)
    logged = [loop(tracker.log) for _ in range(LOOPS - len(silent))]
    tracker.end()
    return {"slowed_percent": 100 * (min(logged) / min(silent) - 1)}


def _compute(count: int) -> int:
    total = 0
    for number in range(count):
        total += number
    return total


def read(tracker: Tracker, folder: Path, steps: int, metrics: Sequence[str]) -> dict[str, float]:
    """How long it takes to have these metrics in the memory of a process that has read nothing."""
    begun = time.perf_counter()
    found = {name: list(tracker.read(folder, name)) for name in metrics}
    seconds = time.perf_counter() - begun
    rows = values(steps)
    wrong = sum(found[name] != [(step, row[name]) for step, row in enumerate(rows)] for name in metrics)
    return {"seconds": seconds, "wrong_metrics": wrong}


def main(tracker: Tracker) -> None:
    """The command line."""
    what, folder, steps, seconds = sys.argv[1:]
    if what == "log":
        print(json.dumps(log(tracker, Path(folder), int(steps), float(seconds))))
    elif what == "train":
        print(json.dumps(train(tracker, Path(folder))))
    else:
        print(json.dumps(read(tracker, Path(folder), int(steps), METRICS if what == "all" else METRICS[3:4])))
