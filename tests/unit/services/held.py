"""A store of one series, in memory: enough of the interface for the services that read and write points."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import cast

import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import rank_edges
from stepwell.core.model import RunWrite, Selector, Window
from stepwell.core.page import Position
from stepwell.core.series import Order, Points
from stepwell.core.store import PointPage, Store


class Held:
    """`points` are read whatever the selector; `writes` are what came in."""

    def __init__(self, points: Points | None = None) -> None:
        self.points = (points or Points.empty()).sorted(Order.KEY)
        self.writes: list[RunWrite] = []
        self.limits: list[int] = []

    @property
    def store(self) -> Store:
        """Itself, as the services want it."""
        return cast("Store", self)

    def write(self, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
        """Keeps what came."""
        self.writes += writes
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def read(
        self, *, workspace: str, selector: Selector, order: Order, window: Window, after: Position | None, limit: int
    ) -> PointPage:
        """By the promises of the interface."""
        self.limits.append(limit)
        found = self._within(window).sorted(order)
        columns = found.sort_columns(order) if order is Order.ARRIVAL else (*found.sort_columns(order), found.arrival)
        places = [tuple(int(column[row]) for column in columns) for row in range(len(found))]
        start = 0 if after is None else sum(place <= after for place in places)
        page = found.take(slice(start, start + limit))
        last = places[start + len(page) - 1] if len(page) else after or (-1,)
        more = start + limit < len(found)
        return PointPage(points=page, after=last if more or order is Order.ARRIVAL else None)

    def read_buckets(
        self, *, workspace: str, selectors: Sequence[Selector], window: Window, budget: int
    ) -> list[Buckets]:
        """Buckets by rank."""
        found = self._within(window)
        return [Buckets.of(found, rank_edges(len(found), budget)) for _ in selectors]

    def _within(self, window: Window) -> Points:
        points = self.points
        inside = (points.step >= window.min_step) & (points.step <= window.max_step)
        inside &= (points.time >= window.min_time) & (points.time <= window.max_time)
        return points.take(inside)


def rising(count: int, *, values: Sequence[float] | None = None) -> Points:
    """Points of steps 0, 1, 2, ... that arrived in the reverse order."""
    step = np.arange(count, dtype=np.int64)
    return Points(
        step=step,
        time=step * 1_000_000,
        value=np.array(values, np.float64) if values is not None else step / 2.0,
        occurrence=np.zeros(count, np.int64),
        arrival=step[::-1].copy(),
    )
