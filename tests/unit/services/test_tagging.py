"""Changes to tags that rest on the tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepwell.core.errors import Busy, Conflict, NotFound
from stepwell.core.model import ALL_COLUMNS, Lifecycle, RunRow, RunWrite
from stepwell.core.store import Store
from stepwell.services import tagging
from stores import NOW, RUN, Shelf, W, change, make_runs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, RUN)
    yield shelf.store
    shelf.close()


def tags(store: Store) -> dict[str, str]:
    (row,) = store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    return dict(row.tags)


def longer(store: Store, others: int) -> Callable[[RunRow], RunWrite]:
    """One more letter; while it thinks, somebody else adds one, so many times."""
    left = iter(range(others))

    def decide(row: RunRow) -> RunWrite:
        before = row.tags.get("t", "")
        for number in left:
            change(store, set_tags={"t": f"{before}{number % 10}", f"other {number}": ""})
            break
        return RunWrite(run_id=RUN, set_tags={"t": f"{before}x"}, at=NOW)

    return decide


def test_nothing_that_another_writes_meanwhile_is_lost(store: Store) -> None:
    tagging.change(store, workspace=W, run_id=RUN, tags=("t",), decide=longer(store, 3))
    assert tags(store)["t"] == "012x"
    with pytest.raises(Busy):
        tagging.change(store, workspace=W, run_id=RUN, decide=longer(store, 1000))
    assert "x" not in tags(store)["t"][4:]


def test_tags_that_are_gone_meanwhile_are_not_removed_again(store: Store) -> None:
    change(store, set_tags={"a": "", "b": ""})
    seen: list[dict[str, str]] = []

    def decide(row: RunRow) -> RunWrite | None:
        seen.append(dict(row.tags))
        if len(seen) == 1:
            change(store, remove_tags=("a",))
        return RunWrite(run_id=RUN, remove_tags=tuple(row.tags), at=NOW) if row.tags else None

    tagging.change(store, workspace=W, run_id=RUN, decide=decide)
    assert (seen, tags(store)) == ([{"a": "", "b": ""}, {"b": ""}], {})
    tagging.change(store, workspace=W, run_id=RUN, decide=decide)
    assert len(seen) == 3


def test_refusals(store: Store) -> None:
    decided: list[RunRow] = []

    def decide(row: RunRow) -> RunWrite:
        decided.append(row)
        return RunWrite(run_id=RUN, set_tags={"t": "x"}, at=NOW)

    with pytest.raises(NotFound):
        tagging.change(store, workspace=W, run_id="none", decide=decide)
    change(store, lifecycle=Lifecycle.DELETED)
    with pytest.raises(Conflict):
        tagging.change(store, workspace=W, run_id=RUN, decide=decide)
    assert len(decided) == 1
