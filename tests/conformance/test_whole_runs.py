"""Runs made by their first write, their custom info, and reading all series of several runs as they arrived."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import pytest

from stepwell.core.errors import Conflict, Invalid
from stepwell.core.model import ALL_COLUMNS, NO_COLUMNS, Columns, Lifecycle, Repeats, RunRow, RunWrite
from stepwell.core.series import Labels, value_key
from stepwell.core.store import Store
from stores import LIVES, NOW, PLACES, RUN, Row, Shelf, W, add, batch, batch_of, change, make_runs, new_run, place

pytestmark = pytest.mark.slow  # every run is made in every place and read by every page

again = pytest.mark.parametrize("again", LIVES.values(), ids=LIVES)

Arrived = tuple[str, Labels, int, int, int]  # metric, labels, step, time, value key
INFO = Columns(metrics=(), params=(), tags=None, custom_info=None)


def get(store: Store, run_id: str = RUN, columns: Columns = INFO, workspace: str = W) -> RunRow | None:
    (row,) = store.get_runs(workspace=workspace, run_ids=[run_id], columns=columns)
    return row


def arrived(store: Store, *run_ids: str, limit: int = 1000, workspace: str = W) -> dict[str, list[Arrived]]:
    """All points of the runs, page by page, by the rule of the interface."""
    found: dict[str, list[Arrived]] = {run_id: [] for run_id in run_ids}
    begin, after = 0, None
    while begin < len(run_ids):
        answer = store.read_runs(
            workspace=workspace, run_ids=run_ids[begin:], columns=NO_COLUMNS, after=after, limit=limit
        )
        count = sum(len(each.points) for each in answer)
        assert count <= limit
        assert count == limit or len(answer) == len(run_ids) - begin
        for run_id, each in zip(run_ids[begin:], answer, strict=False):
            assert len(set(each.series)) == len(each.series) == len(set(each.which.tolist()))
            assert each.points.arrival.tolist() == sorted(each.points.arrival.tolist())
            columns = (each.which, each.points.step, each.points.time)
            for place_, step, time, value in zip(*(c.tolist() for c in columns), each.points.value, strict=True):
                found[run_id].append((*each.series[place_], step, time, value_key(float(value))))
        if count < limit:
            break
        begin += len(answer) - 1
        after = int(answer[-1].points.arrival[-1])
    return found


def wanted(metric: str, rows: list[Row], labels: Labels = ()) -> list[Arrived]:
    return [(metric, labels, step, time, value_key(value)) for step, time, value in rows]


# Making a run by writing to it ---------------------------------------------------------------------------------------


@again
def test_a_write_makes_its_run_and_workspace(shelf: Shelf, again: Callable[[Shelf], Store]):
    make = new_run("fresh", tags={"of": "making"}, start_time=7)
    change(shelf.store, "fresh", workspace="elsewhere", make=make, points=batch([(1, 2, 3.0)]), set_tags={"t": "1"})
    store = again(shelf)
    row = get(store, "fresh", ALL_COLUMNS, "elsewhere")
    assert row is not None
    assert (row.run.origin, row.run.start_time, row.run.project_number) == ("test", 7, 1)
    assert row.tags == {"of": "making", "t": "1"}
    assert row.metrics["loss"].count == 1
    assert get(store, "fresh") is None


def test_a_write_leaves_a_run_that_exists_as_it_is(store: Store):
    before = get(store, RUN)
    assert before is not None
    change(store, RUN, make=new_run(RUN, name="another", origin="another"), set_tags={"t": "1"}, at=NOW + 5)
    after = get(store, RUN)
    assert after is not None
    assert (after.run.key, after.run.name, after.run.origin) == (before.run.key, before.run.name, "test")
    assert after.run.updated_at == NOW + 5


def test_making_alone_is_enough(store: Store):
    change(store, "bare", make=new_run("bare"))
    row = get(store, "bare")
    assert row is not None
    assert row.run.id == "bare"


def test_two_writes_of_one_request_make_one_run(store: Store):
    writes = [RunWrite(run_id="two", make=new_run("two"), points=batch([(step, 0, 1.0)]), at=NOW) for step in range(2)]
    store.write(workspace=W, writes=writes).result()
    assert len(arrived(store, "two")["two"]) == 2


def test_a_request_that_fails_makes_no_run(store: Store):
    change(store, params={"p": "1"})
    writes = [
        RunWrite(
            run_id="never", make=new_run("never"), points=batch([(0, 0, 1.0)]), set_custom_info={"a": "b"}, at=NOW
        ),
        RunWrite(run_id=RUN, params={"p": "2"}, at=NOW),
    ]
    with pytest.raises(Conflict):
        store.write(workspace="w", writes=writes).result()
    assert get(store, "never") is None
    assert arrived(store, "never") == {"never": []}


def test_a_deleted_run_is_not_made_again(store: Store):
    change(store, lifecycle=Lifecycle.DELETED)
    with pytest.raises(Conflict):
        change(store, make=new_run(RUN), points=batch([(0, 0, 1.0)]))
    assert arrived(store, RUN)[RUN] == []


def test_a_purged_run_is_made_anew_and_empty(store: Store):
    change(store, points=batch([(0, 0, 1.0)]), set_custom_info={"a": "1"}, set_tags={"t": "1"})
    before = get(store)
    assert store.purge_runs(workspace=W, run_ids=[RUN]) == 1
    assert arrived(store, RUN) == {RUN: []}
    change(store, make=new_run(RUN), points=batch([(5, 5, 5.0)]))
    after = get(store)
    assert before is not None
    assert after is not None
    assert after.run.key > before.run.key
    assert (after.custom_info, after.tags) == ({}, {})
    assert arrived(store, RUN)[RUN] == wanted("loss", [(5, 5, 5.0)])


# Custom info ---------------------------------------------------------------------------------------------------------


@again
def test_custom_info_is_set_by_name(shelf: Shelf, again: Callable[[Shelf], Store]):
    make_runs(shelf.store, RUN, "other")
    large = "é" * 3_000_000
    change(shelf.store, set_custom_info={"b": "1", "a": large})
    change(shelf.store, set_custom_info={"b": "2", "": "an empty name", "c": ""})
    store = again(shelf)
    row = get(store)
    assert row is not None
    assert list(row.custom_info.items()) == [("", "an empty name"), ("a", large), ("b", "2"), ("c", "")]
    other = get(store, "other")
    assert other is not None
    assert other.custom_info == {}


def test_custom_info_comes_when_it_is_asked_for(store: Store):
    change(store, set_custom_info={"a": "1", "b": "2"})
    for columns, expected in (
        (ALL_COLUMNS, {}),
        (Columns(custom_info=("b", "z")), {"b": "2"}),
        (INFO, {"a": "1", "b": "2"}),
    ):
        row = get(store, columns=columns)
        assert row is not None
        assert row.custom_info == expected


def test_half_a_character_is_refused_and_nothing_is_stored(store: Store):
    with pytest.raises(Invalid):
        change(store, points=batch([(0, 0, 1.0)]), set_tags={"t": "1"}, set_custom_info={"a": "\ud800"})
    row = get(store)
    assert row is not None
    assert (row.tags, row.custom_info) == ({}, {})
    assert arrived(store, RUN)[RUN] == []


# Whole runs in the order of arrival ----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_points_of_all_series_stand_as_they_arrived(shelf: Shelf, where: str, limit: int):
    make_runs(shelf.store, RUN, "r2", "empty")
    expected: dict[str, list[Arrived]] = {RUN: [], "r2": [], "empty": []}
    for number in range(3):
        for run_id, metric, labels in ((RUN, "loss", ()), ("r2", "a", (("x", "1"),)), (RUN, "loss", (("x", "2"),))):
            rows = [(9 - step, number, step * 0.5) for step in range(6)]
            stored = place(shelf, where, rows, run_id, metric=metric, labels=labels)
            expected[run_id] += wanted(metric, stored, labels)
    assert arrived(shelf.store, RUN, "r2", "empty", limit=limit) == expected
    assert arrived(shelf.store, "nowhere", "r2", limit=limit) == {"nowhere": [], "r2": expected["r2"]}
    assert arrived(shelf.store, RUN, workspace="other") == {RUN: []}


@pytest.mark.parametrize("where", PLACES)
def test_repeats_keep_their_places(shelf: Shelf, where: str):
    make_runs(shelf.store, RUN)
    points = batch_of({("a", ()): [(0, 0, 1.0), (0, 0, 1.0)], ("b", ()): [(0, 0, 1.0)]})
    for number in range(3):
        change(shelf.store, points=points, repeats=Repeats.APPEND)
        if where in ("blocks", "overlapping", "compacted") or (where == "mixed" and number < 2):
            shelf.store.flush()
    if where == "compacted":
        shelf.store.compact()
    if where == "journal":
        shelf.revive()
    one = wanted("a", [(0, 0, 1.0)] * 2) + wanted("b", [(0, 0, 1.0)])
    assert arrived(shelf.store, RUN)[RUN] == one * 3
    assert arrived(shelf.store, RUN, limit=4)[RUN] == one * 3


def test_many_series_side_by_side(shelf: Shelf):
    make_runs(shelf.store, RUN)
    expected = []
    for step in range(4):
        series: Mapping[tuple[str, Labels], list[Row]] = {
            (f"m{number:03}", ()): [(step, step, float(number))] for number in range(200)
        }
        change(shelf.store, points=batch_of(series))
        expected += [each for (metric, _), rows in series.items() for each in wanted(metric, rows)]
        shelf.store.flush()
    assert arrived(shelf.store, RUN, limit=33)[RUN] == expected
    assert arrived(shelf.store, RUN)[RUN] == expected


def test_a_run_asked_for_twice_comes_twice(store: Store):
    add(store, [(1, 1, 1.0)])
    found = store.read_runs(workspace=W, run_ids=[RUN, RUN], columns=NO_COLUMNS, limit=10)
    assert [len(each.points) for each in found] == [1, 1]


# One moment -----------------------------------------------------------------------------------------------------------


def test_rows_come_with_the_points(store: Store):
    make_runs(store, "other")
    change(store, points=batch([(1, 1, 1.0)]), set_tags={"t": "1"}, set_custom_info={"c": "text"})
    mine, gone, other = store.read_runs(workspace=W, run_ids=[RUN, "none", "other"], columns=INFO, limit=10)
    assert mine.row is not None
    assert (mine.row.run.id, mine.row.tags, mine.row.custom_info) == (RUN, {"t": "1"}, {"c": "text"})
    assert (gone.row, len(gone.points)) == (None, 0)
    assert other.row is not None
    assert len(other.points) == 0
    (bare,) = store.read_runs(workspace=W, run_ids=[RUN], columns=NO_COLUMNS, limit=10)
    assert bare.row is not None
    assert (bare.row.tags, bare.row.custom_info) == ({}, {})
    assert store.read_runs(workspace="elsewhere", run_ids=[RUN], columns=INFO, limit=1)[0].row is None


@pytest.mark.parametrize("flush", [False, True])
def test_of_a_write_all_is_read_or_nothing(store: Store, *, flush: bool):
    """Each write sets a tag to the step of its point."""
    change(store, points=batch([(0, 0, 0.0)]), set_tags={"t": "0"})
    stop = threading.Event()

    def write() -> None:
        step = 0
        while not stop.is_set():
            step += 1
            change(store, points=batch([(step, 0, 0.0)]), set_tags={"t": str(step)})
            if flush and step % 20 == 0:
                store.flush()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen: set[str] = set()
        while len(seen) < 100:
            (found,) = store.read_runs(workspace=W, run_ids=[RUN], columns=INFO, limit=1_000_000)
            assert found.row is not None
            assert found.points.step.tolist() == list(range(int(found.row.tags["t"]) + 1))
            seen.add(found.row.tags["t"])
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("flush", [False, True])
def test_a_run_read_in_parts_stays_in_the_moment_of_its_row(store: Store, *, flush: bool):
    change(store, points=batch([(step, 0, 0.0) for step in range(10)]))
    asked = {"workspace": W, "run_ids": [RUN], "columns": NO_COLUMNS, "limit": 4}
    (first,) = store.read_runs(**asked)  # type: ignore[arg-type]
    change(store, points=batch([(step, 0, 0.0) for step in range(10, 20)]))
    if flush:
        store.flush()
    found, part = first.points.step.tolist(), first
    while len(part.points) == 4:
        (part,) = store.read_runs(**asked, after=int(part.points.arrival[-1]), before=first.end)  # type: ignore[arg-type]
        found += part.points.step.tolist()
    assert found == list(range(10))
    (rest,) = store.read_runs(**asked | {"limit": 100}, after=first.end - 1)  # type: ignore[arg-type]
    assert rest.points.step.tolist() == list(range(10, 20))
