"""Details of runs: one or many of a kind, merged by several at once, and other names."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.core.errors import AlreadyExists, NotFound
from stepwell.core.model import Record
from stepwell.core.store import Store
from stepwell.services import details
from stores import NOW, Shelf, W, make_runs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, "a", "b")
    yield shelf.store
    shelf.close()


def many(number: int, run_id: str = "a") -> Record:
    return Record(
        kind="entry", id=f"{run_id}/{number}", body=str(number), parent=run_id, created_at=number, updated_at=number
    )


def merge(store: Store, name: str, run_id: str = "a") -> str:
    return details.merge(
        store,
        workspace=W,
        run_id=run_id,
        kind="config",
        change=lambda old: json.dumps({**json.loads(old or "{}"), name: 1}),
        now=NOW,
    )


def test_what_several_change_at_once_is_all_there(store: Store) -> None:
    threads = [threading.Thread(target=merge, args=(store, f"k{number}")) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    merge(store, "last")
    found = details.of_run(store, workspace=W, run_id="a", kinds=("config", "other"))
    assert found.keys() == {"config"}
    kept = json.loads(found["config"])
    assert "last" in kept
    assert len(kept) >= 2  # those that began when there was nothing yet may replace each other


def test_changes_to_what_is_there_are_never_lost(store: Store) -> None:
    merge(store, "first")
    threads = [threading.Thread(target=merge, args=(store, f"k{number}")) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = json.loads(details.of_run(store, workspace=W, run_id="a", kinds=("config",))["config"])
    assert found.keys() == {"first", *(f"k{number}" for number in range(6))}


def test_a_detail_of_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        merge(store, "x", run_id="nobody")
    assert details.of_run(store, workspace=W, run_id="nobody", kinds=("config",)) == {}


def test_many_of_a_kind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(details, "_PAGE", 3)
    details.put(store, workspace=W, records=[many(number) for number in range(10)] + [many(1, "b")])

    def bodies(most: int | None = None) -> list[str]:
        return [record.body for record in details.every(store, workspace=W, run_id="a", kind="entry", most=most)]

    assert bodies() == [str(number) for number in range(10)]
    assert bodies(7) == [str(number) for number in range(7)]
    assert bodies(3) == ["0", "1", "2"]
    assert bodies(0) == []


def test_other_names_are_unique_in_their_scope(store: Store) -> None:
    details.put(store, workspace=W, records=[details.alias("a", "x/y", scope=1, at=NOW)])
    with pytest.raises(AlreadyExists):
        details.put(store, workspace=W, records=[details.alias("b", "x/y", scope=1, at=NOW)])
    details.put(store, workspace=W, records=[details.alias("b", "x/y", scope=2, at=NOW)])
    assert details.run_of_alias(store, workspace=W, name="x/y", scope=1) == "a"
    assert details.run_of_alias(store, workspace=W, name="x/y", scope=2) == "b"
    assert details.run_of_alias(store, workspace=W, name="y", scope=1) is None
    (record,) = store.get_records(workspace=W, kind=details.ALIAS, ids=("a",))
    assert record is not None
    assert details.alias_of(record) == "x/y"
    store.purge_runs(workspace=W, run_ids=("a",))
    assert details.run_of_alias(store, workspace=W, name="x/y", scope=1) is None
