"""Tasks and their samples in a real store: what is made, what is stored, and what a minute is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stepwell.core.errors import Conflict, Invalid, NotFound, TooLarge
from stepwell.core.filters import Comparison, Field, Kind, Op
from stepwell.core.model import Lifecycle, LogLine, RunWrite
from stepwell.core.resources import FIRST_TASK, MINUTE, Alias, Resource, Samples
from stepwell.core.store import Store
from stepwell.services import log_tail, numbered_pages, resources, runs
from stores import RUN, Shelf, add, change, make_runs

START = 1_700_000_000_000_000
ALIASES = (Alias(prefix="host/", name=re.compile(r"host/cpu\.[0-9]"), resource=Resource.CPU),)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    shelf = Shelf(tmp_path / "shelf")
    yield shelf.store
    shelf.close()


def samples(*rows: tuple[int, str, dict[Resource, float]]) -> Samples:
    return Samples(
        time=np.array([time for time, _, _ in rows], np.int64),
        device=tuple(device for _, device, _ in rows),
        usage={resource: np.array([usage.get(resource, np.nan) for _, _, usage in rows]) for resource in Resource},
    )


def record(store: Store, *rows: Any, run_id: str = "job", task: str = FIRST_TASK, start: int | None = START) -> None:
    resources.record(
        store,
        workspace="w",
        run_id=run_id,
        task=task,
        start_time=start,
        samples=samples(*rows),
        origin="test",
        now=START,
    )


def minutes(store: Store, resource: Resource = Resource.CPU, *, run_id: str = "job", task: str = FIRST_TASK) -> Any:
    run = runs.get_run(store, workspace="w", run_id=run_id).run
    found = resources.usage_by_minute(store, workspace="w", run=run, task=task, aliases=ALIASES)
    assert len({len(column) for column in found.values()}) == 1
    return np.nan_to_num(found[resource], nan=-1).tolist()


def test_run_and_task_are_made(store: Store):
    record(store, (START, "", {Resource.CPU: 5.0}), task="worker-1")
    run = runs.get_run(store, workspace="w", run_id="job").run
    assert (run.name, run.start_time, run.origin) == ("job", START, "test")
    assert resources.tasks(store, workspace="w", run_ids=("job", "none")) == {
        "job": ["worker-1"],
        "none": [FIRST_TASK],
    }
    assert minutes(store, task="worker-1") == [5]


def test_series_are_made_only_for_what_was_measured(store: Store):
    record(store, (START, "", {Resource.CPU: 5.0}), (START, "0", {Resource.GPU: 9.0}), (START, "1", {}))
    found = [(each.metric, each.labels) for each in store.list_series(workspace="w", run_id="job")]
    assert found == [
        ("resource/cpu", (("task", FIRST_TASK),)),
        ("resource/gpu", (("device", "0"), ("task", FIRST_TASK))),
    ]


def test_a_start_is_set_once(store: Store):
    make_runs(store, RUN)
    before = runs.get_run(store, workspace="w", run_id=RUN).run.start_time
    record(store, run_id=RUN)
    assert runs.get_run(store, workspace="w", run_id=RUN).run.start_time == (START if before is None else before)
    record(store, run_id=RUN, start=START + 1)
    assert runs.get_run(store, workspace="w", run_id=RUN).run.start_time == (START if before is None else before)


def test_a_deleted_run_takes_nothing(store: Store):
    make_runs(store, RUN)
    change(store, lifecycle=Lifecycle.DELETED)
    for rows in ((), ((START, "", {Resource.CPU: 1.0}),)):
        with pytest.raises(Conflict):
            record(store, *rows, run_id=RUN)


def test_a_refused_request_makes_nothing(store: Store):
    refused: list[tuple[dict[str, Any], type[Invalid]]] = [
        ({"task": ""}, Invalid),
        ({"task": "a/b"}, Invalid),
        ({"task": "x" * 256}, TooLarge),
        ({"run_id": "a/b"}, Invalid),
        ({"run_id": "x" * 256}, TooLarge),
    ]
    for fields, kind in refused:
        with pytest.raises(kind):
            record(store, (START, "", {Resource.CPU: 1.0}), **fields)
    with pytest.raises(TooLarge, match="device"):
        record(store, (START, "x" * 1025, {Resource.CPU: 1.0}))
    assert store.list_workspaces() == []


def test_tasks_are_in_natural_order(store: Store):
    names = ["worker-10", "worker-2", "w", "worker-2a", "10", "9"]
    for name in names:
        record(store, task=name)
    assert resources.tasks(store, workspace="w", run_ids=("job",))["job"] == [
        "9",
        "10",
        "w",
        "worker-2",
        "worker-2a",
        "worker-10",
    ]


def test_other_names_count_until_there_are_samples(store: Store):
    record(store)
    for i, usage in enumerate((10.0, 30.0)):
        add(store, [(0, START, usage), (1, START + MINUTE, usage)], "job", metric=f"host/cpu.{i}")
    add(store, [(0, START, 99.0)], "job", metric="host/cpu.x")
    assert minutes(store) == [20, 20]
    record(store, (START, "", {Resource.GPU: 1.0}))
    assert minutes(store) == [20, 20]
    record(store, (START, "", {Resource.CPU: 50.0}))
    assert minutes(store) == [50]
    with pytest.raises(NotFound) as caught:
        minutes(store, task="worker-1")
    assert caught.value.field == "task"


@pytest.mark.parametrize("flush", [False, True])
def test_reading_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch, *, flush: bool):
    monkeypatch.setattr(resources, "_CHUNK", 7)
    record(store, *((START + i * MINUTE // 4, str(i % 3), {Resource.NPU: float(i % 4)}) for i in range(400)))
    if flush:
        store.flush()
    assert minutes(store, Resource.NPU) == [1.5] * 100


def test_numbered_pages(store: Store):
    for i in range(12):
        record(store, run_id=f"run-{i:02}", start=START + i)
    change(store, "run-11", lifecycle=Lifecycle.DELETED)

    run_id = Field(kind=Kind.ATTRIBUTE, key="run_id")
    not_five = (Comparison(field=run_id, op=Op.NE, value="run-05"),)

    def page(number: int, size: int) -> tuple[list[str], int]:
        asked = {"workspace": "w", "order": (), "number": number, "size": size}
        found, total = numbered_pages.runs(store, filter=not_five, **asked)  # type: ignore[arg-type]
        looked_at = numbered_pages.runs(store, wanted=lambda run: run.id != "run-05", **asked)  # type: ignore[arg-type]
        both = numbered_pages.runs(store, filter=not_five, wanted=lambda _: True, **asked)  # type: ignore[arg-type]
        assert (found, total) == looked_at == both
        return [run.id for run in found], total

    assert page(0, 4) == (["run-10", "run-09", "run-08", "run-07"], 10)
    assert page(1, 4) == (["run-06", "run-04", "run-03", "run-02"], 10)
    assert page(2, 4) == (["run-01", "run-00"], 10)
    assert page(3, 4) == page(2**62, 4) == ([], 10)


def test_the_tail_of_a_log(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_tail, "_CHUNK", 3)
    make_runs(store, RUN)

    def lines(stream: str, *times: int) -> list[LogLine]:
        return [LogLine(stream=stream, line=i, time=time, text=f"{stream} {time}") for i, time in enumerate(times)]

    store.append_lines(workspace="w", run_id=RUN, lines=lines("stdout", 1, 3, 5) + lines("stderr", 2, 4))
    store.append_lines(workspace="w", run_id=RUN, lines=lines("worker-1", 1) + lines("worker-1/err", 2))

    def newest(task: str, limit: int = 1000) -> tuple[str, int]:
        return log_tail.newest(store, workspace="w", run_id=RUN, task=task, tasks=("worker-0", "worker-1"), limit=limit)

    assert newest("worker-0") == ("stdout 1\nstderr 2\nstdout 3\nstderr 4\nstdout 5\n", 45)
    assert newest("worker-1") == ("worker-1 1\nworker-1/err 2\n", 26)
    assert newest("worker-0", 18) == ("stderr 4\nstdout 5\n", 45)
    assert newest("worker-0", 17) == ("stdout 5\n", 45)
    assert newest("worker-0", 8) == ("", 45)


def test_a_write_of_several_things_is_one(store: Store):
    """What a request of samples changes goes to the store in one piece."""
    seen: list[RunWrite] = []
    write = store.write

    class Watching:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def write(self, *, workspace: str, writes: Any) -> Any:
            seen.extend(writes)
            return write(workspace=workspace, writes=writes)

    watched: Any = Watching()
    record(watched, (START, "", {Resource.CPU: 5.0}))
    record(watched)
    assert len(seen) == 1
    assert seen[0].make is not None
    assert len(seen[0].records) == 1
