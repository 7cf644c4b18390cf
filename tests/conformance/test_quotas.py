"""A workspace holds what it may and no more, however its points came, went, came again, or were there before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stepwell.core.bounds import Kept, Usage
from stepwell.core.errors import QuotaExceeded
from stepwell.core.model import Lifecycle, RunWrite
from stepwell.core.store import Store
from stores import (
    LIVES,
    LOSS,
    NOW,
    PLACES,
    RUN,
    Row,
    Shelf,
    W,
    add,
    batch,
    batch_of,
    change,
    make_runs,
    place,
    read_rows,
    selector,
)


def rows(count: int, *, first: int = 0) -> list[Row]:
    return [(step, NOW + step, step / 7) for step in range(first, first + count)]


def allow(store: Store, workspace: str = W, **quotas: int | None) -> None:
    store.put_bounds(workspace=workspace, experiment_id=None, values=quotas)


def refused(store: Store, count: int, *, first: int = 0, metric: str = LOSS) -> QuotaExceeded:
    with pytest.raises(QuotaExceeded) as caught:
        add(store, rows(count, first=first), metric=metric)
    return caught.value


def put_file(store: Store, path: str, size: int) -> None:
    writer = store.open_blob(workspace=W, owner="", path=path, at=NOW)
    try:
        writer.write(b"x" * size)
        writer.commit()
    finally:
        writer.abort()


@pytest.mark.parametrize("where", PLACES)
def test_points_are_counted_wherever_they_lie(store: Store, shelf: Shelf, where: str):
    place(shelf, where, rows(40))
    allow(shelf.store, points=50)
    add(shelf.store, rows(10, first=40))
    error = refused(shelf.store, 1, first=50)
    assert (error.field, error.limit) == ("points", 50)
    assert error.message == "workspace 'w' may have 50 points (its quota points) and has 50: 1 more were not stored"
    assert shelf.store.usage(workspace=W) == Usage(points=50, series=1, runs=1, file_bytes=0)
    assert len(read_rows(shelf.store)) == 50


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES.keys())
def test_what_is_set_and_what_is_there_outlive_the_server(live: Callable[[Shelf], Store], shelf: Shelf):
    make_runs(shelf.store, RUN)
    allow(shelf.store, points=10, series=2)
    add(shelf.store, rows(6))
    store = live(shelf)
    add(store, rows(4, first=6))
    refused(store, 1, first=10)
    allow(store, points=None)
    add(store, rows(4, first=10), metric="second")
    assert refused(store, 1, metric="third").field == "series"
    add(store, rows(1, first=20))


def test_what_comes_again_counts_once(store: Store):
    allow(store, points=10)
    for _ in range(5):
        add(store, rows(4))
    add(store, rows(6, first=4))
    assert len(read_rows(store)) == 10


def test_what_is_refused_counts_nothing_and_others_are_not_refused_with_it(store: Store):
    allow(store, points=10)
    writes = [
        store.write(workspace=W, writes=[RunWrite(run_id=RUN, points=batch(rows(n, first=first)), at=NOW)])
        for n, first in ((8, 0), (5, 100), (2, 200), (1, 300))
    ]
    assert [isinstance(each.exception(), QuotaExceeded) for each in writes] == [False, True, False, True]
    assert len(read_rows(store)) == 10


def test_series_are_counted_apart_by_labels_and_run(store: Store):
    make_runs(store, "r2")
    allow(store, series=3)
    change(store, points=batch_of({("a", ()): rows(1), ("a", (("k", "v"),)): rows(1)}))
    add(store, rows(1), "r2", metric="a")
    error = refused(store, 1, metric="b")
    assert (error.field, error.limit) == ("series", 3)
    with pytest.raises(QuotaExceeded):
        change(store, points=batch_of({("a", ()): rows(5), ("b", ()): rows(1)}))
    assert len(read_rows(store, selector(metric="a"))) == 2, "all or nothing"
    add(store, rows(5), metric="a")


def test_room_is_made_by_purging(store: Store):
    make_runs(store, "r2")
    allow(store, points=10, series=2)
    add(store, rows(5))
    add(store, rows(5), "r2")
    refused(store, 1, first=5)
    change(store, "r2", lifecycle=Lifecycle.DELETED)
    refused(store, 1, first=5)
    store.purge_runs(workspace=W, run_ids=["r2"])
    add(store, rows(5, first=5))
    refused(store, 1, first=10)


@pytest.mark.needs("expiry")
def test_room_is_made_by_retention(store: Store):
    allow(store, points=10)
    add(store, rows(10))
    refused(store, 1, first=10)
    list(store.expire_points(workspace=W, experiment_id=0, kept=Kept(latest=4)))
    add(store, rows(6, first=10))
    refused(store, 1, first=16)


def test_files_count_as_they_are_replaced_and_deleted(store: Store):
    allow(store, file_bytes=100)
    put_file(store, "a", 60)
    put_file(store, "b", 40)
    with pytest.raises(QuotaExceeded) as caught:
        put_file(store, "c", 1)
    assert (caught.value.field, caught.value.limit) == ("file_bytes", 100)
    put_file(store, "a", 60)
    with pytest.raises(QuotaExceeded):
        put_file(store, "a", 61)
    assert store.usage(workspace=W).file_bytes == 100
    assert [(each.path, each.size) for each in store.list_blobs(workspace=W, owner="", folder="")] == [
        ("a", 60),
        ("b", 40),
    ]
    store.delete_blobs(workspace=W, owner="", path="b")
    put_file(store, "c", 40)
    assert list(store.check()) == []


def test_files_on_their_way_are_bounded_too(store: Store):
    """Else one that never ends fills the disk."""
    allow(store, file_bytes=100)
    put_file(store, "a", 90)
    first, second = (store.open_blob(workspace=W, owner="", path=path, at=NOW) for path in ("a", "b"))
    try:
        first.write(b"x" * 60)
        with pytest.raises(QuotaExceeded) as caught:
            second.write(b"x" * 41)
        assert (caught.value.field, caught.value.limit) == ("file_bytes", 100)
        second.write(b"x" * 40)
        with pytest.raises(QuotaExceeded):
            first.write(b"x")
        second.abort()
        first.write(b"x" * 40)
        assert first.commit().size == 100
        put_file(store, "a", 100)
    finally:
        first.abort()
        second.abort()
    allow(store, file_bytes=0)
    put_file(store, "b", 1_000)


def test_a_quota_of_all_bounds_each_that_has_none_of_its_own(store: Store):
    make_runs(store, RUN, workspace="other")
    allow(store, "*", points=5)
    allow(store, points=8)
    refused(store, 9)
    add(store, rows(8))
    with pytest.raises(QuotaExceeded):
        change(store, workspace="other", points=batch(rows(6)))
    change(store, workspace="other", points=batch(rows(5)))
    allow(store, "other", points=0)
    change(store, workspace="other", points=batch(rows(50)))
    assert store.usage(workspace="other").points == 50
    assert store.usage(workspace="nobody") == Usage(points=0, series=0, runs=0, file_bytes=0)
