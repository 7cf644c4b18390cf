"""Moving the head into blocks when something is in the way: nothing moves by half, nothing is held up by another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from stepwell.core.store import Store
from stores import RUN, Shelf, add, make_runs, read_points, selector

A, B = (("worker", "a"),), (("worker", "b"),)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, RUN)
    yield shelf
    shelf.close()


def ruined(shelf: Shelf) -> Store:
    """Two label sets of one metric in blocks; the summary of one is damaged, and so is the block behind it."""
    for labels in (A, B):
        add(shelf.store, [(step, step, 1.0) for step in range(5)], labels=labels)
    shelf.store.flush()
    shelf.store.close()
    database = apsw.Connection(str(shelf.directory / "stepwell.db"))
    database.execute("UPDATE summary SET body = zeroblob(174) WHERE series_key = (SELECT max(key) FROM series)")
    database.execute("UPDATE block_data SET data = zeroblob(9) WHERE id = (SELECT max(id) FROM block)")
    database.close()
    shelf.store = shelf.open(shelf.directory)
    return shelf.store


def test_a_step_that_meets_damage_moves_nothing_and_the_others_move(shelf: Shelf) -> None:
    store = ruined(shelf)
    add(store, [(9, 9, 1.0)], labels=A)
    add(store, [(9, 9, 1.0)], metric="other")
    for _ in range(2):
        store.flush()
        assert len(read_points(store, selector(labels=A))) == 6
        assert store.stats().gauges["head_points"] == 1, "only the one beside the damage waits"
    store = shelf.revive()
    assert len(read_points(store, selector(labels=A))) == 6
    assert len(read_points(store, selector(metric="other"))) == 1
