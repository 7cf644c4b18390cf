"""What cannot name or describe a run or an experiment is refused before any store is asked."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stepwell.core import limits
from stepwell.core.errors import Invalid, NotFound
from stepwell.core.model import ExperimentWrite, NewExperiment, NewRun, RunRow, Workspace
from stepwell.core.store import Store
from stepwell.services import artifacts, runs

UNTOUCHED = cast("Store", object())  # any use of it is an AttributeError


class Empty:
    """A store that holds two workspaces and no run."""

    def get_runs(self, *, run_ids: list[str], **_: Any) -> list[RunRow | None]:
        return [None for _ in run_ids]

    def list_workspaces(self) -> list[Workspace]:
        return [Workspace(name=name, created_at=0) for name in ("a", "b")]

    def delete_blobs(self, **_: Any) -> int:
        return 0


EMPTY = cast("Store", Empty())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": ""}, "run_id"),
        ({"id": "a/b"}, "run_id"),
        ({"id": "i" * (limits.RUN_ID_LENGTH + 1)}, "run_id"),
        ({"name": ""}, "name"),
        ({"user": "u" * (limits.NAME_LENGTH + 1)}, "user"),
        ({"artifact_uri": "\0"}, "artifact_uri"),
        ({"params": {"": ""}}, "params"),
        ({"tags": {"t": "\ud800"}}, "tags.t"),
    ],
)
def test_runs_that_cannot_be(wrong: dict[str, Any], field: str):
    new = NewRun(**{"id": "r", "name": "n", "origin": "test", "at": 0, **wrong})
    with pytest.raises(Invalid) as caught:
        runs.create_run(UNTOUCHED, workspace="w", new=new)
    assert caught.value.field == field


@pytest.mark.parametrize("workspace", ["", "*", "a b", "lm", "-x", "w" * (limits.WORKSPACE_NAME_LENGTH + 1)])
def test_nothing_is_made_in_a_workspace_that_cannot_be(workspace: str):
    with pytest.raises(Invalid) as caught:
        runs.create_run(UNTOUCHED, workspace=workspace, new=NewRun(id="r", name="n", origin="test", at=0))
    assert caught.value.field == "workspace"
    with pytest.raises(Invalid):
        runs.create_experiment(UNTOUCHED, workspace=workspace, new=NewExperiment(name="e", at=0))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * (limits.EXPERIMENT_NAME_LENGTH + 1)}, "name"),
        ({"artifact_location": "\0"}, "artifact_location"),
        ({"tags": {"t": "v" * (limits.TAG_VALUE_LENGTH + 1)}}, "tags.t"),
    ],
)
def test_experiments_that_cannot_be(wrong: dict[str, Any], field: str):
    with pytest.raises(Invalid) as caught:
        runs.create_experiment(UNTOUCHED, workspace="w", new=NewExperiment(**{"name": "e", "at": 0, **wrong}))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("wrong", "field"), [({"name": ""}, "name"), ({"set_tags": {"": ""}}, "tags"), ({"remove_tags": ("",)}, "tags")]
)
def test_changes_that_no_experiment_takes(wrong: dict[str, Any], field: str):
    with pytest.raises(Invalid) as caught:
        runs.change_experiment(UNTOUCHED, workspace="w", write=ExperimentWrite(id=1, at=0, **wrong))
    assert caught.value.field == field


def test_a_run_that_is_not_there_is_named():
    with pytest.raises(NotFound, match="'r7'"):
        runs.get_run(EMPTY, workspace="w", run_id="r7")
    with pytest.raises(NotFound, match="'r7'"):
        runs.read_events(EMPTY, workspace="w", run_id="r7")
    assert runs.get_runs(EMPTY, workspace="w", run_ids=["r7", "r8"]) == [None, None]


def test_a_principal_sees_its_own_workspaces():
    assert [w.name for w in runs.list_workspaces(EMPTY, workspace="*")] == ["a", "b"]
    assert [w.name for w in runs.list_workspaces(EMPTY, workspace="b")] == ["b"]


def test_paths_of_files_are_bounded():
    long = "p" * (limits.BLOB_PATH_LENGTH + 1)
    for path in ("", long, "a\0b"):
        with pytest.raises(Invalid) as caught:
            artifacts.begin(UNTOUCHED, workspace="w", owner="r", path=path, now=0)
        assert caught.value.field == "path"
        with pytest.raises(Invalid):
            artifacts.get(UNTOUCHED, workspace="w", owner="r", path=path)
        with pytest.raises(Invalid):
            artifacts.delete(UNTOUCHED, workspace="w", owner="r", path=path)
    with pytest.raises(Invalid):
        artifacts.list_folder(UNTOUCHED, workspace="w", owner="r", folder=long)
    with pytest.raises(NotFound):
        artifacts.delete(EMPTY, workspace="w", owner="r", path="nothing")
    with pytest.raises(Invalid):  # nothing removes all files of a workspace
        artifacts.delete_of_run(UNTOUCHED, workspace="w", run_id="")
