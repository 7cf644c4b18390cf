"""Writing to runs: every limit that holds for all writers, then the store. Nothing here waits for the disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from stepwell.core import limits
from stepwell.core.errors import Invalid
from stepwell.core.ids import check_workspace
from stepwell.core.model import RunWrite
from stepwell.core.store import Store
from stepwell.services.checks import (
    check_count,
    check_name,
    check_names,
    check_new_run,
    check_pairs,
    check_points,
    check_text,
)


def write(store: Store, *, workspace: str, write: RunWrite) -> Future[None]:
    """Apply one run's changes, all or none.

    Raises Invalid or TooLarge at once for what needs no store to refuse. The Future resolves when the write is durable
    and visible, or raises NotFound, Conflict, Busy, StorageFull or StorageFailed.
    """
    _check(workspace, write)
    return store.write(workspace=workspace, writes=(write,))


def write_many(store: Store, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
    """Apply the changes of several runs in one transaction, all or none; otherwise as `write`."""
    check_count(len(writes), field="runs", limit=limits.RUNS_PER_WRITE)
    points = 0
    for each in writes:
        _check(workspace, each)
        if each.points is not None:
            points += len(each.points)
    check_count(points, field="points", limit=limits.POINTS_PER_WRITE)
    return store.write(workspace=workspace, writes=writes)


def _check(workspace: str, write: RunWrite) -> None:
    check_write(write)
    if write.make is not None:
        check_workspace(workspace)


def check_write(write: RunWrite) -> None:
    """Raise Invalid or TooLarge, naming the field, when no run could take this."""
    if write.points is not None:
        check_points(write.points)
    if write.only_points:
        return
    if write.make is not None:
        check_new_run(write.make)
        if write.make.id != write.run_id:
            raise Invalid(f"the run to make is {write.make.id!r}, the run to write to {write.run_id!r}", field="run_id")
    check_pairs(write.params, field="params", value_limit=limits.PARAM_VALUE_LENGTH)
    check_pairs(write.set_tags, field="tags", value_limit=limits.TAG_VALUE_LENGTH)
    check_names((*write.remove_tags, *write.clear_tags), field="tags")
    check_pairs(write.set_custom_info, field="custom_info", value_limit=limits.CUSTOM_INFO_LENGTH)
    if write.name is not None:
        check_name(write.name, field="name", limit=limits.RUN_NAME_LENGTH)
    if write.status_reason is not None:
        check_text(write.status_reason, field="status_reason", limit=limits.TAG_VALUE_LENGTH)
    for event in write.events:
        check_name(event.kind, field="events.kind")
        check_text(event.text, field="events.text", limit=limits.TAG_VALUE_LENGTH)
