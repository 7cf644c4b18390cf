"""Points of many series as columns: what is inserted, and what is found. No SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np

from stepwell.core.series import I64, INT64_MAX, Points, ascending, value_keys
from stepwell.storage.warehouse.points.stretches import rising

LONG: Final = 1 << 12  # rows of a part on the average: shorter ones are put together, as each costs some calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Points of many series of many runs, in any order, as equally long columns: run and series are int64 keys."""

    run: I64
    series: I64
    points: Points

    def __len__(self) -> int:
        return len(self.series)

    def take(self, index: Any) -> Self:
        """The rows at `index` (an array of positions, a mask or a slice), in its order."""
        return type(self)(run=self.run[index], series=self.series[index], points=self.points.take(index))

    def of_series(self, series: Sequence[int]) -> Self:
        """Those of some series."""
        return self.take(np.isin(self.series, np.asarray(series, np.int64)))

    def first(self) -> Self:
        """The same as the first of their equals."""
        return replace(self, points=replace(self.points, occurrence=np.zeros(len(self), np.int64)))

    def identities(self) -> tuple[I64, ...]:
        """The columns that tell one point from another: series, step, time, value key, occurrence."""
        points = self.points
        return self.series, points.step, points.time, value_keys(points.value), points.occurrence

    def distinct(self) -> Self:
        """Each point once, by the row with the least arrival, in the order of run, series and key."""
        columns = (self.run, *self.identities())
        places = rising(columns, lead=2)
        if places is not None:
            return self if isinstance(places, slice) else self.take(places)
        order = np.lexsort((self.points.arrival, *columns[::-1]))
        fresh = np.ones(len(order), np.bool_)
        sorted_columns = [column[order] for column in columns]
        fresh[1:] = np.any([column[1:] != column[:-1] for column in sorted_columns], axis=0)
        return self.take(order[fresh])

    def oldest(self, stored: Self) -> I64:
        """For each row the least arrival of the rows of `stored` with its identity, INT64_MAX where there is none."""
        columns = [np.concatenate(pair) for pair in zip(self.identities(), stored.identities(), strict=True)]
        order = np.lexsort(columns[::-1])
        fresh = np.ones(len(order), np.bool_)
        sorted_columns = [column[order] for column in columns]
        fresh[1:] = np.any([column[1:] != column[:-1] for column in sorted_columns], axis=0)
        arrivals = np.concatenate([np.full(len(self), INT64_MAX, np.int64), stored.points.arrival])
        group = np.empty(len(order), np.int64)
        group[order] = np.cumsum(fresh) - 1
        least = np.minimum.reduceat(arrivals[order], np.flatnonzero(fresh)) if len(order) else arrivals
        return least[group[: len(self)]]

    @classmethod
    def empty(cls) -> Self:
        """No rows."""
        none = np.empty(0, np.int64)
        return cls(run=none, series=none, points=Points.empty())

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """The rows of `parts`, one after another."""
        if not parts:
            return cls.empty()
        return cls(
            run=np.concatenate([part.run for part in parts]),
            series=np.concatenate([part.series for part in parts]),
            points=Points.concat([part.points for part in parts]),
        )


def distinct(given: Sequence[Rows]) -> list[Rows]:
    """Each point once, in the order of run, series and key: the parts themselves where they are long and stand so one
    behind another, else all in one part; none where there is nothing."""
    parts = [part for part in given if len(part)]
    if len(parts) > 1 and sum(map(len, parts)) >= LONG * len(parts) and _rise(parts):
        return parts
    return [Rows.concat(parts).distinct()] if parts else []


def _rise(parts: Sequence[Rows]) -> bool:
    ends = Rows.concat([part.take([0, -1]) for part in parts])
    return all(ascending((rows.run, *rows.identities())).all() for rows in (ends, *parts))
