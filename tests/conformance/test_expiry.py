"""What is not to be kept goes, and nothing else: readers see all of a step or nothing, and what runs were deleted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.core.audit import AuditQuery
from stepwell.core.bounds import Bound, Kept
from stepwell.core.model import EVERYTHING, NO_COLUMNS, Lifecycle, NewExperiment
from stepwell.core.series import value_key
from stepwell.core.store import Store
from stepwell.core.summary import Summary
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
    change,
    make_runs,
    new_run,
    place,
    read_points,
    read_rows,
    rows_told,
    selector,
)

MINUTE = 60_000_000
FULL = 8192  # points of a block


def rows(count: int, *, first: int = 0) -> list[Row]:
    """A point a minute."""
    return [(step, NOW + step * MINUTE, step / 7) for step in range(first, first + count)]


def expire(store: Store, *, dry: bool = False, since: int | None = None, latest: int | None = None) -> int:
    """How many points went."""
    kept = Kept(since=since, latest=latest)
    return sum(step.points for step in store.expire_points(workspace=W, experiment_id=0, kept=kept, dry=dry))


def expected(given: list[Row], *, since: int | None = None, latest: int | None = None) -> list[Row]:
    """The rule in plain Python."""
    ordered = sorted(given, key=lambda row: (row[0], row[1], value_key(row[2])))
    stays = [row for row in ordered if since is None or row[1] >= since or row == ordered[-1]]
    return stays if latest is None else stays[-latest:]


def summary(store: Store, metric: str = LOSS) -> Summary:
    return store.summaries(workspace=W, run_ids=[RUN]).by_run()[RUN][metric]


@pytest.mark.parametrize("where", [place for place in PLACES if place != "journal"])
@pytest.mark.parametrize(
    "rule", [{"latest": 30}, {"since": NOW + 50 * MINUTE}, {"since": NOW + 50 * MINUTE, "latest": 5}], ids=str
)
@pytest.mark.needs("expiry")
def test_only_what_is_not_kept_goes_wherever_it_lies(store: Store, shelf: Shelf, where: str, rule: dict[str, Any]):
    given = place(shelf, where, rows(100))
    stays = expected(given, **rule)
    shelf.store.flush()
    assert expire(store, dry=True, **rule) == 100 - len(stays)
    assert len(read_rows(store)) == 100
    assert expire(store, **rule) == 100 - len(stays)
    assert read_rows(store) == rows_told(stays)
    assert expire(store, **rule) == 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.0, 1.5])), max_size=30),
        min_size=1,
        max_size=5,
    ),
    since=st.none() | st.integers(0, 40),
    latest=st.none() | st.integers(1, 40),
)
@pytest.mark.needs("expiry")
def test_any_history_is_left_as_the_rule_says(
    store: Store, parts: list[list[Row]], since: int | None, latest: int | None
):
    store.purge_runs(workspace=W, run_ids=[RUN])
    make_runs(store, RUN)
    for part in parts:
        add(store, part)
        store.flush()
    stays = expected(list({row for part in parts for row in part}), since=since, latest=latest)
    gone = expire(store, dry=True, since=since, latest=latest)
    assert expire(store, since=since, latest=latest) == gone
    assert read_rows(store) == rows_told(stays)
    if stays:
        assert summary(store).count == len(stays)
        assert summary(store).first == (stays[0][0], stays[0][1], stays[0][2])
    assert list(store.check()) == []


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES.keys())
@pytest.mark.needs("expiry")
def test_a_long_series_loses_its_beginning_for_ever(live: Callable[[Shelf], Store], shelf: Shelf):
    make_runs(shelf.store, RUN)
    given = rows(40 * FULL)
    add(shelf.store, given)
    shelf.store.compact()  # tiles lie over the blocks
    assert expire(shelf.store, latest=FULL + 7) == 39 * FULL - 7
    store = live(shelf)
    assert read_rows(store, page=FULL) == rows_told(given[-FULL - 7 :])
    found = summary(store)
    assert (found.count, found.first, found.last) == (FULL + 7, given[-FULL - 7], given[-1])
    assert (found.min.value, found.max.value) == (given[-FULL - 7][2], given[-1][2])
    [buckets] = store.read_buckets(workspace=W, selectors=[selector()], window=EVERYTHING, budget=10)
    assert buckets.count.sum() == FULL + 7
    assert list(store.check()) == []


@pytest.mark.needs("expiry")
def test_the_last_point_stays_however_old(store: Store):
    add(store, rows(10))
    assert expire(store, since=NOW + 10**15) == 9
    assert read_rows(store) == rows_told(rows(10)[-1:])


@pytest.mark.needs("expiry")
def test_points_come_in_again_and_every_series_counts_alone(store: Store):
    add(store, rows(10))
    add(store, rows(3), metric="other")
    store.flush()
    assert expire(store, latest=5) == 5
    add(store, rows(2))
    assert [row[0] for row in read_rows(store)] == [0, 1, 5, 6, 7, 8, 9]
    assert len(read_rows(store, selector(metric="other"))) == 3
    assert summary(store).count == 7


@pytest.mark.needs("expiry")
def test_other_experiments_and_workspaces_keep_theirs(store: Store):
    number = store.create_experiment(workspace=W, new=NewExperiment(name="e", at=NOW)).id
    store.create_runs(workspace=W, new=[new_run("mine", experiment_id=number)])
    make_runs(store, RUN, workspace="other")
    add(store, rows(10), "mine")
    change(store, workspace="other", name="x")
    assert expire(store, latest=1) == 0
    kept = Kept(latest=1)
    steps = list(store.expire_points(workspace=W, experiment_id=number, kept=kept))
    assert sum(step.points for step in steps) == 9
    assert list(store.expire_points(workspace="nobody", experiment_id=0, kept=kept)) == []


@pytest.mark.needs("expiry")
def test_it_is_noted(store: Store):
    add(store, rows(10))
    assert expire(store, latest=4) == 6
    assert expire(store, latest=4) == 0
    found = store.read_audit(query=AuditQuery(action="points.expire", limit=10)).items
    assert [(each.workspace, each.subject, dict(each.details)) for each in found] == [
        (W, "0", {"points": "6", "series": "1"})
    ]


@pytest.mark.needs("expiry")
def test_readers_see_all_or_nothing_of_a_step(busy_shelf: Shelf):
    """The numbers are those of before or of after, in points, summary and buckets alike, while it goes on."""
    store = busy_shelf.store
    make_runs(store, RUN)
    seen: set[tuple[int, int]] = set()
    ended = threading.Event()
    whole = 6 * FULL
    add(store, rows(whole))
    store.flush()

    def look() -> None:
        while not ended.is_set():
            points = read_points(store, page=10**6)
            seen.add((len(points), int(points.step[0])))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for latest in (5 * FULL, 4 * FULL + 5, 2 * FULL, 100):
            expire(store, latest=latest)
    finally:
        ended.set()
        looker.join()
    lengths = {whole, 5 * FULL, 4 * FULL + 5, 2 * FULL, 100}
    assert seen <= {(length, whole - length) for length in lengths}
    assert list(store.check()) == []


def test_deleted_runs_are_found_and_purged_when_they_were_long_ago(store: Store):
    make_runs(store, "old", "new", "back")
    change(store, "old", lifecycle=Lifecycle.DELETED, at=NOW - 10)
    change(store, "back", lifecycle=Lifecycle.DELETED, at=NOW - 10)
    change(store, "new", lifecycle=Lifecycle.DELETED, at=NOW)
    assert found(store) == ["back", "old"]
    assert store.runs_deleted_before(workspace=W, experiment_id=0, before=NOW, after="back", limit=9) == ["old"]
    change(store, "back", lifecycle=Lifecycle.ACTIVE)  # somebody was faster
    ids = ["old", "new", "back", RUN]
    assert store.purge_runs(workspace=W, run_ids=ids, deleted_before=NOW) == 1
    assert found(store) == []
    rows = store.get_runs(workspace=W, run_ids=ids, columns=NO_COLUMNS)
    assert [row is None for row in rows] == [True, False, False, False]


def found(store: Store) -> list[str]:
    return store.runs_deleted_before(workspace=W, experiment_id=0, before=NOW, limit=10)


@pytest.mark.parametrize("live", LIVES.values(), ids=LIVES.keys())
def test_bounds_are_set_changed_and_taken_away(live: Callable[[Shelf], Store], shelf: Shelf):
    shelf.store.put_bounds(workspace=W, experiment_id=None, values={"deleted_runs_days": 30, "points": 10})
    shelf.store.put_bounds(workspace=W, experiment_id=3, values={"deleted_runs_days": 0})
    shelf.store.put_bounds(workspace="*", experiment_id=None, values={"deleted_runs_days": 90, "series": 5})
    shelf.store.put_bounds(workspace=W, experiment_id=None, values={"deleted_runs_days": 31, "points": 10})
    shelf.store.put_bounds(workspace="*", experiment_id=None, values={"series": None})
    store = live(shelf)
    assert store.list_bounds() == [
        Bound(workspace="*", experiment_id=None, name="deleted_runs_days", value=90),
        Bound(workspace=W, experiment_id=None, name="deleted_runs_days", value=31),
        Bound(workspace=W, experiment_id=None, name="points", value=10),
        Bound(workspace=W, experiment_id=3, name="deleted_runs_days", value=0),
    ]
    noted = store.read_audit(query=AuditQuery(limit=10)).items[::-1]
    assert [(each.action, each.workspace, each.subject, dict(each.details)) for each in noted] == [
        ("retention.set", W, W, {"deleted_runs_days": "30"}),
        ("quota.set", W, W, {"points": "10"}),
        ("retention.set", W, f"{W}/3", {"deleted_runs_days": "0"}),
        ("retention.set", "*", "*", {"deleted_runs_days": "90"}),
        ("quota.set", "*", "*", {"series": "5"}),
        ("retention.set", W, W, {"deleted_runs_days": "31"}),
        ("quota.set", "*", "*", {"series": "none"}),
    ]
