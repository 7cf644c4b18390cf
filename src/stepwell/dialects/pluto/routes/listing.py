"""Projects, and lists of runs: found, filtered, sorted, page by page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stepwell.core.model import NO_COLUMNS, Columns, Experiment, Run, RunRow
from stepwell.dialects.pluto import config, names, render, runfilter, statuses, translate, wire
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.reading import answer, known_of_all, project_named, query_of
from stepwell.dialects.pluto.runfilter import Candidate, Needs, Test
from stepwell.services import runs as service
from stepwell.services import statistics
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_LIST: Final = Reader(wire.ListQuery)
_PAGE: Final = 5_000  # runs read at once
_COLUMNS: Final[Mapping[str, Callable[[Run], Any]]] = {
    "createdAt": render.created_at,
    "created_at": render.created_at,
    "updatedAt": lambda run: run.updated_at,
    "updated_at": lambda run: run.updated_at,
    "name": lambda run: run.name,
    "status": statuses.word_of,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """By what a list is sorted. With `all` runs without a value come last, otherwise they are left out."""

    read: Callable[[Candidate], Any]
    descending: bool
    all: bool = True


async def projects(call: Call) -> Response:
    """GET /api/runs/projects"""
    return answer({"projects": await call.run(_projects, call)})


def _projects(call: Call) -> list[dict[str, Any]]:
    listed = []
    cursor: str | None = None
    while True:
        page, cursor = service.search_experiments(
            call.context.store, workspace=call.workspace, limit=1000, cursor=cursor
        )
        for each in page:
            count = sum(1 for _ in _rows(call, (each.id,), NO_COLUMNS))
            if count or each.id:  # the experiment that every workspace has shows once it is used
                listed.append(_project(each, count))
        if cursor is None:
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
    test = _test(message, needs)
    sort = _sort(message.sort, needs)
    projects = _scope(call, message)
    if not projects:
        return {"runs": [], "total": 0}
    found = [run for run in _candidates(call, list(projects), needs) if test(run)]
    shown = _sorted(found, sort)
    page = shown[message.offset : message.offset + message.limit]
    return {"runs": _shown(call, [each.row.run for each in page], projects, message), "total": len(shown)}


def _scope(call: Call, message: wire.ListQuery) -> dict[int, str]:
    """id -> name of the projects in which to look."""
    if message.project_name:
        project = project_named(call, message.project_name)
        return {} if project is None else {project.id: project.name}
    if not message.konduktor_job_prefix:
        raise refused("projectName", "projectName is required unless konduktorJobPrefix is provided")
    found: dict[int, str] = {}
    cursor: str | None = None
    while True:
        page, cursor = service.search_experiments(
            call.context.store, workspace=call.workspace, limit=1000, cursor=cursor
        )
        found |= {each.id: each.name for each in page}
        if cursor is None:
            return found


# --- which runs -------------------------------------------------------------------------------------------------------


def _test(message: wire.ListQuery, needs: Needs) -> Test:
    tests: list[Test] = []
    if message.search:
        wanted = message.search.lower()
        tests.append(lambda run: wanted in run.row.run.name.lower())
    if message.tags and (tags := {tag.strip() for tag in message.tags.split(",")} - {""}):
        needs.tags = True
        tests.append(lambda run: not tags.isdisjoint(names.tag_list(run.row.tags)))
    if message.status:
        words = {statuses.word_in(word.strip()) for word in message.status.split(",") if word.strip()}
        tests.append(lambda run: statuses.word_of(run.row.run) in words)
    tests += _heartbeats(message, needs)
    if message.konduktor_job_prefix:
        prefix, job = message.konduktor_job_prefix, runfilter.field_of("systemMetadata", "konduktor.job_name", needs)
        tests.append(lambda run: str(job(run) or "").startswith(prefix))
    if message.field_filters:
        tests.append(runfilter.compile_fields(message.field_filters, needs))
    if message.filter:
        tests.append(runfilter.compile_filter(message.filter, needs))
    return runfilter.all_of(tests)


def _heartbeats(message: wire.ListQuery, needs: Needs) -> Iterator[Test]:
    for text, name, after in (
        (message.heartbeat_after, "heartbeatAfter", True),
        (message.heartbeat_before, "heartbeatBefore", False),
    ):
        if text:
            needs.heartbeat = True
            yield _heartbeat(runfilter.time_of(text, name), after=after)


def _heartbeat(bound: int, *, after: bool) -> Test:
    def test(run: Candidate) -> bool:
        at = run.heartbeat
        return at is not None and (at >= bound if after else at <= bound)

    return test


def _candidates(call: Call, experiments: Sequence[int], needs: Needs) -> Iterator[Candidate]:
    """Every run, with what the filters and the sort look at."""
    columns = Columns(
        metrics=None if needs.heartbeat else tuple(sorted(needs.metrics)),
        params=None if needs.config else (),
        tags=None if needs.tags else (),
    )
    kinds = [kind for kind, wanted in ((translate.CONFIG, needs.config), (translate.SYSTEM, needs.system)) if wanted]
    for rows in _pages(call, experiments, columns):
        ids = [row.run.id for row in rows]
        known = known_of_all(call, ids, kinds) if kinds else {}
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


def _rows(call: Call, experiments: Sequence[int], columns: Columns) -> Iterator[RunRow]:
    for rows in _pages(call, experiments, columns):
        yield from rows


def _pages(call: Call, experiments: Sequence[int], columns: Columns) -> Iterator[list[RunRow]]:
    cursor: str | None = None
    while True:
        rows, cursor = service.search_runs(
            call.context.store,
            workspace=call.workspace,
            experiment_ids=experiments,
            limit=_PAGE,
            cursor=cursor,
            columns=columns,
        )
        yield rows
        if cursor is None:
            return


# --- in which order ---------------------------------------------------------------------------------------------------


def _sort(text: str | None, needs: Needs) -> Sort:
    if not text:
        return Sort(read=lambda run: render.created_at(run.row.run), descending=True)
    descending, name = text.startswith("-"), text.lstrip("+-") if text[0] in "+- " else text
    name = name.strip()  # a plus that was not encoded arrives as a space
    source, _, key = name.partition(".")
    if source in ("config", "systemMetadata") and (key := key.removesuffix(".value")):
        return Sort(read=_field(runfilter.field_of(source, key, needs)), descending=descending)
    if source == "summary_metrics" and key:
        needs.metrics.add(key)
        return Sort(read=lambda run: run.last.get(key), descending=descending, all=False)
    if name in ("heartbeat_at", "heartbeatAt", "heartbeat"):
        needs.heartbeat = True
        return Sort(read=lambda run: run.heartbeat, descending=descending, all=False)
    read = _COLUMNS.get(name)
    if read is None:
        allowed = "createdAt, updatedAt, name, status, heartbeat_at, config.<key>.value, systemMetadata.<key>.value"
        raise refused("sort", f"invalid sort field {name[:60]!r}; allowed: {allowed}, summary_metrics.<name>")
    return Sort(read=lambda run: read(run.row.run), descending=descending)


def _field(read: Callable[[Candidate], Any]) -> Callable[[Candidate], Any]:
    """Numbers before texts, each in their own order."""

    def sortable(run: Candidate) -> tuple[int, float, str] | None:
        value = read(run)
        if value is None:
            return None
        number = runfilter.number_of(value)
        return (1, 0.0, config.text_of(value)) if number is None else (0, number, "")

    return sortable


def _sorted(found: Sequence[Candidate], sort: Sort) -> list[Candidate]:
    """Runs that are equal stand by their number in the same direction, so that pages neither repeat nor lose one."""
    having = [(value, run) for run in found if (value := sort.read(run)) is not None]
    having.sort(key=lambda pair: (pair[0], pair[1].row.run.key), reverse=sort.descending)
    lacking = [run for run in found if sort.read(run) is None] if sort.all else []
    lacking.sort(key=lambda run: run.row.run.key, reverse=sort.descending)
    return [run for _, run in having] + lacking


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
