"""Delete hides and keeps; purge removes, for good, whatever else is going on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pytest

from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import (
    ALL_COLUMNS,
    EVERYTHING,
    Event,
    Lifecycle,
    LogLine,
    Record,
    RunWrite,
    Visibility,
)
from stepwell.core.series import Order
from stepwell.core.store import Store
from stores import (
    NOW,
    PLACES,
    RUN,
    Row,
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
    search,
    search_ids,
    selector,
)

ROWS: list[Row] = [(step, step % 3, float(step)) for step in range(40)]


def delete(store: Store, run_id: str = RUN) -> None:
    change(store, run_id, lifecycle=Lifecycle.DELETED)


def restore(store: Store, run_id: str = RUN) -> None:
    change(store, run_id, lifecycle=Lifecycle.ACTIVE)


@pytest.mark.parametrize("where", PLACES)
def test_delete_hides_and_keeps_and_restore_brings_back(shelf: Shelf, store: Store, where: str):
    place(shelf, where, ROWS)
    delete(shelf.store)
    shelf.store.flush()
    shelf.store.compact()
    store = shelf.reopen()
    assert search_ids(store) == []
    assert search_ids(store, visibility=Visibility.DELETED) == [RUN]
    assert read_rows(store) == sorted(rows_told(ROWS))
    (row,) = store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert row is not None
    assert row.run.lifecycle is Lifecycle.DELETED
    assert row.metrics["loss"].count == 40
    with pytest.raises(Conflict):
        add(store, [(100, 0, 0.0)])
    restore(store)
    assert search_ids(store) == [RUN]
    add(store, [(100, 0, 0.0), ROWS[3]])
    assert read_rows(store) == sorted(rows_told([*ROWS, (100, 0, 0.0)]))


def test_deleting_and_restoring_twice_is_no_error(store: Store):
    for _ in range(2):
        delete(store)
    for _ in range(2):
        restore(store)
    assert search_ids(store) == [RUN]


def test_a_write_that_restores_may_write(store: Store):
    delete(store)
    change(store, lifecycle=Lifecycle.ACTIVE, points=batch([(1, 1, 1.0)]), set_tags={"a": "1"})
    assert read_rows(store) == rows_told([(1, 1, 1.0)])


# Purge ---------------------------------------------------------------------------------------------------------------


def fill(store: Store) -> None:
    """Give the run something of everything."""
    change(store, params={"p": "1"}, set_tags={"t": "1"}, events=(Event(time=1, kind="k", text="x"),))
    store.append_lines(workspace=W, run_id=RUN, lines=[LogLine(stream="out", line=1, time=1, text="x")])
    record = Record(kind="k", id="of-run", body="{}", parent=RUN, unique={"name": "x"}, created_at=1, updated_at=1)
    store.put_records(workspace=W, records=[record])
    writer = store.open_blob(workspace=W, owner=RUN, path="a/b", at=NOW)
    writer.write(b"old")
    writer.commit()


def assert_nothing_of(store: Store, run_id: str = RUN) -> None:
    """No read knows anything of the run."""
    which = selector(run_id)
    for order in Order:
        assert read_rows(store, which, order=order) == []
    (buckets,) = store.read_buckets(workspace=W, selectors=[which], window=EVERYTHING, budget=5)
    (sampled,) = store.sample(workspace=W, selectors=[which], window=EVERYTHING, limit=5)
    assert len(buckets) == len(sampled.points) == 0
    assert store.list_series(workspace=W, run_id=run_id) == []
    assert not store.summaries(workspace=W, run_ids=[run_id]).by_run().get(run_id)
    assert store.read_events(workspace=W, run_id=run_id) == []
    assert store.read_lines(workspace=W, run_id=run_id, stream=None, after=None, limit=5).items == []
    assert store.list_blobs(workspace=W, owner=run_id, folder="") == []
    assert store.get_records(workspace=W, kind="k", ids=["of-run"]) == [None]


@pytest.mark.parametrize("where", PLACES)
def test_a_purged_run_is_gone_and_its_id_is_free(shelf: Shelf, store: Store, where: str):
    make_runs(store, "other")
    add(store, [(1, 1, 1.0)], "other")
    fill(store)
    place(shelf, where, ROWS)
    (before,) = shelf.store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS)
    assert before is not None
    assert shelf.store.purge_runs(workspace=W, run_ids=[RUN, "none", RUN]) == 1
    for again in (lambda: shelf.store, shelf.reopen, shelf.revive):
        store = again()
        assert store.get_runs(workspace=W, run_ids=[RUN], columns=ALL_COLUMNS) == [None]
        assert search_ids(store, visibility=Visibility.ALL) == ["other"]
        assert_nothing_of(store)
        with pytest.raises(NotFound):
            add(store, [(1, 1, 1.0)])
        with pytest.raises(NotFound):
            store.get_blob(workspace=W, owner=RUN, path="a/b")
    (made,) = store.create_runs(workspace=W, new=[new_run(RUN)])
    assert made.key > before.run.key
    for happen in (lambda: None, store.flush, store.compact):
        happen()
        assert_nothing_of(store)
    add(store, ROWS[5:7])
    store.compact()
    assert read_rows(store) == rows_told(ROWS[5:7])
    assert read_rows(store, selector("other")) == rows_told([(1, 1, 1.0)])
    (info,) = store.list_series(workspace=W, run_id=RUN)
    assert info.summary.count == 2
    assert list(store.check()) == []


def test_purging_nothing_is_nothing(store: Store):
    assert store.purge_runs(workspace=W, run_ids=["none"]) == 0
    assert store.purge_runs(workspace="elsewhere", run_ids=[RUN]) == 0
    assert store.purge_runs(workspace=W, run_ids=[]) == 0
    assert search_ids(store) == [RUN]


def test_keys_are_never_used_again(shelf: Shelf):
    keys: list[int] = []
    for number in range(6):
        (made,) = shelf.store.create_runs(workspace=W, new=[new_run()])
        keys.append(made.key)
        assert shelf.store.purge_runs(workspace=W, run_ids=[RUN]) == 1
        if number % 2:
            shelf.reopen()
    assert keys == sorted(set(keys))


def test_a_purged_run_leaves_searches_by_what_it_had(store: Store):
    make_runs(store, "other")
    for run_id in (RUN, "other"):
        change(store, run_id, params={"p": "1"}, points=batch([(1, 1, 1.0)]))
    store.flush()
    store.purge_runs(workspace=W, run_ids=[RUN])
    assert [list(row.metrics) for row in search(store, columns=ALL_COLUMNS)] == [["loss"]]


def test_a_deleted_run_can_be_purged(store: Store):
    add(store, ROWS)
    delete(store)
    assert store.purge_runs(workspace=W, run_ids=[RUN]) == 1
    assert_nothing_of(store)


def test_writes_in_flight_precede_the_purge_or_find_no_run(store: Store):
    for round_number in range(5):
        futures: list[Future[None]] = []
        started = threading.Event()

        def write(futures: list = futures, started: threading.Event = started) -> None:
            for number in range(300):
                point = batch([(number, 0, 0.0)])
                futures.append(store.write(workspace=W, writes=[RunWrite(run_id=RUN, points=point, at=NOW)]))
                if number == 50:
                    started.set()

        writer = threading.Thread(target=write)
        writer.start()
        started.wait()
        assert store.purge_runs(workspace=W, run_ids=[RUN]) == 1
        writer.join()
        outcomes = [type(future.exception()) for future in futures]
        accepted = outcomes.count(type(None))
        assert outcomes == [type(None)] * accepted + [NotFound] * (300 - accepted)
        assert_nothing_of(store)
        make_runs(store, RUN)
        assert_nothing_of(store)
        if round_number % 2:
            store.flush()


def test_a_purge_while_points_are_flushed_and_merged(shelf: Shelf, store: Store):
    """Whatever meets whatever: no point of an old life shows up in a new one."""
    stop = threading.Event()
    broken: list[BaseException] = []

    def tidy() -> None:
        try:
            while not stop.is_set():
                store.flush()
                store.compact()
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            broken.append(error)

    thread = threading.Thread(target=tidy)
    thread.start()
    number = np.arange(2_000)
    for life in range(25):
        value = np.full(2_000, float(life))
        change(store, points=columns((number * 7) % 2_000, number, value))
        add(store, [(5, 5, -1.0 - life)])
        assert set(read_points(store).value.tolist()) == {float(life), -1.0 - life}
        assert store.purge_runs(workspace=W, run_ids=[RUN]) == 1
        make_runs(store, RUN)
        assert len(read_points(store)) == 0
    stop.set()
    thread.join()
    assert broken == []
    store.compact()
    assert_nothing_of(store)
    assert list(store.check()) == []
    assert_nothing_of(shelf.reopen())


REST: dict[str, Callable[[Store], object]] = {
    "points": lambda store: add(store, [(1, 1, 1.0)]),
    "tags": lambda store: change(store, set_tags={"a": "1"}),
    "lines": lambda store: store.append_lines(
        workspace=W, run_id=RUN, lines=[LogLine(stream="o", line=1, time=1, text="x")]
    ),
    "files": lambda store: store.open_blob(workspace=W, owner=RUN, path="x", at=NOW),
    "records": lambda store: store.put_records(
        workspace=W, records=[Record(kind="k", id="x", body="{}", parent=RUN, created_at=1, updated_at=1)]
    ),
}


@pytest.mark.parametrize("write", REST.values(), ids=REST)
def test_every_write_to_a_purged_run_finds_none(store: Store, write: Callable[[Store], object]):
    store.purge_runs(workspace=W, run_ids=[RUN])
    with pytest.raises(NotFound):
        write(store)


def test_an_upload_that_ends_after_the_purge_finds_no_run(store: Store):
    writer = store.open_blob(workspace=W, owner=RUN, path="x", at=NOW)
    writer.write(b"x")
    store.purge_runs(workspace=W, run_ids=[RUN])
    with pytest.raises(NotFound):
        writer.commit()
    writer.abort()
    make_runs(store, RUN)
    assert store.list_blobs(workspace=W, owner=RUN, folder="") == []
