"""Console lines of a run, in the order of their numbers."""

from __future__ import annotations

from typing import Any, Final

from stepwell.core.errors import NotFound
from stepwell.core.model import LogLine
from stepwell.dialects.pluto import lines, render, rules, wire
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.reading import answer, query_of, run_of
from stepwell.services import console
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_LOGS: Final = Reader(wire.LogsQuery)


async def logs(call: Call) -> Response:
    """GET /api/runs/logs"""
    return answer(await call.run(_logs, call, query_of(call, _LOGS)))


def _logs(call: Call, message: wire.LogsQuery) -> dict[str, Any]:
    kind = message.log_type.upper() if message.log_type else None
    if kind is not None and kind not in rules.LINE_TYPES:
        raise refused("logType", f"Invalid enum value. Expected {' | '.join(sorted(rules.LINE_TYPES))}")
    try:
        run = run_of(call, message.run_id, project=message.project_name).run
    except NotFound:
        return {"logs": [], "total": 0}
    found, total = console.numbered(
        call.context.store,
        workspace=call.workspace,
        run_id=run.id,
        stream=kind,
        skip=message.offset,
        limit=message.limit,
    )
    found.sort(key=lines.place)
    return {"logs": [_line(line) for line in found], "total": total}


def _line(line: LogLine) -> dict[str, Any]:
    return {
        "time": render.plain(line.time),
        "logType": line.level or line.stream,
        "lineNumber": lines.line_number(line.line),
        "message": line.text,
        "step": None,
    }


ROUTES: Final = (Route("GET", "/api/runs/logs", logs),)
