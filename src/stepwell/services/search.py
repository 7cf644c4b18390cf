"""Searches over runs and experiments: from the filter language and a cursor to a page and the next cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from stepwell.core import limits, page
from stepwell.core.filter_grammar import parse_filter, parse_order
from stepwell.core.filters import EXPERIMENTS, RUNS, Comparison, Filter, Kind, Op, Schema
from stepwell.core.model import (
    ALL_COLUMNS,
    Columns,
    Experiment,
    ExperimentQuery,
    RunQuery,
    RunRow,
    Visibility,
)
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.core.store import Store
from stepwell.services.checks import check_count, check_limit, check_text

FILTER_LENGTH = 65_536  # characters of a filter
EXPERIMENTS_PER_SEARCH = 10_000


def search_runs(
    store: Store,
    *,
    workspace: str,
    experiment_ids: Sequence[int] | None,
    filter: str = "",  # noqa: A002  the word of every API
    order: Sequence[str] = (),
    visibility: Visibility = Visibility.ACTIVE,
    limit: int,
    cursor: str | None = None,
    columns: Columns = ALL_COLUMNS,
    time_unit: int = 1,
) -> tuple[list[RunRow], str | None]:
    """A page of runs and the cursor of the next page (None: this was the last).

    `experiment_ids` None searches the whole workspace, an empty sequence nothing. `time_unit`: the microseconds in one
    unit of the filter's times (1000 where they are milliseconds). Raises BadFilter, Invalid (cursor, limit), TooLarge.
    """
    check_limit(limit, field="limit", limit=limits.RUNS_PER_PAGE)
    check_text(filter, field="filter", limit=FILTER_LENGTH)
    ids = None
    if experiment_ids is not None:
        check_count(len(experiment_ids), field="experiment_ids", limit=EXPERIMENTS_PER_SEARCH)
        ids = tuple(sorted(set(experiment_ids)))
        if not ids:
            return [], None
    conditions = in_microseconds(parse_filter(filter, schema=RUNS), schema=RUNS, unit=time_unit)
    sort = parse_order(order, schema=RUNS)
    query = page.fingerprint(workspace, ids, conditions, sort, visibility)
    found = store.search_runs(
        workspace=workspace,
        query=RunQuery(
            experiment_ids=ids,
            filter=conditions,
            order=sort,
            visibility=visibility,
            limit=limit,
            after=page.decode("runs", query, cursor),
            columns=columns,
        ),
    )
    return found.items, page.encode("runs", query, found.after)


def search_experiments(
    store: Store,
    *,
    workspace: str,
    filter: str = "",  # noqa: A002
    order: Sequence[str] = (),
    visibility: Visibility = Visibility.ACTIVE,
    limit: int,
    cursor: str | None = None,
    time_unit: int = 1,
) -> tuple[list[Experiment], str | None]:
    """A page of experiments and the cursor of the next; otherwise as `search_runs`."""
    check_limit(limit, field="limit", limit=limits.RUNS_PER_PAGE)
    check_text(filter, field="filter", limit=FILTER_LENGTH)
    conditions = in_microseconds(parse_filter(filter, schema=EXPERIMENTS), schema=EXPERIMENTS, unit=time_unit)
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


def in_microseconds(conditions: Filter, *, schema: Schema, unit: int) -> Filter:
    """The filter with its times in microseconds; it asks of a time what the text asks of it in units, rounded down.

    `=` becomes an interval of one unit. `!=` cannot be said of an interval in one comparison: it excludes the beginning
    of the unit only.
    """
    if unit == 1:
        return conditions
    scaled: list[Comparison] = []
    for each in conditions:
        if each.field.kind is Kind.ATTRIBUTE and schema.is_numeric(each.field) and isinstance(each.value, int | float):
            scaled += _scaled(each, each.value, unit)
        else:
            scaled.append(each)
    return tuple(scaled)


def _scaled(comparison: Comparison, value: float, unit: int) -> list[Comparison]:
    low, high = math.floor(value), math.ceil(value)

    def compare(op: Op, units: int, extra: int = 0) -> Comparison:
        time = min(max(units * unit + extra, INT64_MIN), INT64_MAX)
        return replace(comparison, op=op, value=time)

    match comparison.op:
        case Op.GT:
            return [compare(Op.GE, low + 1)]
        case Op.GE:
            return [compare(Op.GE, high)]
        case Op.LT:
            return [compare(Op.LT, high)]
        case Op.LE:
            return [compare(Op.LT, low + 1)]
        case Op.EQ if low == high:
            return [compare(Op.GE, low), compare(Op.LT, low + 1)]
        case Op.EQ:  # no whole unit equals a fraction: an interval that holds nothing
            return [compare(Op.GE, high), compare(Op.LT, high)]
        case _:
            return [replace(comparison, value=value * unit) if low != high else compare(Op.NE, low)]
