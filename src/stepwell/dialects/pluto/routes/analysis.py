"""Numbers about metrics: of one run, of several side by side, and who is best. What /metrics would show counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from stepwell.core.model import Columns, RunRow
from stepwell.dialects.pluto import names, render, rules, statuses, translate, wire
from stepwell.dialects.pluto.decoding import Reader, refused
from stepwell.dialects.pluto.routes.reading import (
    answer,
    known_of_all,
    origin_of,
    project_named,
    query_of,
    run_of,
    runs_of,
)
from stepwell.services import query, statistics
from stepwell.services import runs as service
from stepwell.services.statistics import StepStatistics
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_STATISTICS: Final = Reader(wire.OfRunQuery)
_COMPARE: Final = Reader(wire.CompareQuery)
_LEADERBOARD: Final = Reader(wire.LeaderboardQuery)
_NAMES: Final = Reader(wire.MetricNamesQuery)
_PAGE: Final = 5_000
_AGGREGATES: Final[Mapping[str, Callable[[StepStatistics], float]]] = {
    "MIN": lambda each: each.min,
    "MAX": lambda each: each.max,
    "AVG": lambda each: each.mean,
    "LAST": lambda each: each.last_value,
    "VARIANCE": lambda each: each.variance,
}


async def run_statistics(call: Call) -> Response:
    """GET /api/runs/statistics: of each metric of a run, by name"""
    message = query_of(call, _STATISTICS)
    # An empty group is one: that of the metrics without a slash in their name.
    message.log_group = call.query.get("logGroup")
    return answer(await call.run(_run_statistics, call, message))


def _run_statistics(call: Call, message: wire.OfRunQuery) -> dict[str, Any]:
    row = run_of(call, message.run_id, project=message.project_name)
    metrics = None if message.log_name is None else (message.log_name,)
    found = query.summaries(
        call.context.store, workspace=call.workspace, run_ids=(row.run.id,), metrics=metrics
    ).by_run()
    group = message.log_group
    wanted = {
        name: summary
        for name, summary in sorted(found.get(row.run.id, {}).items())
        if summary.finite_count and (group is None or names.group_of(name) == group)
    }
    shown = dict(list(wanted.items())[: rules.STATISTICS])
    told = statistics.of_metrics(call.context.store, workspace=call.workspace, known={row.run.id: shown})[row.run.id]
    return {
        "runId": row.run.key,
        "runName": row.run.name,
        "projectName": message.project_name,
        "url": render.run_url(origin_of(call), row.run),
        "metrics": [_metric(name, told[name]) for name in sorted(told)],
    }


def _metric(name: str, each: StepStatistics) -> dict[str, Any]:
    return {
        "logName": name,
        "logGroup": names.group_of(name),
        "count": each.count,
        "min": each.min,
        "max": each.max,
        "mean": each.mean,
        "stddev": each.deviation,
        "last": {"step": each.last_step, "value": each.last_value},
    }


async def compare(call: Call) -> Response:
    """GET /api/runs/compare: one metric in several runs, in the order of their numbers"""
    return answer(await call.run(_compare, call, query_of(call, _COMPARE)))


def _compare(call: Call, message: wire.CompareQuery) -> dict[str, Any]:
    keys = translate.run_keys(message.run_ids, "runIds", most=rules.RUNS_COMPARED)
    columns = Columns(metrics=(message.log_name,), tags=())
    rows = sorted(runs_of(call, keys, project=message.project_name, columns=columns), key=lambda row: row.run.key)
    told = _statistics(call, rows)
    configs = known_of_all(call, [row.run.id for row in rows], (translate.CONFIG,))
    origin = origin_of(call)
    project = project_named(call, message.project_name)
    return {
        "projectName": message.project_name,
        "logName": message.log_name,
        "comparisonUrl": render.project_url(origin, 0 if project is None else project.id, keys),
        "runs": [
            {
                "runId": row.run.key,
                "runName": row.run.name,
                "url": render.run_url(origin, row.run),
                "status": statuses.word_of(row.run),
                "config": render.run_config(row, configs.get(row.run.id, {})),
                "stats": _stats(told[row.run.id].get(message.log_name)),
            }
            for row in rows
        ],
    }


def _stats(each: StepStatistics | None) -> dict[str, Any] | None:
    if each is None:
        return None
    return {"count": each.count, "min": each.min, "max": each.max, "mean": each.mean, "final": each.last_value}


async def leaderboard(call: Call) -> Response:
    """GET /api/runs/leaderboard: runs by one number of a metric; those without it drop out"""
    return answer(await call.run(_leaderboard, call, query_of(call, _LEADERBOARD)))


def _leaderboard(call: Call, message: wire.LeaderboardQuery) -> dict[str, Any]:
    if message.aggregation not in _AGGREGATES:
        raise refused("aggregation", f"Invalid enum value. Expected {' | '.join(_AGGREGATES)}")
    if message.direction not in ("ASC", "DESC"):
        raise refused("direction", "Invalid enum value. Expected ASC | DESC")
    value_of = _AGGREGATES[message.aggregation]
    ranked = []
    for row, each in _with_metric(call, message.project_name, message.log_name):
        ranked.append((value_of(each), row))
    ranked.sort(key=lambda pair: (pair[0], pair[1].run.key), reverse=message.direction == "DESC")
    page = ranked[message.offset : message.offset + min(message.limit, rules.LEADERBOARD_ROWS)]
    return {
        "projectName": message.project_name,
        "logName": message.log_name,
        "aggregation": message.aggregation,
        "direction": message.direction,
        "runs": _ranked(call, page, message.offset),
        "total": len(ranked),
    }


def _ranked(call: Call, page: list[tuple[float, RunRow]], offset: int) -> list[dict[str, Any]]:
    ids = [row.run.id for _, row in page]
    rows = service.get_runs(call.context.store, workspace=call.workspace, run_ids=ids, columns=Columns(metrics=()))
    configs = known_of_all(call, ids, (translate.CONFIG,))
    return [
        {
            "rank": rank,
            "runId": row.run.key,
            "runName": row.run.name,
            "status": statuses.word_of(row.run),
            "url": render.run_url(origin_of(call), row.run),
            "value": value,
            "config": render.run_config(row, configs.get(row.run.id, {})),
            "tags": names.tag_list(row.tags),
            "createdAt": render.iso(render.created_at(row.run)),
        }
        for rank, ((value, _), row) in enumerate(zip(page, rows, strict=True), offset + 1)
        if row is not None
    ]


def _with_metric(call: Call, project_name: str, metric: str) -> list[tuple[RunRow, StepStatistics]]:
    """Every run of a project that has a finite value of the metric."""
    project = project_named(call, project_name)
    if project is None:
        return []
    found: list[tuple[RunRow, StepStatistics]] = []
    cursor: str | None = None
    while True:
        rows, cursor = service.search_runs(
            call.context.store,
            workspace=call.workspace,
            experiment_ids=(project.id,),
            limit=_PAGE,
            cursor=cursor,
            columns=Columns(metrics=(metric,), params=(), tags=()),
        )
        told = _statistics(call, rows)
        found += [(row, told[row.run.id][metric]) for row in rows if metric in told[row.run.id]]
        if cursor is None:
            return found


def _statistics(call: Call, rows: list[RunRow]) -> dict[str, dict[str, StepStatistics]]:
    known = {row.run.id: row.metrics for row in rows}
    return statistics.of_metrics(call.context.store, workspace=call.workspace, known=known)


async def metric_names(call: Call) -> Response:
    """GET /api/runs/metric-names: sorted; complete as soon as a point is acknowledged"""
    return answer(await call.run(_metric_names, call, query_of(call, _NAMES)))


def _metric_names(call: Call, message: wire.MetricNamesQuery) -> dict[str, Any]:
    project = project_named(call, message.project_name)
    found: list[str] = []
    if project is not None:
        run_ids = None
        if message.run_ids is not None:
            keys = translate.run_keys(message.run_ids, "runIds", most=1_000)
            ids = service.ids_of_keys(call.context.store, workspace=call.workspace, keys=keys)
            run_ids = [each for each in ids if each is not None]
        found = service.metric_names(
            call.context.store,
            workspace=call.workspace,
            experiment_id=project.id,
            run_ids=run_ids,
            contains=message.search or "",
            limit=min(message.limit, rules.METRIC_NAMES),
        )
    return {"projectName": message.project_name, "metricNames": found}


ROUTES: Final = (
    Route("GET", "/api/runs/statistics", run_statistics),
    Route("GET", "/api/runs/compare", compare),
    Route("GET", "/api/runs/leaderboard", leaderboard),
    Route("GET", "/api/runs/metric-names", metric_names),
)
