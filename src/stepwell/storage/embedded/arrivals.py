"""The points of many series as they arrived, one after another. Reading one series, in any order, is in pages.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import apsw
import numpy as np

from stepwell.core.series import I64, Points
from stepwell.core.store import RunPoints
from stepwell.storage.catalog.series import Described
from stepwell.storage.embedded.blocks import Blocks, Header
from stepwell.storage.embedded.gathering import until
from stepwell.storage.embedded.tiles import Frontier

BEFORE_ALL: Final = -1  # below every arrival number


class RunParts:
    """What a snapshot and the head hold of some runs, run by run."""

    def __init__(
        self, rows: Sequence[Described], headers: Sequence[Header], fresh: Mapping[int, Points], *, end: int
    ) -> None:
        """rows: every series of the runs; headers: their roots; fresh: series key -> points in none of them;
        end: the arrival number from which on nothing is shown.
        """
        self._end = end
        self._rows = {row.key: row for row in rows}
        self._headers: dict[int, list[Header]] = {}
        self._fresh: dict[int, dict[int, Points]] = {}
        for header in headers:
            self._headers.setdefault(self._rows[header.series_key].run_key, []).append(header)
        for key, points in fresh.items():
            if key in self._rows and len(points):
                self._fresh.setdefault(self._rows[key].run_key, {})[key] = points

    def read(
        self,
        connection: apsw.Connection,
        cache: Blocks,
        run_key: int | None,
        *,
        after: int = BEFORE_ALL,
        before: int | None = None,
        limit: int,
    ) -> RunPoints:
        """Up to `limit` points of one run with arrivals above `after` and below `before`, oldest first; no row."""
        key = -1 if run_key is None else run_key
        headers, fresh = self._headers.get(key, []), self._fresh.get(key, {})
        end = self._end
        if before is not None and before < end:
            end, fresh = before, {key: points.take(points.arrival < before) for key, points in fresh.items()}
        keys, points = arrived(connection, cache, headers, fresh, after=after, end=end, limit=limit)
        present, which = np.unique(keys, return_inverse=True)
        names = tuple((self._rows[one].metric, self._rows[one].labels) for one in present.tolist())
        return RunPoints(row=None, series=names, which=which.astype(np.int64), points=points, end=end)


def arrived(
    connection: apsw.Connection,
    cache: Blocks,
    headers: Sequence[Header],
    fresh: Mapping[int, Points],
    *,
    after: int,
    end: int,
    limit: int,
) -> tuple[I64, Points]:
    """Up to `limit` points with arrivals above `after` and below `end`, oldest first, and the series key of each.

    headers: the roots of the series; fresh: series key -> points that are in none of them. Blocks are opened in the
    order of their first arrival. Each round opens as many as were opened before, so that there are few rounds also when
    the blocks of a thousand series lie side by side.
    """
    pool = [(key, _later(points, after)) for key, points in fresh.items()]
    waiting = Frontier(
        connection, headers, low=lambda header: header.min_arrival, wanted=lambda header: header.max_arrival > after
    )
    opened = 0
    while (bound := waiting.bound()) is not None:
        missing = limit - sum(int((points.arrival < bound).sum()) for _, points in pool)
        if missing <= 0:
            break
        enough = opened + max(1, opened)
        while waiting.bound() is not None and (missing > 0 or opened < enough):
            header = waiting.take()
            pool.append((header.series_key, _later(until(end, header, cache.points(connection, header)), after)))
            missing -= header.length
            opened += 1
    return _merged(pool, bound, limit)


def _merged(pool: list[tuple[int, Points]], bound: int | None, limit: int) -> tuple[I64, Points]:
    """The first points of all, none of them at or above the first arrival that may be missing here."""
    if bound is not None:
        pool = [(key, points.take(points.arrival < bound)) for key, points in pool]
    points = Points.concat([part for _, part in pool])
    keys = np.repeat(np.array([key for key, _ in pool], np.int64), [len(part) for _, part in pool])
    order = np.argsort(points.arrival, kind="stable")[:limit]
    return keys[order], points.take(order)


def _later(points: Points, after: int) -> Points:
    if after == BEFORE_ALL:
        return points
    return points.take(points.arrival > after)
