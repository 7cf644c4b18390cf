"""The filter compiler of the embedded engine finds and sorts the same rows as plain Python does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filter_strategies import KEYS, TEXTS, TIMES, VALUES, filters, orders
from stepwell.core.filter_match import RowValues, matches, sort_rows
from stepwell.core.filters import DATASET_KEYS, EXPERIMENTS, RUNS, Aggregate, complete_order
from stepwell.core.model import (
    Experiment,
    ExperimentQuery,
    ExperimentWrite,
    Lifecycle,
    NewExperiment,
    NewRun,
    Record,
    RunQuery,
    RunWrite,
    Status,
    Visibility,
)
from stepwell.core.page import Position
from stepwell.core.series import Labels, Order, Points
from stepwell.core.summary import Summary
from stepwell.storage.embedded.catalog import experiments, records, runs, schema, searching, series, summaries
from stepwell.storage.embedded.catalog.live import Live

METRICS = (*KEYS, *KEYS[:3])  # these a little more often
MOST = 50  # rows, more than any test makes: a search that never ends is cut here
LABELS: tuple[Labels, ...] = ((), (("worker", "0"),), (("worker", "1"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class SomeRun:
    """A run as a test makes it: what is stored of it, and which of its series wait in memory."""

    new: NewRun
    end_time: int | None
    lifecycle: Lifecycle
    series: dict[tuple[str, Labels], list[tuple[int, int, float]]]
    live: frozenset[tuple[str, Labels]]
    datasets: list[dict[str, str]]


def texts() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(KEYS), st.sampled_from(TEXTS), max_size=8)


@st.composite
def some_runs(draw: st.DrawFn) -> SomeRun:
    rows = st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(VALUES)), min_size=1, max_size=4, unique_by=repr
    )
    names = st.tuples(st.sampled_from(METRICS), st.sampled_from(LABELS))
    found = draw(st.dictionaries(names, rows, max_size=10))
    return SomeRun(
        new=NewRun(
            id=draw(st.sampled_from("abcdefgh")) + str(draw(st.integers(0, 20))),
            experiment_id=draw(st.sampled_from([0, 1])),
            name=draw(st.sampled_from(TEXTS)),
            user=draw(st.sampled_from(TEXTS)),
            status=draw(st.sampled_from(Status)),
            artifact_uri=draw(st.sampled_from(TEXTS)),
            origin="test",
            start_time=draw(st.sampled_from(TIMES) | st.none()),
            params=draw(texts()),
            tags=draw(texts()),
            at=1,
        ),
        end_time=draw(st.sampled_from(TIMES) | st.none()),
        lifecycle=draw(st.sampled_from([Lifecycle.ACTIVE, Lifecycle.ACTIVE, Lifecycle.DELETED])),
        series=found,
        live=frozenset(draw(st.sets(st.sampled_from(sorted(found))))) if found else frozenset(),
        datasets=draw(st.lists(st.dictionaries(st.sampled_from(DATASET_KEYS), st.sampled_from(TEXTS)), max_size=2)),
    )


def summary_of(rows: Sequence[tuple[int, int, float]]) -> Summary:
    number = np.arange(len(rows), dtype=np.int64)
    points = Points(
        step=np.array([row[0] for row in rows], np.int64),
        time=np.array([row[1] for row in rows], np.int64),
        value=np.array([row[2] for row in rows], np.float64),
        occurrence=np.zeros(len(rows), np.int64),
        arrival=number,
    )
    return Summary.of(points.sorted(Order.KEY))


def database() -> apsw.Connection:
    conn = apsw.Connection(":memory:")
    schema.register(conn)
    schema.create(conn)
    return conn


def store(conn: apsw.Connection, some: Sequence[SomeRun]) -> list[Live]:
    """Put runs into the workspace "w"; what of them is live comes back."""
    live: list[Live] = []
    experiments.create(conn, "w", NewExperiment(name="other", at=1))
    runs.create(conn, "elsewhere", [replace(run.new, experiment_id=0) for run in some])
    for run, (made,) in [(run, runs.create(conn, "w", [run.new])) for run in some]:
        at_end = RunWrite(run_id=run.new.id, end_time=run.end_time, lifecycle=run.lifecycle, at=1)
        runs.apply(conn, "w", at_end)
        all_rows = {name: summary_of(rows) for name, rows in run.series.items()}
        keys = series.ensure(conn, made.key, list(run.series))
        stored = [(key, all_rows[name]) for key, name in zip(keys, run.series, strict=True) if name not in run.live]
        outdated = [
            (key, summary_of(run.series[name][:1]))
            for key, name in zip(keys, run.series, strict=True)
            if name in run.live and len(run.series[name]) > 1
        ]
        summaries.store(conn, stored + outdated)
        live += [Live(made.key, metric, labels, all_rows[metric, labels]) for metric, labels in run.live]
        used = [
            Record(
                kind="dataset_input",
                id=f"{run.new.id}/{n}",
                body="{}",
                parent=run.new.id,
                indexed=dataset,
                created_at=n,
                updated_at=n,
            )
            for n, dataset in enumerate(run.datasets)
        ]
        records.put(conn, "w", used)
    return live


def values_of(run: SomeRun) -> RowValues:
    metrics: dict[str, dict[Aggregate, float]] = {}
    for metric in {metric for metric, _ in run.series}:
        whole = summaries.union({labels: summary_of(rows) for (m, labels), rows in run.series.items() if m == metric})
        metrics[metric] = {
            Aggregate.LAST: whole.last.value,
            Aggregate.MIN: whole.min.value,
            Aggregate.MAX: whole.max.value,
            Aggregate.MEAN: whole.mean,
            Aggregate.COUNT: whole.count,
        }
    return RowValues(
        metrics=metrics,
        params=run.new.params,
        tags=run.new.tags,
        attributes={
            "run_id": run.new.id,
            "run_name": run.new.name,
            "user_id": run.new.user,
            "status": run.new.status.value,
            "artifact_uri": run.new.artifact_uri,
            "start_time": run.new.start_time,
            "end_time": run.end_time,
        },
        datasets=tuple(run.datasets),
    )


def visible(visibility: Visibility, lifecycle: Lifecycle) -> bool:
    return visibility is Visibility.ALL or visibility.value == lifecycle.value


def expected_runs(some: Sequence[SomeRun], query: RunQuery) -> list[Any]:
    rows = [
        values_of(run)
        for run in some
        if visible(query.visibility, run.lifecycle)
        and (query.experiment_ids is None or run.new.experiment_id in query.experiment_ids)
    ]
    kept = [row for row in rows if matches(query.filter, row)]
    ordered = sort_rows(kept, complete_order(query.order, schema=RUNS), schema=RUNS)
    return [row.attributes["run_id"] for row in ordered]


def found_runs(conn: apsw.Connection, query: RunQuery, live: Sequence[Live]) -> list[str]:
    """All pages of a search, one after another."""
    asked = searching.metrics_asked(query)
    wanted = [each for each in live if each.metric in asked]
    found: list[str] = []
    after: Position | None = None
    while len(found) < MOST:
        page = searching.find_runs(conn, "w", replace(query, after=after), wanted)
        assert len(page.keys) <= query.limit
        made = runs.read(conn, "w", page.keys)
        found += [made[key].id for key in page.keys]
        if page.after is None:
            return found
        after = page.after
    return found


@st.composite
def run_queries(draw: st.DrawFn) -> RunQuery:
    return RunQuery(
        experiment_ids=draw(st.sampled_from([None, (0,), (1,), (0, 1), (7,), ()])),
        filter=draw(filters(max_size=2)),
        order=draw(orders()),
        visibility=draw(st.sampled_from(Visibility)),
        limit=draw(st.sampled_from([1, 2, 3, 100])),
    )


@given(
    some=st.lists(some_runs(), min_size=1, max_size=8, unique_by=lambda run: run.new.id),
    queries=st.lists(run_queries(), min_size=1, max_size=6),
)
def test_a_search_of_runs_answers_as_python_does(some: list[SomeRun], queries: list[RunQuery]):
    conn = database()
    live = store(conn, some)
    for query in queries:
        assert found_runs(conn, query, live) == expected_runs(some, query)


@given(
    some=st.lists(some_runs(), min_size=2, max_size=8, unique_by=lambda run: run.new.id),
    order=orders(),
)
def test_an_order_of_runs_is_that_of_python(some: list[SomeRun], order: Any):
    conn = database()
    live = store(conn, some)
    query = RunQuery(order=order, limit=2, visibility=Visibility.ALL)
    assert found_runs(conn, query, live) == expected_runs(some, query)


@st.composite
def some_experiments(draw: st.DrawFn) -> tuple[str, int, dict[str, str], Lifecycle]:
    lifecycle = draw(st.sampled_from([Lifecycle.ACTIVE, Lifecycle.ACTIVE, Lifecycle.DELETED]))
    return draw(st.sampled_from([*TEXTS, *map(str, range(10))])), draw(st.integers(1, 3)), draw(texts()), lifecycle


@given(
    some=st.lists(some_experiments(), max_size=12, unique_by=lambda one: one[0]),
    conditions=filters(EXPERIMENTS, max_size=2),
    order=orders(EXPERIMENTS),
    visibility=st.sampled_from(Visibility),
    limit=st.sampled_from([1, 2, 5]),
)
def test_a_search_of_experiments_answers_as_python_does(
    some: Any, conditions: Any, order: Any, visibility: Visibility, limit: int
):
    conn = database()
    for name, at, tags, lifecycle in some:
        made = experiments.create(conn, "w", NewExperiment(name=name, tags=tags, at=at))
        if lifecycle is Lifecycle.DELETED:
            experiments.apply(conn, "w", ExperimentWrite(id=made.id, lifecycle=lifecycle, at=at + 1))
    every = [experiments.get(conn, "w", id=number) for number in range(len(some) + 1)] if some else []
    every = every or [experiments.get(conn, "w", id=0)]
    rows = [experiment_values(one) for one in every if visible(visibility, one.lifecycle)]
    ordered = sort_rows(
        [row for row in rows if matches(conditions, row)],
        complete_order(order, schema=EXPERIMENTS),
        schema=EXPERIMENTS,
    )
    query = ExperimentQuery(filter=conditions, order=order, visibility=visibility, limit=limit)
    assert found_experiments(conn, query) == [row.attributes["experiment_id"] for row in ordered]


def experiment_values(one: Experiment) -> RowValues:
    return RowValues(
        tags=one.tags,
        attributes={
            "name": one.name,
            "experiment_id": str(one.id),
            "creation_time": one.created_at,
            "last_update_time": one.updated_at,
        },
    )


def found_experiments(conn: apsw.Connection, query: ExperimentQuery) -> list[str]:
    found: list[str] = []
    after: Position | None = None
    while len(found) < MOST:
        page = searching.find_experiments(conn, "w", replace(query, after=after))
        assert len(page.items) <= query.limit
        found += [str(one.id) for one in page.items]
        if page.after is None:
            return found
        after = page.after
    return found
