"""A data directory with some of everything, as a pulled plug leaves it; copies are damaged, and compared with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from crash.reopening import SparseFiles
from crash.story import files_of
from stepwell.core.buckets import Buckets
from stepwell.core.errors import Corrupt
from stepwell.core.model import ALL_COLUMNS, EVERYTHING, Repeats, RunWrite, Selector
from stepwell.core.series import Order
from stepwell.storage.embedded import EmbeddedStore
from stores import NOW, Told, W, columns, make_runs, read_points, told

RUNS = ("one", "two", "three")
METRICS = ("long", "noisy", "short", "waiting")
Exhibit: TypeAlias = tuple[str, str, str]  # (what is asked, run, metric)


@dataclass(slots=True)
class Visit:
    """What reading everything brought: an answer, or the words of the error."""

    answers: dict[Exhibit, Any] = field(default_factory=dict)
    errors: dict[Exhibit, str] = field(default_factory=dict)

    def ask(self, exhibit: Exhibit, question: Callable[[], Any]) -> None:
        try:
            self.answers[exhibit] = question()
        except Corrupt as error:
            self.errors[exhibit] = error.message


def build(directory: Path) -> None:
    """Series in full blocks with nodes, in small ones, and in the journal alone; params, tags, files."""
    live = directory.with_name("live")
    live.mkdir()
    store = EmbeddedStore(live, clock=lambda: NOW, files=SparseFiles(live), background=False)
    rng = np.random.default_rng(7)
    make_runs(store, *RUNS)
    for number, run in enumerate(RUNS):
        for metric, count in (("long", 9_000), ("noisy", 1_500), ("short", 5)):
            steps = np.arange(count) * (number + 1)
            values = rng.normal(size=count) if metric == "noisy" else np.round(np.sin(steps / 100), 3)
            write(store, run, columns(steps, steps * 1_000 + rng.integers(0, 900, count), values, metric=metric))
        put(store, run, "model/weights.bin", rng.bytes(3_000))
    store.flush()
    for number, run in enumerate(RUNS):
        write(store, run, columns(np.arange(3), np.arange(3) + 4, np.array([0.5, number, -0.0]), metric="waiting"))
        write(store, run, columns(np.arange(200) - 50, np.arange(200), rng.normal(size=200), metric="short"))
    store._background._ask(store._checkpoints.truncate)
    shutil.copytree(live, directory, ignore=shutil.ignore_patterns("reserve", "lock", "*-wal", "*-shm"))
    store.close()
    shutil.rmtree(live)


def write(store: EmbeddedStore, run: str, batch: Any) -> None:
    """One request with points, a param and a tag."""
    one = RunWrite(run_id=run, points=batch, repeats=Repeats.RETRY, params={"lr": "0.1"}, set_tags={"t": run}, at=NOW)
    store.write(workspace=W, writes=[one]).result(60)


def put(store: EmbeddedStore, run: str, path: str, content: bytes) -> None:
    """One file."""
    writer = store.open_blob(workspace=W, owner=run, path=path, at=NOW)
    writer.write(content)
    writer.commit()


def visit(store: EmbeddedStore) -> Visit:
    """Ask everything that answers with numbers or bytes."""
    found = Visit()
    for run in RUNS:
        for metric in METRICS:
            _visit_series(store, found, run, metric)
        _visit_run(store, found, run)
    return found


def _visit_series(store: EmbeddedStore, found: Visit, run: str, metric: str) -> None:
    which = Selector(run_id=run, metric=metric)
    some: Any = {"workspace": W, "selectors": [which], "window": EVERYTHING}
    for order in Order:
        found.ask((f"points by {order}", run, metric), partial(_points, store, which, order))
    found.ask(("buckets", run, metric), lambda: shown(store.read_buckets(budget=20, **some)))
    found.ask(("chart", run, metric), lambda: outline(store.read_buckets(budget=4, **some)))
    found.ask(("sample", run, metric), lambda: shown(store.sample(limit=20, **some)))
    found.ask(
        ("summary", run, metric), lambda: shown(store.summaries(workspace=W, run_ids=[run], metrics=[metric]).by_run())
    )


def outline(charts: Sequence[Buckets]) -> str:
    """What does not depend on where the edges of buckets are."""
    return shown([(b.count.sum(), b.min.value.min(), b.max.value.max(), b.first.step[0]) for b in charts if len(b)])


def _points(store: EmbeddedStore, which: Selector, order: Order) -> list[Told]:
    return told(read_points(store, which, order=order))


def _visit_run(store: EmbeddedStore, found: Visit, run: str) -> None:
    found.ask(("files", run, ""), lambda: files_of(store, run))
    found.ask(("run", run, ""), lambda: shown(store.get_runs(workspace=W, run_ids=[run], columns=ALL_COLUMNS)))


def shown(answer: Any) -> str:
    """All numbers of an answer in a form in which NaN equals NaN."""
    with np.printoptions(threshold=10**9, floatmode="unique"):
        return repr(answer)
