"""Typed records: put, got, found by their declared values, deleted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from stepwell.core.errors import AlreadyExists, Conflict, Invalid
from stepwell.core.model import Record
from stepwell.core.page import Page, Position
from stepwell.storage.catalog import runs, workspaces
from stepwell.storage.catalog.sql import Connection, Row, Statements

PARENT: Final = "parent"  # in `where`: the id of the run
_SQL: Final = Statements.load("queries.sql")


def put(conn: Connection, workspace: str, records: Sequence[Record]) -> None:
    """Insert or replace by (kind, id), all or none; makes the workspace when it is missing.

    AlreadyExists: a unique value belongs to another id; NotFound: the parent is no run.
    """
    # All old values go before the new ones come, so that two records may exchange theirs.
    keys = [_put(conn, workspace, record) for record in records]
    for key, record in zip(keys, records, strict=True):
        _put_values(conn, workspace, key, record)


def change(
    conn: Connection,
    workspace: str,
    records: Sequence[Record],
    *,
    remove: Sequence[Record],
    unchanged: Sequence[Record],
) -> None:
    """As `put`, and remove others first. Conflict: one of `unchanged` is not stored as it is here."""
    check_unchanged(conn, workspace, unchanged)
    for record in remove:
        delete(conn, workspace, record.kind, (record.id,))
    put(conn, workspace, records)


def check_unchanged(conn: Connection, workspace: str, records: Iterable[Record]) -> None:
    """Conflict: one of them is not stored as it is here."""
    for record in records:
        (found,) = get(conn, workspace, record.kind, (record.id,))
        if found is None or _state(found) != _state(record):
            raise Conflict(f"the {record.kind} {record.id!r} was changed meanwhile; nothing was stored")


def of_runs(conn: Connection, workspace: str, kinds: Sequence[str], run_ids: Iterable[str]) -> dict[str, list[Record]]:
    """run id -> its records of these kinds, by creation, then kind, then id."""
    place = {"workspace": workspace, "kinds": json.dumps(list(kinds))}
    if _SQL.one(conn, "find_kinds", place) is None:  # as mostly: no run is looked up
        return {}
    rows = _SQL.all(conn, "find_records_of_runs", {**place, "run_ids": json.dumps(list(dict.fromkeys(run_ids)))})
    found = _read(conn, [key for key, _ in rows])
    result: dict[str, list[Record]] = {}
    for key, run_id in rows:
        result.setdefault(run_id, []).append(found[key])
    return result


def _state(record: Record) -> tuple[str, int, int]:
    return record.body, record.created_at, record.updated_at


def get(conn: Connection, workspace: str, kind: str, ids: Iterable[str]) -> list[Record | None]:
    """One item for each id."""
    workspace_key = workspaces.find(conn, workspace)
    wanted = list(ids)
    keys = [_SQL.one(conn, "find_record", (workspace_key, kind, number)) for number in wanted]
    found = _read(conn, [row[0] for row in keys if row is not None])
    return [None if row is None else found[row[0]] for row in keys]


def find(
    conn: Connection,
    workspace: str,
    kind: str,
    *,
    where: Mapping[str, str],
    after: Position | None,
    limit: int,
) -> Page[Record]:
    """Records whose unique, indexed or 'parent' values equal all of `where`, by creation, then id."""
    values = {name: value for name, value in where.items() if name != PARENT}
    run_key = None
    if PARENT in where:
        state = runs.find(conn, workspace, where[PARENT])
        if state is None:
            return Page(items=[])
        run_key = state.key
    created_at, number = _position(after)
    bindings = {
        "workspace_key": workspaces.find(conn, workspace),
        "kind": kind,
        "run_key": run_key,
        "names": len(values),
        "values": json.dumps(list(values.items())),
        "created_at": created_at,
        "id": number,
        "limit": limit + 1,
    }
    statement = "find_records_by_value" if values else "find_records_of_run" if PARENT in where else "find_records"
    rows = _SQL.all(conn, statement, bindings)
    found = _read(conn, [key for key, _, _ in rows[:limit]])
    last = rows[limit - 1][1:] if len(rows) > limit else None
    return Page(items=[found[key] for key, _, _ in rows[:limit]], after=last)


def delete(conn: Connection, workspace: str, kind: str, ids: Iterable[str]) -> int:
    """Delete records; how many there were."""
    workspace_key = workspaces.find(conn, workspace)
    count = 0
    for number in dict.fromkeys(ids):
        row = _SQL.one(conn, "find_record", (workspace_key, kind, number))
        if row is not None:
            _SQL.run(conn, "drop_record_values", (row[0],))
            count += _SQL.run(conn, "drop_record", (row[0],))
    return count


def _put(conn: Connection, workspace: str, record: Record) -> int:
    bindings = {
        "workspace_key": workspaces.ensure(conn, workspace, at=record.created_at),
        "kind": record.kind,
        "id": record.id,
        "run_key": runs.existing(conn, workspace, record.parent).key if record.parent else None,
        "body": record.body,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }
    row = _SQL.one(conn, "put_record", bindings)
    assert row is not None
    _SQL.run(conn, "drop_record_values", (row[0],))
    key: int = row[0]
    return key


def _put_values(conn: Connection, workspace: str, key: int, record: Record) -> None:
    _SQL.run(conn, "drop_record_values", (key,))  # of an earlier item with the same id
    fixed = {"record_key": key, "workspace_key": workspaces.find(conn, workspace), "kind": record.kind}
    for is_unique, values in ((True, record.unique), (False, record.indexed)):
        for name, value in values.items():
            bindings = {**fixed, "is_unique": is_unique, "name": name, "value": value}
            if is_unique and _SQL.one(conn, "find_unique_value", bindings) is not None:
                raise AlreadyExists(f"a {record.kind} with {name} {value!r} exists already", field=name)
            _SQL.run(conn, "add_record_value", bindings)


def _read(conn: Connection, keys: Sequence[int]) -> dict[int, Record]:
    if not keys:
        return {}
    wanted = (json.dumps(keys),)
    values: dict[tuple[int, int], dict[str, str]] = {}
    for key, is_unique, name, value in _SQL.all(conn, "read_record_values", wanted):
        values.setdefault((key, is_unique), {})[name] = value
    return {row[0]: _record(row, values) for row in _SQL.all(conn, "read_records", wanted)}


def _record(row: Row, values: Mapping[tuple[int, int], dict[str, str]]) -> Record:
    key, kind, number, parent, body, created_at, updated_at = row
    return Record(
        kind=kind,
        id=number,
        body=body,
        parent=parent or "",
        unique=values.get((key, 1), {}),
        indexed=values.get((key, 0), {}),
        created_at=created_at,
        updated_at=updated_at,
    )


def _position(after: Position | None) -> tuple[int | None, str | None]:
    if after is None:
        return None, None
    if len(after) == 2 and isinstance(after[0], int) and isinstance(after[1], str):
        return after[0], after[1]
    raise Invalid("the position does not belong to this list", field="cursor")
