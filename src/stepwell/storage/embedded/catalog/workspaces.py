"""Workspaces: made by their first write, each with its experiment 0."""

from __future__ import annotations

from typing import Final

import apsw

from stepwell.core.model import DEFAULT_EXPERIMENT, Workspace
from stepwell.storage.embedded.catalog.sql import Statements

DEFAULT_NAME: Final = "Default"  # of experiment 0
_SQL: Final = Statements.load("queries.sql")


def find(conn: apsw.Connection, name: str) -> int | None:
    """The internal key of a workspace; None before its first write."""
    row = _SQL.one(conn, "find_workspace", (name,))
    return None if row is None else row[0]


def ensure(conn: apsw.Connection, name: str, *, at: int) -> int:
    """The key of a workspace, made when it is missing."""
    key = find(conn, name)
    return _add(conn, name, at) if key is None else key


def put(conn: apsw.Connection, name: str, *, at: int) -> Workspace:
    """Make a workspace, or find it."""
    ensure(conn, name, at=at)
    row = _SQL.one(conn, "find_workspace", (name,))
    assert row is not None
    return Workspace(name=row[1], created_at=row[2])


def every(conn: apsw.Connection) -> list[Workspace]:
    """All of them, sorted by name."""
    return [Workspace(name=name, created_at=at) for _, name, at in _SQL.all(conn, "list_workspaces")]


def _add(conn: apsw.Connection, name: str, at: int) -> int:
    row = _SQL.one(conn, "add_workspace", {"name": name, "at": at, "next_experiment": DEFAULT_EXPERIMENT + 1})
    assert row is not None
    default = {"id": DEFAULT_EXPERIMENT, "name": DEFAULT_NAME, "artifact_location": ""}
    _SQL.run(conn, "add_experiment", {**default, "workspace_key": row[0], "at": at})
    key: int = row[0]
    return key
