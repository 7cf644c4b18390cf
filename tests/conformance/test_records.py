"""Typed records: put, got, found by what they declare, and gone with their run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stepwell.core.errors import AlreadyExists, NotFound
from stepwell.core.model import Record
from stepwell.core.page import Position
from stepwell.core.store import Store
from stores import RUN, Shelf, W, make_runs


def record(number: str = "a", **fields: Any) -> Record:
    return Record(**{"kind": "view", "id": number, "body": "{}", "created_at": 1, "updated_at": 1, **fields})


def put(store: Store, *records: Record, workspace: str = W) -> None:
    store.put_records(workspace=workspace, records=records)


def find(store: Store, where: dict[str, str], *, kind: str = "view", page: int = 100, workspace: str = W) -> list[str]:
    found: list[str] = []
    after: Position | None = None
    while True:
        rows = store.find_records(workspace=workspace, kind=kind, where=where, after=after, limit=page)
        assert len(rows.items) <= page
        found += [row.id for row in rows.items]
        after = rows.after
        if after is None:
            return found


@pytest.mark.parametrize(
    "again", [lambda shelf: shelf.store, lambda shelf: shelf.reopen(), lambda shelf: shelf.revive()]
)
def test_a_record_comes_back_as_it_was_put(shelf: Shelf, store: Store, again: Callable[[Shelf], Store]):
    one = record(body='{"a": "é"}', parent=RUN, unique={"name": "x", "path": ""}, indexed={"z": "1", "y": "2"})
    put(store, one, record("b", updated_at=7))
    found = again(shelf).get_records(workspace=W, kind="view", ids=["b", "none", "a", "b"])
    assert found == [record("b", updated_at=7), None, one, record("b", updated_at=7)]
    assert shelf.store.get_records(workspace=W, kind="other", ids=["a"]) == [None]
    assert shelf.store.get_records(workspace="elsewhere", kind="view", ids=["a"]) == [None]


def test_putting_again_replaces(store: Store):
    put(store, record(unique={"name": "x"}, indexed={"i": "1"}))
    put(store, record(body="[]", unique={"name": "y"}, indexed={"j": "1"}, updated_at=5))
    assert store.get_records(workspace=W, kind="view", ids=["a"])[0] == record(
        body="[]", unique={"name": "y"}, indexed={"j": "1"}, updated_at=5
    )
    assert find(store, {"i": "1"}) == find(store, {"name": "x"}) == []
    assert find(store, {"name": "y", "j": "1"}) == ["a"]


def test_a_unique_value_belongs_to_one_id(store: Store):
    put(store, record(unique={"name": "x"}))
    with pytest.raises(AlreadyExists):
        put(store, record("b"), record("c", unique={"name": "x"}))
    assert store.get_records(workspace=W, kind="view", ids=["b", "c"]) == [None, None]
    put(store, record("c", kind="alert", unique={"name": "x"}), record("d", unique={"title": "x"}))
    put(store, record("c", unique={"name": "x"}), workspace="elsewhere")
    put(store, record(unique={"name": "x"}))


def test_two_records_may_exchange_their_values(store: Store):
    put(store, record("a", unique={"name": "x"}), record("b", unique={"name": "y"}))
    put(store, record("a", unique={"name": "y"}), record("b", unique={"name": "x"}))
    assert find(store, {"name": "x"}) == ["b"]


def test_records_are_found_by_all_of_their_values(store: Store):
    make_runs(store, "r2")
    put(
        store,
        record("a", indexed={"i": "1", "j": "1"}, parent=RUN, created_at=3),
        record("b", indexed={"i": "1", "j": "2"}, parent=RUN, created_at=2),
        record("c", indexed={"i": "1"}, parent="r2", created_at=2),
        record("d", unique={"i": "1"}, created_at=1),
        record("e", kind="alert", indexed={"i": "1"}),
    )
    for page in (1, 2, 100):
        assert find(store, {"i": "1"}, page=page) == ["d", "b", "c", "a"]
        assert find(store, {}, page=page) == ["d", "b", "c", "a"]
        assert find(store, {"i": "1", "parent": RUN}, page=page) == ["b", "a"]
        assert find(store, {"parent": RUN}, page=page) == ["b", "a"]
    assert find(store, {"i": "1", "j": "2"}) == ["b"]
    assert find(store, {"i": "2"}) == find(store, {"parent": "none"}) == find(store, {"none": "1"}) == []
    assert find(store, {"i": "1"}, workspace="elsewhere") == []


def test_an_unknown_parent_rejects_all(store: Store):
    with pytest.raises(NotFound):
        put(store, record("a"), record("b", parent="none"))
    assert find(store, {}) == []


def test_records_go_with_their_run(store: Store):
    put(store, record("a", parent=RUN, unique={"name": "x"}), record("b"))
    store.purge_runs(workspace=W, run_ids=[RUN])
    make_runs(store, RUN)
    assert find(store, {}) == ["b"]
    assert find(store, {"parent": RUN}) == []
    put(store, record("c", unique={"name": "x"}))


def test_deleting_says_how_many_there_were(store: Store):
    put(store, record("a", unique={"name": "x"}), record("b"), record("a", kind="alert"))
    assert store.delete_records(workspace="elsewhere", kind="view", ids=["a"]) == 0
    assert store.delete_records(workspace=W, kind="view", ids=["a", "none", "a"]) == 1
    assert find(store, {}) == ["b"]
    assert find(store, {}, kind="alert") == ["a"]
    put(store, record("c", unique={"name": "x"}))
