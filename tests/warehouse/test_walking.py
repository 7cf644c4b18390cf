"""Searches along the values of a metric find in PostgreSQL what looking at all runs finds."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filters import RUNS
from stepwell.storage.catalog import walking
from stepwell.storage.warehouse import WarehouseStore
from stores import Shelf, add, make_runs, search_ids

VALUES = (0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -2.5, 1.5, 7.0)
FILTERS = ("metrics.loss > 0", "metrics.loss <= 1.5", "metrics.loss = 0", "metrics.loss > -3 AND metrics.acc < 2", "")
ORDERS = ("metrics.loss ASC", "metrics.loss DESC", "metrics.acc DESC")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseStore]:
    shelf = Shelf(tmp_path_factory.mktemp("walking") / "shelf", engine="warehouse")
    assert isinstance(shelf.store, WarehouseStore)
    runs = [f"r{number}" for number in range(3 * len(VALUES))]
    make_runs(shelf.store, *runs, "none")
    for number, run in enumerate(runs):
        add(shelf.store, [(1, 1, VALUES[number % len(VALUES)])], run)
        if number % 2:
            add(shelf.store, [(1, 1, float(number % 5))], run, metric="acc", labels=(("w", str(number % 3)),))
    yield shelf.store
    shelf.close()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("text", FILTERS)
def test_a_walk_finds_the_same(store: WarehouseStore, monkeypatch: pytest.MonkeyPatch, text: str, order: str) -> None:
    asked = {"filter": parse_filter(text, schema=RUNS), "order": parse_order([order], schema=RUNS)}
    wanted = search_ids(store, **asked)
    assert wanted
    monkeypatch.setattr(walking, "MANY", 0)
    for few in (0, 2_000):
        monkeypatch.setattr(walking, "FEW", few)
        for page in (1, 4, 100):
            assert search_ids(store, page=page, **asked) == wanted


def test_a_walk_goes_along_its_index(store: WarehouseStore) -> None:
    with store._database.snapshot() as connection:
        for other in ("seqscan", "bitmapscan", "sort"):  # a table of few rows is read as a whole
            connection.execute(f"SET LOCAL enable_{other} = off")
        asked = "EXPLAIN SELECT run_key FROM run_metric AS walked WHERE metric_id = 1 ORDER BY "
        plan = connection.execute(f"{asked} {walking._VALUE} LIMIT 20").fetchall()
    assert any("run_metric_by_last" in line for (line,) in plan)
    assert not any("Sort" in line for (line,) in plan)
