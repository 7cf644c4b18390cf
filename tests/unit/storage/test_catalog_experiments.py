"""Workspaces and experiments of the embedded catalog."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from catalogs import Bench, new_run
from stepwell.core.errors import AlreadyExists, Conflict, Invalid, NotFound
from stepwell.core.filter_grammar import parse_filter
from stepwell.core.filters import EXPERIMENTS
from stepwell.core.model import (
    Columns,
    ExperimentQuery,
    ExperimentWrite,
    Lifecycle,
    NewExperiment,
    RunQuery,
    Visibility,
)

NONE = Columns(metrics=(), params=(), tags=())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_default_experiment_exists_before_the_first_write(bench: Bench):
    catalog = bench.catalog
    default = catalog.get_experiment(workspace="w", id=0)
    assert (default.name, default.lifecycle, default.id) == ("Default", Lifecycle.ACTIVE, 0)
    assert catalog.get_experiment(workspace="w", name="Default") == default
    assert catalog.search_experiments(workspace="w", query=ExperimentQuery(limit=5)).items == [default]
    assert catalog.list_workspaces() == []
    with pytest.raises(NotFound, match="no experiment 1"):
        catalog.get_experiment(workspace="w", id=1)
    with pytest.raises(NotFound, match="named 'x'"):
        catalog.get_experiment(workspace="w", name="x")


@pytest.mark.parametrize(
    ("text", "visibility", "found"),
    [
        ("name = 'Default'", Visibility.ACTIVE, True),
        ("name LIKE 'd%'", Visibility.ALL, False),
        ("experiment_id = '0'", Visibility.ALL, True),
        ("creation_time > 0", Visibility.ACTIVE, False),
        ("", Visibility.DELETED, False),
    ],
)
def test_a_search_of_an_untouched_workspace_obeys_its_filter(
    bench: Bench, text: str, visibility: Visibility, found: bool
):
    query = ExperimentQuery(filter=parse_filter(text, schema=EXPERIMENTS), visibility=visibility, limit=5)
    assert bool(bench.catalog.search_experiments(workspace="w", query=query).items) is found


def test_a_workspace_is_made_once_with_its_default_experiment(bench: Bench):
    catalog = bench.catalog
    made = catalog.put_workspace(name="b", at=3)
    assert catalog.put_workspace(name="b", at=9) == made
    catalog.put_workspace(name="a", at=4)
    assert [(w.name, w.created_at) for w in catalog.list_workspaces()] == [("a", 4), ("b", 3)]
    assert catalog.get_experiment(workspace="b", id=0).created_at == 3


def test_experiments_count_in_each_workspace_and_know_their_tags(bench: Bench):
    catalog = bench.catalog
    one = catalog.create_experiment(
        workspace="w", new=NewExperiment(name="one", artifact_location="s3://x", tags={"b": "2", "a": ""}, at=7)
    )
    assert (one.id, one.artifact_location, dict(one.tags), one.created_at, one.updated_at) == (
        1,
        "s3://x",
        {"a": "", "b": "2"},
        7,
        7,
    )
    assert catalog.create_experiment(workspace="w", new=NewExperiment(name="two", at=8)).id == 2
    assert catalog.create_experiment(workspace="v", new=NewExperiment(name="one", at=8)).id == 1
    assert catalog.get_experiment(workspace="w", name="one") == one


@pytest.mark.parametrize("name", ["Default", "one"])
def test_a_name_is_taken_once(bench: Bench, name: str):
    catalog = bench.catalog
    one = catalog.create_experiment(workspace="w", new=NewExperiment(name="one", at=1))
    catalog.write_experiment(workspace="w", write=ExperimentWrite(id=one.id, lifecycle=Lifecycle.DELETED, at=2))
    with pytest.raises(AlreadyExists, match=name):
        catalog.create_experiment(workspace="w", new=NewExperiment(name=name, at=3))
    two = catalog.create_experiment(workspace="w", new=NewExperiment(name="two", at=3))
    assert two.id == 2  # the refused one took no number
    with pytest.raises(AlreadyExists):
        catalog.write_experiment(workspace="w", write=ExperimentWrite(id=two.id, name=name, at=4))


def test_the_first_name_of_an_untouched_workspace_cannot_be_default(bench: Bench):
    with pytest.raises(AlreadyExists):
        bench.catalog.create_experiment(workspace="w", new=NewExperiment(name="Default", at=3))
    assert bench.catalog.list_workspaces() == []


def test_changes_are_all_or_none(bench: Bench):
    catalog = bench.catalog
    catalog.create_experiment(workspace="w", new=NewExperiment(name="one", tags={"a": "1", "b": "2"}, at=1))
    changed = catalog.write_experiment(
        workspace="w",
        write=ExperimentWrite(id=1, name="uno", set_tags={"a": "3", "c": "4"}, remove_tags=("b",), at=5),
    )
    assert (changed.name, dict(changed.tags), changed.created_at, changed.updated_at) == (
        "uno",
        {"a": "3", "c": "4"},
        1,
        5,
    )
    with pytest.raises(NotFound, match="no tag 'b'"):
        catalog.write_experiment(
            workspace="w", write=ExperimentWrite(id=1, name="eins", set_tags={"z": "1"}, remove_tags=("b",), at=6)
        )
    assert catalog.get_experiment(workspace="w", id=1) == changed
    with pytest.raises(NotFound):
        catalog.write_experiment(workspace="w", write=ExperimentWrite(id=9, name="x", at=6))
    with pytest.raises(NotFound):
        catalog.write_experiment(workspace="v", write=ExperimentWrite(id=1, name="x", at=6))


def test_the_default_experiment_of_an_untouched_workspace_can_be_changed(bench: Bench):
    write = ExperimentWrite(id=0, set_tags={"a": "1"}, at=6)
    assert dict(bench.catalog.write_experiment(workspace="w", write=write).tags) == {"a": "1"}


def test_a_deleted_experiment_takes_no_change_but_being_restored(bench: Bench):
    catalog = bench.catalog
    catalog.create_experiment(workspace="w", new=NewExperiment(name="one", at=1))
    delete = ExperimentWrite(id=1, lifecycle=Lifecycle.DELETED, at=2)
    restore = ExperimentWrite(id=1, lifecycle=Lifecycle.ACTIVE, at=3)
    with pytest.raises(Conflict, match="active already"):
        catalog.write_experiment(workspace="w", write=restore)
    assert catalog.write_experiment(workspace="w", write=delete).lifecycle is Lifecycle.DELETED
    for refused in (delete, ExperimentWrite(id=1, name="x", at=3), ExperimentWrite(id=1, set_tags={"a": ""}, at=3)):
        with pytest.raises(Conflict, match="deleted"):
            catalog.write_experiment(workspace="w", write=refused)
    with pytest.raises(Conflict, match="deleted"):
        catalog.create_runs(workspace="w", new=[new_run("r", experiment_id=1)])
    assert catalog.write_experiment(workspace="w", write=restore).lifecycle is Lifecycle.ACTIVE


def test_the_runs_of_an_experiment_are_deleted_and_restored_with_it(bench: Bench):
    catalog = bench.catalog
    catalog.create_experiment(workspace="w", new=NewExperiment(name="one", at=1))
    catalog.create_runs(
        workspace="w", new=[new_run("a", experiment_id=1), new_run("b", experiment_id=1), new_run("other")]
    )
    active, deleted = (RunQuery(limit=9, visibility=v, columns=NONE) for v in (Visibility.ACTIVE, Visibility.DELETED))
    catalog.write_experiment(workspace="w", write=ExperimentWrite(id=1, lifecycle=Lifecycle.DELETED, at=2))
    assert [row.run.id for row in catalog.search_runs(workspace="w", query=active).items] == ["other"]
    assert [row.run.id for row in catalog.search_runs(workspace="w", query=deleted).items] == ["a", "b"]
    catalog.write_experiment(workspace="w", write=ExperimentWrite(id=1, lifecycle=Lifecycle.ACTIVE, at=3))
    assert [row.run.id for row in catalog.search_runs(workspace="w", query=active).items] == ["a", "b", "other"]


def test_a_position_of_another_order_is_refused(bench: Bench):
    catalog = bench.catalog
    for name in "abc":
        catalog.create_experiment(workspace="w", new=NewExperiment(name=name, at=1))
    query = ExperimentQuery(limit=2)
    page = catalog.search_experiments(workspace="w", query=query)
    assert [one.name for one in page.items] == ["c", "b"]
    rest = catalog.search_experiments(workspace="w", query=replace(query, after=page.after))
    assert [one.name for one in rest.items] == ["a", "Default"]
    assert rest.after is None
    for after in ((1,), ("a", "b"), (None, None), ()):
        with pytest.raises(Invalid, match="position"):
            catalog.search_experiments(workspace="w", query=replace(query, after=after))


def test_text_that_is_no_unicode_is_refused(bench: Bench):
    with pytest.raises(Invalid, match="after 'abc'"):
        bench.catalog.create_experiment(workspace="w", new=NewExperiment(name="abc\ud800", at=1))
    assert bench.count("workspace") == 0
    with pytest.raises(Invalid):
        bench.catalog.create_experiment(workspace="w", new=NewExperiment(name="a", tags={"a": "\udfff"}, at=1))
    assert bench.count("experiment") == 0
