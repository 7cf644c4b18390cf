"""Handlers: message in, answer out. Blocking; the routes run them in a pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import NO_COLUMNS, Columns, Event, Lifecycle, Run, RunRow, RunWrite, Status
from stepwell.core.resources import Alias
from stepwell.core.store import Store
from stepwell.dialects import NOTE_TAG
from stepwell.dialects.modelarts import conditions, translate, wire
from stepwell.services import ingest, log_tail, numbered_pages, resources
from stepwell.services import runs as service

PREVIEW_BYTES = 5 << 20  # of a log, as in the vendor's service
_SHOWN = Columns(metrics=(), tags=(NOTE_TAG,))
_ACTIVE = frozenset({Status.SCHEDULED, Status.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Where to look, and when it is."""

    store: Store
    workspace: str
    now: int


def show(ask: Ask, job_id: str) -> wire.Job:
    """One job."""
    return _jobs(ask, (_run(ask, job_id),))[0]


def create(ask: Ask, message: wire.NewJob) -> wire.Job:
    """Register a job that runs somewhere. All of it is stored, or nothing."""
    run_id = str(uuid4())
    new = translate.new_run(message, run_id=run_id, now=ask.now)
    tasks = resources.new_tasks(run_id, translate.task_names(message), now=ask.now)
    record = translate.job_record(message, run_id=run_id, now=ask.now)
    write = RunWrite(run_id=run_id, make=new, records=(*tasks, record), at=ask.now)
    ingest.write(ask.store, workspace=ask.workspace, write=write).result()
    return show(ask, run_id)


def stop(ask: Ask, job_id: str, message: wire.Action) -> wire.Job:
    """End a job. Conflict when it has ended already."""
    translate.terminates(message)
    run = _run(ask, job_id)
    if run.status not in _ACTIVE:
        phase, _ = translate.PHASES[run.status]
        raise Conflict(f"Training job (ID: {job_id}) is {phase} and cannot be terminated.")
    event = Event(time=ask.now, kind="terminated", text="Training job terminated on request.")
    write = RunWrite(run_id=job_id, status=Status.KILLED, end_time=ask.now, events=(event,), at=ask.now)
    ingest.write(ask.store, workspace=ask.workspace, write=write).result()
    return show(ask, job_id)


def change(ask: Ask, job_id: str, message: wire.JobChange) -> str:
    """Describe a job anew."""
    write = translate.change(message, run_id=_run(ask, job_id).id, now=ask.now)
    ingest.write(ask.store, workspace=ask.workspace, write=write).result()
    return ""


def delete(ask: Ask, job_id: str) -> str:
    """Remove a job and all that belongs to it, for good."""
    _run(ask, job_id)
    service.purge_runs(ask.store, workspace=ask.workspace, run_ids=(job_id,))
    return ""


def search(ask: Ask, message: wire.Search) -> wire.Jobs:
    """A page of jobs."""
    number, size = message.offset or 0, message.limit or wire.PAGE_SIZE
    order = conditions.order_of(message)
    comparisons, wanted = conditions.sought(message)
    found, total = numbered_pages.runs(
        ask.store,
        workspace=ask.workspace,
        filter=comparisons,
        wanted=wanted,
        order=order,
        number=number,
        size=size,
    )
    return wire.Jobs(
        total=total,
        count=len(found),
        limit=size,
        offset=number,
        sort_by=message.sort_by or "create_time",
        order="desc" if order[0].descending else "asc",
        items=_jobs(ask, found),
    )


def metrics(ask: Ask, job_id: str, task: str, aliases: Sequence[Alias]) -> wire.TaskMetrics:
    """The usage of a task, minute by minute since the job's start."""
    run = _run(ask, job_id)
    return translate.metrics(
        resources.usage_by_minute(ask.store, workspace=ask.workspace, run=run, task=task, aliases=aliases)
    )


def tasks(ask: Ask, job_id: str) -> list[wire.Task]:
    """The tasks of a job."""
    return [wire.Task(task=name) for name in _tasks(ask, _run(ask, job_id))]


def events(ask: Ask, job_id: str, asked: wire.EventsQuery) -> wire.Events:
    """What happened to a job."""
    run = _run(ask, job_id)
    stored = service.read_events(ask.store, workspace=ask.workspace, run_id=job_id)
    return translate.events(run, stored, asked)


def preview(ask: Ask, job_id: str, task: str) -> wire.LogPreview:
    """The end of a task's log."""
    names = _tasks(ask, _run(ask, job_id))
    if task not in names:
        raise NotFound(f"no task {task!r}", field="task")
    content, full = log_tail.newest(
        ask.store, workspace=ask.workspace, run_id=job_id, task=task, tasks=names, limit=PREVIEW_BYTES
    )
    return wire.LogPreview(content=content, current_size=len(content.encode()), full_size=full)


def _run(ask: Ask, job_id: str) -> Run:
    """NotFound also for one that another interface has hidden."""
    run = service.get_run(ask.store, workspace=ask.workspace, run_id=job_id, columns=NO_COLUMNS).run
    if run.lifecycle is Lifecycle.DELETED:
        raise NotFound(f"the run {job_id!r} is deleted", field="run_id")
    return run


def _tasks(ask: Ask, run: Run) -> list[str]:
    return resources.tasks(ask.store, workspace=ask.workspace, run_ids=(run.id,))[run.id]


def _jobs(ask: Ask, runs: Sequence[Run]) -> list[wire.Job]:
    ids = [run.id for run in runs]
    rows = service.get_runs(ask.store, workspace=ask.workspace, run_ids=ids, columns=_SHOWN)
    tasks = resources.tasks(ask.store, workspace=ask.workspace, run_ids=ids)
    records = ask.store.get_records(workspace=ask.workspace, kind=translate.JOB_KIND, ids=ids)
    return [
        translate.job(row or RunRow(run=run), tasks=tasks[run.id], record=record, now=ask.now)
        for run, row, record in zip(runs, rows, records, strict=True)
    ]
