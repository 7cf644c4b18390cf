"""Runs in numbered pages with a total, for interfaces that count pages. Cursors (services.search) are cheaper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stepwell.core.filters import OrderBy
from stepwell.core.model import NO_COLUMNS, Run, RunQuery
from stepwell.core.store import Store

_CHUNK: Final = 5_000  # runs read at once


def runs(
    store: Store,
    *,
    workspace: str,
    wanted: Callable[[Run], bool],
    order: tuple[OrderBy, ...],
    number: int,
    size: int,
) -> tuple[list[Run], int]:
    """Page `number`, counted from 0, of the active runs that are wanted, and how many are wanted in all.

    A total costs a look at every run of the workspace.
    """
    skipped, found, total, after = number * size, [], 0, None
    while True:
        query = RunQuery(order=order, limit=_CHUNK, after=after, columns=NO_COLUMNS)
        page = store.search_runs(workspace=workspace, query=query)
        for row in page.items:
            if wanted(row.run):
                if skipped <= total < skipped + size:
                    found.append(row.run)
                total += 1
        after = page.after
        if after is None:
            return found, total
