"""Signs of life, and alerts: what the vendor's py service answers."""

from __future__ import annotations

from typing import Any, Final

from stepwell.core import ids
from stepwell.core.access import Role
from stepwell.core.model import Event, RunWrite
from stepwell.dialects.pluto import statuses, translate, wire
from stepwell.dialects.pluto.decoding import Reader
from stepwell.dialects.pluto.routes.reading import answer, body_of, run_of
from stepwell.services import ingest, liveness
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_TRIGGER: Final = Reader(wire.Trigger)
_ALERT: Final = Reader(wire.Alert)
_LEVEL: Final = "INFO"


async def trigger(call: Call) -> Response:
    """POST /api/runs/trigger: a beat. The client ends its process when the answer is CANCELLED"""
    return answer(await call.run_write(_trigger, call, await body_of(call, _TRIGGER)))


def _trigger(call: Call, message: wire.Trigger) -> dict[str, Any]:
    run = run_of(call, message.run_id).run
    now = call.context.clock()
    liveness.note(call.context.store, workspace=call.workspace, run_id=run.id, now=now, beat=True)
    return {"status": statuses.word_of(run), "triggers": None}


async def alert(call: Call) -> Response:
    """POST /api/runs/alert: kept with the run, and among what happened to it; nothing is sent anywhere"""
    await call.run_write(_alert, call, await body_of(call, _ALERT))
    return answer({"status": "success"})


def _alert(call: Call, message: wire.Alert) -> None:
    run = run_of(call, message.run_id).run
    at = call.context.clock()
    given = message.alert
    told = {
        "time": translate.micros(given.timestamp, "alert.timestamp", at),
        "level": given.level or _LEVEL,
        "title": given.title,
        "text": given.body or "",
        "url": given.url,
    }
    text = f"{told['level']}: {given.title}" + (f" - {given.body}" if given.body else "")
    write = RunWrite(
        run_id=run.id,
        events=(Event(time=at, kind="alert", text=text),),
        records=(translate.record(translate.ALERT, run.id, told, at, name=ids.new_run_id()),),
        at=at,
    )
    ingest.write(call.context.store, workspace=call.workspace, write=write).result()


ROUTES: Final = (
    Route("POST", "/api/runs/trigger", trigger, Role.WRITER),
    Route("POST", "/api/runs/alert", alert, Role.WRITER),
)
