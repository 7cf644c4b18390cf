"""Searches of runs: filters, orders and pages over what waits in memory and what is stored, while others write."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import pytest

from filter_strategies import KEYS, TIMES, duration
from stepwell.core.filter_match import RowValues, matches, sort_rows
from stepwell.core.filters import RUNS, Aggregate, Comparison, Field, Kind, Op, OrderBy, complete_order
from stepwell.core.model import (
    ALL_COLUMNS,
    NO_COLUMNS,
    Columns,
    ExperimentQuery,
    Lifecycle,
    NewExperiment,
    NewRun,
    RunQuery,
    RunWrite,
    Status,
    Visibility,
)
from stepwell.core.page import Position
from stepwell.core.store import Store
from stores import NOW, Shelf, W, add, batch, change, make_runs, new_run, search, search_ids

VALUES = (0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -2.5, 1.5)


def metric(key: str = "loss", aggregate: Aggregate = Aggregate.LAST) -> Field:
    return Field(kind=Kind.METRIC, key=key, aggregate=aggregate)


def param(key: str) -> Field:
    return Field(kind=Kind.PARAM, key=key)


def tag(key: str) -> Field:
    return Field(kind=Kind.TAG, key=key)


def attribute(key: str) -> Field:
    return Field(kind=Kind.ATTRIBUTE, key=key)


def where(field: Field, op: Op, value: str | float | tuple[str, ...] | None = None) -> Comparison:
    return Comparison(field=field, op=op, value=value)


FILTERS = [
    (),
    (where(metric(), Op.GT, 0.0),),
    (where(metric(), Op.EQ, 0.0),),
    (where(metric(), Op.NE, 1.5),),
    (where(metric(), Op.LE, -2.5),),
    (where(metric("loss", Aggregate.MIN), Op.LT, 0.0),),
    (where(metric("loss", Aggregate.MAX), Op.GE, 1.5),),
    (where(metric("loss", Aggregate.MEAN), Op.GT, 0.5),),
    (where(metric("loss", Aggregate.COUNT), Op.EQ, 2.0),),
    (where(metric("none"), Op.NE, 0.0),),
    (where(param("lr"), Op.EQ, "1"),),
    (where(param("lr"), Op.NE, "1"),),
    (where(param("lr"), Op.LIKE, "%1"),),
    (where(param("lr"), Op.IS_NULL),),
    (where(tag("it's"), Op.ILIKE, "V%"), where(param("lr"), Op.IS_NOT_NULL)),
    (where(attribute("status"), Op.EQ, "FAILED"),),
    (where(attribute("run_id"), Op.IN, ("s03", "s07", "none")),),
    (where(attribute("run_id"), Op.NOT_IN, ("s03", "s07", "none")),),
    (where(attribute("start_time"), Op.GT, 3), where(attribute("run_name"), Op.LIKE, "n_m_%")),
    (where(attribute("end_time"), Op.LT, 100),),
]
ORDERS = [
    (),
    (OrderBy(field=metric()),),
    (OrderBy(field=metric(), descending=True),),
    (OrderBy(field=metric("loss", Aggregate.MEAN)), OrderBy(field=attribute("run_id"), descending=True)),
    (OrderBy(field=metric("loss", Aggregate.COUNT), descending=True), OrderBy(field=metric())),
    (OrderBy(field=param("lr")), OrderBy(field=tag("it's"), descending=True)),
    (OrderBy(field=attribute("status")), OrderBy(field=attribute("start_time"))),
    (OrderBy(field=attribute("end_time"), descending=True),),
]


def some(number: int) -> tuple[NewRun, list[float]]:
    """A run and its values, with something missing now and then."""
    new = new_run(
        f"s{number:02}",
        name=f"name{number % 3}",
        status=list(Status)[number % 5],
        start_time=number % 7 if number % 4 else None,
        params={"lr": str(number % 12)} if number % 3 else {},
        tags={"it's": f"v{number % 5}"} if number % 2 else {},
    )
    return new, [VALUES[number % 8], VALUES[number * 3 % 8]][: number % 3]


def values_of(row: NewRun, losses: list[float]) -> RowValues:
    finite = [value for value in losses if math.isfinite(value)]
    numbers = {
        Aggregate.LAST: losses[-1] if losses else math.nan,
        Aggregate.MIN: min(finite, default=math.nan),
        Aggregate.MAX: max(finite, default=math.nan),
        Aggregate.MEAN: sum(finite) / len(finite) if finite else math.nan,
        Aggregate.COUNT: float(len(losses)),
    }
    return RowValues(
        metrics={"loss": numbers} if losses else {},
        params=row.params,
        tags=row.tags,
        attributes={
            "run_id": row.id,
            "run_name": row.name,
            "status": row.status.value,
            "start_time": row.start_time,
            "end_time": None,
            "duration": None,
        },
    )


@pytest.mark.parametrize("flushed", ["never", "half", "all", "reopened", "labels"])
def test_a_search_finds_and_sorts_as_the_rules_say(shelf: Shelf, flushed: str):
    """What is stored, what waits in memory, and runs with some of both answer alike."""
    rows = [some(number) for number in range(40)]
    store = shelf.store
    store.create_runs(workspace=W, new=[new for new, _ in rows])
    for step in range(2):
        for number, (new, losses) in enumerate(rows):
            if step < len(losses):
                labels = (("w", str(step)),) if flushed == "labels" else ()
                add(store, [(step, 0, losses[step])], new.id, labels=labels)
            if flushed in {"half", "labels"} and step == number % 2 and number == 20:
                store.flush()
    if flushed in {"all", "reopened"}:
        store.flush()
    if flushed == "reopened":
        store = shelf.revive()
    known = [values_of(*row) for row in rows]
    for conditions in FILTERS:
        for order in ORDERS:
            kept = [row for row in known if matches(conditions, row)]
            wanted = sort_rows(kept, complete_order(order, schema=RUNS), schema=RUNS)
            for page in (3, 100):
                found = search_ids(store, filter=conditions, order=order, page=page)
                assert found == [row.attributes["run_id"] for row in wanted], (conditions, order)


@pytest.mark.parametrize("descending", [False, True])
def test_runs_are_found_and_sorted_by_how_long_they_took(store: Store, *, descending: bool):
    """One that never began or ended is in no comparison and comes last; no difference of times is too large."""
    times = (None, 5, *TIMES)
    known: list[RowValues] = []
    for start in times:
        for end in times:
            run_id = f"from {start} to {end}"
            store.create_runs(workspace=W, new=[new_run(run_id, start_time=start)])
            change(store, run_id, end_time=end)
            took = duration(start, end)
            known.append(RowValues(attributes={"run_id": run_id, "start_time": start, "duration": took}))
    some = where(attribute("run_id"), Op.LIKE, "from%")
    order = (OrderBy(field=attribute("duration"), descending=descending),)
    wanted = sort_rows(known, complete_order(order, schema=RUNS), schema=RUNS)
    for page in (7, 500):
        found = search_ids(store, filter=(some,), order=order, page=page)
        assert found == [row.attributes["run_id"] for row in wanted]
    for op in (Op.GT, Op.GE, Op.EQ, Op.NE, Op.LT, Op.LE):
        for value in (*TIMES, 0.5, 1e19, -1e19):
            conditions = (where(attribute("duration"), op, value),)
            kept = [row.attributes["run_id"] for row in wanted if matches(conditions, row)]
            assert search_ids(store, filter=(some, *conditions), order=order, page=500) == kept, conditions


def test_a_page_brings_what_was_asked_for(store: Store):
    make_runs(store, *(f"p{n}" for n in range(5)))
    for number in range(5):
        change(store, f"p{number}", params={key: key for key in KEYS if key}, set_tags={"t": str(number)})
        for name in ("b", "a"):
            add(store, [(1, 1, float(number))], f"p{number}", metric=name)
        if number == 2:
            store.flush()
    order = (OrderBy(field=metric("a")),)
    columns = Columns(metrics=("b",), params=("ß",), tags=None)
    rows = search(store, order=order, columns=columns, page=2)[:5]
    assert [row.run.id for row in rows] == [f"p{n}" for n in range(5)]
    for number, row in enumerate(rows):
        assert row.metrics["b"].last.value == number
        assert (list(row.metrics), row.params, row.tags) == (["b"], {"ß": "ß"}, {"t": str(number)})
    for number, row in enumerate(search(store, order=order, columns=Columns(last=True), page=2)[:5]):
        assert (row.metrics, row.last.metrics, row.last.values) == ({}, ["a", "b"], [number, number])
    full = search(store, columns=ALL_COLUMNS, order=order)[0]
    assert list(full.params) == sorted(KEYS)
    assert list(full.metrics) == ["a", "b"]


def test_experiments_and_visibility_scope_a_search(store: Store):
    number = store.create_experiment(workspace=W, new=NewExperiment(name="e", at=NOW)).id
    store.create_runs(workspace=W, new=[new_run("in", experiment_id=number), new_run("gone", experiment_id=number)])
    change(store, "gone", lifecycle=Lifecycle.DELETED)
    assert search_ids(store, experiment_ids=(number,)) == ["in"]
    assert search_ids(store, experiment_ids=(number,), visibility=Visibility.DELETED) == ["gone"]
    assert search_ids(store, experiment_ids=(number,), visibility=Visibility.ALL) == ["gone", "in"]
    assert search_ids(store, experiment_ids=(0, number)) == ["in", "r1"]
    assert search_ids(store, experiment_ids=(0, 99)) == ["r1"]
    assert search_ids(store, experiment_ids=()) == []
    assert search_ids(store, workspace="elsewhere") == []


def test_a_page_that_is_exactly_full_is_the_last_one(store: Store):
    make_runs(store, "r2")
    page = store.search_runs(workspace=W, query=RunQuery(limit=2, columns=NO_COLUMNS))
    assert len(page.items) == 2
    assert page.after is None


@pytest.mark.parametrize("flush", [False, True])
def test_a_search_is_counted(store: Store, *, flush: bool):
    number = store.create_experiment(workspace=W, new=NewExperiment(name="e", at=NOW)).id
    store.create_runs(
        workspace=W, new=[new_run(f"c{n}", experiment_id=number, params={"k": f"{n % 3}"}) for n in range(9)]
    )
    change(store, "c8", lifecycle=Lifecycle.DELETED)
    add(store, [(1, 0, 0.5)], "c0")
    add(store, [(1, 0, 2.5)], "c1")
    if flush:
        store.flush()
    add(store, [(2, 0, 3.5)], "c0")

    def count(workspace: str = W, **query: object) -> int:
        asked = RunQuery(**{"limit": 1, "experiment_ids": (number,), **query})  # type: ignore[arg-type]
        return store.count_runs(workspace=workspace, query=asked)

    assert count() == 8
    assert count(experiment_ids=None) == 9  # r1 is in another experiment
    assert count(experiment_ids=()) == count("elsewhere") == 0
    assert count(visibility=Visibility.ALL) == 9
    assert count(visibility=Visibility.DELETED) == 1
    assert count(filter=(where(param("k"), Op.EQ, "2"),)) == 2
    assert count(filter=(where(metric(), Op.GT, 2.0),)) == 2
    assert count(filter=(where(metric("loss", Aggregate.COUNT), Op.GE, 2.0),)) == 1
    first = store.search_runs(workspace=W, query=RunQuery(experiment_ids=(number,), limit=2))
    assert count(after=first.after, skip=5, limit=2, order=(OrderBy(field=metric()),)) == 8


def test_rows_can_be_skipped(store: Store):
    make_runs(store, *(f"s{n}" for n in range(6)))
    query = RunQuery(limit=2, filter=(where(attribute("run_id"), Op.LIKE, "s%"),), columns=NO_COLUMNS)

    def page(**more: object) -> tuple[list[str], Position | None]:
        found = store.search_runs(workspace=W, query=replace(query, **more))  # type: ignore[arg-type]
        return [row.run.id for row in found.items], found.after

    every = search_ids(store, filter=query.filter)
    assert len(every) == 6
    first, after = page(skip=1)
    assert first == every[1:3]
    assert page(after=after)[0] == every[3:5]
    assert page(after=after, skip=1)[0] == every[4:]
    assert page(skip=4) == (every[4:], None)
    assert page(skip=6) == page(skip=2**63 - 1) == ([], None)


def test_a_search_sees_a_write_as_soon_as_it_is_acknowledged(store: Store):
    conditions = (where(metric(), Op.GT, 0.0),)
    for number in range(40):
        value = float(number % 3 - 1)
        add(store, [(number, 0, value)])
        assert search_ids(store, filter=conditions) == (["r1"] if value > 0 else [])
        if number % 7 == 0:
            store.flush()


@pytest.mark.parametrize("field", [metric(), attribute("end_time"), tag("t")], ids=["metric", "attribute", "tag"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_while_others_write_bring_what_stays_exactly_once(store: Store, field: Field, descending: bool):
    """Half of the runs change their place in the order between the pages."""
    still = [f"still-{n:02}" for n in range(30)]
    moving = [f"moving-{n:02}" for n in range(30)]
    make_runs(store, *still, *moving)
    for number, run_id in enumerate(still + moving):
        key = number * 7 % 60
        change(store, run_id, points=batch([(0, 0, float(key))]), end_time=key, set_tags={"t": f"{key:02}"})
    store.flush()
    stop = threading.Event()

    def shuffle() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            run_id, key = moving[turn % 30], turn * 11 % 60
            change(store, run_id, points=batch([(turn, 0, float(key))]), end_time=key, set_tags={"t": f"{key:02}"})
            if turn % 50 == 0:
                store.flush()

    thread = threading.Thread(target=shuffle)
    thread.start()
    try:
        for _ in range(5):
            found = search_ids(store, order=(OrderBy(field=field, descending=descending),), page=7)
            assert [run_id for run_id in sorted(found) if run_id in still] == still
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("order", [(), (OrderBy(field=attribute("run_id")),)], ids=["default", "by id"])
def test_pages_while_others_write_bring_each_run_at_most_once(store: Store, order: tuple[OrderBy, ...]):
    """Where the order does not change: runs are written to, made, deleted and purged between the pages."""
    ids = [f"m{n:02}" for n in range(20)]
    store.create_runs(workspace=W, new=[new_run(run_id, start_time=n // 3) for n, run_id in enumerate(ids)])
    query = RunQuery(order=order, filter=(where(attribute("run_id"), Op.LIKE, "m%"),), limit=3, columns=NO_COLUMNS)
    found: list[str] = []
    after: Position | None = None
    for turn in range(20):
        page = store.search_runs(workspace=W, query=replace(query, after=after))
        found += [row.run.id for row in page.items]
        after = page.after
        if after is None:
            break
        add(store, [(turn, 0, float(turn))], found[-1])
        change(store, found[-1], set_tags={"turn": str(turn)}, end_time=turn)
        store.purge_runs(workspace=W, run_ids=[found[-2]])
        store.create_runs(workspace=W, new=[new_run(f"m-new-{turn}", start_time=turn // 2)])
    assert len(found) == len(set(found))
    assert set(ids) <= set(found)


def test_experiments_are_searched_in_pages(store: Store):
    for number in range(7):
        new = NewExperiment(name=f"e{number}", tags={"t": str(number % 2)}, at=NOW + number // 2)
        store.create_experiment(workspace=W, new=new)
    found: list[int] = []
    after: Position | None = None
    while True:
        query = ExperimentQuery(limit=2, after=after, filter=(where(tag("t"), Op.EQ, "0"),))
        page = store.search_experiments(workspace=W, query=query)
        found += [each.id for each in page.items]
        after = page.after
        if after is None:
            break
    assert found == [7, 5, 3, 1]


def test_a_write_between_two_pages_is_no_reason_to_lose_others(store: Store):
    make_runs(store, *(f"q{n}" for n in range(9)))
    query = RunQuery(limit=4, columns=NO_COLUMNS)
    page = store.search_runs(workspace=W, query=query)
    store.purge_runs(workspace=W, run_ids=[page.items[-1].run.id])
    store.write(workspace=W, writes=[RunWrite(run_id="q5", lifecycle=Lifecycle.DELETED, at=NOW)]).result()
    make_runs(store, "a-new-one")
    rest = search(store)
    found = store.search_runs(workspace=W, query=replace(query, limit=100, after=page.after))
    assert [row.run.id for row in found.items] == ["q4", "q6", "q7", "q8", "r1"]
    assert rest[0].run.id == "a-new-one"


@pytest.mark.parametrize("aggregate", Aggregate)
@pytest.mark.parametrize("descending", [False, True])
def test_a_metric_that_nobody_has_finds_and_sorts_nothing(shelf: Shelf, aggregate: Aggregate, descending: bool):
    make_runs(shelf.store, "r1", "r2")
    none = metric("none", aggregate)
    for op in (Op.GT, Op.LE, Op.EQ, Op.NE):
        assert search_ids(shelf.store, filter=(where(none, op, 1.0),)) == []
    by_none = (OrderBy(field=none, descending=descending),)
    assert sorted(search_ids(shelf.store, order=by_none)) == ["r1", "r2"]
