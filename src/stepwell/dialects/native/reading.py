"""Handlers that read points, buckets, deltas, summaries and lists of files. Blocking; the routes run them in a pool."""

from __future__ import annotations

from typing import Final

from stepwell.core.errors import TooLarge
from stepwell.core.limits import PAGE_POINTS
from stepwell.core.model import NO_COLUMNS, Selector
from stepwell.core.series import Order
from stepwell.dialects.native import render, translate, wire
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.columns import Table
from stepwell.services import artifacts, query, runs

_RUN_ID: Final = "run_id"


def list_series(ask: Ask, asked: wire.SeriesOfRun) -> Table:
    """The series of a run, each with its summary, sorted by metric and labels."""
    run_id = ask.params[_RUN_ID]
    runs.get_run(ask.store, workspace=ask.workspace, run_id=run_id, columns=NO_COLUMNS)
    return render.series(query.series(ask.store, workspace=ask.workspace, run_id=run_id, metric=asked.metric))


def read_points(ask: Ask, asked: wire.PointsQuery) -> Table:
    """A page of the points of one metric of a run, exactly as stored."""
    selector = Selector(run_id=ask.params[_RUN_ID], metric=asked.metric, labels=translate.label_arguments(asked.label))
    window = translate.window(asked)
    since = cursor = None
    runs.get_run(ask.store, workspace=ask.workspace, run_id=selector.run_id, columns=NO_COLUMNS)
    if asked.since is not None:
        found, since = query.arrivals(
            ask.store, workspace=ask.workspace, selector=selector, window=window, cursor=asked.since, limit=asked.limit
        )
    else:
        found, cursor = query.history(
            ask.store,
            workspace=ask.workspace,
            selector=selector,
            order=Order(asked.order),
            window=window,
            cursor=asked.cursor,
            limit=asked.limit,
        )
    return {**render.points(found), "cursor": cursor, "since": since}


def query_buckets(ask: Ask, asked: wire.BucketsQuery) -> Table:
    """As POST /buckets, for every named metric of every named run."""
    return read_buckets(ask, translate.buckets_request(asked))


def read_buckets(ask: Ask, asked: wire.BucketsRequest) -> Table:
    """Aggregates of neighbouring points for charts: every extreme survives at every zoom. Unknown series are empty."""
    selectors = [translate.selector(each) for each in asked.series]
    found = query.buckets(
        ask.store,
        workspace=ask.workspace,
        selectors=selectors,
        window=translate.window(asked.window),
        budget=asked.budget,
    )
    return {
        "series": [
            {**_named(selector), "buckets": render.buckets(rows, asked.columns)}
            for selector, rows in zip(selectors, found, strict=True)
        ]
    }


def read_deltas(ask: Ask, asked: wire.DeltasRequest) -> Table:
    """What is new in each of many series: the way a live page follows running runs."""
    if len(asked.series) * asked.limit > PAGE_POINTS:
        raise TooLarge(
            f"limit is {asked.limit} for each of {len(asked.series)} series; {PAGE_POINTS} points fit into one answer",
            field="limit",
            limit=PAGE_POINTS,
        )
    return {"series": [_delta(ask, each, asked.limit) for each in asked.series]}


def read_summaries(ask: Ask, asked: wire.SummariesRequest) -> Table:
    """The summaries of the metrics of several runs. Unknown runs and metrics have no rows."""
    found = query.summaries(ask.store, workspace=ask.workspace, run_ids=asked.run_ids, metrics=asked.metrics)
    return render.summaries(found, asked.columns)


def read_label_sets(ask: Ask, asked: wire.LabelSetsRequest) -> Table:
    """The label sets of the metrics of several runs. Unknown runs, and metrics without labels there, have no rows."""
    return render.label_sets(query.label_sets(ask.store, workspace=ask.workspace, run_ids=asked.run_ids))


def list_files(ask: Ask, asked: wire.FolderQuery) -> Table:
    """The files and folders right below a folder of a run."""
    run_id = ask.params[_RUN_ID]
    runs.get_run(ask.store, workspace=ask.workspace, run_id=run_id, columns=NO_COLUMNS)
    return render.files(artifacts.list_folder(ask.store, workspace=ask.workspace, owner=run_id, folder=asked.path))


def delete_files(ask: Ask, _: wire.Nothing) -> Table:
    """Remove a file, or all files below a folder."""
    removed = artifacts.delete(ask.store, workspace=ask.workspace, owner=ask.params[_RUN_ID], path=ask.params["path"])
    return {"removed": removed}


def _delta(ask: Ask, asked: wire.Follow, limit: int) -> Table:
    selector = translate.selector(asked)
    window = translate.window(wire.Window(min_step=asked.min_step))
    found, since = query.arrivals(
        ask.store, workspace=ask.workspace, selector=selector, window=window, cursor=asked.since, limit=limit
    )
    return {**_named(selector), "points": render.points(found), "since": since, "more": len(found) == limit}


def _named(selector: Selector) -> Table:
    return {"run_id": selector.run_id, "metric": selector.metric, "labels": render.labels(selector.labels)}
