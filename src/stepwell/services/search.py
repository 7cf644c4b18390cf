"""Searches over runs and experiments: from the filter language and a cursor to a page and the next cursor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from stepwell.core import limits, page
from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filters import EXPERIMENTS, RUNS, Filter, Schema, milliseconds_to_microseconds
from stepwell.core.model import (
    ALL_COLUMNS,
    Columns,
    Experiment,
    ExperimentQuery,
    RunQuery,
    RunRow,
    Visibility,
)
from stepwell.core.store import Store
from stepwell.services.checks import check_count, check_limit, check_text

FILTER_LENGTH = 65_536  # characters of a filter
FILTERS = 64  # that are remembered: pages, and who looks again and again, ask the same
EXPERIMENTS_PER_SEARCH = 10_000


def search_runs(
    store: Store,
    *,
    workspace: str,
    experiment_ids: Sequence[int] | None,
    filter: str = "",
    order: Sequence[str] = (),
    visibility: Visibility = Visibility.ACTIVE,
    limit: int,
    cursor: str | None = None,
    skip: int = 0,
    columns: Columns = ALL_COLUMNS,
    milliseconds: bool = False,
) -> tuple[list[RunRow], str | None]:
    """A page of runs and the cursor of the next page (None: this was the last).

    `experiment_ids` None searches the whole workspace, an empty sequence nothing. `skip` rows behind the cursor are
    left out. `milliseconds`: the filter's times are in milliseconds, not microseconds. Raises BadFilter, Invalid
    (cursor, limit), TooLarge.
    """
    check_limit(limit, field="limit", limit=limits.RUNS_PER_PAGE)
    ids = _experiments(experiment_ids)
    if ids == ():
        return [], None
    conditions = _parsed(filter, RUNS, milliseconds=milliseconds)
    sort = parse_order(order, schema=RUNS)
    asked = (workspace, ids, conditions, sort, visibility)
    found = store.search_runs(
        workspace=workspace,
        query=RunQuery(
            experiment_ids=ids,
            filter=conditions,
            order=sort,
            visibility=visibility,
            limit=limit,
            after=page.decode("runs", page.fingerprint(*asked), cursor) if cursor else None,
            skip=skip,
            columns=columns,
        ),
    )
    if found.after is None:
        return found.items, None
    return found.items, page.encode("runs", page.fingerprint(*asked), found.after)


def count_runs(
    store: Store,
    *,
    workspace: str,
    experiment_ids: Sequence[int] | None,
    filter: str = "",
    visibility: Visibility = Visibility.ACTIVE,
) -> int:
    """How many runs `search_runs` finds over all pages. Raises BadFilter, TooLarge."""
    ids = _experiments(experiment_ids)
    if ids == ():
        return 0
    conditions = _parsed(filter, RUNS, milliseconds=False)
    query = RunQuery(experiment_ids=ids, filter=conditions, visibility=visibility, limit=1)
    return store.count_runs(workspace=workspace, query=query)


def search_experiments(
    store: Store,
    *,
    workspace: str,
    filter: str = "",
    order: Sequence[str] = (),
    visibility: Visibility = Visibility.ACTIVE,
    limit: int,
    cursor: str | None = None,
    milliseconds: bool = False,
) -> tuple[list[Experiment], str | None]:
    """A page of experiments and the cursor of the next; otherwise as `search_runs`."""
    check_limit(limit, field="limit", limit=limits.RUNS_PER_PAGE)
    conditions = _parsed(filter, EXPERIMENTS, milliseconds=milliseconds)
    sort = parse_order(order, schema=EXPERIMENTS)
    query = page.fingerprint(workspace, conditions, sort, visibility)
    found = store.search_experiments(
        workspace=workspace,
        query=ExperimentQuery(
            filter=conditions,
            order=sort,
            visibility=visibility,
            limit=limit,
            after=page.decode("experiments", query, cursor),
        ),
    )
    return found.items, page.encode("experiments", query, found.after)


def _experiments(given: Sequence[int] | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    check_count(len(given), field="experiment_ids", limit=EXPERIMENTS_PER_SEARCH)
    return tuple(sorted(set(given)))


def _parsed(text: str, schema: Schema, *, milliseconds: bool) -> Filter:
    check_text(text, field="filter", limit=FILTER_LENGTH)
    return _conditions(text, schema, milliseconds)


@lru_cache(maxsize=FILTERS)
def _conditions(text: str, schema: Schema, milliseconds: bool) -> Filter:
    conditions = parse_filter(text, schema=schema)
    return milliseconds_to_microseconds(conditions, schema=schema) if milliseconds else conditions
