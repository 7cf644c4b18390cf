"""Moving the head into blocks when something is in the way: nothing moves by half, nothing is held up by another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from stepwell.core.errors import Busy
from stepwell.core.model import EVERYTHING, NO_COLUMNS
from stepwell.core.series import Order, Points
from stepwell.core.store import Store
from stepwell.storage.embedded import EmbeddedStore, engine, flushing, points, reading
from stores import RUN, Shelf, W, add, batch_of, change, make_runs, read_points, selector

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


@pytest.mark.parametrize("together", [1, 2, 100])
def test_a_step_that_meets_damage_moves_nothing_and_the_others_move(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(flushing, "INSERTED", together)
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


def at_a_bad_moment(store: EmbeddedStore, patch: pytest.MonkeyPatch) -> None:
    """After the next read took the head two points come, and the flush that follows has moved the younger one."""
    taken = store._head.capture_runs

    def then(*args: Any) -> Any:
        found = taken(*args)
        patch.undo()
        add(store, [(1, 1, 1.0)], labels=B)
        add(store, [(2, 2, 2.0)], labels=A)
        store._flusher._step([item for item in store._head.dirty() if item[0].labels == A])
        return found

    patch.setattr(store._head, "capture_runs", then)


def test_a_live_reader_is_shown_no_point_before_an_older_one(shelf: Shelf) -> None:
    """Else its cursor would stand behind the older one for good."""
    store = shelf.store
    assert isinstance(store, EmbeddedStore)
    for labels in (A, B):
        add(store, [(0, 0, 0.0)], labels=labels)
    before = read_points(store, order=Order.ARRIVAL).arrival
    with pytest.MonkeyPatch.context() as patch:
        at_a_bad_moment(store, patch)
        options: Any = {"selector": selector(), "order": Order.ARRIVAL, "window": EVERYTHING, "limit": 10}
        page = store.read(workspace=W, after=(int(before[-1]),), **options)
    assert page.points.step.tolist() == []
    assert store.read(workspace=W, after=page.after, **options).points.step.tolist() == [1, 2]


def test_whole_runs_show_no_point_before_an_older_one(shelf: Shelf) -> None:
    """What came meanwhile is in the rows of the runs, so the head is taken again."""
    store = shelf.store
    assert isinstance(store, EmbeddedStore)
    add(store, [(0, 0, 0.0)], labels=A)
    with pytest.MonkeyPatch.context() as patch:
        at_a_bad_moment(store, patch)
        (run,) = store.read_runs(workspace=W, run_ids=[RUN], columns=NO_COLUMNS, limit=10)
    assert run.points.step.tolist() == [0, 1, 2]


def test_a_moment_that_never_comes_is_told(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    store = shelf.store
    assert isinstance(store, EmbeddedStore)
    monkeypatch.setattr(points, "ATTEMPTS", 3)
    taken = store._head.capture_runs

    def then(run_keys: Any) -> Any:
        found = taken(run_keys)
        add(store, [(int(found[0].end), 0, 0.0)])
        return found

    monkeypatch.setattr(store._head, "capture_runs", then)
    with pytest.raises(Busy):
        store.read_runs(workspace=W, run_ids=[RUN], columns=NO_COLUMNS, limit=10)


@pytest.mark.parametrize("budget", [1, 10])
def test_charts_and_samples_are_of_one_moment(shelf: Shelf, budget: int) -> None:
    """What comes while they are made is in them whole or not at all, with nodes too."""
    store = shelf.store
    assert isinstance(store, EmbeddedStore)
    add(store, [(-step, 0, 0.0) for step in range(2_000)], labels=A)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "EXACT_BELOW", 1)
        for ask in (chart, sample):
            with pytest.MonkeyPatch.context() as moment:
                at_a_bad_moment(store, moment)
                assert ask(store, budget) == 2_000
            assert ask(store, budget) == 2_002
            store.purge_runs(workspace=W, run_ids=[RUN])
            make_runs(store, RUN)
            add(store, [(-step, 0, 0.0) for step in range(2_000)], labels=A)


def chart(store: Store, budget: int) -> int:
    (found,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=budget)
    return int(found.count.sum())


def sample(store: Store, budget: int) -> int:
    (found,) = store.sample(workspace=W, selectors=[selector()], window=EVERYTHING, limit=budget)
    return found.rows


def test_a_flush_of_many_small_series_takes_few_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four rows for a new series: block, payload, summary, what searches see. To plan them nothing is read."""
    counts = dict.fromkeys(("connect_writer", "connect_reader"), 0)

    def counting(name: str) -> None:
        connect = getattr(engine, name)

        def count(_: object) -> None:
            counts[name] += 1

        def connected(*args: Any, **options: Any) -> apsw.Connection:
            connection = connect(*args, **options)
            connection.trace_v2(apsw.SQLITE_TRACE_STMT, count)
            return connection

        monkeypatch.setattr(engine, name, connected)

    for name in counts:
        counting(name)
    shelf = Shelf(tmp_path / "counted")
    make_runs(shelf.store, RUN)
    series = [f"m{n}" for n in range(700)]
    for again in range(2):
        commits = shelf.store.stats().counters["commits"]
        change(shelf.store, points=batch_of({(name, ()): [(again, 0, 1.0)] for name in series}))
        counts.update(dict.fromkeys(counts, 0))
        shelf.store.flush()
        made = shelf.store.stats().counters["commits"] - commits
        assert made == 1 + 14 + 2, "the write, fourteen times fifty series at most, the journal"
        assert counts["connect_writer"] < 4 * 700 + 120 + again * 3 * 700, "blocks that are joined go too"
        assert counts["connect_reader"] < 20 + again * 700, "only what is joined is opened"
    assert shelf.store.stats().gauges["head_points"] == 0
    shelf.close()


def test_what_joins_the_new_points_is_in_their_order(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nothing is sorted, of however many blocks it comes; and what goes takes no place from what is read. Up to four
    blocks stand side by side, and none is written again."""
    store = shelf.store
    assert isinstance(store, EmbeddedStore)
    first = 0
    for count in (40, 20, 10, 10):
        add(store, [(first + step, 0, 1.0) for step in range(count)])
        first += count
        store.flush()
    assert store.stats().counters["blocks_read"] == 0
    monkeypatch.setattr(Points, "take", None)
    add(store, [(first + step, 0, 1.0) for step in range(10)])
    store.flush()
    monkeypatch.undo()
    assert not store._cache._points._items
    assert store.stats().counters["blocks_written"] == 5
    (summary,) = (each.summary for each in store.list_series(workspace=W, run_id=RUN))
    assert (summary.count, summary.last.step) == (90, 89)
    opened = store.stats().counters["blocks_read"]
    assert len(read_points(store, selector())) == 90
    assert store.stats().counters["blocks_read"] == opened + 1, "there is one block"
