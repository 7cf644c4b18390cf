"""Setting and reading the bounds of workspaces and experiments. Retention and quotas apply them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.bounds import QUOTAS, RETENTION
from stepwell.core.errors import Forbidden, Invalid, TooLarge
from stepwell.core.ids import check_workspace
from stepwell.core.store import Store

GREATEST: Final = 10**15
DAYS: Final = 36_500  # a hundred years
RATE: Final = 1_000_000
_DAYS: Final = frozenset(("points_days", "deleted_runs_days"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What was set for a place, by name: a workspace, `*`, or one experiment of a workspace."""

    workspace: str
    experiment_id: int | None = None
    values: Mapping[str, int] = field(default_factory=dict)


def listing(store: Store, names: Sequence[str], *, allowed: str) -> list[Bounds]:
    """The bounds of these names that hold in the workspace `allowed` (`*`: in any), those of `*` too. Sorted by
    workspace, experiment."""
    found: dict[tuple[str, int | None], dict[str, int]] = {}
    for each in store.list_bounds():
        if each.name in names and (allowed == ANY_WORKSPACE or each.workspace in (allowed, ANY_WORKSPACE)):
            found.setdefault((each.workspace, each.experiment_id), {})[each.name] = each.value
    return [Bounds(workspace=place[0], experiment_id=place[1], values=values) for place, values in found.items()]


def put(
    store: Store,
    *,
    allowed: str,
    workspace: str,
    experiment_id: int | None = None,
    values: Mapping[str, int | None],
) -> Bounds:
    """Set the named bounds of a place (None: take it away), and all of it afterwards. Forbidden: it is not the
    caller's. NotFound: no such experiment. Invalid, TooLarge: a value."""
    if allowed not in (ANY_WORKSPACE, workspace):
        raise Forbidden(f"this credential sets no bounds for workspace {workspace!r}")
    if workspace != ANY_WORKSPACE:
        check_workspace(workspace)
    if experiment_id is not None:
        if workspace == ANY_WORKSPACE:
            raise Invalid("an experiment is one of a workspace, not of '*'", field="experiment_id")
        store.get_experiment(workspace=workspace, id=experiment_id)
    for name, value in values.items():
        _check(name, value)
    store.put_bounds(workspace=workspace, experiment_id=experiment_id, values=values)
    names = RETENTION if values.keys() & set(RETENTION) else QUOTAS
    place = (workspace, experiment_id)
    known = listing(store, names, allowed=workspace)
    empty = Bounds(workspace=workspace, experiment_id=experiment_id)
    return next((each for each in known if (each.workspace, each.experiment_id) == place), empty)


def _check(name: str, value: int | None) -> None:
    if value is None:
        return
    limit = DAYS if name in _DAYS else RATE if name == "requests_per_second" else GREATEST
    if value < 0:
        raise Invalid(f"{name} is {value}; it must be 0 (no bound) or more", field=name)
    if value > limit:
        raise TooLarge(f"{name} is {value}; the limit is {limit}", field=name, limit=limit)
