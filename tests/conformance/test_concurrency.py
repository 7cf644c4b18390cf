"""Many threads at once: what is acknowledged is seen, nothing is seen in half, nothing twice, nothing lost."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
import pytest

from stepwell.core.filters import Aggregate, Comparison, Field, Kind, Op
from stepwell.core.model import ALL_COLUMNS, EVERYTHING, NewExperiment, RunWrite, Window
from stepwell.core.page import Position
from stepwell.core.series import Order
from stepwell.core.store import Store
from stores import (
    NOW,
    RUN,
    Shelf,
    W,
    add,
    batch,
    change,
    columns,
    make_runs,
    new_run,
    read_points,
    search_ids,
    selector,
)

pytestmark = pytest.mark.slow  # threads that write and read for a while


@contextmanager
def going_on(*works: Callable[[], object]) -> Iterator[threading.Event]:
    """Repeats every work in a thread of its own until the block ends; what one raises is raised here."""
    stop = threading.Event()
    broken: list[BaseException] = []

    def repeat(work: Callable[[], object]) -> None:
        try:
            while not stop.is_set():
                work()
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            broken.append(error)

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for error in broken:
        raise error


def everywhere(store: Store, run_id: str) -> dict[str, int]:
    """How many points of a run every kind of read sees."""
    which = selector(run_id)
    (row,) = store.get_runs(workspace=W, run_ids=[run_id], columns=ALL_COLUMNS)
    assert row is not None
    (info,) = store.list_series(workspace=W, run_id=run_id)
    (buckets,) = store.read_buckets(workspace=W, selectors=[which], window=EVERYTHING, budget=3)
    (sampled,) = store.sample(workspace=W, selectors=[which], window=EVERYTHING, limit=10_000)
    return {
        **{f"read by {order}": len(read_points(store, which, order=order)) for order in Order},
        "summaries": store.summaries(workspace=W, run_ids=[run_id]).by_run()[run_id]["loss"].count,
        "list_series": info.summary.count,
        "buckets": int(buckets.count.sum()),
        "sample": len(sampled.points),
        "get_runs": row.metrics["loss"].count,
    }


def finds(store: Store, run_id: str, count: int) -> bool:
    """Whether a search by the number of points finds the run."""
    field = Field(kind=Kind.METRIC, key="loss", aggregate=Aggregate.COUNT)
    return run_id in search_ids(store, filter=(Comparison(field=field, op=Op.EQ, value=float(count)),))


@pytest.mark.parametrize("tidied", [False, True])
def test_what_is_acknowledged_is_seen_by_every_read(store: Store, tidied: bool):
    """Four writers, each of whom looks for what it was told is stored; beside them flushes and merges."""
    runs = [f"w{n}" for n in range(4)]
    make_runs(store, *runs)
    broken: list[BaseException] = []

    def work(run_id: str) -> None:
        try:
            for step in range(40):
                add(store, [(step // 2 if step % 5 else -step, step, float(step))], run_id)
                seen = everywhere(store, run_id)
                steps = len({s // 2 if s % 5 else -s for s in range(step + 1)})
                assert seen == {**dict.fromkeys(seen, step + 1), "sample": steps}
                assert finds(store, run_id, step + 1)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            broken.append(error)

    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in runs]
    with going_on(*([store.flush, store.compact] if tidied else [])):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert broken == []
    assert list(store.check()) == []


def test_a_request_is_seen_whole_or_not_at_all(store: Store):
    """Every request brings 50 points of a series, late and early ones: a reader sees a multiple of that."""
    rng = np.random.default_rng(3)
    steps = rng.permutation(50 * 60).reshape(60, 50)
    sizes: set[int] = set()

    def look() -> None:
        for order in Order:
            found = store.read(
                workspace=W, selector=selector(), order=order, window=EVERYTHING, after=None, limit=10_000
            ).points
            assert len(found) % 50 == 0
            sizes.add(len(found))
        (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=5)
        assert int(buckets.count.sum()) % 50 == 0
        for info in store.list_series(workspace=W, run_id=RUN):
            assert info.summary.count % 50 == 0

    with going_on(look, look, store.flush, store.compact):
        for part in steps:
            change(store, points=columns(part, part * 3, part.astype(np.float64)))
    assert read_points(store).step.tolist() == list(range(3000))
    assert len(sizes) > 2


def test_late_points_that_come_during_a_flush_are_put_in_order(store: Store):
    """Whatever a flush leaves in memory goes on standing as it came, and moves in order the next time."""
    every = np.arange(18_000)
    early = every[every % 3 > 0]
    change(store, points=columns(early, early, early * 1.0))
    store.flush()
    steps = np.random.default_rng(4).permutation(every[::3]).reshape(200, 30)
    with going_on(store.flush):
        for part in steps:
            change(store, points=columns(part, part, part * 1.0))
    store.flush()
    for order in (Order.KEY, Order.TIME):
        assert read_points(store, order=order, page=97).step.tolist() == every.tolist()
    window = Window(min_step=2_500, max_step=2_600)
    assert read_points(store, window=window, page=10).step.tolist() == list(range(2_500, 2_601))
    (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=60)
    assert buckets.first.step.tolist() == list(range(0, 18_000, 300))
    assert list(store.check()) == []


def test_live_readers_miss_nothing_and_see_nothing_twice(store: Store):
    """Writers with many requests under way; the cursor of arrival goes on through flushes and merges."""
    total, seen = 1_200, [[], []]  # type: ignore[var-annotated]
    after: list[Position | None] = [None, None]

    def reader(number: int) -> Callable[[], None]:
        def turn() -> None:
            page = store.read(
                workspace=W,
                selector=selector(),
                order=Order.ARRIVAL,
                window=EVERYTHING,
                after=after[number],
                limit=7 + number * 100,
            )
            after[number] = page.after
            seen[number].extend(page.points.step.tolist())

        return turn

    turns = [reader(0), reader(1)]
    with going_on(*turns, store.flush):
        futures: list[Future[None]] = []
        for step in range(total):
            point = batch([(step * 7 % total, 0, 0.0)], labels=(("w", str(step % 3)),))
            futures.append(store.write(workspace=W, writes=[RunWrite(run_id=RUN, points=point, at=NOW)]))
        for future in futures:
            future.result()
    for number, turn in enumerate(turns):
        before = -1
        while len(seen[number]) != before:
            before = len(seen[number])
            turn()
        assert seen[number] == [step * 7 % total for step in range(total)]


def test_equal_points_of_many_writers_are_stored_once(store: Store):
    rows = [(step, 0, math.nan if step % 3 else 1.0) for step in range(50)]

    def write() -> None:
        futures = [
            store.write(workspace=W, writes=[RunWrite(run_id=RUN, points=batch(rows[n : n + 10]), at=NOW)])
            for n in range(0, 50, 5)
        ]
        for future in futures:
            future.result()

    with going_on(write, write, write, store.flush):
        for _ in range(20):
            write()
    assert read_points(store).step.tolist() == list(range(50))
    assert store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN]["loss"].count == 50


def test_pages_join_to_the_whole_while_everything_moves(store: Store):
    """A history that nobody adds to reads the same, however its points are moved meanwhile."""
    number = np.arange(5_000)
    change(store, points=columns(number * 7 % 5_000, number // 2, number.astype(np.float64)))
    whole = {order: read_points(store, order=order).arrival.tolist() for order in Order}
    makers = iter(range(10_000_000))

    def move() -> None:
        add(store, [(next(makers), 0, 0.0)], metric="other")
        store.flush()
        store.compact()

    with going_on(move):
        for page in (100, 333, 1000):
            for order in Order:
                assert read_points(store, order=order, page=page).arrival.tolist() == whole[order]


def test_an_id_and_a_name_are_taken_once(store: Store):
    """Of many who ask at once one gets it."""
    won: list[str] = []

    def ask(kind: str, call: Callable[[], object]) -> Callable[[], None]:
        def work() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - its name is what the test is about
                won.append(f"{kind} {type(error).__name__}")
            else:
                won.append(f"{kind} won")

        return work

    new = NewExperiment(name="one", at=NOW)
    works = [ask("run", lambda: store.create_runs(workspace=W, new=[new_run("one")])) for _ in range(8)]
    works += [ask("experiment", lambda: store.create_experiment(workspace=W, new=new)) for _ in range(8)]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = [f"{kind} {what}" for kind in ("experiment", "run") for what in ["AlreadyExists"] * 7 + ["won"]]
    assert sorted(won) == wanted


def test_the_background_changes_nothing(busy_shelf: Shelf):
    """The same with the engine's own threads at work, through a restart."""
    store = busy_shelf.store
    make_runs(store, RUN)
    for step in range(300):
        add(store, [(step, step, float(step)), (-step - 1, step, 0.0)])
    assert read_points(store).step.tolist() == list(range(-300, 300))
    store = busy_shelf.reopen()
    assert read_points(store).step.tolist() == list(range(-300, 300))
    assert store.stats().gauges["head_points"] == 0, "closing leaves nothing in the journal"
    assert list(store.check()) == []
