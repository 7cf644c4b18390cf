"""Records that are written with a run and found by their runs; writes that hold only as long as nobody else changed
the records or tags that they rest on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepwell.core.errors import AlreadyExists, Conflict, NotFound
from stepwell.core.model import ALL_COLUMNS, Lifecycle, PointBatch, Record, RunWrite
from stepwell.core.store import Store
from stores import NOW, RUN, Shelf, W, make_runs


def record(number: str = "a", **fields: Any) -> Record:
    return Record(**{"kind": "link", "id": number, "body": "{}", "created_at": 1, "updated_at": 1, **fields})


def write(store: Store, *records: Record, run_id: str = RUN, **fields: Any) -> None:
    store.write(workspace=W, writes=[RunWrite(run_id=run_id, records=records, at=NOW, **fields)]).result()


def ids(store: Store, *kinds: str, runs: tuple[str, ...] = (RUN,), workspace: str = W) -> dict[str, list[str]]:
    found = store.records_of_runs(workspace=workspace, kinds=kinds, run_ids=runs)
    return {run_id: [each.id for each in records] for run_id, records in found.items()}


@pytest.mark.parametrize(
    "again", [lambda shelf: shelf.store, lambda shelf: shelf.reopen(), lambda shelf: shelf.revive()]
)
def test_records_come_with_what_is_written_to_a_run(shelf: Shelf, store: Store, again: Callable[[Shelf], Store]):
    one = record(parent=RUN, indexed={"name": "x"}, body='{"a": 1}')
    points = PointBatch.single("loss", step=1, time=2, value=0.5)
    write(store, one, points=points, set_tags={"t": "1"})
    kept = again(shelf)
    assert kept.records_of_runs(workspace=W, kinds=["link"], run_ids=[RUN]) == {RUN: [one]}
    assert kept.find_records(workspace=W, kind="link", where={"name": "x"}, after=None, limit=5).items == [one]
    assert kept.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN]["loss"].last.value == 0.5


def test_a_write_that_fails_leaves_no_record_and_no_point(store: Store):
    store.put_records(workspace=W, records=[record("first", unique={"name": "x"})])
    points = PointBatch.single("loss", step=1, time=2, value=0.5)
    with pytest.raises(AlreadyExists):
        write(store, record(parent=RUN), record("b", parent=RUN, unique={"name": "x"}), points=points)
    assert ids(store, "link") == {}
    assert store.summaries(workspace=W, run_ids=[RUN]).by_run() == {}
    with pytest.raises(NotFound):
        write(store, record(), run_id="none")
    store.write(workspace=W, writes=[RunWrite(run_id=RUN, lifecycle=Lifecycle.DELETED, at=NOW)]).result()
    with pytest.raises(Conflict):
        write(store, record(parent=RUN))
    assert store.get_records(workspace=W, kind="link", ids=["a"]) == [None]


def test_records_of_runs_are_sorted_and_only_theirs(store: Store):
    make_runs(store, "r2", "r3")
    write(store, record("b", parent=RUN), record("a", parent=RUN), record("c", parent=RUN, created_at=0))
    write(store, record("b", kind="link0", parent=RUN), record("x", kind="other", parent=RUN))
    write(store, record("d", parent="r2"), run_id="r2")
    assert ids(store, "link", "link0", runs=(RUN, "r2", "r3", "none", RUN)) == {RUN: ["c", "a", "b", "b"], "r2": ["d"]}
    assert ids(store, "other") == {RUN: ["x"]}
    assert ids(store) == ids(store, "link", runs=()) == ids(store, "link", workspace="elsewhere") == {}
    write(store, record("b", parent=RUN, body="[]", created_at=0, updated_at=3))
    found = store.records_of_runs(workspace=W, kinds=["link"], run_ids=[RUN])[RUN]
    assert [(each.id, each.body) for each in found] == [("b", "[]"), ("c", "{}"), ("a", "{}")]
    store.purge_runs(workspace=W, run_ids=[RUN])
    assert ids(store, "link", "link0", "other", runs=(RUN, "r2")) == {"r2": ["d"]}


def test_a_change_asks_that_others_are_as_they_were_read(store: Store):
    one, two = record("a"), record("b")
    store.put_records(workspace=W, records=[one, two])
    new = record("a", body="[]", updated_at=2)
    store.put_records(workspace=W, records=[new, record("c")], remove=[two], unchanged=[one, two])
    for stale in (one, two, record("none"), record("a", body="[]", updated_at=3), record("a", kind="other")):
        with pytest.raises(Conflict):
            store.put_records(workspace=W, records=[record("d")], remove=[new], unchanged=[new, stale])
    found = store.get_records(workspace=W, kind="link", ids=["a", "b", "c", "d"])
    assert found == [new, None, record("c"), None]
    store.put_records(workspace=W, records=[], remove=[new, two])
    assert store.get_records(workspace=W, kind="link", ids=["a"]) == [None]


def test_what_is_removed_gives_its_unique_values_back(store: Store):
    one = record("a", unique={"name": "x"})
    store.put_records(workspace=W, records=[one])
    store.put_records(workspace=W, records=[record("b", unique={"name": "x"})], remove=[one], unchanged=[one])
    assert store.get_records(workspace=W, kind="link", ids=["a", "b"]) == [None, record("b", unique={"name": "x"})]


def test_a_write_holds_only_as_long_as_nobody_changed_what_it_looked_at(store: Store):
    seen = record(parent=RUN, body='{"n": 1}')
    write(store, seen)
    point = PointBatch.single("loss", step=1, time=2, value=0.5)
    write(store, record(parent=RUN, body='{"n": 2}', updated_at=2), points=point, unchanged=(seen,))
    other = PointBatch.single("loss", step=2, time=2, value=0.5)
    for stale in (seen, record("missing", parent=RUN)):
        with pytest.raises(Conflict):
            write(store, record("new", parent=RUN), points=other, set_tags={"t": "1"}, unchanged=(stale,))
    assert ids(store, "link") == {RUN: ["a"]}
    assert store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN]["loss"].count == 1


def test_a_write_holds_only_as_long_as_tags_stay(store: Store):
    write(store, set_tags={"a": "1", "empty": ""}, unchanged_tags={"a": None})
    write(store, set_tags={"a": "2"}, remove_tags=("empty",), unchanged_tags={"a": "1", "empty": "", "none": None})
    for stale in ({"a": "1"}, {"a": None}, {"none": ""}, {"a": "2", "empty": ""}):
        with pytest.raises(Conflict):
            write(store, record(parent=RUN), set_tags={"a": "3"}, unchanged_tags=stale)
        with pytest.raises(Conflict):
            write(store, unchanged_tags=stale)
    (row,) = store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    assert row.tags == {"a": "2"}
    assert ids(store, "link") == {}


def test_tags_that_are_cleared_need_not_be_there(store: Store):
    write(store, set_tags={"a": "1", "b": "2"})
    write(store, clear_tags=("a", "none"))
    write(store, clear_tags=("a", "b"), set_tags={"b": "3"})
    (row,) = store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    assert row.tags == {"b": "3"}
