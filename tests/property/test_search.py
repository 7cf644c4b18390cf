"""The filter compiler of the embedded engine finds and sorts the same rows as plain Python does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filter_strategies import KEYS, NUMBERS, PATTERNS, TEXTS, TIMES, VALUES, duration, filters, orders
from stepwell.core.filter_match import RowValues, matches, sort_rows
from stepwell.core.filters import (
    DATASET_KEYS,
    EXPERIMENTS,
    LIST_OPS,
    NULL_OPS,
    RUNS,
    Aggregate,
    Comparison,
    Field,
    Filter,
    Kind,
    Op,
    OrderBy,
    Schema,
    complete_order,
)
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
from stepwell.storage.catalog import experiments, records, runs, searching, series, summaries, walking
from stepwell.storage.catalog.live import Live
from stepwell.storage.embedded import tables

pytestmark = pytest.mark.slow  # thousands of searches: the engine part asks them

FEW = KEYS[:2]  # names, so that filters meet rows
MOST = 500  # rows, more than any test makes: a search that never ends is cut here


@pytest.fixture(scope="module", autouse=True, params=["plain", "few", "walk"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every search is asked in each of the ways that go to the runs, however few there are."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "plain":
            patch.setattr(walking, "MANY", 0)
        if request.param == "walk":
            patch.setattr(walking, "FEW", 0)
            patch.setattr(walking, "FEWER", 0)
        yield request.param


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
    return st.fixed_dictionaries({}, optional=dict.fromkeys(FEW, st.sampled_from(TEXTS)))


@st.composite
def some_runs(draw: st.DrawFn) -> SomeRun:
    rows = st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(VALUES)), min_size=1, max_size=4, unique_by=repr
    )
    names = [(metric, labels) for metric in FEW for labels in LABELS]
    found = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, rows)))
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
    tables.register(conn)
    tables.create(conn)
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
        other = Record(
            kind="other", id=run.new.id, body="", parent=run.new.id, indexed={"name": "ab"}, created_at=1, updated_at=1
        )
        used = [
            Record(
                kind="dataset_input",
                id=f"{run.new.id}/{n}",
                body="{}",
                parent=run.new.id,
                unique={"context": f"{run.new.id}/{n}"},
                indexed=dataset,
                created_at=n,
                updated_at=n,
            )
            for n, dataset in enumerate(run.datasets)
        ]
        records.put(conn, "w", [other, *used])
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
            "duration": duration(run.new.start_time, run.end_time),
        },
        datasets=tuple(run.datasets),
    )


def visible(visibility: Visibility, lifecycle: Lifecycle) -> bool:
    return visibility is Visibility.ALL or visibility.value == lifecycle.value


def seen(some: Sequence[SomeRun]) -> list[tuple[SomeRun, RowValues]]:
    return [(run, values_of(run)) for run in some]


def expected_runs(some: Sequence[tuple[SomeRun, RowValues]], query: RunQuery) -> list[Any]:
    rows = [
        values
        for run, values in some
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
        plan = searching.plan_search(conn, "w", replace(query, after=after))
        page = searching.find_runs(conn, plan, of_plan(plan, wanted))
        assert len(page.keys) <= query.limit
        made = runs.read(conn, "w", page.keys)
        found += [made[key].id for key in page.keys]
        if page.after is None:
            return found
        after = page.after
    return found


def of_plan(plan: searching.Plan | None, live: Sequence[Live]) -> list[Live]:
    """What a store takes along of what is live."""
    among = None if plan is None else plan.among
    return [each for each in live if among is None or each.run_key in among]


def among_few(field: Field) -> Field:
    """The same field, but of the names that the rows have."""
    return replace(field, key=FEW[KEYS.index(field.key) % len(FEW)]) if field.key in KEYS else field


def dense_filters(schema: Schema = RUNS) -> st.SearchStrategy[Filter]:
    return filters(schema, max_size=2).map(
        lambda conditions: tuple(replace(each, field=among_few(each.field)) for each in conditions)
    )


def dense_orders(schema: Schema = RUNS) -> st.SearchStrategy[tuple[OrderBy, ...]]:
    return orders(schema).map(lambda order: tuple(replace(by, field=among_few(by.field)) for by in order))


@st.composite
def run_queries(draw: st.DrawFn) -> RunQuery:
    return RunQuery(
        experiment_ids=draw(st.sampled_from([None, (0,), (1,), (0, 1), (7,), ()])),
        filter=draw(dense_filters()),
        order=draw(dense_orders()),
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
    rows = seen(some)
    for query in queries:
        expected = expected_runs(rows, query)
        assert found_runs(conn, query, live) == expected
        plan = searching.plan_count(conn, "w", query)
        assert searching.count_runs(conn, plan, of_plan(plan, live)) == len(expected)
        skipping = replace(query, skip=2, limit=MOST)
        assert found_runs(conn, skipping, live) == expected[2:]


def varied_runs() -> list[SomeRun]:
    """Runs in which every value meets many others: the lists repeat after numbers of runs without a common factor."""
    values = [*VALUES, None]
    texts: list[str | None] = [*TEXTS, None]
    times = [*TIMES, None]
    some = []
    for n in range(104):
        value, text, time = values[n % 13], texts[n % 16], times[n % len(times)]
        names = [("loss", LABELS[0]), ("loss", LABELS[1])][: 1 + n % 2]
        rows = (
            {}
            if value is None
            else {name: [(1, k, value), (2, k, values[n % 12] or 1.0)][: 1 + n % 3] for k, name in enumerate(names)}
        )
        some.append(
            SomeRun(
                new=NewRun(
                    id=f"{n * 37 % 104:03}",
                    experiment_id=0,
                    name=TEXTS[n % 15],
                    user=TEXTS[n % 7],
                    status=list(Status)[n % 5],
                    origin="test",
                    start_time=time,
                    params={} if text is None else {"loss": text},
                    tags={} if text is None else {"loss": text + "x"},
                    at=1,
                ),
                end_time=times[n % 5],
                lifecycle=Lifecycle.ACTIVE,
                series=rows,
                live=frozenset(list(rows)[: n % 4]),
                datasets=[{"name": TEXTS[n % 15], "digest": TEXTS[n % 4]}][: n % 3],
            )
        )
    return some


VARIED = varied_runs()
SEEN = seen(VARIED)
FIELDS = [
    *(Field(kind=Kind.METRIC, key="loss", aggregate=aggregate) for aggregate in Aggregate),
    *(Field(kind=kind, key="loss") for kind in (Kind.PARAM, Kind.TAG)),
    *(Field(kind=Kind.ATTRIBUTE, key=attribute.name) for attribute in RUNS.attributes),
]
DATASETS = [Field(kind=Kind.DATASET, key=key) for key in DATASET_KEYS]


def told(field: Field) -> str:
    return f"{field.kind}.{field.key}.{field.aggregate}"


@pytest.fixture(scope="module")
def varied() -> tuple[apsw.Connection, list[Live]]:
    conn = database()
    return conn, store(conn, VARIED)


def operands(field: Field, op: Op, schema: Schema = RUNS) -> list[Any]:
    """What a field may be compared with: everything that makes a difference."""
    if op in NULL_OPS:
        return [None]
    if op in LIST_OPS:
        return [("a",), TEXTS[:5], ("000", "001", "none")]
    if schema.is_numeric(field):
        numbers: list[Any] = [*NUMBERS, 1.5, 2.0]
        return numbers if field.kind is Kind.METRIC else [*numbers, *TIMES]
    return [*TEXTS, "003", "00_", "RUNNING", "1", "01", "1%", *(PATTERNS if op in {Op.LIKE, Op.ILIKE} else ())]


@pytest.mark.parametrize("field", [*FIELDS, *DATASETS], ids=told)
def test_every_comparison_means_what_it_means_in_python(varied: tuple[apsw.Connection, list[Live]], field: Field):
    conn, live = varied
    for op in sorted(RUNS.ops(field)):
        for value in operands(field, op):
            query = RunQuery(filter=(Comparison(field=field, op=op, value=value),), limit=500)
            assert found_runs(conn, query, live) == expected_runs(SEEN, query), query.filter


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("field", FIELDS, ids=told)
def test_every_order_is_that_of_python_page_by_page(
    varied: tuple[apsw.Connection, list[Live]], field: Field, descending: bool
):
    conn, live = varied
    for limit in (1, 7, 500):
        query = RunQuery(order=(OrderBy(field=field, descending=descending),), limit=limit)
        assert found_runs(conn, query, live) == expected_runs(SEEN, query)
        rest = OrderBy(field=Field(kind=Kind.ATTRIBUTE, key="status"), descending=not descending)
        mixed = replace(query, order=(rest, *query.order))
        assert found_runs(conn, mixed, live) == expected_runs(SEEN, mixed)


def test_every_comparison_of_experiments_means_what_it_means_in_python():
    conn = database()
    for n, name in enumerate(TEXTS):
        tags = {} if n % 3 == 0 else {"loss": TEXTS[-n]}
        experiments.create(conn, "w", NewExperiment(name=name, tags=tags, at=n % 4 - 1))
    rows = [experiment_values(experiments.get(conn, "w", id=number)) for number in range(len(TEXTS) + 1)]
    fields = [Field(kind=Kind.ATTRIBUTE, key=attribute.name) for attribute in EXPERIMENTS.attributes]
    for field in [*fields, Field(kind=Kind.TAG, key="loss")]:
        for op in sorted(EXPERIMENTS.ops(field)):
            for value in operands(field, op, EXPERIMENTS):
                conditions = (Comparison(field=field, op=op, value=value),)
                found = found_experiments(conn, ExperimentQuery(filter=conditions, limit=100))
                expected = [row.attributes["experiment_id"] for row in rows if matches(conditions, row)]
                assert sorted(found) == sorted(map(str, expected)), conditions


@st.composite
def some_experiments(draw: st.DrawFn) -> tuple[str, int, dict[str, str], Lifecycle]:
    lifecycle = draw(st.sampled_from([Lifecycle.ACTIVE, Lifecycle.ACTIVE, Lifecycle.DELETED]))
    return draw(st.sampled_from([*TEXTS, *map(str, range(10))])), draw(st.integers(1, 3)), draw(texts()), lifecycle


@given(
    some=st.lists(some_experiments(), max_size=12, unique_by=lambda one: one[0]),
    conditions=dense_filters(EXPERIMENTS),
    order=dense_orders(EXPERIMENTS),
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
