"""Resource usage of the tasks of runs: registering tasks, storing samples, and reading one mean a minute.

A task is a record of its run. Samples that came under other metric names are found by the aliases that a caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from stepwell.core import limits
from stepwell.core.errors import Invalid, NotFound
from stepwell.core.ids import check_run_id, check_workspace
from stepwell.core.model import (
    NO_COLUMNS,
    NewRun,
    PointBatch,
    Record,
    Run,
    RunWrite,
    Selector,
    SeriesInfo,
    Window,
)
from stepwell.core.resources import (
    FIRST_TASK,
    METRIC_PREFIX,
    TASK_LABEL,
    Alias,
    MinuteMeans,
    Resource,
    Samples,
    labels_of,
    recognised,
)
from stepwell.core.series import F64, I64, Labels, Order
from stepwell.core.store import Store
from stepwell.services import ingest
from stepwell.services.checks import check_count, check_name

TASK_KIND: Final = "task"  # of the records
TASK_NAME_LENGTH: Final = 255
TASKS_PER_RUN: Final = 10_000
_CHUNK: Final = 100_000  # points read at once
_RESOURCE_OF: Final = {resource.metric: resource for resource in Resource}
_DIGITS: Final = re.compile(r"(\d+)")


def record(
    store: Store,
    *,
    workspace: str,
    run_id: str,
    task: str,
    start_time: int | None,
    samples: Samples,
    origin: str,
    now: int,
) -> None:
    """Store samples of a task, all or none, durable and readable when it returns; make run and task if missing.

    `start_time` becomes the run's where it has none. Raises Invalid or TooLarge (names, counts), Conflict when the run
    is deleted, Busy, StorageFull, StorageFailed.
    """
    check_workspace(workspace)
    check_run_id(run_id)
    (entry,) = new_tasks(run_id, (task,), now=now)
    points = _points(task, samples)
    (row,) = store.get_runs(workspace=workspace, run_ids=(run_id,), columns=NO_COLUMNS)
    (known,) = store.get_records(workspace=workspace, kind=TASK_KIND, ids=(entry.id,))
    starts = start_time is not None and row is not None and row.run.start_time is None
    if row is not None and known is not None and points is None and not starts:
        return
    write = RunWrite(
        run_id=run_id,
        make=None if row else NewRun(id=run_id, name=run_id, origin=origin, start_time=start_time, at=now),
        points=points,
        start_time=start_time if starts else None,
        records=() if known else (entry,),
        at=now,
    )
    ingest.write(store, workspace=workspace, write=write).result()


def new_tasks(run_id: str, names: Sequence[str], *, now: int) -> tuple[Record, ...]:
    """The records that say that a run has these tasks; writing them again changes nothing. Invalid, TooLarge."""
    check_count(len(names), field="tasks", limit=TASKS_PER_RUN)
    return tuple(
        Record(
            kind=TASK_KIND, id=f"{run_id}/{check_task(name)}", body="{}", parent=run_id, created_at=now, updated_at=now
        )
        for name in names
    )


def tasks(store: Store, *, workspace: str, run_ids: Sequence[str]) -> dict[str, list[str]]:
    """run id -> its registered tasks, worker-2 before worker-10; the first task alone where none is."""
    found = store.records_of_runs(workspace=workspace, kinds=(TASK_KIND,), run_ids=run_ids)
    return {
        run_id: sorted((each.id.removeprefix(f"{run_id}/") for each in found.get(run_id, ())), key=_natural)
        or [FIRST_TASK]
        for run_id in run_ids
    }


def usage_by_minute(
    store: Store, *, workspace: str, run: Run, task: str, aliases: Sequence[Alias]
) -> dict[Resource, F64]:
    """The mean usage of each resource in each minute from the run's start on: equally long columns, NaN for no sample.

    A mean is over all samples of the minute, those of all devices together. Where a resource has samples of its own,
    metrics that only mean it are left out. A run without a start begins with its oldest sample. NotFound: no such task.
    """
    prefixes = sorted({METRIC_PREFIX, *(alias.prefix for alias in aliases)})
    series = store.list_series(workspace=workspace, run_id=run.id, prefixes=prefixes)
    mine = _series_of(series, task, aliases)
    if not mine and task not in tasks(store, workspace=workspace, run_ids=(run.id,))[run.id]:
        raise NotFound(f"no task {task!r} in run {run.id!r}", field="task")
    if not mine:
        return MinuteMeans(0, -1).columns()
    start = _oldest(series, aliases) if run.start_time is None else run.start_time
    means = MinuteMeans(start, max(info.summary.max_time for _, info in mine))
    window = Window(min_time=means.start, max_time=means.end)
    for resource, info in [] if means.empty else mine:
        selector = Selector(run_id=run.id, metric=info.metric, labels=info.labels)
        _read(store, workspace, selector, window, resource, means)
    return means.columns()


def check_task(task: str) -> str:
    """`task` if it may name a task: 1 to 255 printable characters without '/'. Raises Invalid or TooLarge."""
    check_name(task, field="task", limit=TASK_NAME_LENGTH)
    if "/" in task or not task.isprintable():
        raise Invalid(f"task {task!r} must be printable and without '/'", field="task")
    return task


def _points(task: str, samples: Samples) -> PointBatch | None:
    """The samples as points; None when there are none."""
    check_count(len(samples), field="samples", limit=limits.POINTS_PER_WRITE)
    for device in set(samples.device):
        if device:
            check_name(device, field="device")
    devices = {device: i for i, device in enumerate(dict.fromkeys(samples.device))}
    of_device = np.array([devices[device] for device in samples.device], np.int64)
    names: list[tuple[str, Labels]] = []
    which: list[I64] = []
    rows: list[I64] = []
    values: list[F64] = []
    for resource, usage in samples.usage.items():
        there = np.flatnonzero(~np.isnan(usage))
        if not len(there):
            continue
        which.append(of_device[there] + len(names))
        names += [(resource.metric, labels_of(task, device)) for device in devices]
        rows.append(there)
        values.append(usage[there])
    if not rows:
        return None
    time = samples.time[np.concatenate(rows)]
    # A device may lack a resource: only series with points are made.
    used, index = np.unique(np.concatenate(which), return_inverse=True)
    return PointBatch(
        series=tuple(names[i] for i in used.tolist()),
        which=index.astype(np.int64),
        step=time // 1000,
        time=time,
        value=np.concatenate(values),
    )


def _series_of(series: Sequence[SeriesInfo], task: str, aliases: Sequence[Alias]) -> list[tuple[Resource, SeriesInfo]]:
    """The series that hold a task's samples."""
    own = [
        (_RESOURCE_OF[info.metric], info)
        for info in series
        if info.metric in _RESOURCE_OF and dict(info.labels).get(TASK_LABEL) == task
    ]
    if task != FIRST_TASK:
        return own
    known = {resource for resource, _ in own}
    meant = ((recognised(info.metric, aliases), info) for info in series)
    return own + [(resource, info) for resource, info in meant if resource is not None and resource not in known]


def _oldest(series: Sequence[SeriesInfo], aliases: Sequence[Alias]) -> int:
    """When the oldest sample of any task of a run was taken. There is one."""
    return min(
        info.summary.min_time
        for info in series
        if info.metric in _RESOURCE_OF or recognised(info.metric, aliases) is not None
    )


def _read(
    store: Store, workspace: str, selector: Selector, window: Window, resource: Resource, means: MinuteMeans
) -> None:
    after = None
    while True:
        page = store.read(
            workspace=workspace, selector=selector, order=Order.KEY, window=window, after=after, limit=_CHUNK
        )
        means.add(resource, page.points.time, page.points.value)
        after = page.after
        if after is None:
            return


def _natural(name: str) -> tuple[list[str | int], str]:
    """Digits sort as numbers. Odd places of the split are digits, so that like compares with like."""
    parts = _DIGITS.split(name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


__all__ = ["check_task", "new_tasks", "record", "tasks", "usage_by_minute"]
