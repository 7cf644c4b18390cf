"""Short questions about runs: who has this key or number, and which metrics there are. Searches are in searching.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from stepwell.core.filters import Kind
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.storage.catalog import workspaces
from stepwell.storage.catalog.sql import Connection, Statements

_SQL: Final = Statements.load("queries.sql")
_NAMES: Final = {Kind.METRIC: "names_of_metrics_in", Kind.PARAM: "names_of_params", Kind.TAG: "names_of_tags"}


def ids_of_keys(conn: Connection, workspace: str, keys: Iterable[int]) -> list[str | None]:
    """One item for each key."""
    workspace_key = workspaces.find(conn, workspace)
    return [_id(conn, "run_id_of_key", (key, workspace_key)) for key in keys]


def ids_of_numbers(conn: Connection, workspace: str, numbers: Iterable[tuple[int, int]]) -> list[str | None]:
    """One item for each (experiment id, project number)."""
    workspace_key = workspaces.find(conn, workspace)
    return [_id(conn, "run_id_of_number", (workspace_key, *number)) for number in numbers]


def metric_names(
    conn: Connection,
    workspace: str,
    experiment_id: int,
    *,
    run_ids: Sequence[str] | None,
    contains: str,
    limit: int,
) -> list[str]:
    """Sorted. A series stands in the catalog from its first point on, so none is missing."""
    bindings = {
        "workspace_key": workspaces.find(conn, workspace),
        "experiment_id": experiment_id,
        "contains": contains,
        "limit": limit,
    }
    if run_ids is None:
        rows = _SQL.all(conn, "names_of_metrics", bindings)
    else:
        rows = _SQL.all(conn, "names_of_metrics_in_runs", {**bindings, "run_ids": json.dumps(list(run_ids))})
    return [name for (name,) in rows]


def names(
    conn: Connection,
    workspace: str,
    kind: Kind,
    *,
    experiment_ids: Sequence[int] | None,
    contains: str,
    limit: int,
) -> list[str]:
    """Sorted. Goes from name to name, however many runs have each."""
    bindings = {
        "workspace_key": workspaces.find(conn, workspace),
        "experiment_ids": None if experiment_ids is None else json.dumps(list(experiment_ids)),
        "contains": contains,
        "limit": limit,
    }
    return [name for (name,) in _SQL.all(conn, _NAMES[kind], bindings)]


def _id(conn: Connection, statement: str, bindings: Sequence[Any]) -> str | None:
    if any(isinstance(each, int) and not INT64_MIN <= each <= INT64_MAX for each in bindings):
        return None
    row = _SQL.one(conn, statement, bindings)
    return None if row is None else row[0]
