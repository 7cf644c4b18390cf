"""Numbers about metrics with one value a step are those of the points that a sample shows."""

from __future__ import annotations

import math
import statistics as python
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.store import Store
from stepwell.services import query, statistics
from stores import Row, Shelf, W, add, make_runs

VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
ROWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3), VALUES), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    shelf = Shelf(tmp_path_factory.mktemp("shelf") / "shelf")
    yield shelf.store
    shelf.close()


def kept(rows: list[Row]) -> list[tuple[int, float]]:
    """Of each step the value with the greatest (time, arrival), by step."""
    best: dict[int, tuple[int, int, float]] = {}
    seen: set[tuple[int, int, str]] = set()
    for arrival, (step, time, value) in enumerate(rows):
        identity = (step, time, repr(value))
        if identity not in seen:  # an exact repeat is not another point
            seen.add(identity)
            best[step] = max(best.get(step, (-1, -1, 0.0)), (time, arrival, value), key=lambda each: each[:2])
    return [(step, best[step][2]) for step in sorted(best)]


@given(rows=ROWS, flush=st.booleans())
def test_they_are_those_of_the_points_that_count(store: Store, rows: list[Row], flush: bool) -> None:
    run_id = f"run-{id(rows)}"
    store.purge_runs(workspace=W, run_ids=(run_id,))
    make_runs(store, run_id)
    for row in rows:
        add(store, [row], run_id)
    if flush:
        store.flush()
    known = query.summaries(store, workspace=W, run_ids=(run_id,)).by_run()
    found = statistics.of_metrics(store, workspace=W, known=known)[run_id]
    finite = [(step, value) for step, value in kept(rows) if math.isfinite(value)]
    if not finite:
        assert found == {}
        return
    values = [value for _, value in finite]
    each = found["loss"]
    assert (each.count, each.min, each.max) == (len(values), min(values), max(values))
    assert (each.last_step, each.last_value) == finite[-1]
    assert each.mean == pytest.approx(python.fmean(values), rel=1e-9, abs=1e-9)
    assert each.variance == pytest.approx(python.pvariance(values), rel=1e-9, abs=1e-6)
    assert each.deviation == pytest.approx(math.sqrt(each.variance))
