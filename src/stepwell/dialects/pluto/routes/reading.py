"""How an endpoint gets its message out of a request, finds the run that it means, and answers. No endpoints here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from stepwell.core.errors import Conflict, Invalid, NotFound
from stepwell.core.model import ALL_COLUMNS, NO_COLUMNS, Columns, Experiment, Lifecycle, Run, RunRow
from stepwell.dialects.pluto import names, rules
from stepwell.dialects.pluto.decoding import Reader
from stepwell.services import details
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response, json_response

T = TypeVar("T")

DONE: Final = Response(200, b'{"success":true}')
TAGS_ONLY: Final = Columns(metrics=(), params=())
_PARSE_HERE: Final = 64 << 10  # larger bodies are parsed off the event loop


async def body_of(call: Call, reader: Reader[T]) -> T:
    """The message in the JSON body. Its content type is not looked at: some of the vendor's clients send none."""
    body = await call.body(rules.BODY_BYTES)
    if len(body) > _PARSE_HERE:
        return await call.run_write(reader.body, body)
    return reader.body(body)


def query_of(call: Call, reader: Reader[T]) -> T:
    """The message in the query arguments. An argument that is empty counts as absent."""
    return reader.query({name: value for name, value in call.query if value})


def answer(message: Any) -> Response:
    """200 with a message."""
    return json_response(message)


def origin_of(call: Call) -> str:
    """Where the client reaches this server."""
    return call.base


# --- runs and projects ------------------------------------------------------------------------------------------------


def project_named(call: Call, name: str) -> Experiment | None:
    """The project of this name; None when there is none, or it is deleted."""
    try:
        found = service.get_experiment(call.context.store, workspace=call.workspace, name=name)
    except NotFound:
        return None
    return found if found.lifecycle is Lifecycle.ACTIVE else None


def every_project(call: Call) -> Iterator[Experiment]:
    """All projects of the workspace, the newest first."""
    cursor: str | None = None
    while True:
        page, cursor = service.search_experiments(
            call.context.store, workspace=call.workspace, limit=1000, cursor=cursor
        )
        yield from page
        if cursor is None:
            return


def project_of(call: Call, run: Run) -> str:
    """The name of a run's project."""
    return service.get_experiment(call.context.store, workspace=call.workspace, id=run.experiment_id).name


def run_id_of(call: Call, key: int) -> str:
    """Our id of the run with this number. NotFound."""
    (run_id,) = service.ids_of_keys(call.context.store, workspace=call.workspace, keys=(key,))
    if run_id is None:
        raise no_run()
    return run_id


def run_of(call: Call, key: int, *, project: str | None = None, columns: Columns = NO_COLUMNS) -> RunRow:
    """The run with this number, in this project if one is named. NotFound, also for a deleted one."""
    found = runs_of(call, (key,), project=project, columns=columns)
    if not found:
        raise no_run()
    return found[0]


def runs_of(
    call: Call, keys: Sequence[int], *, project: str | None = None, columns: Columns = ALL_COLUMNS
) -> list[RunRow]:
    """The runs with these numbers that there are, in this project if one is named, without the deleted ones."""
    store, workspace = call.context.store, call.workspace
    ids = [each for each in service.ids_of_keys(store, workspace=workspace, keys=keys) if each is not None]
    rows = [row for row in service.get_runs(store, workspace=workspace, run_ids=ids, columns=columns) if row]
    rows = [row for row in rows if row.run.lifecycle is Lifecycle.ACTIVE]
    if project is None:
        return rows
    found = project_named(call, project)
    return [row for row in rows if found is not None and row.run.experiment_id == found.id]


def run_of_display_id(call: Call, text: str, project: str | None) -> str:
    """Our id of the run that people call so. Invalid: no display id; NotFound; Conflict: several projects have it."""
    parsed = names.parse_display_id(text)
    if parsed is None:
        raise Invalid("Invalid displayId format. Expected PREFIX-NUMBER (e.g., 'MMP-1')", field="displayId")
    prefix, number = parsed
    named = every_project(call) if project is None else (project_named(call, project),)
    numbers = [(each.id, number) for each in named if each is not None and names.prefix_of(each.name) == prefix]
    found = service.ids_of_numbers(call.context.store, workspace=call.workspace, numbers=numbers)
    rows = service.get_runs(
        call.context.store, workspace=call.workspace, run_ids=[each for each in found if each], columns=TAGS_ONLY
    )
    active = [row.run.id for row in rows if row and row.run.lifecycle is Lifecycle.ACTIVE]
    if not active:
        raise NotFound("Run not found", field="displayId")
    if len(active) > 1:
        raise Conflict(f"{text} names a run in {len(active)} projects; say which with projectName", field="displayId")
    return active[0]


def known_of(call: Call, run_id: str, kinds: Sequence[str]) -> dict[str, Any]:
    """kind of detail -> its value."""
    return known_of_all(call, (run_id,), kinds).get(run_id, {})


def known_of_all(call: Call, run_ids: Sequence[str], kinds: Sequence[str]) -> dict[str, dict[str, Any]]:
    """run id -> kind of detail -> its value."""
    found = details.of_runs(call.context.store, workspace=call.workspace, run_ids=run_ids, kinds=kinds)
    return {run_id: {kind: json.loads(body) for kind, body in bodies.items()} for run_id, bodies in found.items()}


def no_run() -> NotFound:
    """What to raise where a run is not there."""
    return NotFound("Run not found", field="runId")
