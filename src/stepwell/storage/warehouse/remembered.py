"""Rows of the journal that this process wrote, in memory until they are moved: they need not be read back. No SQL.

What is here may not be in the journal: its transaction goes on, or was rolled back. A key that is in both is the same
row, since no arrival number is given twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Final, TypeAlias

import numpy as np

from stepwell.core.series import I64
from stepwell.storage.warehouse.points import Rows

MOST: Final = 1 << 22  # points: 130 MB,
ROWS: Final = 100_000  # and of so many rows, each of which takes a kilobyte beside its points
Key: TypeAlias = tuple[int, int]  # run key, first arrival


class Remembered:
    """For any number of threads."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._rows: dict[Key, Rows] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """Points that are here."""
        return self._count

    def add(self, rows: Rows, *, first_arrival: int) -> None:
        """Points of one run that are written as one row. For them the oldest are forgotten."""
        thin = _thinned(rows)
        with self._lock:
            self._rows[int(rows.run[0]), first_arrival] = thin
            self._count += len(rows)
            while self._count > self._most or len(self._rows) > ROWS:
                self._drop(next(iter(self._rows)))

    def keys(self, limit: int) -> list[Key]:
        """The oldest."""
        with self._lock:
            return list(islice(self._rows, limit))

    def pop(self, keys: Iterable[Key]) -> tuple[list[Rows], list[Key]]:
        """The rows of some keys, which are forgotten, and the keys that are not here."""
        found: list[Rows] = []
        others: list[Key] = []
        with self._lock:
            for key in keys:
                rows = self._drop(key)
                if rows is None:
                    others.append(key)
                else:
                    found.append(_whole(rows, key[1]))
        return found, others

    def forget(self, before: int) -> None:
        """All that arrived before a number: it was moved by others, or never stored."""
        with self._lock:
            for key in [key for key in self._rows if key[1] < before]:
                self._drop(key)

    def _drop(self, key: Key) -> Rows | None:
        rows = self._rows.pop(key, None)
        self._count -= 0 if rows is None else len(rows)
        return rows


def _thinned(rows: Rows) -> Rows:
    """Without the numbers of arrival, which follow one another; and columns take the room of one number where all are
    the same, as often in all but three."""
    points = replace(
        rows.points, occurrence=_thin(rows.points.occurrence), arrival=_thin(np.zeros(len(rows), np.int64))
    )
    return replace(rows, run=_thin(rows.run), series=_thin(rows.series), points=points)


def _thin(column: I64) -> I64:
    return np.broadcast_to(column[:1].copy(), len(column)) if (column == column[:1]).all() else column


def _whole(rows: Rows, first_arrival: int) -> Rows:
    arrival = np.arange(first_arrival, first_arrival + len(rows))
    points = replace(rows.points, occurrence=np.ascontiguousarray(rows.points.occurrence), arrival=arrival)
    return Rows(run=np.ascontiguousarray(rows.run), series=np.ascontiguousarray(rows.series), points=points)
