"""Bounds that admins set: how long things are kept, how much a workspace may hold. What applies them is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400_000_000  # microseconds
RETENTION: Final = ("points_days", "points_per_series", "deleted_runs_days")
QUOTAS: Final = ("points", "series", "file_bytes", "requests_per_second")
NO_BOUND: Final = 0  # set in a narrower place, it lifts the bound of a wider one


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One number that was set. `workspace` may be `*`: all that have none of their own. `experiment_id` None: all of
    the workspace. `name`: of RETENTION or QUOTAS."""

    workspace: str
    experiment_id: int | None
    name: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Which points of a series stay: those not before the time `since`, and the `latest` in key order. None: all. The
    last point always stays."""

    since: int | None = None
    latest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """How many points of how many series a step removed, or would."""

    points: int
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a workspace has, deleted runs too. `file_bytes`: of runs and of the workspace itself."""

    points: int
    series: int
    runs: int
    file_bytes: int


def in_force(
    bounds: Iterable[Bound], *, workspace: str, everywhere: str, experiment_id: int | None = None
) -> Mapping[str, int]:
    """The bounds of a place by name: the experiment's, else the workspace's, else those of `everywhere`. NO_BOUND
    is absent."""
    rank = {(everywhere, None): 0, (workspace, None): 1, (workspace, experiment_id): 2}
    found: dict[str, tuple[int, int]] = {}
    for each in bounds:
        place = rank.get((each.workspace, each.experiment_id))
        if place is not None and place >= found.get(each.name, (-1, 0))[0]:
            found[each.name] = (place, each.value)
    return {name: value for name, (_, value) in found.items() if value != NO_BOUND}
