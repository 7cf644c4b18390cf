"""What a commit must know of each series in the head, as columns: a point that comes last touches no object of its
series. Nothing here knows of rows, runs or names.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import I64, INT64_MIN, Key

T = TypeVar("T")
_FIRST: Final = 1_024
_IDENTITY: Final = 4  # step, time, value key, occurrence
_NOTHING: Final = (INT64_MIN, INT64_MIN, INT64_MIN, -1)  # below every point


class Slots(Generic[T]):
    """A number for each series, and columns at these numbers. A number that was given back is given again.

    keys: the series' own; points: how many the head has of it; greatest: its greatest point, array (4, slots).
    """

    def __init__(self) -> None:
        self.items: list[T | None] = []
        self.keys = np.zeros(_FIRST, np.int64)
        self.points = np.zeros(_FIRST, np.int64)
        self.greatest = np.zeros((_IDENTITY, _FIRST), np.int64)
        self._free: list[int] = []

    def give(self, item: T, key: int, greatest: Key | None) -> int:
        """A slot for a series that has no points in the head yet; `greatest`: of those elsewhere."""
        if self._free:
            slot = self._free.pop()
            self.items[slot] = item
        else:
            slot = len(self.items)
            self.items.append(item)
            if slot == len(self.keys):
                self._grow()
        self.keys[slot] = key
        self.points[slot] = 0
        self.greatest[:, slot] = _NOTHING if greatest is None else greatest
        return slot

    def take_back(self, slot: int) -> None:
        """Nothing refers to the slot any more."""
        self.items[slot] = None
        self._free.append(slot)

    def _grow(self) -> None:
        """New arrays: whoever reads the old ones sees them as they were."""
        more = len(self.keys)
        self.keys = np.append(self.keys, np.zeros(more, np.int64))
        self.points = np.append(self.points, np.zeros(more, np.int64))
        self.greatest = np.concatenate((self.greatest, np.zeros((_IDENTITY, more), np.int64)), axis=1)

    def late(self, slots: I64, identities: I64) -> NDArray[np.bool_]:
        """Which of the points do not come after every point of their series. identities: int64 array (4, n)."""
        known = self.greatest.take(slots, axis=1)
        above: NDArray[np.bool_] = identities[0] > known[0]
        if not above.all():
            equal = identities[0] == known[0]
            for mine, theirs in zip(identities[1:], known[1:], strict=True):
                above |= equal & (mine > theirs)
                equal &= mine == theirs
        return ~above

    def add(self, slots: I64, counts: I64, lasts: I64, *, rise: bool) -> None:
        """So many points more, each slot once, and the greatest of these. `rise`: they are known to be greater than
        every point before.
        """
        self.points[slots] += counts
        if not rise:
            rises = ~self.late(slots, lasts)
            slots, lasts = slots[rises], lasts[:, rises]
        self.greatest[:, slots] = lasts
