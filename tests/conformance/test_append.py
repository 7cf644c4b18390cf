"""What makes a point, what is a repeat, and that a write is all or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from stepwell.core.errors import Conflict, NotFound, StepwellError
from stepwell.core.model import ALL_COLUMNS, Event, Lifecycle, PointBatch, Repeats, RunWrite
from stepwell.core.series import INT64_MAX, INT64_MIN, Order, value_key
from stepwell.core.store import Store
from stores import (
    NOW,
    RUN,
    Row,
    Shelf,
    W,
    add,
    batch,
    batch_of,
    change,
    make_runs,
    read_points,
    read_rows,
    rows_told,
    selector,
    told,
)

BETWEEN: dict[str, Callable[[Shelf], object]] = {
    "nothing": lambda shelf: None,
    "flush": lambda shelf: shelf.store.flush(),
    "compact": lambda shelf: shelf.store.compact(),
    "reopen": lambda shelf: shelf.reopen(),
    "kill": lambda shelf: shelf.revive(),
}
between = pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
EDGES: list[Row] = [
    (0, 0, math.nan),
    (0, 0, -0.0),
    (0, 0, 0.0),
    (0, 0, math.inf),
    (0, 0, -math.inf),
    (0, 0, 5e-324),
    (0, 0, 1.7976931348623157e308),
    (INT64_MIN, 0, 1.0),
    (INT64_MAX, 0, 1.0),
    (1, INT64_MIN, 1.0),
    (1, INT64_MAX, 1.0),
    (INT64_MIN, INT64_MIN, -1.0),
    (INT64_MAX, INT64_MAX, -1.0),
]


@between
def test_every_value_step_and_time_comes_back_exactly(shelf: Shelf, store: Store, between: Callable[[Shelf], object]):
    add(store, EDGES)
    between(shelf)
    assert read_rows(shelf.store) == sorted(rows_told(EDGES))
    assert read_rows(shelf.store, order=Order.ARRIVAL) == rows_told(EDGES)


@between
def test_an_exact_repeat_is_stored_once(shelf: Shelf, store: Store, between: Callable[[Shelf], object]):
    rows = [*EDGES, (5, 5, 0.5), (7, 5, 0.5)]
    add(store, rows)
    between(shelf)
    add(shelf.store, rows)
    add(shelf.store, reversed(rows))
    between(shelf)
    add(shelf.store, rows[3:5])
    assert read_rows(shelf.store) == sorted(rows_told(rows))
    assert read_points(shelf.store).occurrence.tolist() == [0] * len(rows)


def test_repeats_inside_a_batch_are_stored_once(store: Store):
    rows = [(1, 1, 0.5), (2, 1, 0.5), (1, 1, 0.5), (1, 1, math.nan), (1, 1, math.nan)]
    add(store, rows)
    assert read_rows(store, order=Order.ARRIVAL) == rows_told([rows[0], rows[1], rows[3]])


def test_repeats_between_two_writes_of_a_request_are_stored_once(store: Store):
    writes = [RunWrite(run_id=RUN, points=batch([(1, 1, 0.5), (n, 2, 1.0)]), at=NOW) for n in (4, 3)]
    store.write(workspace=W, writes=writes).result()
    assert read_rows(store, order=Order.ARRIVAL) == rows_told([(1, 1, 0.5), (4, 2, 1.0), (3, 2, 1.0)])


def test_every_bit_pattern_of_nan_is_one_value(store: Store):
    patterns = np.array([0x7FF8000000000000, 0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8000000000000], np.uint64)
    zeros = np.zeros(4, np.int64)
    series = (("loss", ()),)
    change(
        store, points=PointBatch(series=series, which=zeros, step=zeros, time=zeros, value=patterns.view(np.float64))
    )
    assert read_rows(store) == [(0, 0, value_key(math.nan))]


@between
def test_a_deliberate_repeat_takes_the_next_occurrence(shelf: Shelf, store: Store, between: Callable[[Shelf], object]):
    add(store, [(1, 1, 0.5), (1, 1, 0.5), (2, 2, math.nan)], append=True)
    between(shelf)
    add(shelf.store, [(2, 2, math.nan), (1, 1, 0.5)], append=True)
    between(shelf)
    add(shelf.store, [(1, 1, 0.5), (2, 2, math.nan)])  # a retry finds it there
    add(shelf.store, [(1, 1, 0.5)], append=True)
    found = read_points(shelf.store)
    assert told(found) == rows_told([(1, 1, 0.5)] * 4 + [(2, 2, math.nan)] * 2)
    assert found.occurrence.tolist() == [0, 1, 2, 3, 0, 1]
    (info,) = shelf.store.list_series(workspace=W, run_id=RUN)
    assert info.summary.count == 6
    assert info.summary.repeated_steps


def test_appending_and_retrying_meet_in_one_request(store: Store):
    one = batch([(1, 1, 0.5)])
    writes = [
        RunWrite(run_id=RUN, points=one, repeats=repeats, at=NOW)
        for repeats in (Repeats.APPEND, Repeats.RETRY, Repeats.APPEND, Repeats.RETRY)
    ]
    store.write(workspace=W, writes=writes).result()
    assert read_points(store).occurrence.tolist() == [0, 1]


@between
def test_points_may_come_in_any_order(shelf: Shelf, store: Store, between: Callable[[Shelf], object]):
    rows = [(step * 7 % 50, -step, step / 2) for step in range(50)]
    for part in (rows[30:], rows[:10], rows[10:30]):
        add(shelf.store, part)
        between(shelf)
    assert read_rows(shelf.store) == sorted(rows_told(rows))
    assert read_rows(shelf.store, order=Order.ARRIVAL) == rows_told(rows[30:] + rows[:30])


def test_a_series_is_a_run_a_metric_and_labels(store: Store):
    make_runs(store, "r2")
    series = [("loss", ()), ("loss", (("w", "0"),)), ("loss", (("w", "1"),)), ("Loss", ()), ("loss ", ())]
    for run_id in (RUN, "r2"):
        change(store, run_id, points=batch_of({name: [(1, 1, 0.5)] for name in series}))
    for run_id in (RUN, "r2"):
        infos = store.list_series(workspace=W, run_id=run_id)
        assert [(info.metric, info.labels) for info in infos] == sorted(series)
        assert [info.summary.count for info in infos] == [1] * 5
        for metric, labels in series:
            assert len(read_points(store, selector(run_id, metric, labels))) == 1
    assert len(read_points(store, selector(RUN, "loss"))) == 3


def test_one_write_reaches_many_runs(store: Store):
    make_runs(store, "r2", "r3")
    writes = [RunWrite(run_id=run_id, points=batch([(1, 1, 0.5)]), at=NOW) for run_id in (RUN, "r2", "r3", RUN)]
    store.write(workspace=W, writes=writes).result()
    assert [len(read_points(store, selector(run_id))) for run_id in (RUN, "r2", "r3")] == [1, 1, 1]


def test_writes_of_one_caller_take_effect_in_the_order_of_the_calls(store: Store):
    futures = []
    for number in range(200):
        write = RunWrite(run_id=RUN, points=batch([(-number, 0, 0.0)]), set_tags={"n": str(number)}, at=number)
        futures.append(store.write(workspace=W, writes=[write]))
    for future in futures:
        future.result()
    assert read_points(store, order=Order.ARRIVAL).step.tolist() == [-n for n in range(200)]
    (row,) = store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    assert row.tags == {"n": "199"}
    assert row.run.updated_at == 199


# All or nothing ------------------------------------------------------------------------------------------------------

POINT = batch([(9, 9, 9.0)])
BAD: dict[str, tuple[RunWrite, type[StepwellError]]] = {
    "an unknown run": (RunWrite(run_id="none", points=POINT, at=NOW), NotFound),
    "an unknown run, without points": (RunWrite(run_id="none", set_tags={"a": "b"}, at=NOW), NotFound),
    "a deleted run": (RunWrite(run_id="deleted", points=POINT, at=NOW), Conflict),
    "a tag of a deleted run": (RunWrite(run_id="deleted", set_tags={"a": "b"}, at=NOW), Conflict),
    "another value of a param": (RunWrite(run_id="r2", params={"p": "2"}, points=POINT, at=NOW), Conflict),
    "a tag that is not there": (RunWrite(run_id="r2", remove_tags=("none",), points=POINT, at=NOW), NotFound),
    "points into a run that it deletes": (
        RunWrite(run_id="r2", lifecycle=Lifecycle.DELETED, points=POINT, at=NOW),
        Conflict,
    ),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("bad", BAD)
def test_one_bad_item_rejects_all(store: Store, bad: str, place: int):
    make_runs(store, "r2", "deleted")
    change(store, "r2", params={"p": "1"})
    change(store, "deleted", lifecycle=Lifecycle.DELETED)
    write, error = BAD[bad]
    writes = [
        RunWrite(run_id=RUN, points=POINT, at=NOW + 1),
        RunWrite(
            run_id=RUN,
            points=batch([(8, 8, 8.0)], metric="other"),
            params={"a": "1"},
            set_tags={"t": "1"},
            name="new",
            end_time=5,
            events=(Event(time=1, kind="x", text="y"),),
            at=NOW + 1,
        ),
    ]
    writes.insert(place, write)
    with pytest.raises(error):
        store.write(workspace=W, writes=writes).result()
    for run_id in (RUN, "r2", "deleted", "none"):
        assert store.list_series(workspace=W, run_id=run_id) == []
        assert read_rows(store, selector(run_id)) == []
        assert store.read_events(workspace=W, run_id=run_id) == []
    (row,) = store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    assert (row.run.name, row.run.end_time, row.run.updated_at) == (RUN, None, NOW)
    assert (row.params, row.tags, row.metrics) == ({}, {}, {})


def test_a_rejected_restore_restores_nothing(store: Store):
    change(store, lifecycle=Lifecycle.DELETED)
    writes = [
        RunWrite(run_id=RUN, lifecycle=Lifecycle.ACTIVE, at=NOW),
        RunWrite(run_id=RUN, points=POINT, at=NOW),
        RunWrite(run_id="none", points=POINT, at=NOW),
    ]
    with pytest.raises(NotFound):
        store.write(workspace=W, writes=writes).result()
    with pytest.raises(Conflict):
        add(store, [(1, 1, 1.0)])
    assert read_rows(store) == []


def test_a_rejected_delete_deletes_nothing(store: Store):
    writes = [
        RunWrite(run_id=RUN, lifecycle=Lifecycle.DELETED, at=NOW),
        RunWrite(run_id="none", points=POINT, at=NOW),
    ]
    with pytest.raises(NotFound):
        store.write(workspace=W, writes=writes).result()
    add(store, [(1, 1, 1.0)])
    assert len(read_points(store)) == 1


def test_a_bad_request_spoils_no_other(store: Store):
    good = [RunWrite(run_id=RUN, points=batch([(n, 0, 0.0)]), at=NOW) for n in range(30)]
    bad = RunWrite(run_id=RUN, points=batch([(100, 0, 0.0)]), remove_tags=("none",), at=NOW)
    futures = [store.write(workspace=W, writes=[good[n]] if n % 3 else [good[n], bad]) for n in range(30)]
    errors = [type(future.exception()) for future in futures]
    assert errors == [type(None) if n % 3 else NotFound for n in range(30)]
    assert read_points(store).step.tolist() == [n for n in range(30) if n % 3]


def test_what_cannot_be_stored_spoils_no_other(store: Store):
    """Half of a surrogate pair is no text; whoever lets it through harms himself alone."""
    bad = RunWrite(run_id=RUN, points=batch([(100, 0, 0.0)]), set_tags={"a": "\ud800"}, at=NOW)
    good = [RunWrite(run_id=RUN, points=batch([(n, 0, 0.0)]), set_tags={"n": str(n)}, at=NOW) for n in range(30)]
    futures = [store.write(workspace=W, writes=[good[n]] if n % 3 else [good[n], bad]) for n in range(30)]
    assert [future.exception() is None for future in futures] == [bool(n % 3) for n in range(30)]
    assert all(isinstance(future.exception(), StepwellError) for future in futures[::3])
    assert read_points(store).step.tolist() == [n for n in range(30) if n % 3]
    assert store.healthy() == ""


def test_an_empty_batch_and_an_empty_request_are_nothing(store: Store):
    change(store, points=batch([]))
    store.write(workspace=W, writes=[]).result()
    assert store.list_series(workspace=W, run_id=RUN) == []


@between
def test_a_param_keeps_its_value(shelf: Shelf, store: Store, between: Callable[[Shelf], object]):
    change(store, params={"lr": "0.1"})
    between(shelf)
    change(shelf.store, params={"lr": "0.1", "depth": ""})
    with pytest.raises(Conflict, match="lr"):
        change(shelf.store, params={"momentum": "0.9", "lr": "0.2"})
    (row,) = shelf.store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    assert row.params == {"depth": "", "lr": "0.1"}


def test_a_name_without_a_point_makes_no_series(store: Store):
    change(store, points=batch_of({("a", ()): [], ("b", ()): [(1, 1, 0.5)], ("c", ()): [], ("d", ()): [(2, 2, 1.5)]}))
    assert store.usage(workspace=W).series == 2
    assert [row[2] for metric in "bd" for row in read_rows(store, selector(metric=metric))] == [
        value_key(0.5),
        value_key(1.5),
    ]
    change(store, points=batch_of({("a", ()): [], ("b", ()): [(3, 3, 2.5)]}))
    assert store.usage(workspace=W).series == 2
