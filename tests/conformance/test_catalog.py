"""Workspaces, experiments and runs: made, read, changed, deleted, restored; every refusal by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stepwell.core.errors import AlreadyExists, Conflict, NotFound, StepwellError
from stepwell.core.model import (
    ALL_COLUMNS,
    NO_COLUMNS,
    Columns,
    Event,
    Experiment,
    ExperimentQuery,
    ExperimentWrite,
    Lifecycle,
    NewExperiment,
    RunRow,
    Status,
    Visibility,
)
from stepwell.core.store import Store
from stores import LIVES, NOW, RUN, Shelf, W, add, change, make_runs, new_run, search_ids

again = pytest.mark.parametrize("again", LIVES.values(), ids=LIVES)


def get(store: Store, run_id: str = RUN, columns: Columns = ALL_COLUMNS) -> RunRow:
    (row,) = store.get_runs(workspace=W, run_ids=[run_id], columns=columns)
    assert row is not None
    return row


def experiment(store: Store, name: str = "vision", **fields: object) -> Experiment:
    return store.create_experiment(workspace=W, new=NewExperiment(**{"name": name, "at": NOW, **fields}))  # type: ignore[arg-type]


def edit(store: Store, number: int, **fields: object) -> Experiment:
    write = ExperimentWrite(**{"id": number, "at": NOW + 1, **fields})  # type: ignore[arg-type]
    return store.write_experiment(workspace=W, write=write)


def every_experiment(store: Store, visibility: Visibility = Visibility.ALL) -> list[int]:
    query = ExperimentQuery(visibility=visibility, limit=100)
    return [each.id for each in store.search_experiments(workspace=W, query=query).items]


# Experiments ---------------------------------------------------------------------------------------------------------


@again
def test_an_experiment_is_what_it_was_made(shelf: Shelf, again: Callable[[Shelf], Store]):
    made = experiment(shelf.store, artifact_location="file:///x", tags={"b": "2", "a": ""})
    assert made == Experiment(
        workspace=W,
        id=1,
        name="vision",
        artifact_location="file:///x",
        lifecycle=Lifecycle.ACTIVE,
        created_at=NOW,
        updated_at=NOW,
        tags={"a": "", "b": "2"},
    )
    store = again(shelf)
    assert store.get_experiment(workspace=W, id=1) == made
    assert store.get_experiment(workspace=W, name="vision") == made
    assert store.search_experiments(workspace=W, query=ExperimentQuery(limit=10)).items[0] == made
    assert experiment(store, "second").id == 2


def test_experiment_numbers_are_never_used_again(store: Store):
    numbers = [experiment(store, f"e{n}").id for n in range(3)]
    for number in numbers:
        edit(store, number, lifecycle=Lifecycle.DELETED)
    assert experiment(store, "more").id == 4


def test_experiment_0_is_there_before_the_first_write(shelf: Shelf):
    store = shelf.store
    for found in (store.get_experiment(workspace="new", id=0), store.get_experiment(workspace="new", name="Default")):
        assert (found.id, found.name, found.lifecycle) == (0, "Default", Lifecycle.ACTIVE)
    found_by_search = store.search_experiments(workspace="new", query=ExperimentQuery(limit=10))
    assert [each.id for each in found_by_search.items] == [0]
    assert store.list_workspaces() == [], "asking makes nothing"
    make_runs(store, RUN)
    assert store.get_experiment(workspace=W, id=0).created_at == NOW


def test_experiment_0_can_be_changed_like_any_other(shelf: Shelf):
    assert edit(shelf.store, 0, name="First", set_tags={"a": "1"}).tags == {"a": "1"}
    assert shelf.reopen().get_experiment(workspace=W, id=0).name == "First"


@again
def test_a_change_of_an_experiment(shelf: Shelf, again: Callable[[Shelf], Store]):
    made = experiment(shelf.store, tags={"a": "1", "b": "2"})
    changed = edit(shelf.store, made.id, name="audio", set_tags={"a": "3", "c": "4"}, remove_tags=("b",))
    assert (changed.name, changed.tags, changed.updated_at) == ("audio", {"a": "3", "c": "4"}, NOW + 1)
    store = again(shelf)
    assert store.get_experiment(workspace=W, id=made.id) == changed
    with pytest.raises(NotFound):
        store.get_experiment(workspace=W, name="vision")
    assert experiment(store, "vision").id == 2, "the old name is free again"


def test_an_experiment_may_keep_its_name(store: Store):
    assert edit(store, experiment(store).id, name="vision").name == "vision"


def test_deleting_an_experiment_deletes_its_runs_and_restoring_restores_all(store: Store):
    made = experiment(store)
    store.create_runs(workspace=W, new=[new_run("a", experiment_id=made.id), new_run("b", experiment_id=made.id)])
    add(store, [(1, 1, 1.0)], "a")
    change(store, "b", lifecycle=Lifecycle.DELETED)
    gone = edit(store, made.id, lifecycle=Lifecycle.DELETED)
    assert gone.lifecycle is Lifecycle.DELETED
    assert store.get_experiment(workspace=W, name="vision") == gone
    assert search_ids(store) == [RUN]
    assert search_ids(store, visibility=Visibility.DELETED) == ["a", "b"]
    assert every_experiment(store) == [1, 0]
    assert every_experiment(store, Visibility.ACTIVE) == [0]
    assert every_experiment(store, Visibility.DELETED) == [1]
    for refused in (
        lambda: add(store, [(2, 2, 2.0)], "a"),
        lambda: store.create_runs(workspace=W, new=[new_run("c", experiment_id=made.id)]),
    ):
        with pytest.raises(Conflict):
            refused()
    assert edit(store, made.id, lifecycle=Lifecycle.ACTIVE).lifecycle is Lifecycle.ACTIVE
    assert search_ids(store) == ["a", "b", RUN]
    add(store, [(2, 2, 2.0)], "a")


EXPERIMENT_REFUSALS: dict[str, tuple[Callable[[Store], object], type[StepwellError]]] = {
    "a taken name": (lambda store: experiment(store, "other"), AlreadyExists),
    "the name of a deleted one": (lambda store: experiment(store, "deleted"), AlreadyExists),
    "the name of experiment 0": (lambda store: experiment(store, "Default"), AlreadyExists),
    "rename to a taken name": (lambda store: edit(store, 1, name="other"), AlreadyExists),
    "rename to the name of a deleted one": (lambda store: edit(store, 1, name="deleted"), AlreadyExists),
    "an unknown number": (lambda store: edit(store, 9, name="x"), NotFound),
    "a tag that is not there": (lambda store: edit(store, 1, name="x", remove_tags=("none",)), NotFound),
    "a change of a deleted one": (lambda store: edit(store, 3, set_tags={"a": "1"}), Conflict),
    "deleting twice": (lambda store: edit(store, 3, lifecycle=Lifecycle.DELETED), Conflict),
    "restoring what is active": (lambda store: edit(store, 1, lifecycle=Lifecycle.ACTIVE), Conflict),
    "getting an unknown number": (lambda store: store.get_experiment(workspace=W, id=9), NotFound),
    "getting an unknown name": (lambda store: store.get_experiment(workspace=W, name="none"), NotFound),
    "getting one of a workspace without any": (lambda store: store.get_experiment(workspace="x", id=1), NotFound),
    "names differ in case": (lambda store: store.get_experiment(workspace=W, name="VISION"), NotFound),
}


@pytest.mark.parametrize("refusal", EXPERIMENT_REFUSALS)
def test_refusals_of_experiments_change_nothing(store: Store, refusal: str):
    experiment(store, "vision", tags={"t": "1"})
    experiment(store, "other")
    edit(store, experiment(store, "deleted").id, lifecycle=Lifecycle.DELETED)
    before = [store.get_experiment(workspace=W, id=number) for number in range(4)]
    call, error = EXPERIMENT_REFUSALS[refusal]
    with pytest.raises(error):
        call(store)
    assert [store.get_experiment(workspace=W, id=number) for number in range(4)] == before
    assert every_experiment(store) == [3, 2, 1, 0]


# Runs ----------------------------------------------------------------------------------------------------------------


@again
def test_a_run_is_what_it_was_made(shelf: Shelf, again: Callable[[Shelf], Store]):
    full = new_run(
        "full",
        name="näme",
        user="ada",
        status=Status.SCHEDULED,
        artifact_uri="s3://x",
        origin="mlflow",
        start_time=-5,
        params={"b": "2", "a": "1"},
        tags={"t": "é\n"},
    )
    made, bare = shelf.store.create_runs(workspace=W, new=[full, new_run("bare")])
    assert (made.project_number, bare.project_number) == (1, 2)
    assert made.key < bare.key
    store = again(shelf)
    row = get(store, "full")
    assert row.run == made
    assert (row.params, row.tags, row.metrics) == ({"a": "1", "b": "2"}, {"t": "é\n"}, {})
    assert list(row.params) == ["a", "b"]
    for name in ("name", "user", "status", "artifact_uri", "origin", "start_time"):
        assert getattr(row.run, name) == getattr(full, name), name
    assert (row.run.end_time, row.run.status_reason, row.run.lifecycle) == (None, "", Lifecycle.ACTIVE)
    assert (row.run.created_at, row.run.updated_at) == (NOW, NOW)
    assert get(store, "bare").run == bare
    assert store.create_runs(workspace=W, new=[new_run("next")])[0].project_number == 3


def test_runs_come_in_the_order_asked(store: Store):
    make_runs(store, "b", "a")
    ids = ["a", "none", RUN, "b", "a"]
    found = store.get_runs(workspace=W, run_ids=ids, columns=NO_COLUMNS)
    assert [None if row is None else row.run.id for row in found] == ["a", None, RUN, "b", "a"]
    assert store.get_runs(workspace="elsewhere", run_ids=ids, columns=ALL_COLUMNS) == [None] * 5
    assert store.get_runs(workspace=W, run_ids=[], columns=ALL_COLUMNS) == []


def test_project_numbers_count_in_each_experiment(store: Store):
    other = experiment(store).id
    new = [new_run("a", experiment_id=other), new_run("b"), new_run("c", experiment_id=other)]
    assert [run.project_number for run in store.create_runs(workspace=W, new=new)] == [1, 2, 2]


@again
def test_a_write_changes_a_run(shelf: Shelf, store: Store, again: Callable[[Shelf], Store]):
    change(
        store,
        name="new",
        status=Status.FAILED,
        status_reason="out of memory",
        start_time=1,
        end_time=2,
        set_tags={"a": "1", "b": "2"},
        params={"p": "1"},
        at=NOW + 7,
    )
    change(store, remove_tags=("a",), set_tags={"b": "3"}, at=NOW + 8)
    row = get(again(shelf))
    run = row.run
    assert (run.name, run.status, run.status_reason) == ("new", Status.FAILED, "out of memory")
    assert (run.start_time, run.end_time, run.updated_at, run.created_at) == (1, 2, NOW + 8, NOW)
    assert (row.params, row.tags) == ({"p": "1"}, {"b": "3"})


def test_what_is_not_said_stays(store: Store):
    change(store, name="new", status=Status.FINISHED, end_time=5, status_reason="x")
    before = get(store).run
    change(store, set_tags={"a": "1"})
    assert get(store).run == before
    change(store, name="", status_reason="")
    assert (get(store).run.name, get(store).run.status_reason, get(store).run.end_time) == ("", "", 5)


def test_columns_choose_what_comes_along(store: Store):
    change(store, params={"p": "1", "q": "2"}, set_tags={"t": "1", "u": "2"})
    for metric in ("m", "n"):
        add(store, [(1, 1, 1.0)], metric=metric)
    for _ in range(2):
        row = get(store)
        assert (list(row.metrics), list(row.params), list(row.tags)) == (["m", "n"], ["p", "q"], ["t", "u"])
        row = get(store, columns=Columns(metrics=("n", "x"), params=("q",), tags=()))
        assert (list(row.metrics), list(row.params), list(row.tags)) == (["n"], ["q"], [])
        row = get(store, columns=Columns(metrics=("n", "x"), last=True))
        assert (row.metrics, list(row.last.metrics), row.last.values) == ({}, ["n"], [1.0])
        row = get(store, columns=NO_COLUMNS)
        assert (row.metrics, row.params, row.tags) == ({}, {}, {})
        store.flush()


@again
def test_events_are_read_oldest_first(shelf: Shelf, store: Store, again: Callable[[Shelf], Store]):
    """By their time; of one time as they came."""
    events = [Event(time=n // 2, kind="status", text=f"t{n}", detail="" if n else '{"a":1}') for n in range(6)]
    change(store, events=tuple(events[2:]))
    change(store, events=tuple(events[:2]))
    assert again(shelf).read_events(workspace=W, run_id=RUN) == events
    change(shelf.store, events=tuple(events[2:4]))  # the same request, sent again
    assert shelf.store.read_events(workspace=W, run_id=RUN) == events
    assert shelf.store.read_events(workspace=W, run_id="none") == []
    assert shelf.store.read_events(workspace="elsewhere", run_id=RUN) == []


RUN_REFUSALS: dict[str, tuple[Callable[[Store], object], type[StepwellError]]] = {
    "a taken id": (lambda store: make_runs(store, "new", RUN), AlreadyExists),
    "an id twice": (lambda store: make_runs(store, "new", "new"), AlreadyExists),
    "the id of a deleted run": (lambda store: make_runs(store, "deleted"), AlreadyExists),
    "an unknown experiment": (
        lambda store: store.create_runs(workspace=W, new=[new_run("new"), new_run("x", experiment_id=9)]),
        NotFound,
    ),
    "a param that has another value": (lambda store: change(store, name="x", params={"p": "2"}), Conflict),
    "a tag that is not there": (lambda store: change(store, name="x", remove_tags=("t", "none")), NotFound),
    "an unknown run": (lambda store: change(store, "none", name="x"), NotFound),
    "a run of another workspace": (lambda store: change(store, workspace="elsewhere", name="x"), NotFound),
    "a deleted run": (lambda store: change(store, "deleted", name="x"), Conflict),
}


@pytest.mark.parametrize("refusal", RUN_REFUSALS)
def test_refusals_of_runs_change_nothing(store: Store, refusal: str):
    make_runs(store, "deleted")
    change(store, params={"p": "1"}, set_tags={"t": "1"})
    change(store, "deleted", lifecycle=Lifecycle.DELETED)
    ids = [RUN, "deleted", "new", "none", "x"]
    before = store.get_runs(workspace=W, run_ids=ids, columns=ALL_COLUMNS)
    call, error = RUN_REFUSALS[refusal]
    with pytest.raises(error):
        call(store)
    assert store.get_runs(workspace=W, run_ids=ids, columns=ALL_COLUMNS) == before
    assert store.create_runs(workspace=W, new=[new_run("next")])[0].project_number == 3


ODD = ("\x01", "\x01\x02x", "\x02\x01\x01", "\\u0001", "\\u0001\x01", '"\\', "a\nb\t", "\u2028é🦀", "")


@again
def test_names_and_values_come_back_letter_for_letter(shelf: Shelf, again: Callable[[Shelf], Store]):
    pairs = {f"{place}{name}": value for place, name in enumerate(ODD) for value in (ODD[-1 - place],)}
    make_runs(shelf.store, RUN)
    change(shelf.store, params=pairs, set_tags=pairs, set_custom_info=pairs)
    store = again(shelf)
    row = get(store, columns=Columns(custom_info=None))
    assert (dict(row.params), dict(row.tags), dict(row.custom_info)) == (pairs, pairs, pairs)
    one = next(name for name in pairs if name.endswith("\x01\x02x"))
    row = get(store, columns=Columns(params=(one,), tags=(one,), custom_info=(one,)))
    assert dict(row.params) == dict(row.tags) == dict(row.custom_info) == {one: pairs[one]}
