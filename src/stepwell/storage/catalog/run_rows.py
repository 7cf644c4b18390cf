"""Rows of runs with what was asked of them, a page at a time: a few statements for any number of runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Final

import msgspec

from stepwell.core.model import NOTHING, Columns, RunRow
from stepwell.core.summary import NO_POINTS, LastPoints, Summary, SummaryTable
from stepwell.storage.catalog import runs, summaries
from stepwell.storage.catalog.live import Live, metrics_of_runs
from stepwell.storage.catalog.sql import Connection, Statements
from stepwell.storage.catalog.summaries import UNLABELLED

_SQL: Final = Statements.load("queries.sql")
_PAIRS: Final = msgspec.json.Decoder(dict[str, str])


def read(conn: Connection, workspace: str, keys: Sequence[int], columns: Columns) -> list[RunRow]:
    """The rows of runs in the order of `keys`, without metrics; runs that are gone are left out."""
    found = runs.read(conn, workspace, keys)
    params = _texts(conn, "params_of", keys, columns.params)
    tags = _texts(conn, "tags_of", keys, columns.tags)
    info = _texts(conn, "custom_info_of", keys, columns.custom_info)
    return [
        RunRow(
            run=found[key],
            params=params.get(key, NOTHING),
            tags=tags.get(key, NOTHING),
            custom_info=info.get(key, NOTHING),
        )
        for key in keys
        if key in found
    ]


def with_metrics(conn: Connection, rows: Sequence[RunRow], columns: Columns, live: Sequence[Live]) -> list[RunRow]:
    """The rows with their metrics, in the form that was asked for; `live` are the live series of these."""
    keys = [row.run.key for row in rows]
    if columns.last:
        last = last_of(conn, keys, columns.metrics, live)
        return [replace(row, last=last.get(row.run.key, NO_POINTS)) for row in rows]
    by_run = metrics_of(conn, keys, columns.metrics, live)
    return [replace(row, metrics=by_run.get(row.run.key, {})) for row in rows]


def metrics_of(
    conn: Connection, keys: Collection[int], metrics: Collection[str] | None, live: Sequence[Live]
) -> dict[int, dict[str, Summary]]:
    """Run key -> metric -> summary over its label sets, names sorted; runs without metrics are absent."""
    rows, unions = metrics_of_runs(conn, keys, metrics, live)
    found: dict[int, dict[str, Summary]] = {}
    for key, metric, _, body in rows:
        found.setdefault(key, {})[metric] = summaries.decode(body)
    for key, metric, _, union in unions:
        found.setdefault(key, {})[metric] = union
    return {key: dict(sorted(by_metric.items())) for key, by_metric in found.items()}


def last_of(
    conn: Connection, keys: Collection[int], metrics: Collection[str] | None, live: Sequence[Live]
) -> dict[int, LastPoints]:
    """Run key -> the last points of its metrics; runs without metrics are absent. No summary is made for them."""
    rows, unions = metrics_of_runs(conn, keys, metrics, live)
    found: defaultdict[int, dict[str, tuple[int, int, float]]] = defaultdict(dict)
    for (key, metric, _, _), last in zip(rows, summaries.decode_last([row[3] for row in rows]), strict=True):
        found[key][metric] = last
    for key, metric, _, union in unions:
        found[key][metric] = union.last
    return {key: _last_points(by_metric) for key, by_metric in found.items()}


def _last_points(by_metric: Mapping[str, tuple[int, int, float]]) -> LastPoints:
    names = sorted(by_metric)
    steps, times, values = map(list, zip(*map(by_metric.__getitem__, names), strict=True))
    return LastPoints(metrics=names, steps=steps, times=times, values=values)


def summary_table(
    conn: Connection, ids: Mapping[int, str], metrics: Collection[str] | None, live: Sequence[Live]
) -> SummaryTable:
    """The same as columns, of the runs with these keys and ids: without an object for each stored summary."""
    rows, unions = metrics_of_runs(conn, ids, metrics, live)
    rows += [(key, metric, UNLABELLED, summaries.encode(union)) for key, metric, _, union in unions]
    rows.sort()
    columns, repeated_steps = summaries.decode_all(list(map(itemgetter(3), rows)))
    return SummaryTable(
        run_ids=list(map(ids.__getitem__, map(itemgetter(0), rows))),
        metrics=list(map(itemgetter(1), rows)),
        rows=columns,
        repeated_steps=repeated_steps,
    )


def _texts(
    conn: Connection, statement: str, keys: Sequence[int], names: Sequence[str] | None
) -> dict[int, Mapping[str, str]]:
    if names is not None and not names:
        return {}
    bindings = {"keys": json.dumps(keys), "names": None if names is None else json.dumps(names)}
    return {key: _PAIRS.decode(pairs) for key, pairs in _SQL.all(conn, statement, bindings)}
