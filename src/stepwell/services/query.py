"""Reading points: pages of history, live deltas, buckets for charts, samples within a budget, and summaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stepwell.core import limits, page
from stepwell.core.buckets import Buckets, Samples
from stepwell.core.downsample import Sampled, spread
from stepwell.core.errors import Invalid
from stepwell.core.model import EVERYTHING, LabelSet, Selector, SeriesInfo, Window
from stepwell.core.series import Order, Points
from stepwell.core.store import Store
from stepwell.core.summary import SummaryTable
from stepwell.services.checks import check_count, check_limit

CHUNK_POINTS: Final = 10_000  # of a whole history: what is encoded at once, and the longest that one snapshot is held

_COLUMNS: Final = {Order.KEY: 5, Order.TIME: 5, Order.ARRIVAL: 1}  # of a position: every order ends at the arrival


def history(
    store: Store,
    *,
    workspace: str,
    selector: Selector,
    order: Order,
    window: Window = EVERYTHING,
    cursor: str | None = None,
    limit: int,
) -> tuple[Points, str | None]:
    """A page of a series in `order` and the cursor of the next page (None: this was the last).

    Unknown runs and metrics have no points. Raises Invalid (cursor, limit), TooLarge.
    """
    check_limit(limit, field="limit", limit=limits.PAGE_POINTS)
    query = page.fingerprint(workspace, selector, window)
    after = _position(order, query, cursor)
    found = store.read(workspace=workspace, selector=selector, order=order, window=window, after=after, limit=limit)
    return found.points, page.encode(_kind(order), query, found.after)


def arrivals(
    store: Store,
    *,
    workspace: str,
    selector: Selector,
    window: Window = EVERYTHING,
    cursor: str | None = None,
    limit: int,
) -> tuple[Points, str]:
    """What arrived after the cursor (None: from the beginning), as acknowledged, and the cursor to ask with next time.

    The cursor is given always: a reader that asks again and again misses nothing and gets nothing twice. It does not
    bind the window, so that a reader may begin with the newest steps and then follow everything.
    """
    check_limit(limit, field="limit", limit=limits.PAGE_POINTS)
    query = page.fingerprint(workspace, selector)
    found = store.read(
        workspace=workspace,
        selector=selector,
        order=Order.ARRIVAL,
        window=window,
        after=_position(Order.ARRIVAL, query, cursor),
        limit=limit,
    )
    following = page.encode(_kind(Order.ARRIVAL), query, found.after)
    assert following is not None, "an engine gives the position of every page in arrival order"
    return found.points, following


def buckets(
    store: Store, *, workspace: str, selectors: Sequence[Selector], window: Window = EVERYTHING, budget: int
) -> list[Buckets]:
    """For each selector at most `budget` buckets of its points in the window, in key order."""
    check_count(len(selectors), field="series", limit=limits.SERIES_PER_READ)
    check_limit(budget, field="budget", limit=limits.BUCKETS)
    check_count(len(selectors) * budget, field="buckets", limit=limits.BUCKETS_PER_READ)
    return store.read_buckets(workspace=workspace, selectors=selectors, window=window, budget=budget)


def interval(
    store: Store, *, workspace: str, selectors: Sequence[Selector], window: Window = EVERYTHING, budget: int
) -> list[Samples]:
    """For each selector at most `budget` stored points of the window, in key order.

    All of them when they fit; otherwise (budget of 4 or more) the first, the last, each bucket's minimum and maximum.
    """
    check_limit(budget, field="budget", limit=2 * limits.BUCKETS)
    found = buckets(store, workspace=workspace, selectors=selectors, window=window, budget=max(1, (budget - 2) // 2))
    fitting = [n for n, rows in enumerate(found) if len(rows) < (total := int(rows.count.sum())) and total <= budget]
    if fitting:  # a bucket for each point is all of them
        chosen = [selectors[n] for n in fitting]
        every = store.read_buckets(workspace=workspace, selectors=chosen, window=window, budget=budget)
        for n, rows in zip(fitting, every, strict=True):
            found[n] = rows
    return spread(found, budget)


def sample(
    store: Store, *, workspace: str, selectors: Sequence[Selector], window: Window = EVERYTHING, limit: int
) -> list[Sampled]:
    """For each selector at most `limit` stored points of the window, one a step, by the rule of core.downsample."""
    check_count(len(selectors), field="series", limit=limits.SERIES_PER_READ)
    check_limit(limit, field="limit", limit=limits.PAGE_POINTS)
    return store.sample(workspace=workspace, selectors=selectors, window=window, limit=limit)


def series(store: Store, *, workspace: str, run_id: str, metric: str | None = None) -> list[SeriesInfo]:
    """The series of a run with their summaries, sorted by (metric, labels); empty when there is no such run."""
    return store.list_series(workspace=workspace, run_id=run_id, metric=metric)


def label_sets(store: Store, *, workspace: str, run_ids: Sequence[str]) -> list[LabelSet]:
    """The series of runs whose metrics have labels in one of them: each run's together, sorted by (metric, labels)."""
    check_count(len(run_ids), field="run_ids", limit=limits.RUNS_PER_PAGE)
    return store.label_sets(workspace=workspace, run_ids=run_ids)


def summaries(
    store: Store, *, workspace: str, run_ids: Sequence[str], metrics: Sequence[str] | None = None
) -> SummaryTable:
    """Of each run and metric the summary over the union of its label sets. Unknown runs and metrics are absent."""
    check_count(len(run_ids), field="run_ids", limit=limits.RUNS_PER_PAGE)
    return store.summaries(workspace=workspace, run_ids=run_ids, metrics=metrics)


def _kind(order: Order) -> str:
    return f"points.{order.value}"


def _position(order: Order, query: str, cursor: str | None) -> page.Position | None:
    """Where a page begins. Invalid also for a forged cursor, whose position is not one of this order."""
    after = page.decode(_kind(order), query, cursor)
    if after is not None and not (len(after) == _COLUMNS[order] and all(isinstance(part, int) for part in after)):
        raise Invalid("cursor is not one that this server gave", field="cursor")
    return after
