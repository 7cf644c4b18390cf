"""Projects, and lists of runs: found, filtered, sorted, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell.core.model import NO_COLUMNS, Columns, Experiment, Run, RunQuery, RunRow
from stepwell.dialects.pluto import conditions, config, render, translate, wire
from stepwell.dialects.pluto.conditions import Asked, Sort
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.reading import answer, every_project, known_of_all, project_named, query_of
from stepwell.dialects.pluto.runfilter import Candidate, Needs
from stepwell.services import runs as service
from stepwell.services import statistics
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_LIST: Final = Reader(wire.ListQuery)
_PAGE: Final = 5_000  # runs read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The runs of a page, and how many meet the filters. An order by what some of them lack shows fewer."""

    page: list[Run]
    total: int


async def projects(call: Call) -> Response:
    """GET /api/runs/projects"""
    return answer({"projects": await call.run(_projects, call)})


def _projects(call: Call) -> list[dict[str, Any]]:
    store, workspace = call.context.store, call.workspace
    listed = []
    for each in every_project(call):
        count = store.count_runs(workspace=workspace, query=RunQuery(experiment_ids=(each.id,), limit=1))
        if count or each.id:  # the experiment that every workspace has shows once it is used
            listed.append(_project(each, count))
    return listed


def _project(experiment: Experiment, count: int) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "name": experiment.name,
        "createdAt": render.iso(experiment.created_at),
        "updatedAt": render.iso(experiment.updated_at),
        "runCount": count,
    }


async def runs(call: Call) -> Response:
    """GET /api/runs/list: newest first, unless `sort` says otherwise"""
    return answer(await call.run(_list, call, query_of(call, _LIST)))


def _list(call: Call, message: wire.ListQuery) -> dict[str, Any]:
    needs = Needs()
    asked = conditions.asked(message, needs)
    sort = conditions.sort_of(message.sort, needs)
    projects = _scope(call, message)
    if not projects:
        return {"runs": [], "total": 0}
    found = _stored(call, message, asked, sort, tuple(projects)) or _walked(call, message, asked, sort, projects, needs)
    return {"runs": _shown(call, found.page, projects, message), "total": found.total}


def _scope(call: Call, message: wire.ListQuery) -> dict[int, str]:
    """id -> name of the projects in which to look."""
    if message.project_name:
        project = project_named(call, message.project_name)
        return {} if project is None else {project.id: project.name}
    if not message.konduktor_job_prefix:
        raise refused("projectName", "projectName is required unless konduktorJobPrefix is provided")
    return {each.id: each.name for each in every_project(call)}


# --- which runs -------------------------------------------------------------------------------------------------------


def _stored(
    call: Call, message: wire.ListQuery, asked: Asked, sort: Sort, experiments: tuple[int, ...]
) -> Found | None:
    """What the store finds, counts, sorts and cuts into pages by itself; None where it cannot."""
    if len(asked.filters) != 1 or asked.test is not None or sort.order is None:
        return None
    store, workspace = call.context.store, call.workspace
    query = RunQuery(experiment_ids=experiments, filter=asked.filters[0], order=sort.order, limit=1, columns=NO_COLUMNS)
    total = store.count_runs(workspace=workspace, query=query)
    if total and sort.by_start:
        last = store.search_runs(workspace=workspace, query=replace(query, skip=total - 1)).items
        if any(row.run.start_time is None for row in last):
            return None
    if message.offset >= total:
        return Found(page=[], total=total)
    page = store.search_runs(workspace=workspace, query=replace(query, skip=message.offset, limit=message.limit))
    return Found(page=[row.run for row in page.items], total=total)


def _walked(
    call: Call, message: wire.ListQuery, asked: Asked, sort: Sort, experiments: Iterable[int], needs: Needs
) -> Found:
    """What is left of all runs that the store finds, when each has been looked at."""
    query = RunQuery(
        experiment_ids=tuple(experiments),
        limit=_PAGE,
        columns=Columns(
            metrics=None if needs.heartbeat else tuple(sorted(needs.metrics)),
            params=None if needs.config else (),
            tags=None if needs.tags else (),
        ),
    )
    found: dict[int, Candidate] = {}
    for each in asked.filters:
        for run in _candidates(call, replace(query, filter=each), needs):
            if asked.test is None or asked.test(run):
                found[run.row.run.key] = run
    shown = conditions.in_order(list(found.values()), sort)
    page = shown[message.offset : message.offset + message.limit]
    return Found(page=[run.row.run for run in page], total=len(found))


def _candidates(call: Call, query: RunQuery, needs: Needs) -> Iterator[Candidate]:
    """Runs, with what the filters and the sort look at."""
    kinds = [kind for kind, wanted in ((translate.CONFIG, needs.config), (translate.SYSTEM, needs.system)) if wanted]
    for rows in _pages(call, query):
        known = known_of_all(call, [row.run.id for row in rows], kinds) if kinds else {}
        last = _last_values(call, rows, needs.metrics)
        for row in rows:
            own = known.get(row.run.id, {})
            system = own.get(translate.SYSTEM)
            yield Candidate(
                row=row,
                config=render.run_config(row, own) or {},
                system=system if isinstance(system, dict) else {},  # any JSON is taken; only objects have fields
                last=last.get(row.run.id, {}),
            )


def _last_values(call: Call, rows: Sequence[RunRow], wanted: set[str]) -> dict[str, dict[str, float]]:
    if not wanted:
        return {}
    known = {row.run.id: {metric: each for metric, each in row.metrics.items() if metric in wanted} for row in rows}
    found = statistics.of_metrics(call.context.store, workspace=call.workspace, known=known)
    return {run_id: {metric: each.last_value for metric, each in of.items()} for run_id, of in found.items()}


def _pages(call: Call, query: RunQuery) -> Iterator[list[RunRow]]:
    while True:
        page = call.context.store.search_runs(workspace=call.workspace, query=query)
        yield page.items
        if page.after is None:
            return
        query = replace(query, after=page.after)


# --- how they look ----------------------------------------------------------------------------------------------------


def _shown(
    call: Call, page: Sequence[Run], projects: Mapping[int, str], message: wire.ListQuery
) -> list[dict[str, Any]]:
    values = (message.include_field_values or "").lower() in ("true", "1")
    columns = Columns(metrics=(), params=None if values else ())
    ids = [run.id for run in page]
    rows = [
        row
        for row in service.get_runs(call.context.store, workspace=call.workspace, run_ids=ids, columns=columns)
        if row is not None
    ]
    listed = [render.listed(row, projects[row.run.experiment_id]) for row in rows]
    if values:
        known = known_of_all(call, ids, (translate.CONFIG, translate.SYSTEM))
        wanted = _visible(message.visible_columns)
        for told, row in zip(listed, rows, strict=True):
            told.update(_flat(row, known.get(row.run.id, {}), wanted))
    return listed


def _flat(row: RunRow, known: Mapping[str, Any], wanted: set[tuple[str, str]] | None) -> dict[str, Any]:
    def flat(source: str, value: Any) -> dict[str, Any]:
        pairs = config.leaves(value) if isinstance(value, dict) else ()
        return {key: each for key, each in pairs if wanted is None or (source, key) in wanted}

    return {
        "_flatConfig": flat("config", render.run_config(row, known)),
        "_flatSystemMetadata": flat("systemMetadata", known.get(translate.SYSTEM)),
    }


def _visible(text: str | None) -> set[tuple[str, str]] | None:
    """Which flat values are wanted; None for all, also where the list of them makes no sense."""
    if not text:
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, list):
        return None
    return {(str(each.get("source")), str(each.get("key"))) for each in given if isinstance(each, dict)}


ROUTES: Final = (
    Route("GET", "/api/runs/projects", projects),
    Route("GET", "/api/runs/list", runs),
)
