"""Runs as they are looked at: whole, by number or display id, and how their status changed."""

from __future__ import annotations

import json
from typing import Any, Final

from stepwell.core.model import ALL_COLUMNS, RunRow
from stepwell.dialects.pluto import render, rules, translate, wire
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.reading import (
    answer,
    known_of,
    origin_of,
    project_of,
    query_of,
    run_of,
    run_of_display_id,
)
from stepwell.services import details
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_HISTORY: Final = Reader(wire.HistoryQuery)
_DISPLAY_ID: Final = Reader(wire.DisplayIdQuery)
_SHOWN: Final = (
    translate.CONFIG,
    translate.SYSTEM,
    translate.SETTINGS,
    translate.STATUS_DETAIL,
    translate.FORK,
)


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
    run_id = run_of_display_id(call, text, project)
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


ROUTES: Final = (
    Route("GET", "/api/runs/status/history", history),
    Route("GET", "/api/runs/details/{run_id}", by_number),
    Route("GET", "/api/runs/details/by-display-id/{display_id}", by_display_id),
)
