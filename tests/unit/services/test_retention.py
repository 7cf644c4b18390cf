"""Which rule holds where, what it leads to, and who may set one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stepwell.core.bounds import DAY, Bound, in_force
from stepwell.core.errors import Forbidden, Invalid, NotFound, TooLarge
from stepwell.core.model import ExperimentWrite, Lifecycle, NewExperiment
from stepwell.core.store import Store
from stepwell.services import bounds, retention
from stepwell.services.bounds import Bounds
from stepwell.services.retention import Expiry
from stepwell.storage.embedded import EmbeddedStore
from stores import NOW, RUN, W, add, change, make_runs, new_run, read_rows

RULES = ("points_days", "points_per_series", "deleted_runs_days")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = EmbeddedStore(tmp_path, clock=lambda: NOW, background=False)
    make_runs(store, RUN)
    yield store
    store.close()


def bound(name: str, value: int, workspace: str = W, experiment: int | None = None) -> Bound:
    return Bound(workspace=workspace, experiment_id=experiment, name=name, value=value)


def by_number(found: Iterator[Expiry]) -> list[Expiry]:
    return sorted(found, key=lambda each: each.experiment_id)


def test_the_narrowest_rule_holds_and_zero_lifts_a_wider_one():
    rules = [bound("a", 1, "*"), bound("b", 2, "*"), bound("a", 3), bound("b", 0, experiment=5), bound("a", 9, "x")]
    assert in_force(rules, workspace=W, everywhere="*", experiment_id=5) == {"a": 3}
    assert in_force(rules, workspace=W, everywhere="*", experiment_id=4) == {"a": 3, "b": 2}
    assert in_force(rules, workspace="other", everywhere="*", experiment_id=5) == {"a": 1, "b": 2}
    assert in_force(rules[::-1], workspace=W, everywhere="*", experiment_id=5) == {"a": 3}


def test_days_are_those_of_the_points_own_times(store: Store):
    add(store, [(step, NOW - (9 - step) * DAY, 0.0) for step in range(10)])
    store.flush()
    bounds.put(store, allowed=W, workspace=W, values={"points_days": 3})
    would = Expiry(workspace=W, experiment_id=0, points=6, series=1)
    assert list(retention.apply(store, now=NOW, dry=True)) == [would]
    assert list(retention.apply(store, now=NOW, allowed="other")) == []
    assert list(retention.apply(store, now=NOW, allowed=W)) == [would]
    assert [row[0] for row in read_rows(store)] == [6, 7, 8, 9]
    assert list(retention.apply(store, now=NOW)) == []


def test_deleted_runs_go_after_their_days_and_their_experiment_with_the_last(store: Store):
    number = store.create_experiment(workspace=W, new=NewExperiment(name="e", at=NOW)).id
    store.create_runs(workspace=W, new=[new_run("of-it", experiment_id=number)])
    make_runs(store, "gone", "hidden")
    change(store, "gone", lifecycle=Lifecycle.DELETED, at=NOW - 8 * DAY)
    change(store, "hidden", lifecycle=Lifecycle.DELETED, at=NOW - 6 * DAY)
    deleted = ExperimentWrite(id=number, lifecycle=Lifecycle.DELETED, at=NOW - 8 * DAY)
    store.write_experiment(workspace=W, write=deleted)
    bounds.put(store, allowed="*", workspace="*", values={"deleted_runs_days": 7})
    of_it = Expiry(workspace=W, experiment_id=number, runs=("of-it",))
    of_default = Expiry(workspace=W, experiment_id=0, runs=("gone",))
    assert by_number(retention.apply(store, now=NOW, dry=True)) == [of_default, of_it]
    assert store.runs_deleted_before(workspace=W, experiment_id=0, before=NOW, limit=9) == ["gone", "hidden"]
    went = by_number(retention.apply(store, now=NOW))
    assert [(each.runs, each.experiment) for each in went] == [(("gone",), False), (("of-it",), True)]
    with pytest.raises(NotFound):
        store.get_experiment(workspace=W, id=number)
    assert store.runs_deleted_before(workspace=W, experiment_id=0, before=NOW, limit=9) == ["hidden"]


def test_an_experiment_may_keep_what_its_workspace_does_not(store: Store):
    add(store, [(step, NOW, 0.0) for step in range(10)])
    bounds.put(store, allowed="*", workspace=W, values={"points_per_series": 5})
    bounds.put(store, allowed=W, workspace=W, experiment_id=0, values={"points_per_series": 0})
    assert list(retention.apply(store, now=NOW)) == []
    bounds.put(store, allowed=W, workspace=W, experiment_id=0, values={"points_per_series": None})
    assert [each.points for each in retention.apply(store, now=NOW)] == [5]


def test_rules_are_put_and_listed(store: Store):
    made = bounds.put(store, allowed=W, workspace=W, values={"points_days": 3, "deleted_runs_days": 7})
    assert made == Bounds(workspace=W, values={"points_days": 3, "deleted_runs_days": 7})
    bounds.put(store, allowed="*", workspace="*", values={"points_days": 9})
    bounds.put(store, allowed="*", workspace="other", values={"points": 9})
    changed = bounds.put(store, allowed=W, workspace=W, values={"points_days": None})
    assert changed == Bounds(workspace=W, values={"deleted_runs_days": 7})
    everywhere = Bounds(workspace="*", values={"points_days": 9})
    assert bounds.listing(store, RULES, allowed=W) == [everywhere, changed]
    assert bounds.listing(store, RULES, allowed="other") == [everywhere]
    assert bounds.listing(store, ("points",), allowed="*") == [Bounds(workspace="other", values={"points": 9})]
    assert bounds.put(store, allowed=W, workspace=W, values={"deleted_runs_days": None}) == Bounds(workspace=W)


@pytest.mark.parametrize(
    ("asked", "error", "field"),
    [
        ({"allowed": "other"}, Forbidden, None),
        ({"workspace": "*"}, Forbidden, None),
        ({"allowed": "*", "workspace": "a/b"}, Invalid, "workspace"),
        ({"allowed": "*", "workspace": "*", "experiment_id": 0}, Invalid, "experiment_id"),
        ({"experiment_id": 77}, NotFound, "experiment_id"),
        ({"values": {"points_days": -1}}, Invalid, "points_days"),
        ({"values": {"points_days": 36_501}}, TooLarge, "points_days"),
        ({"values": {"points_per_series": 10**15 + 1}}, TooLarge, "points_per_series"),
    ],
)
def test_what_cannot_be_set_is_said(store: Store, asked: dict[str, object], error: type[Exception], field: str | None):
    with pytest.raises(error) as caught:
        bounds.put(store, **{"allowed": W, "workspace": W, "values": {"points_days": 1}, **asked})  # type: ignore[arg-type]
    assert getattr(caught.value, "field", None) == field
    assert store.list_bounds() == []


def test_nothing_goes_in_the_day_after_the_clock_was_changed(store: Store):
    """Put forward by a year, it makes all of it old: somebody has a day to put it right."""
    add(store, [(step, NOW - (9 - step) * DAY, 0.0) for step in range(10)])
    store.flush()
    bounds.put(store, allowed=W, workspace=W, values={"points_days": 3})
    now, counted = NOW, 1_000.0
    applying = retention.Applying(store, clock=lambda: now, monotonic=lambda: counted)
    now += 365 * DAY
    assert list(applying.steps()) == []
    now, counted = now + DAY // 2, counted + 12 * 3_600.0
    assert list(applying.steps()) == []
    now -= 365 * DAY
    assert list(applying.steps()) == []
    assert len(read_rows(store)) == 10
    now, counted = now + DAY, counted + 24 * 3_600.0
    assert [each.points for each in applying.steps()] == [8]
    assert [row[0] for row in read_rows(store)] == [8, 9]
