"""Blocks of purged runs wait to be removed; no other work may trip over them."""

from __future__ import annotations

import threading
from pathlib import Path

from stepwell.storage.embedded import EmbeddedStore
from stores import NOW, W, add, make_runs, read_rows, selector


def line(start: int, end: int) -> list[tuple[int, int, float]]:
    return [(step, step, 0.5) for step in range(start, end)]


def test_compaction_of_a_purged_run_comes_to_an_end(tmp_path: Path):
    """Two small blocks side by side are merged, but not once their run is gone."""
    store = EmbeddedStore(tmp_path / "data", clock=lambda: NOW, background=False)
    make_runs(store, "a", "b")
    for run in ("a", "b"):
        add(store, line(0, 300), run)
        store.flush()
        add(store, line(300, 400), run)
        store.flush()
    store.purge_runs(workspace=W, run_ids=["a"])
    compacting = threading.Thread(target=store.compact, daemon=True)
    compacting.start()
    compacting.join(60)
    assert not compacting.is_alive(), "it merges the same blocks for ever"
    with store._readers.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM block").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*) FROM block_data").fetchall() == [(1,)]
    assert len(read_rows(store, selector("b"))) == 400
    store.close()
