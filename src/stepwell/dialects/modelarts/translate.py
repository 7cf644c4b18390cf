"""ModelArts' words to ours and back: phases, new jobs, whatever is answered. Pure; searches are in conditions.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from stepwell.core.errors import Invalid
from stepwell.core.model import Event, NewRun, Record, Run, RunRow, RunWrite, Status
from stepwell.core.resources import FIRST_TASK, Resource
from stepwell.core.series import F64
from stepwell.dialects import NOTE_TAG, note_tags
from stepwell.dialects.modelarts import decoding, wire
from stepwell.dialects.modelarts.decoding import BadQuery

ORIGIN: Final = "modelarts"
JOB_KIND: Final = "job"  # of the record that keeps what a job was made with
NOT_SAMPLED: Final = -1.0
METRICS: Final = {  # in the order of the vendor's page
    "cpuUsage": Resource.CPU,
    "memUsage": Resource.MEMORY,
    "gpuUtil": Resource.GPU,
    "gpuMemUsage": Resource.GPU_MEMORY,
    "npuUtil": Resource.NPU,
    "npuMemUsage": Resource.NPU_MEMORY,
}
PHASES: Final = {  # phase, secondary phase
    Status.SCHEDULED: ("Pending", "Queuing"),
    Status.RUNNING: ("Running", "Running"),
    Status.FINISHED: ("Completed", "Completed"),
    Status.FAILED: ("Failed", "Failed"),
    Status.KILLED: ("Terminated", "Terminated"),
}
ORDERS: Final = ("desc", "asc")
LEVELS: Final = ("Info", "Warning", "Error")
WARNINGS: Final = frozenset({"value_cut", "status_ignored"})  # kinds of events
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")


# --- times ------------------------------------------------------------------------------------------------------------


def created(run: Run) -> int:
    """When a job was made, in milliseconds: when it started, where that is known."""
    return (run.created_at if run.start_time is None else run.start_time) // 1000


def _timestamp(microseconds: int) -> str:
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # beyond the years 1 to 9999
        return str(microseconds // 1000)


def moment(text: str, field: str) -> int:
    """A time in milliseconds or RFC 3339, in microseconds. BadQuery."""
    if _NUMBER.fullmatch(text):
        return int(text) * 1000
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadQuery(f"{text[:40]!r} is neither milliseconds nor a date and time", field=field) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6)


# --- making jobs ------------------------------------------------------------------------------------------


def new_run(message: wire.NewJob, *, run_id: str, now: int) -> NewRun:
    """The run of a new job. It is running: nothing here schedules anything. Its hyperparameters are params, its
    description is the note.
    """
    algorithm = decoding.part(message.algorithm or {}, wire.AlgorithmView, inside="algorithm")
    return NewRun(
        id=run_id,
        name=message.metadata.name,
        origin=ORIGIN,
        start_time=now,
        params={each.name: each.value or "" for each in algorithm.parameters or ()},
        tags=note_tags(message.metadata.description)[0],
        at=now,
    )


def task_names(message: wire.NewJob) -> list[str]:
    """One task a node: worker-0, worker-1, ..."""
    spec = decoding.part(message.spec, wire.SpecView, inside="spec")
    stem = FIRST_TASK.rstrip("0")
    return [f"{stem}{i}" for i in range(spec.resource.node_count)]


def job_record(message: wire.NewJob, *, run_id: str, now: int) -> Record:
    """What a job was made with, as it came."""
    body = decoding.encode(message).decode()
    return Record(kind=JOB_KIND, id=run_id, body=body, parent=run_id, created_at=now, updated_at=now)


def change(message: wire.JobChange, *, run_id: str, now: int) -> RunWrite:
    """Another description."""
    setting, clearing = note_tags(message.description)
    return RunWrite(run_id=run_id, set_tags=setting, clear_tags=clearing, at=now)


def terminates(message: wire.Action) -> None:
    """Invalid for any other action."""
    if message.action_type != "terminate":
        raise Invalid(f"{message.action_type[:40]!r} is no action; there is terminate", field="action_type")


def direction(word: str | None, field: str, kind: type[Invalid]) -> str:
    """desc or asc; desc where nothing is said."""
    if not word:
        return "desc"
    if word not in ORDERS:
        raise kind(f"{word[:40]!r} is neither desc nor asc", field=field)
    return word


# --- answers ----------------------------------------------------------------------------------------------------------


def job(row: RunRow, *, tasks: Sequence[str], record: Record | None, now: int) -> wire.Job:
    """A run with its params and its note as a job; `record` is what it was made with, if it was made here."""
    run = row.run
    made = wire.NewJob(metadata=wire.NewMetadata(name=run.name), spec={"resource": {"node_count": len(tasks)}})
    if record is not None:
        made = decoding.body(record.body.encode(), wire.NewJob)
    phase, secondary = PHASES[run.status]
    start = created(run)
    end = (now if run.status in (Status.SCHEDULED, Status.RUNNING) else run.end_time or run.updated_at) // 1000
    return wire.Job(
        kind=made.kind,
        metadata=wire.Metadata(
            id=run.id,
            name=run.name,
            description=row.tags.get(NOTE_TAG, ""),
            create_time=start,
            annotations=made.metadata.annotations or {},
            user_name=run.user,
        ),
        status=wire.Status(
            phase=phase,
            secondary_phase=secondary,
            duration=max(0, end - start),
            start_time=start,
            tasks=list(tasks),
            node_count_metrics=[(start, len(tasks))],
        ),
        algorithm=_algorithm(made.algorithm or {}, row.params),
        spec=made.spec,
    )


def _algorithm(given: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
    """What a job was made with, and the params that came through other interfaces behind its own parameters.

    Requests have the environment as an object, answers as a list of them; the client reads nothing else.
    """
    found = dict(given)
    if isinstance(found.get("environments"), dict):
        found["environments"] = [found["environments"]]
    own = found.get("parameters") or []
    known = {each.get("name") for each in own}
    others = [{"name": name, "value": value} for name, value in params.items() if name not in known]
    return {**found, "parameters": [*own, *others]} if others else found


def metrics(usage: Mapping[Resource, F64]) -> wire.TaskMetrics:
    """All six, in percent; NOT_SAMPLED where there was no sample."""
    columns = ((name, usage[resource]) for name, resource in METRICS.items())
    return wire.TaskMetrics(
        metrics=[
            wire.Usage(metric=name, value=np.where(np.isnan(column), NOT_SAMPLED, column).tolist())
            for name, column in columns
        ]
    )


def events(run: Run, stored: Sequence[Event], asked: wire.EventsQuery) -> wire.Events:
    """A page of what happened to a job, its making and its end with it. BadQuery."""
    order = direction(asked.order, "order", BadQuery)
    if asked.level and asked.level not in LEVELS:
        raise BadQuery(f"{asked.level[:40]!r} is none of {', '.join(LEVELS)}", field="level")
    low = moment(asked.start_time, "start_time") if asked.start_time else None
    high = moment(asked.end_time, "end_time") if asked.end_time else None
    found = [
        (at, event)
        for at, event in sorted(_all_events(run, stored), key=lambda pair: pair[0], reverse=order == "desc")
        if (low is None or at >= low)
        and (high is None or at <= high)
        and asked.level in ("", event.level)
        and asked.pattern in event.message
    ]
    start = asked.offset * asked.limit
    return wire.Events(
        total=len(found),
        limit=asked.limit,
        offset=asked.offset,
        order=order,
        start_time=asked.start_time,
        end_time=asked.end_time,
        events=[event for _, event in found[start : start + asked.limit]],
    )


def _all_events(run: Run, stored: Sequence[Event]) -> list[tuple[int, wire.Event]]:
    def entry(at: int, message: str, level: str = "Info") -> tuple[int, wire.Event]:
        return at, wire.Event(message=message, level=level, time=_timestamp(at))

    found = [entry(run.created_at, "Training job created.")]
    found += [entry(each.time, each.text, "Warning" if each.kind in WARNINGS else "Info") for each in stored]
    if run.end_time is not None:
        phase, _ = PHASES[run.status]
        level = "Error" if run.status is Status.FAILED else "Info"
        reason = f" {run.status_reason}" if run.status_reason else ""
        found.append(entry(run.end_time, f"Training job ended: {phase}.{reason}", level))
    return found
