"""Searches: what is asked becomes a statement (search.py), is run, and its rows become a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from stepwell.core.filter_match import RowValues, matches
from stepwell.core.filters import Comparison, Filter, Kind, Op
from stepwell.core.model import NOTHING, Experiment, ExperimentQuery, RunQuery, Visibility
from stepwell.core.page import Page, Position
from stepwell.storage.catalog import experiments, workspaces
from stepwell.storage.catalog.fields import EXPERIMENT, RUN
from stepwell.storage.catalog.live import Live, LiveValues
from stepwell.storage.catalog.search import Question, Statement, compile_count, compile_search
from stepwell.storage.catalog.sql import Connection, Statements, fetch, idiom
from stepwell.storage.catalog.walking import Walk, choose, compile_walk

FEW: Final = 2_000  # runs that equal a value, below which going from the value to the runs beats walking all runs
_SQL: Final = Statements.load("queries.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The keys of a page's rows, and the position after the last of them (None: there are no more)."""

    keys: list[int]
    after: Position | None


def metrics_asked(query: RunQuery) -> frozenset[str]:
    """The metrics that a search compares or sorts by."""
    return metrics_compared(query) | {by.field.key for by in query.order if by.field.kind is Kind.METRIC}


def metrics_compared(query: RunQuery) -> frozenset[str]:
    """The metrics that decide which runs are found."""
    return frozenset(each.field.key for each in query.filter if each.field.kind is Kind.METRIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How runs are looked for. It holds in later snapshots too. `metric_ids`: of the metrics asked, those stored.

    among: keys of the only runs that may be found; None for all. walk: what to try before all of these are looked at.
    """

    question: Question
    metric_ids: Mapping[str, int]
    among: frozenset[int] | None
    walk: Walk | None


def plan_search(conn: Connection, workspace: str, query: RunQuery) -> Plan | None:
    """How to find a page of runs; None where there are none."""
    workspace_key = workspaces.find(conn, workspace)
    if workspace_key is None:
        return None
    question, metric_ids = _asked(conn, workspace_key, query)
    walk = choose(conn, question, metric_ids, idiom(conn))
    plan = Plan(question=question, metric_ids=metric_ids, among=None, walk=walk)
    return plan if walk is not None else _of_few(conn, plan)


def plan_count(conn: Connection, workspace: str, query: RunQuery) -> Plan | None:
    """How to count runs; None where there are none."""
    workspace_key = workspaces.find(conn, workspace)
    if workspace_key is None:
        return None
    question, metric_ids = _asked(conn, workspace_key, query)
    return _of_few(conn, Plan(question=question, metric_ids=metric_ids, among=None, walk=None))


def may_be_few(query: RunQuery) -> bool:
    """Whether a plan can say which runs may be found."""
    return any(map(_by_index, query.filter))


def find_runs(conn: Connection, plan: Plan | None, live: Sequence[Live]) -> Found:
    """The runs of a page. `live`: the live series, of the runs that may be found, of the metrics asked; taken before
    the snapshot, and where these runs are few after the plan was made."""
    if plan is None:
        return Found(keys=[], after=None)
    limit = plan.question.limit - 1
    if plan.walk is not None:
        found = _page(conn, compile_walk(plan.question, plan.walk, **_values(conn, plan, live)), limit)
        if plan.walk.whole or found.after is not None:
            return found
        plan = _of_few(conn, plan)
    return _page(conn, runs_statement(conn, plan, live), limit)


def count_runs(conn: Connection, plan: Plan | None, live: Sequence[Live]) -> int:
    """How many runs all pages have together. `live` as for `find_runs`, of the metrics compared."""
    if plan is None:
        return 0
    statement = runs_statement(conn, plan, live, compiler=compile_count)
    ((count,),) = fetch(conn, statement.sql, statement.bindings)
    return int(count)


def runs_statement(
    conn: Connection, plan: Plan, live: Sequence[Live], *, compiler: Callable[..., Statement] = compile_search
) -> Statement:
    """The statement that looks at every run that may be found; its limit is one more than the page's, to see whether
    there are more.
    """
    return compiler(plan.question, among=plan.among, **_values(conn, plan, live))


def _of_few(conn: Connection, plan: Plan) -> Plan:
    """A plan that begins with the runs that equal a value, where these are few. What they equal need not be asked once
    more where it stays: a param does, a tag may be another by then."""
    question = plan.question
    met, among = _few(conn, question.filter)
    if met is not None and met.field.kind is Kind.PARAM:
        question = replace(question, filter=tuple(each for each in question.filter if each is not met))
    return replace(plan, question=question, among=among)


def _values(conn: Connection, plan: Plan, live: Sequence[Live]) -> dict[str, Any]:
    """The metrics of a question, as compilers take them: ids of those that are stored, and what is live."""
    if plan.among is not None:
        live = [series for series in live if series.run_key in plan.among]
    return {"metric_ids": plan.metric_ids, "live": LiveValues(conn, live) if live else None, "idiom": idiom(conn)}


def _asked(conn: Connection, workspace_key: int, query: RunQuery) -> tuple[Question, dict[str, int]]:
    scope = ["run.workspace_key = :workspace_key", *_visible("run", query.visibility)]
    values: dict[str, int | str] = {"workspace_key": workspace_key}
    if query.experiment_ids is not None and len(query.experiment_ids) == 1:
        scope.append("run.experiment_id = :experiment_id")
        values["experiment_id"] = query.experiment_ids[0]
    elif query.experiment_ids is not None:
        scope.append(f"run.experiment_id IN (SELECT value FROM {idiom(conn).numbers}(:experiment_ids))")
        values["experiment_ids"] = json.dumps(query.experiment_ids)
    question = Question(
        table=RUN,
        scope=scope,
        scope_values=values,
        filter=query.filter,
        order=query.order,
        after=query.after,
        skip=query.skip,
        limit=query.limit + 1,
    )
    ids = {metric: _SQL.one(conn, "metric_id", (metric,)) for metric in metrics_asked(query)}
    return question, {metric: row[0] for metric, row in ids.items() if row is not None}


def find_experiments(conn: Connection, workspace: str, query: ExperimentQuery) -> Page[Experiment]:
    """A page of experiments. A workspace without a write has its experiment 0 alone."""
    workspace_key = workspaces.find(conn, workspace)
    if workspace_key is None:
        return Page(items=_untouched(workspace, query))
    question = Question(
        table=EXPERIMENT,
        scope=["experiment.workspace_key = :workspace_key", *_visible("experiment", query.visibility)],
        scope_values={"workspace_key": workspace_key},
        filter=query.filter,
        order=query.order,
        after=query.after,
        limit=query.limit + 1,
    )
    found = _page(conn, compile_search(question, metric_ids={}, idiom=idiom(conn)), query.limit)
    return Page(items=_experiments(conn, workspace, workspace_key, found.keys), after=found.after)


def _page(conn: Connection, statement: Statement, limit: int) -> Found:
    rows = fetch(conn, statement.sql, statement.bindings)
    shown = rows[:limit]
    return Found(keys=[row[0] for row in shown], after=shown[-1][1:] if len(rows) > limit else None)


def _few(conn: Connection, conditions: Filter) -> tuple[Comparison | None, frozenset[int] | None]:
    """The comparison that the fewest runs meet, when they are few, and their keys. What is few is told by the index,
    which of a long value knows the beginning."""
    best, keys, fewest = None, None, FEW
    for each in conditions:
        if _by_index(each):
            statement = "runs_of_param" if each.field.kind is Kind.PARAM else "runs_of_tag"
            rows = _SQL.all(conn, statement, {"name": each.field.key, "value": each.value, "most": fewest})
            if len(rows) < fewest:
                best, keys, fewest = each, frozenset(key for key, is_equal in rows if is_equal), len(rows)
    return best, keys


def _by_index(condition: Comparison) -> bool:
    return condition.op is Op.EQ and condition.field.kind in {Kind.PARAM, Kind.TAG}


def _visible(table: str, visibility: Visibility) -> list[str]:
    if visibility is Visibility.ALL:
        return []
    return [f"{table}.deleted = {int(visibility is Visibility.DELETED)}"]


def _experiments(conn: Connection, workspace: str, workspace_key: int, numbers: Sequence[int]) -> list[Experiment]:
    bindings = {"workspace_key": workspace_key, "ids": json.dumps(numbers)}
    rows = {row[0]: row for row in _SQL.all(conn, "read_experiments", bindings)}
    tags = experiments.tags_of(conn, workspace_key, numbers)
    return [experiments.experiment_of(workspace, rows[number], tags.get(number, NOTHING)) for number in numbers]


def _untouched(workspace: str, query: ExperimentQuery) -> list[Experiment]:
    only = experiments.untouched(workspace)
    values = RowValues(
        attributes={
            "name": only.name,
            "experiment_id": str(only.id),
            "creation_time": only.created_at,
            "last_update_time": only.updated_at,
        }
    )
    hidden = query.visibility is Visibility.DELETED
    return [only] if query.after is None and not hidden and matches(query.filter, values) else []
