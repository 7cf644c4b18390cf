"""The same change of many runs at once, where some of them may not be there or not take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from stepwell.core import limits
from stepwell.core.errors import Busy, Conflict, Invalid, NotFound, StepwellError
from stepwell.core.model import NO_COLUMNS, Lifecycle, RunRow, RunWrite
from stepwell.core.store import Store
from stepwell.services import ingest, runs
from stepwell.services.checks import check_count

_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of each run. `clear_tags` need not be there; `purge` stands alone."""

    set_tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    clear_tags: tuple[str, ...] = ()
    lifecycle: Lifecycle | None = None
    purge: bool = False
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A run that stays as it is, and why."""

    run_id: str
    error: StepwellError


def change_runs(store: Store, *, workspace: str, run_ids: Sequence[str], change: Change) -> list[Refused]:
    """Change every run that can be changed, all of them in one transaction; the others, in the order given.

    Returns when the changes are durable. An id that is there twice is one. A run that is already as asked is no error.
    Raises TooLarge and Invalid for what no run could take, and Busy when others kept deleting runs meanwhile: then
    nothing is changed.
    """
    check_count(len(run_ids), field="run_ids", limit=limits.RUNS_PER_WRITE)
    if change.purge and (change.set_tags or change.clear_tags or change.lifecycle is not None):
        raise Invalid("purge: what is removed for good cannot be changed as well", field="purge")
    ingest.check_write(_write("", change))
    ids = list(dict.fromkeys(run_ids))
    for _ in range(_ATTEMPTS):
        rows = runs.get_runs(store, workspace=workspace, run_ids=ids, columns=NO_COLUMNS)
        found = dict(zip(ids, rows, strict=True))
        refused = {run_id: error for run_id, row in found.items() if (error := _refusal(run_id, row, change))}
        takers = [run_id for run_id, row in found.items() if run_id not in refused and not _is_so(row, change)]
        try:
            _apply(store, workspace, takers, change)
        except (NotFound, Conflict):
            continue  # one of them was deleted or removed since it was looked at
        return [Refused(run_id=run_id, error=error) for run_id, error in refused.items()]
    raise Busy("others keep deleting these runs; nothing was changed. Try again.")


def _refusal(run_id: str, row: RunRow | None, change: Change) -> StepwellError | None:
    if row is None:
        return NotFound(f"no run {run_id!r}", field="run_ids")
    tagged = change.set_tags or change.clear_tags
    if tagged and row.run.lifecycle is Lifecycle.DELETED and change.lifecycle is not Lifecycle.ACTIVE:
        return Conflict(f"run {run_id!r} is deleted; restore it before writing to it", field="run_ids")
    return None


def _is_so(row: RunRow | None, change: Change) -> bool:
    """Whether nothing is left to do; tags are written again, as for a single run."""
    idle = not (change.set_tags or change.clear_tags or change.purge)
    return idle and row is not None and change.lifecycle in (None, row.run.lifecycle)


def _apply(store: Store, workspace: str, run_ids: Sequence[str], change: Change) -> None:
    if not run_ids:
        return
    if change.purge:
        runs.purge_runs(store, workspace=workspace, run_ids=run_ids)
        return
    writes = [_write(run_id, change) for run_id in run_ids]
    ingest.write_many(store, workspace=workspace, writes=writes).result()


def _write(run_id: str, change: Change) -> RunWrite:
    return RunWrite(
        run_id=run_id,
        set_tags=change.set_tags,
        clear_tags=change.clear_tags,
        lifecycle=change.lifecycle,
        at=change.at,
    )
