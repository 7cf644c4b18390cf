"""Runs begin and go on: made, joined by another process, resumed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from stepwell.core import ids
from stepwell.core.access import Role
from stepwell.core.errors import AlreadyExists, Conflict, Invalid, NotFound
from stepwell.core.model import Columns, Lifecycle, NewExperiment, Record, RunRow, RunWrite
from stepwell.dialects.pluto import render, rules, translate, wire
from stepwell.dialects.pluto.decoding import Reader, json_object, refused
from stepwell.dialects.pluto.routes.changing import change_status, merge
from stepwell.dialects.pluto.routes.reading import (
    TAGS_ONLY,
    answer,
    body_of,
    known_of,
    origin_of,
    project_named,
    project_of,
    run_of,
    run_of_display_id,
    runs_of,
)
from stepwell.services import details, ingest, liveness
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateRun)
_RESUME: Final = Reader(wire.ResumeRun)
_OF_A_PARENT: Final = Columns(last=True)
_ANCESTORS: Final = 10  # that a fork is looked for in, as in the reference
_ATTEMPTS: Final = 20  # at making what others make at the same time


async def create(call: Call) -> Response:
    """POST /api/runs/create: a new run, or the one that has this externalId already"""
    return answer(await call.run_write(_create, call, await body_of(call, _CREATE)))


def _create(call: Call, message: wire.CreateRun) -> dict[str, Any]:
    at = call.context.clock()
    experiment_id = _project(call, message.project_name, at)
    if message.external_id is not None and len(message.external_id) > rules.EXTERNAL_ID_LENGTH:
        raise refused("externalId", f"String must contain at most {rules.EXTERNAL_ID_LENGTH} character(s)")
    translate.tags(message.tags)
    for _ in range(_ATTEMPTS):
        known = message.external_id and _run_of_alias(call, message.external_id, experiment_id)
        if known:
            return _joined(call, known, message)
        write = _new_run(call, message, experiment_id, at)
        try:
            ingest.write(call.context.store, workspace=call.workspace, write=write).result()
        except AlreadyExists:
            continue  # another process makes this run; it may not be readable yet
        return _started(call, write.run_id, message.project_name, resumed=False)
    raise Conflict("the run is being made by another process; try again", field="externalId")


def _new_run(call: Call, message: wire.CreateRun, experiment_id: int, at: int) -> RunWrite:
    parent = _parent(call, message, experiment_id)
    run_id = ids.new_run_id()
    more = [liveness.watched(run_id, at=at)]
    if message.external_id is not None:
        more.append(details.alias(run_id, message.external_id, scope=experiment_id, at=at))
    return translate.new_run(message, run_id=run_id, experiment_id=experiment_id, parent=parent, more=more, at=at)


def _joined(call: Call, run_id: str, message: wire.CreateRun) -> dict[str, Any]:
    """Another process of a run that is there: its configuration joins, and the run goes on."""
    _resume(call, run_id)
    if own := json_object(message.config, "config"):
        merge(call, run_id, translate.CONFIG, own)
    return _started(call, run_id, message.project_name, resumed=True)


def _project(call: Call, name: str, at: int) -> int:
    """The id of the project, made when it is missing. Conflict: it is deleted."""
    store, workspace = call.context.store, call.workspace
    for _ in range(_ATTEMPTS):
        try:
            found = service.get_experiment(store, workspace=workspace, name=name)
        except NotFound:
            with suppress(AlreadyExists):  # another process makes it; it may not be readable yet
                return service.create_experiment(store, workspace=workspace, new=NewExperiment(name=name, at=at)).id
            continue
        if found.lifecycle is not Lifecycle.ACTIVE:
            break
        return found.id
    raise Conflict(f"the project {name!r} is deleted; restore it or take another name", field="projectName")


def _parent(call: Call, message: wire.CreateRun, experiment_id: int) -> translate.Parent | None:
    """The run that a fork begins from: of a fork of a fork the one that logged the step, not one that inherited it."""
    if message.fork_run_id is None:
        return None
    step = message.fork_step
    if step is None:
        raise Invalid("forkStep is required when forkRunId is provided", field="forkStep")
    (row,) = runs_of(call, (message.fork_run_id,), columns=_OF_A_PARENT) or (None,)
    if row is None or row.run.experiment_id != experiment_id:
        raise Invalid("Fork parent run not found in this project", field="forkRunId")
    for _ in range(_ANCESTORS):
        fork = known_of(call, row.run.id, (translate.FORK,)).get(translate.FORK)
        ancestors = runs_of(call, (fork["key"],), columns=_OF_A_PARENT) if fork and step <= fork["step"] else ()
        if not ancestors:
            break
        row = ancestors[0]
    known = known_of(call, row.run.id, (translate.CONFIG,))
    last = max(row.last.steps, default=0)
    if last > 0 and step > last:
        raise Invalid(f"forkStep ({step}) exceeds the parent run's max step ({last})", field="forkStep")
    return translate.Parent(key=row.run.key, step=step, config=render.run_config(row, known) or {}, tags=row.tags)


async def resume(call: Call) -> Response:
    """POST /api/runs/resume: a run by its number, display id or externalId goes on"""
    return answer(await call.run_write(_resume_named, call, await body_of(call, _RESUME)))


def _resume_named(call: Call, message: wire.ResumeRun) -> dict[str, Any]:
    given = [each for each in (message.run_id, message.display_id, message.external_id) if each is not None]
    if len(given) != 1:
        raise refused("runId", "Provide exactly one of: runId, displayId, or externalId")
    if message.run_id is not None:
        run_id = run_of(call, message.run_id).run.id
    elif message.display_id is not None:
        run_id = run_of_display_id(call, message.display_id, message.project_name)
    else:
        if not message.project_name:
            raise Invalid("projectName is required when using externalId", field="projectName")
        project = project_named(call, message.project_name)
        found = project and _run_of_alias(call, message.external_id or "", project.id)
        if not found:
            raise NotFound("Run not found", field="externalId")
        run_id = found
    _resume(call, run_id)
    return _started(call, run_id, None, resumed=True)


def _resume(call: Call, run_id: str) -> None:
    """Back to RUNNING, wherever it stands. Conflict: it is deleted."""

    def decide(row: RunRow, watch: Record | None, at: int) -> RunWrite | None:
        if row.run.lifecycle is not Lifecycle.ACTIVE:
            raise Conflict(f"run {run_id!r} is deleted; restore it before resuming it", field="runId")
        watches = () if watch is None else (liveness.turned(watch, on=True, at=at),)
        return translate.resumed(row.run, watches=watches, at=at, credential=call.principal.credential_id)

    change_status(call, run_id, decide)


def _run_of_alias(call: Call, name: str, experiment_id: int) -> str | None:
    return details.run_of_alias(call.context.store, workspace=call.workspace, name=name, scope=experiment_id)


def _started(call: Call, run_id: str, project: str | None, *, resumed: bool) -> dict[str, Any]:
    row = service.get_run(call.context.store, workspace=call.workspace, run_id=run_id, columns=TAGS_ONLY)
    fork = known_of(call, run_id, (translate.FORK,)).get(translate.FORK)
    return render.started(
        row.run,
        project or project_of(call, row.run),
        workspace=call.workspace,
        origin=origin_of(call),
        resumed=resumed,
        fork=fork,
    )


ROUTES: Final = (
    Route("POST", "/api/runs/create", create, Role.WRITER),
    Route("POST", "/api/runs/resume", resume, Role.WRITER),
)
