"""Runs in numbered pages with a total, for interfaces that count pages. Cursors (services.search) are cheaper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from stepwell.core.filters import Filter, OrderBy
from stepwell.core.model import NO_COLUMNS, Run, RunQuery
from stepwell.core.store import Store

_CHUNK: Final = 5_000  # runs read at once


def runs(
    store: Store,
    *,
    workspace: str,
    filter: Filter = (),
    wanted: Callable[[Run], bool] | None = None,
    order: tuple[OrderBy, ...],
    number: int,
    size: int,
) -> tuple[list[Run], int]:
    """Page `number`, counted from 0, of the active runs that meet the filter, and how many do in all.

    `wanted` asks more of them, what no filter can say; then every run that meets the filter is looked at.
    """
    query = RunQuery(filter=filter, order=order, limit=size, columns=NO_COLUMNS)
    if wanted is not None:
        return _looked_at(store, workspace, query, wanted, number * size)
    total = store.count_runs(workspace=workspace, query=query)
    if number * size >= total:
        return [], total
    page = store.search_runs(workspace=workspace, query=replace(query, skip=number * size))
    return [row.run for row in page.items], total


def _looked_at(
    store: Store, workspace: str, query: RunQuery, wanted: Callable[[Run], bool], skip: int
) -> tuple[list[Run], int]:
    found, total, after = [], 0, None
    while True:
        page = store.search_runs(workspace=workspace, query=replace(query, limit=_CHUNK, after=after))
        for row in page.items:
            if wanted(row.run):
                if skip <= total < skip + query.limit:
                    found.append(row.run)
                total += 1
        after = page.after
        if after is None:
            return found, total
