"""Experiments: made, read, changed. Searching them is in searching.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from stepwell.core.errors import AlreadyExists, Conflict, NotFound
from stepwell.core.model import (
    DEFAULT_EXPERIMENT,
    NOTHING,
    Experiment,
    ExperimentWrite,
    Lifecycle,
    NewExperiment,
)
from stepwell.storage.catalog import audit, workspaces
from stepwell.storage.catalog.sql import Connection, Row, Statements

_SQL: Final = Statements.load("queries.sql")


def create(conn: Connection, workspace: str, new: NewExperiment) -> Experiment:
    """Make an experiment, and its workspace when missing. AlreadyExists: the name is taken, also by a deleted one."""
    key = workspaces.ensure(conn, workspace, at=new.at)
    _refuse_taken(conn, key, new.name)
    taken = _SQL.one(conn, "take_experiment_id", (key,))
    assert taken is not None
    bindings = {
        "workspace_key": key,
        "id": taken[0],
        "name": new.name,
        "artifact_location": new.artifact_location,
        "at": new.at,
    }
    _SQL.run(conn, "add_experiment", bindings)
    _set_tags(conn, key, taken[0], new.tags)
    audit.note(conn, "experiment.create", workspace=workspace, subject=str(taken[0]), name=new.name)
    return get(conn, workspace, id=taken[0])


def get(conn: Connection, workspace: str, *, id: int | None = None, name: str | None = None) -> Experiment:
    """By id, or else by name; deleted ones too. NotFound."""
    key = workspaces.find(conn, workspace)
    if key is None:
        if id == DEFAULT_EXPERIMENT or (id is None and name == workspaces.DEFAULT_NAME):
            return untouched(workspace)
        raise _not_found(id, name)
    if id is not None:
        row = _SQL.one(conn, "find_experiment", {"workspace_key": key, "id": id})
    else:
        row = _SQL.one(conn, "find_experiment_by_name", {"workspace_key": key, "name": name})
    if row is None:
        raise _not_found(id, name)
    return experiment_of(workspace, row, tags_of(conn, key, [row[0]]).get(row[0], NOTHING))


def purge(conn: Connection, workspace: str, number: int) -> None:
    """Remove an experiment. NotFound; Conflict: it has runs, or it is experiment 0."""
    name = get(conn, workspace, id=number).name
    if number == DEFAULT_EXPERIMENT:
        raise Conflict(f"experiment {number} belongs to its workspace; it cannot be removed", field="experiment_id")
    bindings = {"workspace_key": workspaces.find(conn, workspace), "id": number}
    if _SQL.one(conn, "find_run_of_experiment", bindings) is not None:
        raise Conflict(f"experiment {number} has runs; purge them first", field="experiment_id")
    _SQL.run(conn, "purge_experiment_tags", bindings)
    _SQL.run(conn, "purge_experiment", bindings)
    audit.note(conn, "experiment.purge", workspace=workspace, subject=str(number), name=name)


def apply(conn: Connection, workspace: str, write: ExperimentWrite) -> Experiment:
    """Change an experiment; a change of its lifecycle is also one of all its runs.

    NotFound: it, or a tag to remove, is missing. AlreadyExists: the new name is taken. Conflict: it is deleted (and not
    restored by the same write), or has the lifecycle already.
    """
    if write.id == DEFAULT_EXPERIMENT:
        workspaces.ensure(conn, workspace, at=write.at)
    old = get(conn, workspace, id=write.id)
    if write.lifecycle is old.lifecycle:
        raise Conflict(f"experiment {write.id} is {old.lifecycle} already", field="lifecycle")
    if old.lifecycle is Lifecycle.DELETED and write.lifecycle is None:
        raise Conflict(f"experiment {write.id} is deleted; restore it before changing it", field="experiment_id")
    key = workspaces.find(conn, workspace)
    assert key is not None
    if write.name is not None and write.name != old.name:
        _refuse_taken(conn, key, write.name)
    after = write.lifecycle or old.lifecycle
    changed = {
        "workspace_key": key,
        "id": write.id,
        "name": old.name if write.name is None else write.name,
        "deleted": after is Lifecycle.DELETED,
        "at": write.at,
    }
    _SQL.run(conn, "change_experiment", changed)
    if write.lifecycle is not None:
        bindings = {name: changed[name] for name in ("workspace_key", "id", "deleted", "at")}
        _SQL.run(conn, "mark_runs_of_experiment", bindings)
        action = "experiment.delete" if after is Lifecycle.DELETED else "experiment.restore"
        audit.note(conn, action, workspace=workspace, subject=str(write.id), name=old.name)
    _remove_tags(conn, key, write)
    _set_tags(conn, key, write.id, write.set_tags)
    return get(conn, workspace, id=write.id)


def untouched(workspace: str) -> Experiment:
    """Experiment 0 of a workspace that nobody has written to yet."""
    return Experiment(
        workspace=workspace,
        id=DEFAULT_EXPERIMENT,
        name=workspaces.DEFAULT_NAME,
        artifact_location="",
        lifecycle=Lifecycle.ACTIVE,
        created_at=0,
        updated_at=0,
    )


def experiment_of(workspace: str, row: Row, tags: Mapping[str, str]) -> Experiment:
    """An experiment from the columns id, name, artifact_location, deleted, created_at, updated_at."""
    number, name, location, deleted, created_at, updated_at = row
    return Experiment(
        workspace=workspace,
        id=number,
        name=name,
        artifact_location=location,
        lifecycle=Lifecycle.DELETED if deleted else Lifecycle.ACTIVE,
        created_at=created_at,
        updated_at=updated_at,
        tags=tags,
    )


def tags_of(conn: Connection, workspace_key: int, ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """The tags of experiments, names sorted; absent for those without."""
    found: dict[int, dict[str, str]] = {}
    bindings = {"workspace_key": workspace_key, "ids": json.dumps(list(ids))}
    for number, name, value in _SQL.all(conn, "experiment_tags", bindings):
        found.setdefault(number, {})[name] = value
    return found


def _set_tags(conn: Connection, workspace_key: int, number: int, tags: Mapping[str, str]) -> None:
    fixed: dict[str, Any] = {"workspace_key": workspace_key, "id": number}
    _SQL.each(conn, "set_experiment_tag", ({**fixed, "name": name, "value": value} for name, value in tags.items()))


def _remove_tags(conn: Connection, workspace_key: int, write: ExperimentWrite) -> None:
    for name in write.remove_tags:
        bindings = {"workspace_key": workspace_key, "id": write.id, "name": name}
        if not _SQL.run(conn, "remove_experiment_tag", bindings):
            raise NotFound(f"experiment {write.id} has no tag {name!r}", field="tag")


def _refuse_taken(conn: Connection, workspace_key: int, name: str) -> None:
    row = _SQL.one(conn, "find_experiment_by_name", {"workspace_key": workspace_key, "name": name})
    if row is not None:
        state = " (it is deleted)" if row[3] else ""
        raise AlreadyExists(f"an experiment named {name!r} exists already: {row[0]}{state}", field="name")


def _not_found(number: int | None, name: str | None) -> NotFound:
    if number is None:
        return NotFound(f"there is no experiment named {name!r}", field="name")
    return NotFound(f"there is no experiment {number}", field="experiment_id")
