"""What changes a run: its status, log names, tags, notes, configuration and graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from stepwell.core.access import Role
from stepwell.core.errors import Conflict
from stepwell.core.model import Record, RunRow, RunWrite
from stepwell.dialects.pluto import config, names, statuses, translate, wire
from stepwell.dialects.pluto.decoding import Reader, json_object
from stepwell.dialects.pluto.routes.reading import DONE, TAGS_ONLY, body_of, run_of
from stepwell.services import details, ingest, liveness, tagging
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_STATUS: Final = Reader(wire.UpdateStatus)
_LOG_NAMES: Final = Reader(wire.AddLogNames)
_TAGS: Final = Reader(wire.UpdateTags)
_NOTES: Final = Reader(wire.UpdateNotes)
_CONFIG: Final = Reader(wire.UpdateConfig)
_GRAPH: Final = Reader(wire.CreateGraph)
_ATTEMPTS: Final = 20  # at changing what others change at the same time


async def update_status(call: Call) -> Response:
    """POST /api/runs/status/update: an end that says worse replaces one that says better, never the reverse"""
    await call.run_write(_update_status, call, await body_of(call, _STATUS))
    return DONE


def _update_status(call: Call, message: wire.UpdateStatus) -> None:
    statuses.word_in(message.status)
    settings = json_object(message.logger_settings, "loggerSettings")
    run = run_of(call, message.run_id).run
    if settings:
        merge(call, run.id, translate.SETTINGS, settings)

    def decide(row: RunRow, watch: Record | None, at: int) -> RunWrite | None:
        watches = () if watch is None else (liveness.turned(watch, on=False, at=at),)
        return translate.new_status(message, row.run, watches=watches, at=at, credential=call.principal.credential_id)

    change_status(call, run.id, decide)


def change_status(call: Call, run_id: str, decide: Callable[[RunRow, Record | None, int], RunWrite | None]) -> None:
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
    run = run_of(call, message.run_id).run

    def decide(row: RunRow) -> RunWrite | None:
        setting, removing = names.tag_changes(row.tags, wanted)
        if not setting and not removing:
            return None
        return RunWrite(run_id=run.id, set_tags=setting, remove_tags=removing, at=call.context.clock())

    tagging.change(call.context.store, workspace=call.workspace, run_id=run.id, decide=decide)


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
        merge(call, run.id, translate.CONFIG, given)


def merge(call: Call, run_id: str, kind: str, given: dict[str, Any]) -> None:
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
    Route("POST", "/api/runs/status/update", update_status, Role.WRITER),
    Route("POST", "/api/runs/logName/add", add_log_names, Role.WRITER),
    Route("POST", "/api/runs/tags/update", update_tags, Role.WRITER),
    Route("POST", "/api/runs/notes/update", update_notes, Role.WRITER),
    Route("POST", "/api/runs/config/update", update_config, Role.WRITER),
    Route("POST", "/api/runs/modelGraph/create", create_graph, Role.WRITER),
)
