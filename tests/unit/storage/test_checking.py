"""What `check` finds that no checksum tells."""

from pathlib import Path

import pytest

from stepwell.storage.embedded import head, pieces
from stores import RUN, Shelf, add, make_runs


def test_a_block_whose_points_are_out_of_order_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path / "shelf")
    try:
        make_runs(shelf.store, RUN)
        add(shelf.store, [(5, 0, 0.0), (9, 0, 0.0)])
        add(shelf.store, [(7, 0, 0.0)])
        monkeypatch.setattr(head.State, "points", lambda state: pieces.points_of(state.rows[:, : state.n]))
        shelf.store.flush()
        found = list(shelf.store.check())
        assert [(d.place, d.cost.partition(":")[0]) for d in found] == [
            ("block 1 of series 'loss' of run r1", "its points are out of order")
        ]
    finally:
        shelf.close()
