"""Care for the store, which must hold up nobody."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stepwell.storage.embedded import EmbeddedStore, database
from stores import NOW, RUN, add, make_runs, read_rows


def test_emptying_the_log_waits_for_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on the thread that writes: a backup or a check that goes on for minutes would hold up every write."""
    monkeypatch.setattr(database, "BUSY_MS", 3_600_000)
    store = EmbeddedStore(tmp_path, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    tidied = threading.Event()

    def tidy() -> None:
        store.compact()
        tidied.set()

    with store._readers.snapshot() as connection:
        connection.execute("SELECT count(*) FROM journal").fetchall()
        add(store, [(1, 1, 1.0)])
        threading.Thread(target=tidy, daemon=True).start()
        assert tidied.wait(60)
        add(store, [(2, 2, 2.0)])
    assert len(read_rows(store)) == 2
    store.close()
