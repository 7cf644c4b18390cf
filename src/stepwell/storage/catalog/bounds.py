"""Rows of bounds: what admins set. Nothing here applies them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stepwell.core.bounds import RETENTION, Bound
from stepwell.storage.catalog import audit
from stepwell.storage.catalog.sql import Connection, Statements

_SQL: Final = Statements.load("queries.sql")
_ALL: Final = -1  # in the place of an experiment


def put(conn: Connection, workspace: str, experiment_id: int | None, values: Mapping[str, int | None]) -> None:
    """Set the named bounds of a place; None takes one away. Noted where that changes something."""
    place = {"workspace": workspace, "experiment_id": _ALL if experiment_id is None else experiment_id}
    known: dict[str, int] = dict(_SQL.all(conn, "bounds_of_place", place))
    changed = {name: value for name, value in values.items() if known.get(name) != value}
    for name, value in changed.items():
        _SQL.run(conn, "drop_bound", {**place, "name": name})
        if value is not None:
            _SQL.run(conn, "add_bound", {**place, "name": name, "value": value})
    kept = changed.keys() & set(RETENTION)
    for action, names in (("retention.set", kept), ("quota.set", changed.keys() - kept)):
        if names:
            told = {name: "none" if changed[name] is None else str(changed[name]) for name in sorted(names)}
            subject = workspace if experiment_id is None else f"{workspace}/{experiment_id}"
            audit.note(conn, action, workspace=workspace, subject=subject, **told)


def every(conn: Connection) -> list[Bound]:
    """All of them, sorted by workspace, experiment (those of all first), name."""
    return [
        Bound(workspace=workspace, experiment_id=None if experiment == _ALL else experiment, name=name, value=value)
        for workspace, experiment, name, value in _SQL.all(conn, "list_bounds")
    ]
