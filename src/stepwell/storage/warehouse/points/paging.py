"""Pages of points in each order: what ClickHouse holds and what waits, each point once, no further than the page needs.

ClickHouse sorts what it finds and keeps the first rows, but old versions look at everything behind the cursor for it.
So it is asked first for what lies little behind the cursor, where the rows of the page most likely are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from stepwell.core.page import Position
from stepwell.core.series import I64, INT64_MIN, Order
from stepwell.core.store import PointPage
from stepwell.storage.positions import beyond, checked
from stepwell.storage.warehouse.points.cuts import hidden
from stepwell.storage.warehouse.points.rows import Rows
from stepwell.storage.warehouse.points.statements import Scope, age_of, arrival_of

WIDTHS: Final = (4, 1024)  # steps, microseconds or arrivals for each row of the page: how far is looked, one by one
MORE: Final = 4  # times as many rows are asked for where many repeat others
_STATEMENTS: Final = {Order.KEY: "by_key", Order.TIME: "by_time", Order.ARRIVAL: "by_arrival"}

Bound = tuple[int, ...]
Oldest = Callable[[Rows], I64]  # of each row the least arrival that is stored for its point


def page(scope: Scope, *, order: Order, after: Position | None, limit: int, oldest: Oldest) -> PointPage:
    """The next `limit` points in `order`."""
    start = checked(order, after)
    if order is Order.ARRIVAL:
        low = -1 if start is None else start[0]
        points = arrived(scope, after=low, limit=limit, oldest=oldest).points
        return PointPage(points=points, after=(int(points.arrival[-1]) if len(points) else low,))
    pool = [scope.waiting]
    rows = Rows.empty()
    for stored, bound in _stored(scope, order, start, limit + 1):
        pool.append(stored)
        rows = _between(Rows.concat(pool).distinct(), order, start, bound)
        if len(rows) > limit:
            break
    points = rows.points.take(slice(0, limit))
    columns = _columns(rows.take(slice(0, limit)), order)
    return PointPage(points=points, after=tuple(int(column[-1]) for column in columns) if len(rows) > limit else None)


def arrived(scope: Scope, *, after: int, limit: int, oldest: Oldest) -> Rows:
    """Up to `limit` rows with arrivals above `after`, oldest first."""
    pool = [scope.waiting]
    rows = Rows.empty()
    for stored, bound in _stored(scope, Order.ARRIVAL, (after,), limit):
        pool.append(stored)
        rows = _between(Rows.concat(pool).distinct(), Order.ARRIVAL, (after,), bound)
        rows = rows.take(oldest(rows) >= rows.points.arrival)  # else the point arrived before `after`
        if len(rows) >= limit:
            break
    return rows.take(slice(0, limit))


def _stored(scope: Scope, order: Order, start: Bound | None, need: int) -> Iterator[tuple[Rows, Bound | None]]:
    """Rows of ClickHouse at `start` and behind it, and up to where these are all there are (None: to the end)."""
    for low, high, last in _reaches(scope, order, start, need):
        begin, wanted = low, need
        while True:
            rows = _ask(scope, order, start, begin, high, wanted)
            shown = rows.take(~hidden(rows, scope.cuts)) if scope.series is None else rows
            if len(rows) < wanted:
                yield shown, None if last else (high,)
                break
            bound = tuple(int(column[-1]) for column in _columns(rows, order))
            yield shown, bound
            wanted *= MORE
            if order is Order.ARRIVAL and bound[0] > begin:  # what is behind is enough
                begin, wanted = bound[0], min(wanted, max(need, scope.at_once))


def _ask(scope: Scope, order: Order, start: Bound | None, low: int, high: int, limit: int) -> Rows:
    """The first rows whose leading column is from `low` to `high`."""
    if order is Order.ARRIVAL:
        name = "of_run" if scope.series is None else _STATEMENTS[order]
        return scope.rows(name, limit=limit, begin_age=age_of(low), end_age=age_of(high + 1))
    window = scope.window
    if order is Order.KEY:
        window = replace(window, min_step=low, max_step=high)
    else:
        window = replace(window, min_time=low, max_time=high)
    cursor = dict(zip("abcd", start or (INT64_MIN,) * 4, strict=False))
    return replace(scope, window=window).rows(_STATEMENTS[order], limit=limit, **cursor)


def _reaches(scope: Scope, order: Order, start: Bound | None, need: int) -> Iterator[tuple[int, int, bool]]:
    """Ranges of the leading column one behind another, and whether it is the last one."""
    low, highest = _ends(scope, order, start)
    if low < 0 <= highest and start is None and order is Order.KEY:  # hardly ever a step is below 0
        yield low, -1, False
        low = 0
    for width in WIDTHS:
        high = low + width * need
        if high >= highest:
            break
        yield low, high, False
        low = high + 1
    yield low, highest, True


def _ends(scope: Scope, order: Order, start: Bound | None) -> tuple[int, int]:
    """From where to where the leading column is to be looked through."""
    window = scope.window
    if order is Order.KEY:
        return (window.min_step if start is None else max(window.min_step, start[0])), window.max_step
    if order is Order.TIME:
        if start is None:
            least = scope.least("least_time")
            return (max(window.min_time, window.max_time) if least is None else least), window.max_time
        return max(window.min_time, start[0]), window.max_time
    if start is None or start[0] < 0:
        age = scope.least("oldest_of_run" if scope.series is None else "oldest")
        return (scope.end - 1 if age is None else arrival_of(age)), scope.end - 1
    return start[0] + 1, scope.end - 1


def _between(rows: Rows, order: Order, start: Bound | None, bound: Bound | None) -> Rows:
    """Rows in order, those behind `start` and not behind `bound`."""
    columns = _columns(rows, order)
    keep = np.ones(len(rows), np.bool_)
    if start is not None:
        keep &= beyond(columns, start)
    if bound is not None:
        keep &= ~beyond(columns, bound)
    rows = rows.take(keep)
    columns = _columns(rows, order)
    return rows.take(np.lexsort(columns[::-1]))


def _columns(rows: Rows, order: Order) -> tuple[I64, ...]:
    columns = rows.points.sort_columns(order)
    return columns if order is Order.ARRIVAL else (*columns, rows.points.arrival)
