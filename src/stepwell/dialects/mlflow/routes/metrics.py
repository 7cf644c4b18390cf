"""metrics/*: histories of one metric, of one run page by page or whole, of many runs whole or sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from stepwell.core.errors import Invalid
from stepwell.core.model import EVERYTHING, Selector, Window
from stepwell.core.series import Order
from stepwell.dialects.mlflow import render, rules, translate, wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.routes.reading import query_of
from stepwell.services import query
from stepwell.web.call import Call
from stepwell.web.response import Response, stream_response
from stepwell.web.routing import Route

_HISTORY: Final = Reader(wire.GetHistory)
_BULK: Final = Reader(wire.GetHistoryBulk)
_INTERVAL: Final = Reader(wire.GetHistoryInterval)
_READ_POINTS: Final = 25_000  # in one snapshot: a page of MLflow's client is one read, each of which has its own price
_SHOWN_POINTS: Final = 2_500  # made into JSON at once: half a millisecond, in which no other thread has a turn


async def get_history(call: Call) -> Response:
    """GET metrics/get-history. Without max_results the rest of the history, streamed; unknown runs have none."""
    return await history(call, query_of(call, _HISTORY))


async def history(call: Call, message: wire.GetHistory) -> Response:
    """The history that a message asks for, streamed unless it is short."""
    run_id = translate.run_id_of(message.run_id, message.run_uuid)
    selector = Selector(run_id=run_id, metric=translate.required(message.metric_key, "metric_key"))
    count = message.max_results
    if count is not None and count < 1:
        rules.check_results(count, "max_results", rules.SEARCH_RESULTS)
    pages = _Pages(call, selector, message.page_token or None, count)
    if count is not None and count <= _READ_POINTS:
        return Response(200, await call.run(lambda: b"".join(pages.json())))
    return stream_response(call, pages.json)


class _Pages:
    """One answer of get-history, read in parts, each in its own short snapshot."""

    def __init__(self, call: Call, selector: Selector, cursor: str | None, count: int | None) -> None:
        self._call = call
        self._selector = selector
        self._cursor = cursor
        self._left = count

    def json(self) -> Iterator[bytes]:
        """The answer, piece by piece, with the token of the next page when `count` ended it."""
        return render.history(self._chunks(), token=lambda: self._cursor)

    def _chunks(self) -> Iterator[list[wire.Metric]]:
        while self._left is None or self._left > 0:
            limit = _READ_POINTS if self._left is None else min(self._left, _READ_POINTS)
            points, self._cursor = query.history(
                self._call.context.store,
                workspace=self._call.workspace,
                selector=self._selector,
                order=Order.TIME,
                cursor=self._cursor,
                limit=limit,
            )
            if self._left is not None:
                self._left -= len(points)
            for at in range(0, len(points), _SHOWN_POINTS):
                some = points.take(slice(at, at + _SHOWN_POINTS))
                yield render.metrics(self._selector.metric, some)
            if self._cursor is None:
                return


async def get_history_bulk(call: Call) -> Response:
    """GET (ajax) metrics/get-history-bulk: whole histories of up to 100 runs, by run id, up to 25,000 points in all."""
    message = query_of(call, _BULK)
    run_ids = sorted(rules.check_run_count(message.run_id, "run_id"))
    metric = translate.required(message.metric_key, "metric_key")
    left = rules.BULK_POINTS
    if message.max_results is not None:
        left = min(rules.check_results(message.max_results, "max_results", 2**63 - 1), left)
    return stream_response(call, lambda: render.history(_bulk(call, run_ids, metric, left), empty=b'{"metrics":[]}'))


def _bulk(call: Call, run_ids: Sequence[str], metric: str, left: int) -> Iterator[list[wire.MetricOfRun]]:
    for run_id in run_ids:
        cursor = None
        while left > 0:
            points, cursor = query.history(
                call.context.store,
                workspace=call.workspace,
                selector=Selector(run_id=run_id, metric=metric),
                order=Order.TIME,
                cursor=cursor,
                limit=min(left, query.CHUNK_POINTS),
            )
            left -= len(points)
            yield render.metrics_of_run(metric, run_id, points)
            if cursor is None:
                break


async def get_history_interval(call: Call) -> Response:
    """GET metrics/get-history-bulk-interval: up to max_results points of each run, spread over the steps asked for.

    The first and last point and, from 4 points on, the extremes are among them.
    """
    message = query_of(call, _INTERVAL)
    run_ids = rules.check_run_count(message.run_ids, "run_ids")
    metric = translate.required(message.metric_key, "metric_key")
    budget = rules.INTERVAL_POINTS
    if message.max_results is not None:
        budget = rules.check_results(message.max_results, "max_results", rules.INTERVAL_POINTS)
    window = _window(message.start_step, message.end_step)
    return stream_response(call, lambda: render.history(_interval(call, run_ids, metric, window, budget)))


def _interval(
    call: Call, run_ids: Sequence[str], metric: str, window: Window, budget: int
) -> Iterator[list[wire.MetricOfRun]]:
    together = max(query.CHUNK_POINTS // budget, 1)
    for place in range(0, len(run_ids), together):
        part = run_ids[place : place + together]
        found = query.interval(
            call.context.store,
            workspace=call.workspace,
            selectors=[Selector(run_id=run_id, metric=metric) for run_id in part],
            window=window,
            budget=budget,
        )
        each = zip(part, found, strict=True)
        yield [shown for run_id, points in each for shown in render.metrics_of_run(metric, run_id, points)]


def _window(start: int | None, end: int | None) -> Window:
    if start is None and end is None:
        return EVERYTHING
    if start is None or end is None:
        raise Invalid("If one of start_step and end_step is given, both must be.", field="start_step")
    if start > end:
        raise Invalid(f"end_step must not be below start_step: start_step={start}, end_step={end}.", field="end_step")
    return Window(min_step=start, max_step=end)


ROUTES: Final = (
    Route("GET", "/mlflow/metrics/get-history", get_history),
    Route("GET", "/mlflow/metrics/get-history-bulk-interval", get_history_interval),
)
AJAX_ROUTES: Final = (Route("GET", "/mlflow/metrics/get-history-bulk", get_history_bulk),)
