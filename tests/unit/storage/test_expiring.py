"""The space of what is not kept comes back, and a step is small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stepwell.core.bounds import Kept
from stepwell.storage.embedded import EmbeddedStore, expiring
from stepwell.storage.embedded.database import FILE
from stepwell.storage.embedded.flushing import Flusher
from stores import LOSS, NOW, RUN, Shelf, W, add, change, columns, make_runs, read_rows

KEPT = Kept(latest=1_000)
POINTS = 400_000


def filled(folder: Path) -> EmbeddedStore:
    """A store with two long series of numbers that do not compress."""
    store = EmbeddedStore(folder, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    steps = np.arange(POINTS)
    for metric in (LOSS, "other"):
        change(store, points=columns(steps, NOW + steps, np.random.default_rng(7).random(POINTS), metric=metric))
    store.compact()
    return store


def test_the_file_becomes_small(tmp_path: Path):
    store = filled(tmp_path)
    before = (tmp_path / FILE).stat().st_size
    steps = list(store.expire_points(workspace=W, experiment_id=0, kept=KEPT))
    assert sum(step.points for step in steps) == 2 * (POINTS - 1_000)
    store.compact()
    after = (tmp_path / FILE).stat().st_size
    assert before > 2 * POINTS * 6  # bytes
    assert after < before / 10
    store.close()


def test_a_step_removes_a_bounded_number_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(expiring, "BLOCKS", 8)
    store = filled(tmp_path)
    steps = [step.points for step in store.expire_points(workspace=W, experiment_id=0, kept=KEPT)]
    assert max(steps) <= 8 * 8192
    assert sum(steps) == 2 * (POINTS - 1_000)
    assert len(read_rows(store, page=POINTS)) == 1_000
    assert list(store.check()) == []
    store.close()


@pytest.mark.parametrize("killed", [False, True])
def test_what_went_stays_away_though_a_flush_ended_before_it_trimmed_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, killed: bool
):
    """The points that arrived last go: what is left in blocks no more tells that they had come there."""

    def fails(*_: object) -> None:
        raise OSError

    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, RUN)
    add(shelf.store, [(9, NOW, 9.0)])
    add(shelf.store, [(1, 1, 1.0), (2, 2, 2.0)])  # late ones
    with monkeypatch.context() as patch:
        patch.setattr(Flusher, "_trim", fails)
        with pytest.raises(OSError):
            shelf.store.flush()
    store = shelf.revive() if killed else shelf.store
    assert sum(step.points for step in store.expire_points(workspace=W, experiment_id=0, kept=Kept(since=NOW))) == 2
    assert [row[0] for row in read_rows(shelf.revive())] == [9]
    assert shelf.store.usage(workspace=W).points == 1
    shelf.close()


def test_what_is_damaged_is_left_as_it_is(tmp_path: Path):
    store = filled(tmp_path)
    with store._readers.snapshot() as connection:
        [(id_,)] = connection.execute("SELECT min(id) FROM block_data").fetchall()
    store._connection.execute("UPDATE block_data SET data = zeroblob(99) WHERE id = ?", (id_,))
    store._cache.__init__(store._packer)  # type: ignore[misc]  # forgets what it has read
    kept = Kept(since=NOW + 100)  # the block has to be opened
    steps = list(store.expire_points(workspace=W, experiment_id=0, kept=kept))
    assert sum(step.points for step in steps) == 100  # of the other series
    assert [found.cost for found in store.check() if "cannot be read" in found.cost]
    store.close()
