"""One change of many runs: who takes it, who refuses it, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stepwell.core import limits
from stepwell.core.audit import AuditQuery
from stepwell.core.errors import Busy, Invalid, TooLarge
from stepwell.core.model import ALL_COLUMNS, Lifecycle, RunRow
from stepwell.core.store import Store
from stepwell.services import many_runs
from stepwell.services.many_runs import Change
from stepwell.storage.catalog.sql import Statements
from stores import NOW, Shelf, W, change, make_runs

IDS = ("a", "b", "c")
DELETED = Lifecycle.DELETED


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, *IDS)
    yield shelf.store
    shelf.close()


def alter(store: Store, *run_ids: str, **changes: Any) -> dict[str, str]:
    """The code of each refusal."""
    asked = Change(at=NOW + 5, **changes)
    found = many_runs.change_runs(store, workspace=W, run_ids=run_ids, change=asked)
    return {each.run_id: each.error.code for each in found}


def rows(store: Store) -> Mapping[str, RunRow | None]:
    return dict(zip(IDS, store.get_runs(workspace=W, run_ids=IDS, columns=ALL_COLUMNS), strict=True))


def tags(store: Store) -> list[dict[str, str]]:
    return [dict(row.tags) for row in rows(store).values() if row is not None]


def audited(store: Store) -> list[tuple[str, str]]:
    entries = store.read_audit(query=AuditQuery(workspace=W, limit=100)).items
    return [(each.action, each.subject) for each in reversed(entries) if each.action.startswith("run.")]


def test_every_run_that_is_there_gets_and_loses_tags(store: Store) -> None:
    assert alter(store, "a", "nobody", "b", "a", set_tags={"x": "1", "y": "2"}) == {"nobody": "not_found"}
    assert tags(store) == [{"x": "1", "y": "2"}] * 2 + [{}]
    assert alter(store, "b", "c", set_tags={"x": "3"}, clear_tags=("y", "never")) == {}
    assert tags(store) == [{"x": "1", "y": "2"}, {"x": "3"}, {"x": "3"}]


def test_runs_are_deleted_and_restored_once(store: Store) -> None:
    assert alter(store, "a", "b", lifecycle=DELETED) == {}
    assert alter(store, "b", "c", lifecycle=DELETED) == {}
    assert alter(store, "c", "a", lifecycle=Lifecycle.ACTIVE) == {}
    assert [row.run.lifecycle for row in rows(store).values() if row] == ["active", "deleted", "active"]
    told = ["delete a", "delete b", "delete c", "restore c", "restore a"]
    assert audited(store) == [(f"run.{word}", run_id) for word, run_id in map(str.split, told)]


def test_a_deleted_run_takes_tags_only_with_its_restoring(store: Store) -> None:
    change(store, "b", lifecycle=DELETED)
    assert alter(store, *IDS, set_tags={"x": "1"}) == {"b": "conflict"}
    assert alter(store, *IDS, clear_tags=("x",), lifecycle=DELETED) == {"b": "conflict"}
    assert alter(store, *IDS, set_tags={"y": "2"}, lifecycle=Lifecycle.ACTIVE) == {}
    assert tags(store) == [{"y": "2"}] * 3


def test_runs_are_removed_for_good(store: Store) -> None:
    change(store, "b", lifecycle=DELETED)
    assert alter(store, "c", "b", "nobody", purge=True) == {"nobody": "not_found"}
    assert [run_id for run_id, row in rows(store).items() if row is not None] == ["a"]
    assert sorted(audited(store)[1:]) == [("run.purge", "b"), ("run.purge", "c")]
    assert alter(store, "b", purge=True) == {"b": "not_found"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"set_tags": {"x" * (limits.NAME_LENGTH + 1): ""}}, "tags"),
        ({"set_tags": {"x": "v" * (limits.TAG_VALUE_LENGTH + 1)}}, "tags"),
        ({"clear_tags": ("",)}, "tags"),
        ({"purge": True, "lifecycle": DELETED}, "purge"),
        ({"purge": True, "set_tags": {"x": "1"}}, "purge"),
    ],
)
def test_what_no_run_could_take_is_refused_whole(store: Store, changes: dict[str, Any], field: str) -> None:
    for run_ids in (IDS, ("nobody",)):
        with pytest.raises(Invalid) as caught:
            alter(store, *run_ids, **changes)
        assert str(caught.value.field).startswith(field)
    assert tags(store) == [{}, {}, {}]


def test_too_many_runs_are_refused(store: Store) -> None:
    with pytest.raises(TooLarge, match="run_ids"):
        alter(store, *map(str, range(limits.RUNS_PER_WRITE + 1)), lifecycle=DELETED)


class Meddled:
    """A store in which somebody deletes a run right after it was looked at, so many times."""

    def __init__(self, store: Store, times: int) -> None:
        self._store, self._left = store, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get_runs(self, **asked: Any) -> Any:
        """Restored before, deleted behind."""
        if self._left:
            change(self._store, "b", lifecycle=Lifecycle.ACTIVE)
        found = self._store.get_runs(**asked)
        if self._left:
            self._left -= 1
            change(self._store, "b", lifecycle=DELETED)
        return found


def test_a_run_that_goes_meanwhile_is_refused_or_nothing_is_done(store: Store) -> None:
    change(store, "b", lifecycle=DELETED)
    meddled: Any = Meddled(store, 3)
    assert alter(meddled, *IDS, set_tags={"x": "1"}) == {"b": "conflict"}
    assert tags(store) == [{"x": "1"}, {}, {"x": "1"}]
    endless: Any = Meddled(store, 1000)
    with pytest.raises(Busy):
        alter(endless, *IDS, set_tags={"y": "2"})
    assert tags(store) == [{"x": "1"}, {}, {"x": "1"}]


def test_many_runs_are_one_commit_and_a_few_statements_each(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"many-{number}" for number in range(300)]
    make_runs(store, *ids)
    asked: Counter[str] = Counter()
    plain, repeated = Statements.all, Statements.each

    def all_(self: Statements, conn: Any, name: str, *more: Any) -> Any:
        asked[name] += 1
        return plain(self, conn, name, *more)

    def each(self: Statements, conn: Any, name: str, *more: Any) -> Any:
        asked[name] += 1
        return repeated(self, conn, name, *more)

    monkeypatch.setattr(Statements, "all", all_)
    monkeypatch.setattr(Statements, "each", each)
    costs = []
    for some in (ids[:100], ids):
        asked.clear()
        before = store.stats().counters["commits"]
        assert alter(store, *some, set_tags={"x": "1"}, clear_tags=("y",)) == {}
        costs.append((store.stats().counters["commits"] - before, asked.total()))
    assert [commits for commits, _ in costs] == [1, 1]
    assert 200 <= costs[1][1] - costs[0][1] <= 200 * 6, asked
