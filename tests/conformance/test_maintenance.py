"""Care for the store: nothing that it does changes an answer; its numbers, its copies, its end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stepwell.core.access import Credential, Role, hash_secret
from stepwell.core.errors import AlreadyExists, Conflict, StepwellError
from stepwell.core.model import ALL_COLUMNS, EVERYTHING, RunWrite, Writing
from stepwell.core.series import Order
from stepwell.core.store import Store
from stores import (
    NOW,
    PLACES,
    RUN,
    Shelf,
    W,
    add,
    batch,
    change,
    columns,
    make_runs,
    new_run,
    place,
    read_points,
    read_rows,
    rows_told,
    search_ids,
    selector,
)


@pytest.mark.parametrize("where", PLACES)
def test_nothing_is_damaged(shelf: Shelf, store: Store, where: str):
    place(shelf, where, [(step % 20, step, 1.0) for step in range(100)])
    place(shelf, where, [(step, 0, 1.0) for step in range(10)], labels=(("w", "0"),))
    assert list(shelf.store.check()) == []
    shelf.store.purge_runs(workspace=W, run_ids=[RUN])
    assert list(shelf.store.check()) == []
    shelf.store.compact()
    assert list(shelf.store.check()) == []
    assert shelf.store.healthy() == ""


def test_stats_count_what_happens(store: Store):
    add(store, [(1, 1, 1.0), (2, 2, 2.0)])
    add(store, [(2, 2, 2.0)])
    stats = store.stats()
    assert stats.counters["points"] == 2
    assert stats.counters["duplicates"] == 1
    assert stats.gauges["head_points"] == 2
    assert stats.gauges["read_only"] == 0
    assert stats.gauges["queue_requests"] == 0
    bounds, counts = zip(*stats.commit_seconds, strict=True)
    assert list(bounds) == sorted(bounds)
    assert list(counts) == sorted(counts)
    assert counts[-1] == stats.counters["commits"] >= 2
    assert stats.commit_seconds_sum > 0
    store.flush()
    assert store.stats().gauges["head_points"] == 0
    assert store.stats().counters["flushes"] == 1


def test_flush_and_compact_of_nothing_do_nothing(store: Store):
    for _ in range(2):
        store.flush()
        store.compact()
    assert list(store.check()) == []


@pytest.mark.needs("blocks")
def test_slow_series_stay_in_few_blocks(store: Store):
    """A point a flush: the points are joined to those before, not left in hundreds of blocks."""
    for step in range(200):
        add(store, [(step, step, float(step))])
        store.flush()
    before = store.stats().counters["blocks_read"]
    assert read_points(store).step.tolist() == list(range(200))
    assert store.stats().counters["blocks_read"] - before <= 10
    store.compact()
    before = store.stats().counters["blocks_read"]
    assert read_points(store).step.tolist() == list(range(200))
    assert store.stats().counters["blocks_read"] - before <= 1


@pytest.mark.needs("blocks")
def test_blocks_that_overlap_deeply_are_merged(store: Store):
    """Each part lies behind the one before, so it gets blocks of its own."""
    parts = 25
    for number in range(parts):
        add(store, [(step * parts + parts - number, 0, 0.0) for step in range(50)])
        store.flush()
    store.compact()
    steps = list(range(1, parts * 50 + 1))
    for order in (Order.KEY, Order.TIME):
        assert read_points(store, order=order, page=100).step.tolist() == steps
    assert store.stats().counters["merges"] >= 1
    assert list(store.check()) == []


@pytest.mark.parametrize("spread", [1, 2])
def test_compacting_points_of_one_moment_ends(store: Store, spread: int):
    """More points of one step and time than any number of blocks could keep apart."""
    number = np.arange(100_000)
    change(store, points=columns(number * spread // 100_000, number * 0, number.astype(np.float64)))
    store.flush()
    for late in range(12):
        add(store, [(0, 0, -1.0 - late), (1, 0, 1e6 + late)])
        store.flush()
    store.compact()
    assert list(store.check()) == []
    found = read_points(store, page=200_000)
    assert len(found) == 100_024
    assert found.value[0] == -12.0
    (buckets,) = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=10)
    assert int(buckets.count.sum()) == 100_024


@pytest.mark.needs("files of its own")
def test_a_purge_gives_space_back(store: Store):
    make_runs(store, "big")
    number = np.arange(300_000)
    change(store, "big", points=columns(number, number, np.random.default_rng(1).normal(size=300_000)))
    store.flush()
    full = store.stats().gauges["database_bytes"]
    assert store.purge_runs(workspace=W, run_ids=["big"]) == 1
    store.compact()
    assert store.stats().gauges["database_bytes"] < full / 4
    assert list(store.check()) == []


# Copies --------------------------------------------------------------------------------------------------------------


@pytest.mark.needs("copies")
def test_a_backup_opens_as_a_store(shelf: Shelf, store: Store, tmp_path: Path):
    make_runs(store, "r2")
    rows = [(step, step, float(step)) for step in range(100)]
    add(store, rows[:50])
    store.flush()
    add(store, rows[50:])
    change(store, params={"lr": "1"}, set_tags={"t": "2"})
    writer = store.open_blob(workspace=W, owner=RUN, path="a/b.bin", at=NOW)
    writer.write(b"content")
    writer.commit()
    target = tmp_path / "shelf" / "copy"
    list(store.backup(target=target))
    add(store, [(1000, 0, 0.0)])
    store.purge_runs(workspace=W, run_ids=["r2"])
    copy = shelf.borrow(target)
    assert read_rows(copy) == rows_told(rows)
    assert search_ids(copy) == [RUN, "r2"]
    assert copy.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)[0] is not None
    reader = copy.get_blob(workspace=W, owner=RUN, path="a/b.bin")
    assert b"".join(reader.chunks()) == b"content"
    reader.close()
    assert list(copy.check()) == []
    add(copy, [(2000, 0, 0.0)])
    assert len(read_points(copy)) == len(read_points(store)) == 101


@pytest.mark.needs("copies")
def test_a_backup_never_overwrites(store: Store, tmp_path: Path):
    target = tmp_path / "full"
    target.mkdir()
    (target / "mine").write_text("x")
    with pytest.raises(AlreadyExists):
        list(store.backup(target=target))
    assert [path.name for path in target.iterdir()] == ["mine"]


@pytest.mark.needs("copies")
def test_a_backup_tells_how_far_it_is(store: Store, tmp_path: Path):
    writer = store.open_blob(workspace=W, owner=RUN, path="a/b.bin", at=NOW)
    writer.write(b"x" * 100_000)
    writer.commit()
    told = list(store.backup(target=tmp_path / "copy"))
    assert [copied.done for copied in told] == sorted(copied.done for copied in told)
    assert told[-1].done == told[-1].total > 100_000
    assert {copied.total for copied in told} == {told[-1].total}


@pytest.mark.needs("copies")
@pytest.mark.parametrize("wanted", [False, True])
def test_credentials_are_in_a_backup_when_asked_for(shelf: Shelf, store: Store, tmp_path: Path, wanted: bool):
    store.put_credential(
        credential=Credential(
            id="cr_1", secret_hash=hash_secret("s" * 32), workspace="*", role=Role.ADMIN, name="n", created_at=NOW
        )
    )
    target = tmp_path / "shelf" / "copy"
    list(store.backup(target=target, credentials=wanted))
    found = shelf.borrow(target).get_credential(secret_hash=hash_secret("s" * 32))
    assert (found is not None) == wanted


# The end -------------------------------------------------------------------------------------------------------------


def test_close_finishes_what_was_accepted(shelf: Shelf, store: Store):
    futures = [
        store.write(workspace=W, writes=[RunWrite(run_id=RUN, points=batch([(n, 0, 0.0)]), at=NOW)]) for n in range(500)
    ]
    reopened = shelf.reopen()
    assert [future.result(timeout=0) for future in futures] == [None] * 500
    assert read_points(reopened).step.tolist() == list(range(500))


LATER: dict[str, Callable[[Store], object]] = {
    "write": lambda store: add(store, [(1, 1, 1.0)]),
    "read": read_rows,
    "search": search_ids,
    "create": lambda store: store.create_runs(workspace=W, new=[new_run("later")]),
    "summaries": lambda store: store.summaries(workspace=W, run_ids=[RUN]).by_run(),
    "stats": lambda store: store.stats(),
}


@pytest.mark.parametrize("call", LATER.values(), ids=LATER)
def test_a_closed_store_refuses(shelf: Shelf, store: Store, call: Callable[[Store], object]):
    store.close()
    with pytest.raises(StepwellError):
        call(store)
    shelf.store = shelf.open(shelf.directory)


def test_closing_twice_is_no_error(shelf: Shelf, store: Store):
    add(store, [(1, 1, 1.0)])
    store.close()
    store.close()
    shelf.store = shelf.open(shelf.directory)
    assert len(read_points(shelf.store)) == 1


@pytest.mark.needs("one owner")
def test_a_directory_has_one_owner(shelf: Shelf, store: Store):
    with pytest.raises(Conflict):
        shelf.open(shelf.directory)
    add(store, [(1, 1, 1.0)])
    assert len(read_points(store)) == 1


def test_a_store_that_was_moved_is_the_same_store(shelf: Shelf, store: Store):
    add(store, [(1, 1, 1.0)])
    store.close()
    moved = shelf.directory.parent / "moved"
    shutil.move(shelf.directory, moved)
    shelf.directory = moved
    shelf.store = shelf.open(moved)
    assert read_rows(shelf.store) == rows_told([(1, 1, 1.0)])


def test_what_is_being_written_is_told_the_busiest_first(store: Store):
    make_runs(store, "r2")
    add(store, [(1, 1, 0.5)])
    add(store, [(1, 1, 0.5), (2, 2, 0.5)], "r2")
    add(store, [(1, 1, 0.5)], "r2", metric="other")
    busy = Writing(workspace=W, run_id="r2", name="r2", points=3, series=2)
    assert store.writing(limit=9) == [busy, Writing(workspace=W, run_id=RUN, name=RUN, points=1, series=1)]
    assert store.writing(limit=1) == [busy]
    make_runs(store, "r3", workspace="quiet")
    change(store, "r3", workspace="quiet", points=batch([(1, 1, 0.5)]))
    quiet = Writing(workspace="quiet", run_id="r3", name="r3", points=1, series=1)
    assert store.writing(workspace="quiet", limit=1) == [quiet]
    assert store.writing(workspace="none", limit=9) == []
    assert len(store.writing(limit=9)) == 3
    store.purge_runs(workspace="quiet", run_ids=["r3"])
    store.purge_runs(workspace=W, run_ids=["r2"])
    store.flush()
    assert store.writing(limit=9) == []
