"""Runs by their key or number, and the names of metrics."""

from __future__ import annotations

import pytest

from stepwell.core.filters import Kind
from stepwell.core.model import NO_COLUMNS, Lifecycle, NewExperiment
from stepwell.core.store import Store
from stores import NOW, W, add, change, make_runs, new_run


def keys(store: Store, *run_ids: str, workspace: str = W) -> list[int]:
    rows = store.get_runs(workspace=workspace, run_ids=run_ids, columns=NO_COLUMNS)
    return [row.run.key for row in rows if row is not None]


def test_a_run_is_found_by_its_key(store: Store):
    make_runs(store, "a", "b")
    one, two = keys(store, "a", "b")
    assert store.run_ids(workspace=W, keys=[two, one, 10**9, two, -1, 2**63, 0]) == [
        "b",
        "a",
        None,
        "b",
        None,
        None,
        None,
    ]
    assert store.run_ids(workspace=W, keys=[]) == []


def test_a_key_belongs_to_its_workspace(store: Store):
    make_runs(store, "a")
    make_runs(store, "b", workspace="other")
    (key,) = keys(store, "a")
    assert store.run_ids(workspace="other", keys=[key]) == [None]
    assert store.run_ids(workspace="nowhere", keys=[key]) == [None]
    assert store.run_ids_by_number(workspace="other", numbers=[(0, 1)]) == ["b"]
    assert store.run_ids_by_number(workspace="nowhere", numbers=[(0, 1)]) == [None]


def test_a_deleted_run_is_found_and_a_purged_one_is_not(store: Store):
    make_runs(store, "a", "b")  # after the one that every store of these tests has
    one, two = keys(store, "a", "b")
    change(store, "a", lifecycle=Lifecycle.DELETED)
    store.purge_runs(workspace=W, run_ids=["b"])
    assert store.run_ids(workspace=W, keys=[one, two]) == ["a", None]
    assert store.run_ids_by_number(workspace=W, numbers=[(0, 2), (0, 3)]) == ["a", None]


def test_a_run_is_found_by_its_number_in_its_experiment(store: Store):
    other = store.create_experiment(workspace=W, new=NewExperiment(name="other", at=NOW)).id
    store.create_runs(workspace=W, new=[new_run("a"), new_run("b", experiment_id=other), new_run("c")])
    numbers = [(0, 2), (other, 1), (0, 3), (0, 4), (other, 2), (2**63, 1), (0, 2**70), (0, 0)]
    found = store.run_ids_by_number(workspace=W, numbers=numbers)
    assert found == ["a", "b", "c", None, None, None, None, None]


@pytest.mark.parametrize("flushed", [False, True])
def test_names_are_those_of_active_runs(store: Store, flushed: bool):
    other = store.create_experiment(workspace=W, new=NewExperiment(name="other", at=NOW)).id
    runs = [new_run("a"), new_run("b"), new_run("c", experiment_id=other), new_run("d")]
    store.create_runs(workspace=W, new=runs)
    for run_id, metric in [("a", "Loss/x"), ("a", "acc"), ("b", "acc"), ("c", "far"), ("d", "gone")]:
        add(store, [(1, 1, 0.5)], run_id, metric=metric, labels=(("host", "1"),) if metric == "acc" else ())
        change(store, run_id, params={f"p_{metric}": "1"}, set_tags={f"t_{metric}": "2"})
    change(store, "d", lifecycle=Lifecycle.DELETED)
    if flushed:
        store.flush()

    def names(kind: Kind, **asked: object) -> list[str]:
        return store.names(**{"workspace": W, "kind": kind, "limit": 10, **asked})  # type: ignore[arg-type]

    assert names(Kind.METRIC) == ["Loss/x", "acc", "far"]
    assert names(Kind.PARAM) == ["p_Loss/x", "p_acc", "p_far"]
    assert names(Kind.TAG) == ["t_Loss/x", "t_acc", "t_far"]
    for kind in (Kind.METRIC, Kind.PARAM, Kind.TAG):
        assert [name[-3:] for name in names(kind, limit=2)] == ["s/x", "acc"]
        assert [name[-3:] for name in names(kind, experiment_ids=[other])] == ["far"]
        assert [name[-3:] for name in names(kind, experiment_ids=[0, 99], contains="ACC")] == ["acc"]
        assert names(kind, contains="%") == names(kind, experiment_ids=[]) == names(kind, workspace="nowhere") == []


@pytest.mark.parametrize("flushed", [False, True])
def test_metric_names_are_those_of_active_runs(store: Store, flushed: bool):
    other = store.create_experiment(workspace=W, new=NewExperiment(name="other", at=NOW)).id
    store.create_runs(workspace=W, new=[new_run("a"), new_run("b"), new_run("c", experiment_id=other), new_run("d")])
    for run_id, metric in [("a", "Loss/x"), ("a", "acc"), ("b", "acc"), ("b", "lr"), ("c", "far"), ("d", "gone")]:
        add(store, [(1, 1, 0.5)], run_id, metric=metric, labels=(("host", "1"),) if metric == "lr" else ())
    change(store, "d", lifecycle=Lifecycle.DELETED)
    if flushed:
        store.flush()

    def names(**asked: object) -> list[str]:
        return store.metric_names(**{"workspace": W, "experiment_id": 0, "limit": 10, **asked})  # type: ignore[arg-type]

    assert names() == ["Loss/x", "acc", "lr"]
    assert names(limit=2) == ["Loss/x", "acc"]
    assert names(contains="L") == ["Loss/x", "lr"]
    assert names(contains="%") == []
    assert names(run_ids=["b", "c", "d", "nobody", "b"]) == ["acc", "lr"]
    assert names(run_ids=["a"], contains="OSS/") == ["Loss/x"]
    assert names(run_ids=[]) == []
    assert names(experiment_id=other) == ["far"]
    assert names(workspace="nowhere") == []
    store.purge_runs(workspace=W, run_ids=["a"])
    assert names() == ["acc", "lr"]
