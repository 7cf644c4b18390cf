"""Points of runs: sampled, every one of them, and in buckets for charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from stepwell.core.errors import Forbidden, NotFound
from stepwell.core.model import RunRow, Selector
from stepwell.core.series import Order
from stepwell.dialects.pluto import names, render, translate, wire
from stepwell.dialects.pluto.decoding import BadFields, Reader, issue_of, refused
from stepwell.dialects.pluto.routes.reading import answer, query_of, run_of, runs_of
from stepwell.services import query
from stepwell.web.call import Call
from stepwell.web.response import Response, stream_response
from stepwell.web.routing import Route

_METRICS: Final = Reader(wire.MetricsQuery)
_RAW: Final = Reader(wire.RawQuery)
_CHART: Final = Reader(wire.ChartData)
_BUCKETS: Final = 1000
_MOST_BUCKETS: Final = 10_000
_TOGETHER: Final = 16  # metrics sampled by one read


async def metrics(call: Call) -> Response:
    """GET /api/runs/metrics: at most `limit` points of each metric, one a step, by name and step"""
    message = query_of(call, _METRICS)
    found = await call.run(_selected, call, message)
    return stream_response(call, lambda: _metrics(call, message, found))


def _selected(call: Call, message: wire.MetricsQuery) -> tuple[str, list[str]]:
    """The run and the names of its metrics that are meant; none where there is no such run in the project."""
    try:
        run = run_of(call, message.run_id, project=message.project_name).run
    except NotFound:
        return "", []
    series = query.series(call.context.store, workspace=call.workspace, run_id=run.id, metric=message.log_name)
    found = dict.fromkeys(each.metric for each in series)
    if message.log_group is not None:
        return run.id, [name for name in found if names.group_of(name) == message.log_group]
    return run.id, list(found)


def _metrics(call: Call, message: wire.MetricsQuery, found: tuple[str, list[str]]) -> Iterator[bytes]:
    run_id, selected = found
    window = translate.window(message.step_min, message.step_max)
    separator = b'{"metrics":['
    for place in range(0, len(selected), _TOGETHER):
        part = selected[place : place + _TOGETHER]
        sampled = query.sample(
            call.context.store,
            workspace=call.workspace,
            selectors=[Selector(run_id=run_id, metric=name) for name in part],
            window=window,
            limit=message.limit,
        )
        for name, each in zip(part, sampled, strict=True):
            if rows := render.metric_rows(name, each.points):
                yield separator + rows
                separator = b","
    yield b"]}" if separator == b"," else separator + b"]}"


async def raw(call: Call) -> Response:
    """GET /api/runs/metrics/raw: every point, by step and time"""
    return answer(await call.run(_raw, call, query_of(call, _RAW)))


def _raw(call: Call, message: wire.RawQuery) -> dict[str, Any]:
    try:
        run = run_of(call, message.run_id, project=message.project_name).run
    except NotFound:
        return {"rows": [], "truncated": False}
    points, _ = query.history(
        call.context.store,
        workspace=call.workspace,
        selector=Selector(run_id=run.id, metric=message.log_name),
        order=Order.KEY,
        window=translate.window(message.step_min, message.step_max),
        limit=message.limit,
    )
    return {"rows": render.raw_rows(message.log_name, points), "truncated": len(points) == message.limit}


async def chart(call: Call) -> Response:
    """GET /api/chart-data/multi-metric-batch-bucketed: mean, least and greatest of each bucket, in columns"""
    text = call.query.get("input")
    if not text:
        raise refused("input", "Required")
    try:
        message = _CHART.body(text.encode())
    except msgspec.ValidationError as error:
        raise BadFields(issue_of(error)) from None
    if message.organization_id != call.workspace:
        raise Forbidden("this key is for another organization", field="organizationId")
    return answer(await call.run(_chart, call, message))


def _chart(call: Call, message: wire.ChartData) -> dict[str, dict[str, Any]]:
    asked = {_key(text): text for text in message.run_ids}
    rows = runs_of(call, list(asked), project=message.project_name)
    budget = min(message.buckets or _BUCKETS, _MOST_BUCKETS)
    answered: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(message.log_names):
        having = [row for row in rows if name in row.metrics]
        answered[name] = _buckets(call, having, name, message, budget, asked)
    return answered


def _buckets(
    call: Call, rows: Sequence[RunRow], name: str, message: wire.ChartData, budget: int, asked: dict[int, str]
) -> dict[str, Any]:
    answered: dict[str, Any] = {}
    for row in rows:
        (found,) = query.buckets(
            call.context.store,
            workspace=call.workspace,
            selectors=(Selector(run_id=row.run.id, metric=name),),
            window=translate.window(message.step_min, message.step_max),
            budget=budget,
        )
        if len(found):
            answered[asked[row.run.key]] = render.chart(found)
    return answered


def _key(text: str) -> int:
    """The number of a run, which may come as its short id."""
    key = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else names.parse_short_id(text)
    if key is None:
        raise refused("input.runIds", f"{text[:60]!r} is no run ID")
    return key


ROUTES: Final = (
    Route("GET", "/api/runs/metrics", metrics),
    Route("GET", "/api/runs/metrics/raw", raw),
    Route("GET", "/api/chart-data/multi-metric-batch-bucketed", chart),
)
