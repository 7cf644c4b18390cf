"""Runs: made, found, changed, purged. Reading rows is in run_rows.py, searching in searching.py; no points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from stepwell.core.errors import AlreadyExists, Conflict, NotFound
from stepwell.core.model import Event, Lifecycle, NewRun, Run, RunWrite, Status
from stepwell.storage.catalog import audit, workspaces
from stepwell.storage.catalog.sql import Connection, Row, Statements, listed

_SQL: Final = Statements.load("queries.sql")
_SHOWN: Final = 100  # characters of a value in a message
_BELONGINGS: Final = (
    "purge_params",
    "purge_tags",
    "purge_custom_info",
    "purge_events",
    "purge_lines",
    "purge_record_values",
    "purge_records",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a write must know of a run. `key` holds for ever, the rest until a write to the run or to its experiment."""

    key: int
    experiment_id: int
    lifecycle: Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge took out of the catalog; `files` are names of content that nothing refers to after the commit."""

    run_keys: tuple[int, ...] = ()
    series_keys: tuple[int, ...] = ()
    files: tuple[str, ...] = ()


def find(conn: Connection, workspace: str, run_id: str) -> RunState | None:
    """The run of this id, also a deleted one; None when there is none."""
    row = _SQL.one(conn, "find_run", {"workspace": workspace, "id": run_id})
    return None if row is None else state(*row)


def state(key: int, experiment_id: int, deleted: int) -> RunState:
    """What a row of the table says."""
    return RunState(key=key, experiment_id=experiment_id, lifecycle=_lifecycle(deleted))


def open_run(conn: Connection, workspace: str, run_id: str) -> RunState:
    """The run of this id, for writing to it. NotFound: there is none; Conflict: it is deleted."""
    state = existing(conn, workspace, run_id)
    if state.lifecycle is Lifecycle.DELETED:
        raise deleted(run_id)
    return state


def existing(conn: Connection, workspace: str, run_id: str) -> RunState:
    """The run of this id, also a deleted one. NotFound: there is none."""
    found = find(conn, workspace, run_id)
    if found is None:
        raise missing(run_id)
    return found


def missing(run_id: str) -> NotFound:
    """What to raise where there is no such run."""
    return NotFound(f"there is no run {run_id!r}", field="run_id")


def deleted(run_id: str) -> Conflict:
    """What to raise at a write to a deleted run."""
    return Conflict(f"run {run_id!r} is deleted; restore it before writing to it", field="run_id")


def is_purged(conn: Connection, run_key: int) -> bool:
    """Whether the run of this key is gone for ever."""
    return _SQL.one(conn, "find_tombstone", (run_key,)) is not None


def create(conn: Connection, workspace: str, new: Sequence[NewRun]) -> list[Run]:
    """Make runs, and their workspace when it is missing; in the order of `new`.

    NotFound: no such experiment; Conflict: it is deleted; AlreadyExists: the id is taken.
    """
    return [_create(conn, workspace, each) for each in new]


def read(conn: Connection, workspace: str, keys: Iterable[int]) -> dict[int, Run]:
    """Runs by key, all of this workspace."""
    rows = _SQL.all(conn, "read_runs", {"keys": listed(keys)})
    return {row[0]: run_of(workspace, row) for row in rows}


def keys_of(conn: Connection, workspace: str, run_ids: Iterable[str]) -> dict[str, int]:
    """Keys by id, deleted runs too; ids without a run are absent."""
    workspace_key = workspaces.find(conn, workspace)
    if workspace_key is None:
        return {}
    return dict(_SQL.each(conn, "find_runs", ((workspace_key, run_id) for run_id in dict.fromkeys(run_ids))))


def apply(conn: Connection, workspace: str, write: RunWrite) -> RunState:
    """Everything of a write but its points; the state after it.

    NotFound: no such run and none to make, or a tag to remove is not there; Conflict: the run is deleted (and not
    restored by this write), a param has another value, or a tag that must be unchanged is not as it is there.
    """
    if write.make is not None and find(conn, workspace, write.run_id) is None:
        with suppress(AlreadyExists):  # another process has made it since
            _create(conn, workspace, write.make)
    state = existing(conn, workspace, write.run_id)
    if state.lifecycle is Lifecycle.DELETED and write.lifecycle is not Lifecycle.ACTIVE and not _only_deletes(write):
        raise deleted(write.run_id)
    if write.only_points:
        return state
    _check_tags(conn, state.key, write)
    _change(conn, state.key, write)
    if write.lifecycle not in (None, state.lifecycle):
        action = "run.delete" if write.lifecycle is Lifecycle.DELETED else "run.restore"
        audit.note(conn, action, workspace=workspace, subject=write.run_id)
    _add_params(conn, state.key, write)
    for name in write.remove_tags:
        if not _SQL.run(conn, "remove_tag", (state.key, name)):
            raise NotFound(f"run {write.run_id!r} has no tag {name!r}", field="tag")
    _SQL.each(conn, "remove_tag", ((state.key, name) for name in write.clear_tags))
    _SQL.each(conn, "set_tag", ((state.key, name, value) for name, value in write.set_tags.items()))
    _SQL.each(conn, "set_custom_info", ((state.key, name, text) for name, text in write.set_custom_info.items()))
    add_events(conn, state.key, write.events)
    return RunState(key=state.key, experiment_id=state.experiment_id, lifecycle=write.lifecycle or state.lifecycle)


def add_events(conn: Connection, run_key: int, events: Iterable[Event]) -> None:
    """Append events to a run. One that is there already, exactly, is not stored again."""
    for event in events:
        bindings = {"time": event.time, "kind": event.kind, "text": event.text, "detail": event.detail}
        _SQL.run(conn, "add_event", {"run_key": run_key, **bindings})


def events(conn: Connection, workspace: str, run_id: str) -> list[Event]:
    """What happened to a run, oldest first; empty when there is no such run."""
    state = find(conn, workspace, run_id)
    if state is None:
        return []
    rows = _SQL.all(conn, "read_events", (state.key,))
    return [Event(time=time, kind=kind, text=text, detail=detail) for time, kind, text, detail in rows]


def deleted_before(
    conn: Connection, workspace: str, experiment_id: int, *, before: int, after: str, limit: int
) -> list[str]:
    """Ids above `after`, sorted, of runs that were deleted before a time."""
    place = {"workspace": workspace, "experiment_id": experiment_id}
    bindings = {**place, "before": before, "after": after, "limit": limit}
    return [run_id for (run_id,) in _SQL.all(conn, "runs_deleted_before", bindings)]


def keys_of_experiment(conn: Connection, workspace: str, experiment_id: int) -> list[int]:
    """Of all its runs, deleted ones too, rising."""
    place = {"workspace": workspace, "experiment_id": experiment_id}
    return [key for (key,) in _SQL.all(conn, "run_keys_of_experiment", place)]


def keys_in(conn: Connection, workspace: str) -> list[int]:
    """Of all runs of a workspace, deleted ones too, in no order."""
    return [key for (key,) in _SQL.all(conn, "run_keys_of_workspace", {"workspace": workspace})]


def named(conn: Connection, key: int) -> tuple[str, str, str] | None:
    """The workspace, id and name of a run; None: it is purged."""
    row = _SQL.one(conn, "run_and_workspace", (key,))
    return None if row is None else (row[0], row[1], row[2])


def purge(
    conn: Connection, workspace: str, run_ids: Iterable[str], *, at: int, deleted_before: int | None = None
) -> Purged:
    """Take runs and all that belongs to them out of the catalog, series included, and bury their keys.

    Points and files are the caller's, in the same transaction and after it. Unknown ids are left out, and where
    `deleted_before` is given all that were not deleted before that time.
    """
    workspace_key = workspaces.find(conn, workspace)
    found = keys_of(conn, workspace, run_ids)
    if deleted_before is not None:
        found = {
            run_id: key
            for run_id, key in found.items()
            if _SQL.one(conn, "is_deleted_before", {"key": key, "before": deleted_before}) is not None
        }
    keys = tuple(found.values())
    for run_id in found:
        audit.note(conn, "run.purge", workspace=workspace, subject=run_id)
    series: list[int] = []
    files: list[str] = []
    for key in keys:
        _SQL.run(conn, "bury", (key, at))
        for statement in _BELONGINGS:
            _SQL.run(conn, statement, (key,))
        files += (file for (file,) in _SQL.all(conn, "purge_blobs", (workspace_key, key)))
        _SQL.run(conn, "purge_run_metrics", {"key": key})
        _SQL.run(conn, "purge_summaries", (key,))
        series += (number for (number,) in _SQL.all(conn, "purge_series", (key,)))
        _SQL.run(conn, "purge_run", (key,))
    return Purged(run_keys=keys, series_keys=tuple(series), files=tuple(files))


def run_of(workspace: str, row: Row) -> Run:
    """A run from the columns of the statement `read_runs`."""
    return Run(
        workspace=workspace,
        key=row[0],
        id=row[1],
        experiment_id=row[2],
        project_number=row[3],
        name=row[4],
        user=row[5],
        status=Status(row[6]),
        status_reason=row[7],
        lifecycle=_lifecycle(row[8]),
        artifact_uri=row[9],
        origin=row[10],
        start_time=row[11],
        end_time=row[12],
        created_at=row[13],
        updated_at=row[14],
    )


def _create(conn: Connection, workspace: str, new: NewRun) -> Run:
    place = {"workspace_key": workspaces.ensure(conn, workspace, at=new.at), "id": new.experiment_id}
    taken = _SQL.one(conn, "take_project_number", place)
    if taken is None:
        raise NotFound(f"there is no experiment {new.experiment_id}", field="experiment_id")
    if taken[1]:
        raise Conflict(
            f"experiment {new.experiment_id} is deleted; restore it before adding runs", field="experiment_id"
        )
    bindings = {
        "workspace_key": place["workspace_key"],
        "id": new.id,
        "experiment_id": new.experiment_id,
        "project_number": taken[0],
        "name": new.name,
        "user": new.user,
        "status": new.status.value,
        "artifact_uri": new.artifact_uri,
        "origin": new.origin,
        "start_time": new.start_time,
        "at": new.at,
    }
    row = _SQL.one(conn, "add_run", bindings)
    if row is None:
        raise AlreadyExists(f"a run {new.id!r} exists already", field="run_id")
    _SQL.each(conn, "add_param", ((row[0], name, value) for name, value in new.params.items()))
    _SQL.each(conn, "set_tag", ((row[0], name, value) for name, value in new.tags.items()))
    return Run(
        workspace=workspace,
        key=row[0],
        id=new.id,
        experiment_id=new.experiment_id,
        project_number=taken[0],
        name=new.name,
        user=new.user,
        status=new.status,
        status_reason="",
        lifecycle=Lifecycle.ACTIVE,
        artifact_uri=new.artifact_uri,
        origin=new.origin,
        start_time=new.start_time,
        end_time=None,
        created_at=new.at,
        updated_at=new.at,
    )


def _only_deletes(write: RunWrite) -> bool:
    """Whether a write deletes and does nothing else: repeating that to a deleted run is no error."""
    return (
        write.lifecycle is Lifecycle.DELETED
        and write.points is None
        and write == RunWrite(run_id=write.run_id, lifecycle=write.lifecycle, repeats=write.repeats, at=write.at)
    )


def _check_tags(conn: Connection, key: int, write: RunWrite) -> None:
    for name, value in write.unchanged_tags.items():
        found = _SQL.one(conn, "tag_value", (key, name))
        if (None if found is None else found[0]) != value:
            raise Conflict(f"the tag {name!r} of run {write.run_id!r} was changed meanwhile; nothing was stored")


def _change(conn: Connection, key: int, write: RunWrite) -> None:
    indexed = {
        "start_time": write.start_time,
        "deleted": None if write.lifecycle is None else write.lifecycle is Lifecycle.DELETED,
    }
    others = {
        "name": write.name,
        "status": None if write.status is None else write.status.value,
        "status_reason": write.status_reason,
        "end_time": write.end_time,
    }
    moves = any(value is not None for value in indexed.values())
    if moves:
        _SQL.run(conn, "move_run", {"key": key, "at": write.at, **indexed})
    if not moves or any(value is not None for value in others.values()):
        _SQL.run(conn, "change_run", {"key": key, "at": write.at, **others})


def _add_params(conn: Connection, key: int, write: RunWrite) -> None:
    before = conn.total_changes()
    _SQL.each(conn, "add_param", ((key, *param) for param in write.params.items()))
    if conn.total_changes() - before == len(write.params):
        return
    for name, value in write.params.items():  # some were there
        known = _SQL.one(conn, "find_param", (key, name))
        if known is not None and known[0] != value:
            raise Conflict(
                f"param {name!r} of run {write.run_id!r} is {_short(known[0])}; it cannot become {_short(value)}",
                field="params",
            )


def _short(value: str) -> str:
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."


def _lifecycle(flag: int) -> Lifecycle:
    return Lifecycle.DELETED if flag else Lifecycle.ACTIVE
