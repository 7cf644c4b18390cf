"""What a warehouse does not do it refuses, and says what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepwell.core.bounds import Kept
from stepwell.core.errors import Conflict
from stepwell.core.store import Store
from stores import Shelf, W

REFUSED: dict[str, tuple[Callable[[Store, Path], object], str]] = {
    "a backup": (lambda store, folder: store.backup(target=folder / "copy"), "warehouse.md"),
    "days of points": (
        lambda store, _: store.put_bounds(workspace=W, experiment_id=None, values={"points_days": 3}),
        "deleted_runs_days can",
    ),
    "some points of each series": (
        lambda store, _: store.put_bounds(workspace=W, experiment_id=7, values={"points_per_series": 3, "points": 1}),
        "deleted_runs_days can",
    ),
    "to remove points": (
        lambda store, _: store.expire_points(workspace=W, experiment_id=0, kept=Kept(latest=1)),
        "keeps all points",
    ),
}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf", engine="warehouse")
    yield shelf
    shelf.close()


@pytest.mark.parametrize(("call", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_words(
    shelf: Shelf, tmp_path: Path, call: Callable[[Store, Path], object], words: str
) -> None:
    with pytest.raises(Conflict, match=words):
        call(shelf.store, tmp_path)
    assert shelf.store.list_bounds() == []
    assert not (tmp_path / "copy").exists()


def test_a_rule_that_lifts_others_is_none(shelf: Shelf) -> None:
    shelf.store.put_bounds(workspace=W, experiment_id=None, values={"points_days": 0, "points_per_series": None})
    assert [each.name for each in shelf.store.list_bounds()] == ["points_days"]
