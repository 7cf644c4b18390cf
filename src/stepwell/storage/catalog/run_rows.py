"""Rows of runs with what was asked of them, a page at a time: a few statements for any number of runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from stepwell.core.model import NOTHING, Columns, RunRow
from stepwell.core.series import I64
from stepwell.core.summary import NO_POINTS, LastPoints, Summary, SummaryTable
from stepwell.storage.catalog import runs, summaries
from stepwell.storage.catalog.live import Live, metrics_of_runs
from stepwell.storage.catalog.sql import Connection, Statements, listed

LISTS: Final = 4  # lists of names of which the order is remembered,
MANY: Final = 20_000  # each of at most so many: a megabyte or two
_SQL: Final = Statements.load("queries.sql")
_Columns: TypeAlias = tuple[tuple[str, ...], Sequence[int], Sequence[int], Sequence[float]]  # of last points
_PAIRS: Final = msgspec.json.Decoder(dict[str, str])


def read(conn: Connection, workspace: str, keys: Sequence[int], columns: Columns) -> list[RunRow]:
    """The rows of runs in the order of `keys`, without metrics; runs that are gone are left out."""
    if not keys:
        return []
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


def add_metrics(conn: Connection, rows: Sequence[RunRow], columns: Columns, live: Sequence[Live]) -> None:
    """Give rows of `read` their metrics, in the form that was asked for; `live` are the live series of these."""
    keys = [row.run.key for row in rows]
    if columns.last:
        last = last_of(conn, keys, columns.metrics, live)
        for row in rows:
            row.last = last.get(row.run.key, NO_POINTS)
    else:
        by_run = metrics_of(conn, keys, columns.metrics, live)
        for row in rows:
            row.metrics = by_run.get(row.run.key, {})


def metrics_of(
    conn: Connection, keys: Collection[int], metrics: Collection[str] | None, live: Sequence[Live]
) -> dict[int, dict[str, Summary]]:
    """Run key -> metric -> summary over its label sets, names sorted; runs without metrics are absent."""
    stored, unions = metrics_of_runs(conn, keys, metrics, live)
    found: dict[int, dict[str, Summary]] = {}
    for run in stored:
        found[run.key] = {metric: summaries.decode(body) for metric, _, body in run.each()}
    for key, metric, _, union in unions:
        found.setdefault(key, {})[metric] = union
    return {key: dict(sorted(by_metric.items())) for key, by_metric in found.items()}


def last_of(
    conn: Connection, keys: Collection[int], metrics: Collection[str] | None, live: Sequence[Live]
) -> dict[int, LastPoints]:
    """Run key -> the last points of its metrics; runs without metrics are absent. No summary is made for them."""
    stored, unions = metrics_of_runs(conn, keys, metrics, live)
    waiting: defaultdict[int, list[Live]] = defaultdict(list)
    for each in unions:
        waiting[each.run_key].append(each)
    found: dict[int, _Columns] = {}
    steps, times, values = summaries.decode_last([run.bodies for run in stored])
    at = 0
    for run in stored:
        end = at + len(run.metrics)
        found[run.key] = run.metrics, steps[at:end], times[at:end], values[at:end]
        at = end
    for key, some in waiting.items():
        fresh = _columns(some)
        found[key] = _joined(found[key], fresh) if key in found else fresh
    sorting = {names: _sorting(names) for names in {columns[0] for columns in found.values()}}
    return {key: LastPoints(*map(list, map(sorting[columns[0]], columns))) for key, columns in found.items()}


def _columns(live: Sequence[Live]) -> _Columns:
    steps, times, values = zip(*[each.summary.last for each in live], strict=True)
    return tuple([each.metric for each in live]), steps, times, values


def _joined(one: _Columns, other: _Columns) -> _Columns:
    return (*one[0], *other[0]), (*one[1], *other[1]), (*one[2], *other[2]), (*one[3], *other[3])


def _sorting(names: Sequence[str]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What sorts a column by the names. Most runs have the same metrics, so it is found once."""
    order = sorted(range(len(names)), key=names.__getitem__)
    return itemgetter(*order) if len(order) > 1 else tuple


def summary_table(
    conn: Connection, ids: Mapping[int, str], metrics: Collection[str] | None, live: Sequence[Live]
) -> SummaryTable:
    """The same as columns, of the runs with these keys and ids: without an object for each stored summary."""
    stored, unions = metrics_of_runs(conn, ids, metrics, live)
    names = {run.key: [*run.metrics] for run in stored}
    pieces = {run.key: [run.bodies] for run in stored}
    for union in unions:
        names.setdefault(union.run_key, []).append(union.metric)
        pieces.setdefault(union.run_key, []).append(summaries.encode(union.summary))
    keys = sorted(names)
    orders, sorted_names, at = [np.empty(0, np.int64)], list[str](), 0
    for key in keys:
        order, in_order = _by_name(tuple(names[key]))
        orders.append(order + at)
        sorted_names += in_order
        at += len(order)
    columns, repeated_steps = summaries.decode_all([*chain(*map(pieces.__getitem__, keys))], np.concatenate(orders))
    return SummaryTable(
        run_ids=[*chain.from_iterable(repeat(ids[key], len(names[key])) for key in keys)],
        metrics=sorted_names,
        rows=columns,
        repeated_steps=repeated_steps,
    )


def _by_name(names: tuple[str, ...]) -> tuple[I64, tuple[str, ...]]:
    """What sorts the names of a run's metrics, and these sorted. Of runs with very many they are long to sort."""
    return _sorted(names) if len(names) <= MANY else _sorted.__wrapped__(names)


@lru_cache(maxsize=LISTS)
def _sorted(names: tuple[str, ...]) -> tuple[I64, tuple[str, ...]]:
    order = sorted(range(len(names)), key=names.__getitem__)
    return np.array(order, np.int64), tuple([names[place] for place in order])


def _texts(
    conn: Connection, statement: str, keys: Sequence[int], names: Sequence[str] | None
) -> dict[int, Mapping[str, str]]:
    if names is not None and not names:
        return {}
    bindings = {"keys": listed(keys), "names": None if names is None else json.dumps(names)}
    return {key: _PAIRS.decode(pairs) for key, pairs in _SQL.all(conn, statement, bindings)}
