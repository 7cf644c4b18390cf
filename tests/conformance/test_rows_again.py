"""Rows of runs that are asked for again: kept or not, they are what is stored at that moment."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from stepwell.core.bounds import Kept
from stepwell.core.model import Columns, ExperimentWrite, Lifecycle, NewExperiment, RunRow, RunWrite, Status, Visibility
from stepwell.core.store import Store
from stores import NOW, Shelf, W, add, batch, change, new_run, search

LAST = Columns(last=True)
NAMED = Columns(last=True, metrics=("acc", "loss", "other"))  # the same of these runs, but nothing of it is kept


def told(rows: list[RunRow | None]) -> list[object]:
    return [None if row is None else (row.run, row.params, row.tags, repr(row.last)) for row in rows]


def assert_right(store: Store) -> None:
    """Twice, since the second time rows may be those of the first."""
    for _ in range(2):
        rows = search(store, visibility=Visibility.ALL, columns=LAST)
        ids = [row.run.id for row in rows]
        assert told([*rows]) == told([*search(store, visibility=Visibility.ALL, columns=NAMED)])
        again = store.get_runs(workspace=W, run_ids=[*ids, "nobody"], columns=LAST)
        assert told(again) == [*told([*rows]), None]


def refused(store: Store) -> None:
    with pytest.raises(Exception, match="param"):
        store.write(
            workspace=W, writes=[RunWrite(run_id="a", set_tags={"team": "q"}, params={"lr": "9"}, at=NOW)]
        ).result()


CHANGES: dict[str, Callable[[Store], Any]] = {
    "a point": lambda store: add(store, [(9, NOW + 9, math.nan)], "a"),
    "a point of another metric": lambda store: add(store, [(1, NOW, 2.0)], "a", metric="other"),
    "a point with labels": lambda store: add(store, [(70, NOW, 3.0)], "a", labels=(("worker", "1"),)),
    "a late point": lambda store: add(store, [(0, NOW, 3.0)], "a"),
    "the same point again": lambda store: add(store, [(1, NOW, 1.0)], "a"),
    "a param": lambda store: change(store, "a", params={"new": "1"}),
    "a tag": lambda store: change(store, "a", set_tags={"team": "y"}),
    "a tag less": lambda store: change(store, "a", remove_tags=("team",)),
    "the end": lambda store: change(store, "a", status=Status.FINISHED, end_time=NOW + 5),
    "the begin": lambda store: change(store, "a", start_time=NOW - 5),
    "the name": lambda store: change(store, "a", name="other"),
    "deletion": lambda store: change(store, "a", lifecycle=Lifecycle.DELETED),
    "purge": lambda store: store.purge_runs(workspace=W, run_ids=["a"]),
    "a new run": lambda store: store.create_runs(workspace=W, new=[new_run("c", tags={"team": "z"})]),
    "a flush": lambda store: store.flush(),
    "expiry": lambda store: list(store.expire_points(workspace=W, experiment_id=0, kept=Kept(latest=1))),
    "deletion of the experiment": lambda store: store.write_experiment(
        workspace=W, write=ExperimentWrite(id=1, lifecycle=Lifecycle.DELETED, at=NOW)
    ),
    "a change of which a part is refused": refused,
}


@pytest.fixture
def filled(shelf: Shelf) -> Store:
    store = shelf.store
    store.create_experiment(workspace=W, new=NewExperiment(name="one", at=NOW))
    for run_id, experiment in (("a", 0), ("b", 1)):
        fields = {"params": {"lr": "1"}, "tags": {"team": "x"}, "experiment_id": experiment}
        store.create_runs(workspace=W, new=[new_run(run_id, **fields)])
        add(store, [(1, NOW, 1.0), (2, NOW + 1, 2.0)], run_id)
        add(store, [(1, NOW, 0.5)], run_id, metric="acc")
    return store


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("what", CHANGES)
def test_rows_are_right_after(filled: Store, what: str, *, flushed: bool):
    if flushed:
        filled.flush()
    assert_right(filled)
    CHANGES[what](filled)
    assert_right(filled)


def test_experiments_are_right_after_each_change(store: Store):
    new = store.create_experiment(workspace=W, new=NewExperiment(name="one", tags={"a": "1"}, at=NOW))
    writes: list[dict[str, Any]] = [
        {"name": "two"},
        {"set_tags": {"a": "2", "b": "3"}},
        {"remove_tags": ("a",)},
        {"lifecycle": Lifecycle.DELETED},
        {"lifecycle": Lifecycle.ACTIVE},
    ]
    for number, fields in enumerate(writes):
        written = store.write_experiment(workspace=W, write=ExperimentWrite(id=new.id, at=NOW + number, **fields))
        for _ in range(2):
            assert store.get_experiment(workspace=W, id=new.id) == written
    store.purge_experiment(workspace=W, id=new.id)
    with pytest.raises(Exception, match="no experiment"):
        store.get_experiment(workspace=W, id=new.id)


def test_a_workspace_that_comes_changes_its_first_experiment(shelf: Shelf):
    assert shelf.store.get_experiment(workspace=W, id=0).created_at == 0
    shelf.store.create_runs(workspace=W, new=[new_run("a")])
    assert shelf.store.get_experiment(workspace=W, id=0).created_at > 0


def test_what_is_acknowledged_is_in_the_next_row(filled: Store):
    """Readers ask all the time, so that rows are kept again and again while a run is written to."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        seen = -1
        try:
            while not ended.is_set():
                (row,) = filled.get_runs(workspace=W, run_ids=["a"], columns=LAST)
                assert row is not None
                step, tag = row.last.steps[1], int(row.tags.get("step", "0"))
                assert min(step, tag) >= seen
                seen = min(step, tag)
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for step in range(10, 150):
            write = RunWrite(run_id="a", points=batch([(step, NOW, 1.0)]), set_tags={"step": str(step)}, at=NOW)
            filled.write(workspace=W, writes=[write]).result()
            (row,) = filled.get_runs(workspace=W, run_ids=["a"], columns=LAST)
            assert row is not None
            assert (row.last.steps[1], row.tags["step"]) == (step, str(step))
            if step % 40 == 0:
                filled.flush()
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert not failures
