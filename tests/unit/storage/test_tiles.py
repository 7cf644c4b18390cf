"""Tiles stand for blocks: what is read through them is what the points say, however they came to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import sample
from stepwell.core.errors import Corrupt
from stepwell.core.model import EVERYTHING, Lifecycle, Window
from stepwell.core.series import Order
from stepwell.storage.embedded import EmbeddedStore, blocks, flushing, nodes, reading, tiles
from stores import LOSS, RUN, Row, Shelf, Told, W, add, change, make_runs, read_points, rows_told, selector, told

pytestmark = pytest.mark.slow  # series long enough for tiles

N = 4_000


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A store in which a few thousand points make a high forest."""
    for module in (blocks, flushing):
        monkeypatch.setattr(module, "POINTS", 32)
    monkeypatch.setattr(blocks, "NODES_FROM", 8)
    monkeypatch.setattr(nodes, "WIDTH", 4)
    monkeypatch.setattr(tiles, "FIRST", 4)
    monkeypatch.setattr(tiles, "NODES", 8)
    monkeypatch.setattr(reading, "EXACT_BELOW", 16)
    shelf = Shelf(tmp_path / "shelf")
    make_runs(shelf.store, RUN)
    yield shelf
    shelf.close()


def rows(steps: range, offset: int = 0) -> list[Row]:
    return [(step, 10 * step + offset, float((step * 7919) % 1009)) for step in steps]


def grown(shelf: Shelf, *, every: int = 500) -> list[Row]:
    """N points in their order, flushed now and then."""
    found = rows(range(N))
    for at in range(0, N, every):
        add(shelf.store, found[at : at + every])
        shelf.store.flush()
    return found


def levels(shelf: Shelf) -> dict[int, int]:
    """How many headers of each level there are; of level 0 those below no tile."""
    with embedded(shelf)._readers.snapshot() as connection:
        return dict(
            connection.execute("SELECT level, count(*) FROM block WHERE level > 0 OR parent = 0 GROUP BY level")
        )


def embedded(shelf: Shelf) -> EmbeddedStore:
    assert isinstance(shelf.store, EmbeddedStore)
    return shelf.store


def bucket(shelf: Shelf, window: Window = EVERYTHING, budget: int = 10) -> Buckets:
    (found,) = shelf.store.read_buckets(workspace=W, selectors=[selector()], window=window, budget=budget)
    return found


def assert_true(shelf: Shelf, truth: list[Row], window: Window = EVERYTHING, budget: int = 10) -> None:
    """The buckets cover the rows of the window, each is what its rows are, and they are about equally wide."""
    inside = sorted(
        row
        for row in truth
        if window.min_step <= row[0] <= window.max_step and window.min_time <= row[1] <= window.max_time
    )
    found = bucket(shelf, window, budget)
    assert budget // 2 < len(found) <= budget
    assert int(found.count.sum()) == len(inside)
    ends = np.cumsum(found.count)
    for n, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        values = [value for _, _, value in inside[start:end]]
        assert (found.first.step[n], found.last.step[n]) == (inside[start][0], inside[end - 1][0])
        assert (found.min.value[n], found.max.value[n]) == (min(values), max(values))
        assert found.mean[n] == pytest.approx(np.mean(values))
    assert found.count.max() <= 1.5 * len(inside) / budget + 8


def test_a_long_series_is_a_low_forest(shelf: Shelf) -> None:
    truth = grown(shelf)
    found = levels(shelf)
    assert found[1] == N // 32 // 4
    assert max(found) >= 3
    with embedded(shelf)._readers.snapshot() as connection:
        ((roots,),) = connection.execute("SELECT count(*) FROM block WHERE parent = 0")
    assert roots <= 4 + 3 * max(found)
    assert [damage.cost for damage in shelf.store.check()] == []
    assert told(read_points(shelf.store, selector())) == rows_told(truth)


@pytest.mark.parametrize(
    "window",
    [
        EVERYTHING,
        Window(min_step=37, max_step=N - 41),
        Window(min_step=1_000, max_step=1_500),
        Window(min_time=4_000, max_time=29_999),
        Window(min_step=100, max_step=3_000, min_time=2_000, max_time=20_000),
    ],
)
@pytest.mark.parametrize("budget", [4, 10, 50])
def test_buckets_are_those_of_the_points(shelf: Shelf, window: Window, budget: int) -> None:
    assert_true(shelf, grown(shelf), window, budget)


@pytest.mark.parametrize(
    "window",
    [Window(min_step=1_000, max_step=1_500), Window(min_step=37, max_step=500), Window(min_time=4_000, max_time=8_499)],
)
@pytest.mark.parametrize("budget", [4, 10, 50])
def test_a_short_window_is_told_by_finer_nodes(
    shelf: Shelf, window: Window, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has fewer nodes than a chart needs and too many points to count one by one each time it is asked for."""
    for module in (nodes, reading):
        monkeypatch.setattr(module, "FINE", 2)
    truth = grown(shelf)
    cache = embedded(shelf)._cache
    assert_true(shelf, truth, window, budget)
    assert any(number < 0 for number in cache._nodes._items)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_payload", None)  # nothing is opened again
        assert_true(shelf, truth, window, budget)
    add(shelf.store, rows(range(400, 1_200, 7), offset=3))  # among the others, in memory
    assert_true(shelf, truth + rows(range(400, 1_200, 7), offset=3), window, budget)


def test_what_is_below_a_tile_is_looked_up_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = grown(shelf)
    window = Window(min_step=1_003, max_step=2_997)
    assert_true(shelf, truth, window)
    monkeypatch.setattr(blocks, "children", None)
    assert_true(shelf, truth, window)
    assert_true(shelf, truth, Window(min_step=1_005, max_step=2_995))


def test_a_chart_opens_few_blocks(shelf: Shelf) -> None:
    grown(shelf)
    store = shelf.revive()  # nothing is decoded yet
    before = embedded(shelf)._cache.opened
    bucket(shelf)
    whole = embedded(shelf)._cache.opened - before
    assert whole <= 24, "of 125 blocks"
    bucket(shelf, Window(min_step=1_003, max_step=2_997))
    assert embedded(shelf)._cache.opened - before - whole <= 24
    assert store is shelf.store


def test_a_sample_opens_what_it_shows(shelf: Shelf) -> None:
    truth = grown(shelf)
    store = shelf.revive()
    before = embedded(shelf)._cache.opened
    (found,) = store.sample(workspace=W, selectors=[selector()], window=Window(min_step=8, max_step=3_990), limit=5)
    assert found.rows == 3_983
    assert {(step, key) for step, _, key in told(found.points)} <= {(step, key) for step, _, key in rows_told(truth)}
    assert embedded(shelf)._cache.opened - before <= 5, "of 125 blocks; the window cuts the first and the last"
    add(store, [(step, 10 * step, 0.5) for step in range(1_000, 1_400)])  # once more each, in blocks and in memory
    assert sampled(shelf) == wanted(shelf)
    store.flush()
    assert sampled(shelf) == wanted(shelf)


def sampled(shelf: Shelf, limit: int = 300) -> tuple[list[Told], int, int]:
    (found,) = shelf.store.sample(workspace=W, selectors=[selector()], window=EVERYTHING, limit=limit)
    return told(found.points), found.rows, found.width


def wanted(shelf: Shelf, limit: int = 300) -> tuple[list[Told], int, int]:
    found = sample(read_points(shelf.store, selector()), limit)
    return told(found.points), found.rows, found.width


def test_a_page_opens_what_it_shows(shelf: Shelf) -> None:
    grown(shelf)
    store = shelf.revive()
    before = embedded(shelf)._cache.opened
    for order in (Order.KEY, Order.TIME, Order.ARRIVAL):
        page = store.read(workspace=W, selector=selector(), order=order, window=EVERYTHING, after=None, limit=40)
        assert len(page.points) == 40
    assert embedded(shelf)._cache.opened - before <= 3, "three orders, the same two or three blocks"


@pytest.mark.parametrize("order", list(Order))
def test_pages_in_every_order(shelf: Shelf, order: Order) -> None:
    truth = grown(shelf)
    found = told(read_points(shelf.store, selector(), order=order, page=97))
    assert sorted(found) == sorted(rows_told(truth))


def test_late_points_are_among_the_others(shelf: Shelf) -> None:
    truth = grown(shelf)
    for turn in range(1, 15):
        late = rows(range(500, 2_500, 50), offset=turn)
        add(shelf.store, late)
        truth += late
        assert_true(shelf, truth)  # from the head and from blocks
        shelf.store.flush()
        assert_true(shelf, truth)
        assert [damage.cost for damage in shelf.store.check()] == []
    assert embedded(shelf)._flusher.counters["merges"] > 0
    assert sorted(told(read_points(shelf.store, selector()))) == sorted(rows_told(truth))
    shelf.store.compact()
    assert_true(shelf, truth)
    assert max(levels(shelf)) >= 2
    assert [damage.cost for damage in shelf.store.check()] == []


def test_a_retry_is_found_below_tiles(shelf: Shelf) -> None:
    truth = grown(shelf)
    add(shelf.store, truth[100:300])
    shelf.store.flush()
    assert told(read_points(shelf.store, selector())) == rows_told(truth)


def test_a_purge_leaves_nothing(shelf: Shelf) -> None:
    grown(shelf)
    change(shelf.store, lifecycle=Lifecycle.DELETED)
    shelf.store.purge_runs(workspace=W, run_ids=[RUN])
    while embedded(shelf)._flusher.collect_garbage():
        pass
    with embedded(shelf)._readers.snapshot() as connection:
        for table in ("block", "block_data", "block_nodes"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)], table


def ruin(shelf: Shelf, statement: str) -> None:
    shelf.store.close()
    database = apsw.Connection(str(shelf.directory / "stepwell.db"))
    database.execute(statement)
    database.close()
    shelf.store = shelf.open(shelf.directory)


def test_a_damaged_tile_gives_way_to_its_blocks(shelf: Shelf) -> None:
    truth = grown(shelf)
    ruin(shelf, "UPDATE block_data SET data = zeroblob(9) WHERE id IN (SELECT id FROM block WHERE level > 0)")
    assert_true(shelf, truth)
    found = list(shelf.store.check())
    assert {damage.place.split()[0] for damage in found} == {"tile"}
    assert all("its points are whole" in damage.cost for damage in found)


def test_a_block_that_a_tile_misses_is_told(shelf: Shelf) -> None:
    grown(shelf)
    ruin(shelf, "DELETE FROM block WHERE id = (SELECT min(id) FROM block WHERE level = 0)")
    with pytest.raises(Corrupt, match="tile"):
        read_points(shelf.store, selector())
    assert any(damage.place.startswith("tile") for damage in shelf.store.check())


def test_a_damaged_block_has_no_tile(shelf: Shelf) -> None:
    truth = rows(range(N))
    add(shelf.store, truth[:96])
    shelf.store.flush()
    ruin(shelf, "UPDATE block_nodes SET nodes = zeroblob(9) WHERE id = (SELECT min(id) FROM block)")
    add(shelf.store, truth[96:])
    shelf.store.flush()
    assert levels(shelf)[0] >= 4
    assert told(read_points(shelf.store, selector(metric=LOSS))) == rows_told(truth)
