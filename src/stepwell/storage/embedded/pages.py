"""Pages of points in any order: of the blocks that meet a window, no more are opened than a page needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stepwell.core.model import Window
from stepwell.core.page import Position
from stepwell.core.series import I64, Order, Points, ascending
from stepwell.core.store import PointPage
from stepwell.storage.embedded import tiles
from stepwell.storage.embedded.blocks import Header
from stepwell.storage.embedded.gathering import Source, meets, within
from stepwell.storage.positions import beyond, checked


def page(source: Source, *, order: Order, window: Window, after: Position | None, limit: int) -> PointPage:
    """The next `limit` points in `order`. Blocks are opened in the order of their least key, no more than the page
    needs.
    """
    start = checked(order, after)
    pool = [_next(p, window, order, start, limit) for p in source.fresh]
    waiting = tiles.Frontier(
        source.connection,
        source.headers,
        low=lambda header: _low(header, order),
        wanted=lambda header: meets(header, window) and _reaches(header, order, start),
    )
    while True:
        bound = waiting.bound()
        ready = [p for p in (_below(p, order, bound) for p in pool) if len(p)]
        wanted = limit + 1 - sum(map(len, ready))
        if wanted <= 0 or bound is None:
            break
        while wanted > 0 and waiting.bound() is not None:
            header = waiting.take()
            pool.append(_next(source.points(header), window, order, start, limit))
            wanted -= header.length
    found = in_order(Points.concat(ready), order)
    more = len(found) > limit
    found = found.take(slice(0, limit))
    if order is Order.ARRIVAL:
        last = int(found.arrival[-1]) if len(found) else (start[0] if start else -1)
        return PointPage(points=found, after=(last,))
    ends = _columns(found.take(slice(-1, None)), order)
    return PointPage(points=found, after=tuple(int(end[0]) for end in ends) if more else None)


def in_order(points: Points, order: Order) -> Points:
    """Sorted; mostly they stand so already, which the leading columns tell much faster than it is done."""
    if ascending(_lead(points, order)).all():
        return points
    columns = _columns(points, order)
    return points if ascending(columns).all() else points.take(np.lexsort(columns[::-1]))


def _next(points: Points, window: Window, order: Order, start: tuple[int, ...] | None, limit: int) -> Points:
    """The window's points beyond `start`. No more than the page needs where their leading column already rises, as that
    of a series mostly does: then nothing is copied, and what lies before and behind the page costs nothing.
    """
    points = within(points, window)
    if not _rises(points, order):
        return points if start is None else points.take(beyond(_columns(points, order), start))
    if start is not None:
        points = points.take(slice(int(np.searchsorted(_lead(points, order)[0], start[0])), None))
        equal = int(np.searchsorted(_lead(points, order)[0], start[0], "right"))
        if equal:  # of the same step or time, so that more columns decide
            above = np.ones(len(points), np.bool_)
            above[:equal] = beyond(_columns(points.take(slice(equal)), order), start)
            points = points.take(above)
    if len(points) <= limit + 1:
        return points
    first = _lead(points, order)[0]
    return points.take(slice(int(np.searchsorted(first, first[limit], "right"))))


def _rises(points: Points, order: Order) -> bool:
    """Whether the leading column never falls."""
    first = _lead(points, order)[0]
    return bool((first[1:] >= first[:-1]).all())


def _below(points: Points, order: Order, bound: Sequence[int] | None) -> Points:
    """Those strictly below a block's least key in its leading columns (None: all): no unopened block can come before
    them.
    """
    if bound is None:
        return points
    below = np.zeros(len(points), np.bool_)
    equal = np.ones_like(below)
    for column, value in zip(_lead(points, order), bound, strict=True):
        below |= equal & (column < value)
        equal &= column == value
    return points if below.all() else points.take(below)


def _columns(points: Points, order: Order) -> tuple[I64, ...]:
    columns = points.sort_columns(order)
    return columns if order is Order.ARRIVAL else (*columns, points.arrival)


def _lead(points: Points, order: Order) -> tuple[I64, ...]:
    if order is Order.ARRIVAL:
        return (points.arrival,)
    return (points.step, points.time) if order is Order.KEY else (points.time, points.step)


def _low(header: Header, order: Order) -> tuple[int, ...]:
    if order is Order.ARRIVAL:
        return (header.min_arrival,)
    return (header.min_step, header.min_time) if order is Order.KEY else (header.min_time, header.min_step)


def _reaches(header: Header, order: Order, start: tuple[int, ...] | None) -> bool:
    """Whether the block can hold points beyond `start`."""
    if start is None:
        return True
    if order is Order.ARRIVAL:
        return header.max_arrival > start[0]
    high = (header.max_step, header.max_time) if order is Order.KEY else (header.max_time, header.max_step)
    return high >= start[:2]
