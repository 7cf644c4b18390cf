"""Points that this process has inserted lately, in memory: what is summed up soon need not be read back. No SQL.

Nobody relies on it: who sums up asks how many are stored and for the sum of their arrival numbers, and reads what is
stored where these are not the same (tile_making.py).
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import Order, Points
from stepwell.storage.warehouse.points.cuts import hidden
from stepwell.storage.warehouse.points.rows import Rows
from stepwell.storage.warehouse.points.statements import Scope, within

MOST: Final = 1 << 22  # points of all series together: 160 MB
LEAST: Final = 1 << 10  # points of a series that are inserted at once before any of it are kept


class Lately:
    """For any number of threads."""

    def __init__(self, *, most: int = MOST, least: int = LEAST) -> None:
        self._most = most
        self._least = least
        self._lock = threading.Lock()
        self._kept: dict[int, list[Points]] = {}  # series key -> parts in any order
        self._count = 0

    @property
    def crowded(self) -> bool:
        """Whether there is so much that it should be summed up soon."""
        return 2 * self._count > self._most

    def add(self, rows: Rows) -> None:
        """These were inserted, the rows of each series together. For them those of other series are forgotten to which
        nothing came for the longest time."""
        begins = np.flatnonzero(np.append(True, rows.series[1:] != rows.series[:-1])[: len(rows)])
        ends = np.append(begins[1:], len(rows))
        with self._lock:
            for series, begin, end in zip(rows.series[begins].tolist(), begins.tolist(), ends.tolist(), strict=True):
                if series in self._kept or end - begin >= self._least:
                    self._add(series, _copied(rows.points, begin, end))  # not a view of a large block
            while self._count > self._most:
                self._drop(next(iter(self._kept)))

    def _add(self, series: int, points: Points) -> None:
        self._count += len(points)
        parts = self._kept.pop(series, [])
        while parts and len(parts[-1]) <= len(points) < self._least:  # a part takes more than a few points do
            points = Points.concat([parts.pop(), points])
        self._kept[series] = [*parts, points]

    def of(self, scope: Scope) -> Points:
        """What is kept of the points of a scope of one series, in key order, each once."""
        (series,) = scope.series or (-1,)
        with self._lock:
            points = Points.concat(list(self._kept.get(series, ())))
        points = _those(points, within(points, scope.window) & (points.arrival < scope.end))
        same = np.full(len(points), scope.run, np.int64)
        rows = Rows(run=same, series=np.full(len(points), series, np.int64), points=points)
        if scope.cuts:
            rows = rows.take(~hidden(rows, scope.cuts))
        return rows.distinct().points if len(rows) else points.sorted(Order.KEY)

    def forget(self, series: int, upto: int) -> None:
        """Keep nothing of a series up to a step."""
        with self._lock:
            parts = [_those(part, part.step > upto) for part in self._drop(series)]
            parts = [part for part in parts if len(part)]
            if parts:
                self._kept[series] = parts
                self._count += sum(map(len, parts))

    def _drop(self, series: int) -> list[Points]:
        parts = self._kept.pop(series, [])
        self._count -= sum(map(len, parts))
        return parts


def _copied(points: Points, begin: int, end: int) -> Points:
    some = points.take(slice(begin, end))
    columns = {name: getattr(some, name).copy() for name in ("step", "time", "value", "occurrence", "arrival")}
    return Points(**columns)


def _those(points: Points, wanted: NDArray[np.bool_]) -> Points:
    """Points as they are where all are wanted, as most often: else copies."""
    return points if wanted.all() else points.take(wanted)
