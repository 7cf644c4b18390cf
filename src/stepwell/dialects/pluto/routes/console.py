"""Console lines of a run, in the order of their numbers."""

from __future__ import annotations

from typing import Any, Final

from stepwell.core.errors import NotFound
from stepwell.core.model import LogLine
from stepwell.core.page import Position
from stepwell.dialects.pluto import lines, render, rules, wire
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.reading import answer, query_of, run_of
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_LOGS: Final = Reader(wire.LogsQuery)
_PAGE: Final = 10_000


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
    found = _all(call, run.id, kind)
    found.sort(key=lambda line: (lines.line_number(line.line), line.time, line.stream))
    page = found[message.offset : message.offset + message.limit]
    return {"logs": [_line(line) for line in page], "total": len(found)}


def _all(call: Call, run_id: str, kind: str | None) -> list[LogLine]:
    found: list[LogLine] = []
    after: Position | None = None
    while True:
        page = call.context.store.read_lines(
            workspace=call.workspace, run_id=run_id, stream=kind, after=after, limit=_PAGE
        )
        found += page.items
        after = page.after
        if after is None:
            return found


def _line(line: LogLine) -> dict[str, Any]:
    return {
        "time": render.plain(line.time),
        "logType": line.level or line.stream,
        "lineNumber": lines.line_number(line.line),
        "message": line.text,
        "step": None,
    }


ROUTES: Final = (Route("GET", "/api/runs/logs", logs),)
