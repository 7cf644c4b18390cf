"""A run and what is told of its making come into being together."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepwell.dialects.mlflow import rules, wire
from stepwell.dialects.mlflow.routes import runs
from stores import NOW, Shelf, W


@pytest.mark.parametrize(("length", "events"), [(10, 0), (rules.TAG_LENGTH + 1, 1)])
def test_a_run_is_made_in_one_transaction(tmp_path: Path, length: int, events: int) -> None:
    """Else a run whose maker died in between would have a cut value and nothing that says so."""
    shelf = Shelf(tmp_path / "shelf")
    store = shelf.store
    message = wire.CreateRun(tags=[wire.Pair(key="t", value="x" * length)])
    before = store.stats().counters["commits"]
    row = runs._create(store, W, message, origin="mlflow", at=NOW)
    assert store.stats().counters["commits"] - before == 1
    assert len(row.tags["t"]) == min(length, rules.TAG_LENGTH)
    assert len(store.read_events(workspace=W, run_id=row.run.id)) == events
    shelf.close()
