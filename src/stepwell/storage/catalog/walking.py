"""Searches that go from the values of one metric to the runs, and end after a page: ADR 22.

What is stored of the metric is walked by its index, runs of which the metric waits in memory are added, and every
condition is asked of both as always. What a walk finds is right; where it is not all, the plain statement answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Final

from stepwell.core.filter_match import compile_numbers
from stepwell.core.filters import Aggregate, Comparison, Field, Filter, Kind, Op, complete_order
from stepwell.storage.catalog.fields import Bindings, Fields, Identity
from stepwell.storage.catalog.live import LiveValues
from stepwell.storage.catalog.search import (
    MISSING,
    NAN_KEY,
    Question,
    Statement,
    beyond,
    by_value_key,
    condition,
    directions,
    terms_of,
)
from stepwell.storage.catalog.sql import SQLITE, Connection, Idiom, fetch

FEW: Final = 4_000  # stored runs within a metric's bounds, up to which these are sorted instead of walked in order
FEWER: Final = 400  # the same where a walk in order is the other way: to count them takes time too,
SHARE: Final = 2  # but up to this part of those of which a walk in order meets as many before its page is full
MANY: Final = 5_000  # runs in scope, below which looking at all of them is as quick
_VALUE: Final = "CASE walked.last WHEN -1 THEN 0 ELSE walked.last END"  # of the index: both zeros are one
_BOUNDS: Final = frozenset({Op.GT, Op.GE, Op.EQ, Op.LE, Op.LT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Along which metric. `bounds`: comparisons of the filter on it. `whole`: without it no run is found.

    ordered: it is what the answer is sorted by first, so that the walk may end after a page.
    """

    metric: str
    metric_id: int
    bounds: Filter
    ordered: bool

    @property
    def whole(self) -> bool:
        """Whether it meets every run that is to be found."""
        return bool(self.bounds)


def choose(conn: Connection, question: Question, metric_ids: Mapping[str, int], idiom: Idiom = SQLITE) -> Walk | None:
    """The walk that meets the fewest runs; None where looking at all runs is as good."""
    bounded: dict[str, list[Comparison]] = {}
    for each in question.filter:
        if _walkable(each.field, metric_ids) and each.op in _BOUNDS:
            bounded.setdefault(each.field.key, []).append(each)
    first = question.order[0].field if question.order else None
    ordered = first if first is not None and _walkable(first, metric_ids) and _among_numbers(question) else None
    if not (bounded or ordered):
        return None
    many, runs = _how_many(conn, question)
    if not many:
        return None
    # Of `runs`, a walk in order meets limit * runs / n before it has found a page of those n that are within bounds.
    fewest, chosen = FEW if ordered is None else max(FEWER, isqrt(question.limit * runs) // SHARE), None
    for metric, bounds in bounded.items():
        walk = Walk(metric=metric, metric_id=metric_ids[metric], bounds=tuple(bounds), ordered=False)
        most = min(fewest, FEWER) if ordered is not None and ordered.key == metric else fewest  # in order it ends soon
        if (count := _count(conn, walk, most, idiom)) < most:
            fewest, chosen = count, walk
    if chosen is None and ordered is not None:
        bounds = bounded.get(ordered.key, [])
        chosen = Walk(metric=ordered.key, metric_id=metric_ids[ordered.key], bounds=tuple(bounds), ordered=True)
    return chosen


def compile_walk(
    question: Question,
    walk: Walk,
    *,
    metric_ids: Mapping[str, int],
    live: LiveValues | None = None,
    idiom: Idiom = SQLITE,
) -> Statement:
    """As `compile_search`, of the runs that the walk meets. Of `live` it leaves what this statement needs."""
    bindings = Bindings(idiom)
    waiting = [] if live is None else live.runs_of(walk.metric)
    if live is not None and walk.bounds:  # no look at a run of which is known that its value lies beyond them
        live.keep(walk.metric, compile_numbers(walk.bounds))
    apart = _told_apart(question, bindings, idiom)
    met = {(Kind.METRIC, walk.metric): "walked", **{identity: name for name, (identity, _) in apart.items()}}
    fields = Fields(question.table, bindings, metric_ids=metric_ids, live=live, met=None if live else met)
    wheres = [*question.scope, *(condition(fields, bindings, each) for each in question.filter)]
    terms = terms_of(fields, complete_order(question.order, schema=question.table.schema))
    if walk.ordered:  # what is NaN or missing stands behind the numbers, whichever way they are sorted
        wheres.append(f"{terms[0].sql} < {MISSING - 1}")
    if question.after is not None:
        wheres += beyond(terms, question.after, bindings)
    columns = ", ".join([question.table.key, *(term.sql for term in terms)])
    sorting = directions(terms)
    along = [f"{_VALUE} DESC" if question.order[0].descending else _VALUE, *sorting[1:]] if walk.ordered else sorting
    stored = [
        f"SELECT {columns}",
        f"FROM run_metric AS walked{idiom.indexed.format('run_metric_by_value')}",
        *(join for _, join in apart.values()),
        f"{idiom.onward} run ON run.key = walked.run_key",
        *fields.joins,
        f"WHERE {' AND '.join([*_within(walk, question, bindings), *wheres])}",
    ]
    if live is None:
        lines = [*stored, f"ORDER BY {', '.join(along)}", *_cut_out(question, bindings)]
        return Statement(sql="\n".join(lines), bindings={**question.scope_values, **bindings.values})
    limit = bindings.add(question.limit + question.skip)
    ctes = [
        *fields.ctes,
        f"waiting (run_key) AS MATERIALIZED (SELECT value FROM {idiom.numbers}({bindings.add(json.dumps(waiting))}))",
    ]
    hopeful = bindings.add(json.dumps(live.runs_of(walk.metric)))
    added = [
        f"SELECT {columns}",
        f"FROM {idiom.numbers}({hopeful}) AS hopeful {idiom.onward} run ON run.key = hopeful.value",
        *fields.joins,
        f"WHERE {' AND '.join(wheres)}",
        f"ORDER BY {', '.join(sorting)} LIMIT {limit}",
    ]
    lines = [
        f"WITH {', '.join(ctes)}",
        "SELECT * FROM (",
        *stored,
        "AND walked.run_key NOT IN (SELECT run_key FROM waiting)",
        f"ORDER BY {', '.join(along)} LIMIT {limit}",
        ") AS met UNION ALL SELECT * FROM (",
        *added,
        f") AS added ORDER BY {', '.join(sorting)}",
        *_cut_out(question, bindings),
    ]
    return Statement(sql="\n".join(lines), bindings={**question.scope_values, **bindings.values})


def _cut_out(question: Question, bindings: Bindings) -> list[str]:
    skip = [f"OFFSET {bindings.add(question.skip)}"] if question.skip else []
    return [f"LIMIT {bindings.add(question.limit)}", *skip]


def _told_apart(question: Question, bindings: Bindings, idiom: Idiom) -> dict[str, tuple[Identity, str]]:
    """Joins that leave out, before the run is looked up, those whose params and tags are others than the wanted: what
    each is called, and whose rows it meets."""
    kinds = {Kind.PARAM: "param", Kind.TAG: question.table.tags}
    wanted = [each for each in question.filter if each.op is Op.EQ and each.field.kind in kinds]
    return {
        f"wanted{number}": (
            (each.field.kind, each.field.key),
            f"{idiom.onward} {kinds[each.field.kind]} AS wanted{number} ON wanted{number}.run_key = walked.run_key"
            f" AND wanted{number}.name = {bindings.add(each.field.key)}"
            f" AND wanted{number}.value = {bindings.add(each.value)}",
        )
        for number, each in enumerate(wanted)
    }


def _walkable(field: Field, metric_ids: Mapping[str, int]) -> bool:
    return field.kind is Kind.METRIC and field.aggregate is Aggregate.LAST and field.key in metric_ids


def _among_numbers(question: Question) -> bool:
    """Whether the page does not begin behind the numbers of what it is sorted by."""
    first = 0 if question.after is None else question.after[0]
    return isinstance(first, int) and first < MISSING - 1


def _how_many(conn: Connection, question: Question) -> tuple[bool, int]:
    """Whether there are many runs in scope, and about how many there are in all: as many as ever were."""
    few = f"SELECT 1 FROM run WHERE {' AND '.join(question.scope)} LIMIT {MANY}"
    count = f"CASE WHEN newest.key < {MANY} THEN 0 ELSE (SELECT count(*) FROM ({few}) AS few) END"
    sql = f"SELECT {count}, newest.key FROM (SELECT coalesce(max(key), 0) AS key FROM run) AS newest"
    ((count, runs),) = fetch(conn, sql, question.scope_values)
    return bool(count >= MANY), int(runs)


def _count(conn: Connection, walk: Walk, most: int, idiom: Idiom) -> int:
    bindings = Bindings(idiom)
    wheres = " AND ".join(_bounds(walk, bindings))
    source = f"run_metric AS walked{idiom.indexed.format('run_metric_by_value')}"
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {source} WHERE {wheres} LIMIT {bindings.add(most)}) AS few"
    ((count,),) = fetch(conn, sql, bindings.values)
    return int(count)


def _bounds(walk: Walk, bindings: Bindings) -> list[str]:
    metric = f"walked.metric_id = {bindings.add(walk.metric_id)}"
    return [metric, *(by_value_key(_VALUE, each.op, each.value, bindings) for each in walk.bounds)]


def _within(walk: Walk, question: Question, bindings: Bindings) -> list[str]:
    """Where the walk begins and ends."""
    wheres = _bounds(walk, bindings)
    if not walk.ordered:
        return wheres
    falling = question.order[0].descending
    if falling:
        wheres.append(f"{_VALUE} < {NAN_KEY}")
    if question.after is not None:
        first = question.after[0]
        assert isinstance(first, int), "the position was looked at"
        wheres.append(f"{_VALUE} {'<=' if falling else '>='} {bindings.add(~first if falling else first)}")
    return wheres
