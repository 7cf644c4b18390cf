"""Workspaces, made by their first write, each with its experiment 0; and what else dialects call them."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import WorkspaceAlias
from stepwell.core.errors import NotFound
from stepwell.core.model import DEFAULT_EXPERIMENT, Workspace
from stepwell.storage.catalog import audit
from stepwell.storage.catalog.sql import Connection, Statements

DEFAULT_NAME: Final = "Default"  # of experiment 0
_SQL: Final = Statements.load("queries.sql")


def find(conn: Connection, name: str) -> int | None:
    """The internal key of a workspace; None before its first write."""
    row = _SQL.one(conn, "find_workspace", (name,))
    return None if row is None else row[0]


def ensure(conn: Connection, name: str, *, at: int) -> int:
    """The key of a workspace, made when it is missing."""
    key = find(conn, name)
    return _add(conn, name, at) if key is None else key


def put(conn: Connection, name: str, *, at: int) -> Workspace:
    """Make a workspace, or find it."""
    ensure(conn, name, at=at)
    row = _SQL.one(conn, "find_workspace", (name,))
    assert row is not None
    return Workspace(name=row[1], created_at=row[2])


def every(conn: Connection) -> list[Workspace]:
    """All of them, sorted by name."""
    return [Workspace(name=name, created_at=at) for _, name, at in _SQL.all(conn, "list_workspaces")]


def put_alias(conn: Connection, alias: WorkspaceAlias) -> None:
    """Store it in the place of an older one."""
    bindings = {"dialect": alias.dialect, "id": alias.id, "workspace": alias.workspace}
    _SQL.run(conn, "put_workspace_alias", bindings)
    audit.note(conn, "alias.put", workspace=alias.workspace, subject=f"{alias.dialect}/{alias.id}")


def aliases(conn: Connection) -> list[WorkspaceAlias]:
    """All of them, sorted by dialect, then id."""
    rows = _SQL.all(conn, "list_workspace_aliases")
    return [WorkspaceAlias(dialect=dialect, id=id_, workspace=workspace) for dialect, id_, workspace in rows]


def drop_alias(conn: Connection, dialect: str, id_: str) -> WorkspaceAlias:
    """Remove it. NotFound."""
    row = _SQL.one(conn, "drop_workspace_alias", {"dialect": dialect, "id": id_})
    if row is None:
        raise NotFound(f"dialect {dialect!r} has no alias {id_!r}", field="id")
    audit.note(conn, "alias.delete", workspace=row[0], subject=f"{dialect}/{id_}")
    return WorkspaceAlias(dialect=dialect, id=id_, workspace=row[0])


def _add(conn: Connection, name: str, at: int) -> int:
    row = _SQL.one(conn, "add_workspace", {"name": name, "at": at, "next_experiment": DEFAULT_EXPERIMENT + 1})
    assert row is not None
    default = {"id": DEFAULT_EXPERIMENT, "name": DEFAULT_NAME, "artifact_location": ""}
    _SQL.run(conn, "add_experiment", {**default, "workspace_key": row[0], "at": at})
    audit.note(conn, "workspace.create", workspace=name, subject=name)
    key: int = row[0]
    return key
