"""Runs: made, resumed, looked at; what changes a run's status, names, tags, notes and configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from stepwell.core import ids
from stepwell.core.access import Role
from stepwell.core.errors import AlreadyExists, Conflict, NotFound
from stepwell.core.model import ALL_COLUMNS, Lifecycle, NewExperiment, Record, RunRow, RunWrite
from stepwell.dialects.pluto import config, names, render, rules, statuses, translate, wire
from stepwell.dialects.pluto.decoding import Reader, json_object, refused
from stepwell.dialects.pluto.routes.reading import (
    DONE,
    TAGS_ONLY,
    answer,
    body_of,
    known_of,
    origin_of,
    project_named,
    project_of,
    query_of,
    run_of,
)
from stepwell.services import details, ingest, liveness
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_CREATE: Final = Reader(wire.CreateRun)
_RESUME: Final = Reader(wire.ResumeRun)
_STATUS: Final = Reader(wire.UpdateStatus)
_LOG_NAMES: Final = Reader(wire.AddLogNames)
_TAGS: Final = Reader(wire.UpdateTags)
_NOTES: Final = Reader(wire.UpdateNotes)
_CONFIG: Final = Reader(wire.UpdateConfig)
_GRAPH: Final = Reader(wire.CreateGraph)
_HISTORY: Final = Reader(wire.HistoryQuery)
_DISPLAY_ID: Final = Reader(wire.DisplayIdQuery)
_ATTEMPTS: Final = 20  # at making what others make at the same time
_SHOWN: Final = (
    translate.CONFIG,
    translate.SYSTEM,
    translate.SETTINGS,
    translate.STATUS_DETAIL,
    translate.FORK,
)


# --- making and resuming ----------------------------------------------------------------------------------------------


async def create(call: Call) -> Response:
    """POST /api/runs/create: a new run, or the one that has this externalId already"""
    return answer(await call.run_write(_create, call, await body_of(call, _CREATE)))


def _create(call: Call, message: wire.CreateRun) -> dict[str, Any]:
    at = call.context.clock()
    experiment_id = _project(call, message.project_name, at)
    if message.external_id is not None and len(message.external_id) > rules.EXTERNAL_ID_LENGTH:
        raise refused("externalId", f"String must contain at most {rules.EXTERNAL_ID_LENGTH} character(s)")
    parent = _parent(call, message)
    run_id = ids.new_run_id()
    more = [liveness.watched(run_id, at=at)]
    if message.external_id is not None:
        more.append(details.alias(run_id, message.external_id, scope=experiment_id, at=at))
    write = translate.new_run(message, run_id=run_id, experiment_id=experiment_id, parent=parent, more=more, at=at)
    for _ in range(_ATTEMPTS):
        known = message.external_id and _run_of_alias(call, message.external_id, experiment_id)
        if known:
            return _joined(call, known, message)
        try:
            ingest.write(call.context.store, workspace=call.workspace, write=write).result()
        except AlreadyExists:
            continue  # another process makes this run; it may not be readable yet
        return _started(call, run_id, message.project_name, resumed=False)
    raise Conflict("the run is being made by another process; try again", field="externalId")


def _joined(call: Call, run_id: str, message: wire.CreateRun) -> dict[str, Any]:
    """Another process of a run that is there: its configuration joins, and the run goes on."""
    _resume(call, run_id)
    if own := json_object(message.config, "config"):
        _merge(call, run_id, translate.CONFIG, own)
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


def _parent(call: Call, message: wire.CreateRun) -> translate.Parent | None:
    if message.fork_run_id is None:
        return None
    if message.fork_step is None:
        raise refused("forkStep", "Required where forkRunId is given")
    try:
        row = run_of(call, message.fork_run_id, columns=ALL_COLUMNS)
    except NotFound:
        raise refused("forkRunId", "Fork source run not found") from None
    known = known_of(call, row.run.id, (translate.CONFIG,))
    return translate.Parent(
        key=row.run.key, step=message.fork_step, config=render.run_config(row, known) or {}, tags=row.tags
    )


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
        run_id = _run_of_display_id(call, message.display_id, message.project_name)
    else:
        if not message.project_name:
            raise refused("projectName", "projectName is required with externalId")
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

    _change_status(call, run_id, decide)


def _change_status(call: Call, run_id: str, decide: Callable[[RunRow, Record | None, int], RunWrite | None]) -> None:
    """Write what `decide` makes of a run and its watch record, as long as nobody else changes them meanwhile."""
    store, workspace = call.context.store, call.workspace
    for _ in range(_ATTEMPTS):
        watch = liveness.find(store, workspace=workspace, run_id=run_id)
        row = service.get_run(store, workspace=workspace, run_id=run_id, columns=TAGS_ONLY)
        write = decide(row, watch, call.context.clock())
        if write is None:
            return
        try:
            guarded = replace(write, unchanged=() if watch is None else (watch,))
            ingest.write(store, workspace=workspace, write=guarded).result()
        except Conflict:
            continue
        return
    raise Conflict(f"the status of run {run_id!r} is being changed by too many at once", field="runId")


def _run_of_alias(call: Call, name: str, experiment_id: int) -> str | None:
    return details.run_of_alias(call.context.store, workspace=call.workspace, name=name, scope=experiment_id)


def _run_of_display_id(call: Call, text: str, project: str | None) -> str:
    """Invalid: no display id; NotFound; Conflict: runs of several projects have it."""
    parsed = names.parse_display_id(text)
    if parsed is None:
        raise refused("displayId", "Invalid displayId format. Expected PREFIX-NUMBER (e.g., 'MMP-1')")
    prefix, number = parsed
    candidates = [each for each in _projects(call, project) if names.prefix_of(each[1]) == prefix]
    found = service.ids_of_numbers(
        call.context.store, workspace=call.workspace, numbers=[(each, number) for each, _ in candidates]
    )
    rows = service.get_runs(
        call.context.store, workspace=call.workspace, run_ids=[each for each in found if each], columns=TAGS_ONLY
    )
    active = [row.run.id for row in rows if row and row.run.lifecycle is Lifecycle.ACTIVE]
    if not active:
        raise NotFound("Run not found", field="displayId")
    if len(active) > 1:
        raise Conflict(f"{text} names a run in {len(active)} projects; say which with projectName", field="displayId")
    return active[0]


def _projects(call: Call, name: str | None) -> list[tuple[int, str]]:
    if name is not None:
        found = project_named(call, name)
        return [] if found is None else [(found.id, found.name)]
    projects: list[tuple[int, str]] = []
    cursor: str | None = None
    while True:
        page, cursor = service.search_experiments(
            call.context.store, workspace=call.workspace, limit=1000, cursor=cursor
        )
        projects += [(each.id, each.name) for each in page]
        if cursor is None:
            return projects


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


# --- looking ----------------------------------------------------------------------------------------------------------


async def by_number(call: Call) -> Response:
    """GET /api/runs/details/{runId}"""
    text = call.params["run_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise refused("runId", "Invalid run ID")
    return answer(await call.run(_details_of_key, call, int(text)))


def _details_of_key(call: Call, key: int) -> dict[str, Any]:
    return _details(call, run_of(call, key, columns=ALL_COLUMNS))


async def by_display_id(call: Call) -> Response:
    """GET /api/runs/details/by-display-id/{displayId}"""
    query = query_of(call, _DISPLAY_ID)
    return answer(await call.run(_details_of_display_id, call, call.params["display_id"], query.project_name))


def _details_of_display_id(call: Call, text: str, project: str | None) -> dict[str, Any]:
    run_id = _run_of_display_id(call, text, project)
    return _details(call, service.get_run(call.context.store, workspace=call.workspace, run_id=run_id))


def _details(call: Call, row: RunRow) -> dict[str, Any]:
    store, run_id = call.context.store, row.run.id
    (alias,) = store.get_records(workspace=call.workspace, kind=details.ALIAS, ids=(run_id,))
    return render.details(
        row,
        project_of(call, row.run),
        known_of(call, run_id, _SHOWN),
        alias=None if alias is None else details.alias_of(alias),
        log_names=_log_names(call, row),
        url=render.run_url(origin_of(call), row.run),
    )


def _log_names(call: Call, row: RunRow) -> list[dict[str, Any]]:
    """The names that clients announced, and metrics that came without announcement or through other interfaces."""
    announced = details.every(
        call.context.store,
        workspace=call.workspace,
        run_id=row.run.id,
        kind=translate.LOG_NAME,
        most=rules.LOG_NAMES,
    )
    found: dict[tuple[str, str], None] = {}
    for record in announced:
        body = json.loads(record.body)
        found[body["name"], body["type"]] = None
    for metric in row.metrics:
        found.setdefault((metric, "METRIC"))
    return [render.log_name(name, kind) for name, kind in list(found)[: rules.LOG_NAMES]]


async def history(call: Call) -> Response:
    """GET /api/runs/status/history: oldest first"""
    return answer(await call.run(_history, call, query_of(call, _HISTORY).run_id))


def _history(call: Call, key: int) -> dict[str, Any]:
    row = run_of(call, key)
    events = service.read_events(call.context.store, workspace=call.workspace, run_id=row.run.id)
    return render.history(key, events)


# --- changing ---------------------------------------------------------------------------------------------------------


async def update_status(call: Call) -> Response:
    """POST /api/runs/status/update: an end that says worse replaces one that says better, never the reverse"""
    await call.run_write(_update_status, call, await body_of(call, _STATUS))
    return DONE


def _update_status(call: Call, message: wire.UpdateStatus) -> None:
    statuses.word_in(message.status)
    settings = json_object(message.logger_settings, "loggerSettings")
    run = run_of(call, message.run_id).run
    if settings:
        _merge(call, run.id, translate.SETTINGS, settings)

    def decide(row: RunRow, watch: Record | None, at: int) -> RunWrite | None:
        watches = () if watch is None else (liveness.turned(watch, on=False, at=at),)
        return translate.new_status(message, row.run, watches=watches, at=at, credential=call.principal.credential_id)

    _change_status(call, run.id, decide)


async def add_log_names(call: Call) -> Response:
    """POST /api/runs/logName/add: names that will be logged; the same again is no error"""
    await call.run_write(_add_log_names, call, await body_of(call, _LOG_NAMES))
    return DONE


def _add_log_names(call: Call, message: wire.AddLogNames) -> None:
    run = run_of(call, message.run_id).run
    records = translate.log_names(message, run.id, call.context.clock())
    store = call.context.store
    known = store.get_records(workspace=call.workspace, kind=translate.LOG_NAME, ids=[record.id for record in records])
    fresh = [record for record, old in zip(records, known, strict=True) if old is None]
    if fresh:
        details.put(store, workspace=call.workspace, records=fresh)


async def update_tags(call: Call) -> Response:
    """POST /api/runs/tags/update: these and no others"""
    await call.run_write(_update_tags, call, await body_of(call, _TAGS))
    return DONE


def _update_tags(call: Call, message: wire.UpdateTags) -> None:
    wanted = translate.tags(message.tags)
    row = run_of(call, message.run_id, columns=TAGS_ONLY)
    setting, removing = names.tag_changes(row.tags, wanted)
    if setting or removing:
        write = RunWrite(run_id=row.run.id, set_tags=setting, remove_tags=removing, at=call.context.clock())
        ingest.write(call.context.store, workspace=call.workspace, write=write).result()


async def update_notes(call: Call) -> Response:
    """POST /api/runs/notes/update"""
    await call.run_write(_update_notes, call, await body_of(call, _NOTES))
    return DONE


def _update_notes(call: Call, message: wire.UpdateNotes) -> None:
    run = run_of(call, message.run_id).run
    write = translate.note(message, run.id, call.context.clock())
    ingest.write(call.context.store, workspace=call.workspace, write=write).result()


async def update_config(call: Call) -> Response:
    """POST /api/runs/config/update: laid over what is there, key by key"""
    await call.run_write(_update_config, call, await body_of(call, _CONFIG))
    return DONE


def _update_config(call: Call, message: wire.UpdateConfig) -> None:
    given = json_object(message.config, "config")
    run = run_of(call, message.run_id).run
    if given:
        _merge(call, run.id, translate.CONFIG, given)


def _merge(call: Call, run_id: str, kind: str, given: dict[str, Any]) -> None:
    """Lay an object over a detail; what is new in a configuration becomes params too."""
    store, at = call.context.store, call.context.clock()
    details.merge(
        store,
        workspace=call.workspace,
        run_id=run_id,
        kind=kind,
        change=lambda old: json.dumps(config.merged(json.loads(old) if old else {}, given), ensure_ascii=False),
        now=at,
    )
    if kind == translate.CONFIG:
        row = service.get_run(store, workspace=call.workspace, run_id=run_id)
        if params := config.params_of(given, row.params):
            write = RunWrite(run_id=run_id, params=params, at=at)
            with suppress(Conflict):  # another process was faster, and a param keeps its first value
                ingest.write(store, workspace=call.workspace, write=write).result()


async def create_graph(call: Call) -> Response:
    """POST /api/runs/modelGraph/create"""
    await call.run_write(_create_graph, call, await body_of(call, _GRAPH))
    return DONE


def _create_graph(call: Call, message: wire.CreateGraph) -> None:
    run = run_of(call, message.run_id).run
    graph = {"format": message.graph.format, "nodes": message.graph.nodes}
    record = translate.record(translate.GRAPH, run.id, graph, call.context.clock())
    details.put(call.context.store, workspace=call.workspace, records=(record,))


ROUTES: Final = (
    Route("POST", "/api/runs/create", create, Role.WRITER),
    Route("POST", "/api/runs/resume", resume, Role.WRITER),
    Route("POST", "/api/runs/status/update", update_status, Role.WRITER),
    Route("GET", "/api/runs/status/history", history),
    Route("POST", "/api/runs/logName/add", add_log_names, Role.WRITER),
    Route("POST", "/api/runs/tags/update", update_tags, Role.WRITER),
    Route("POST", "/api/runs/notes/update", update_notes, Role.WRITER),
    Route("POST", "/api/runs/config/update", update_config, Role.WRITER),
    Route("POST", "/api/runs/modelGraph/create", create_graph, Role.WRITER),
    Route("GET", "/api/runs/details/{run_id}", by_number),
    Route("GET", "/api/runs/details/by-display-id/{display_id}", by_display_id),
)
