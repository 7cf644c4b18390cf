"""How long commits are put off as what waits in memory grows, so that points come in no faster than they can be moved
on, into blocks or into ClickHouse. When a write is refused instead is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final

HEAD_POINTS: Final = 2_000_000  # of weight: with more, an embedded engine takes nothing any more
EASY: Final = 800_000  # of weight, up to which nobody waits: twice what a flush into blocks begins with
PRICE: Final = 4e-6  # seconds for each point, half way between the two
LONGEST: Final = 1.0  # seconds put off at once: whoever is refused is asked to come again after as many


def pause(points: int, weight: int, *, dearest: float = inf) -> float:
    """Seconds to wait after a commit of so many points where what waits has this weight: nothing while there is room,
    and towards the end of it up to `dearest` seconds for each point, by default without bound, so that where moving
    keeps up with it is always in between.
    """
    if weight <= EASY or not points:
        return 0.0
    price = PRICE * (weight - EASY) / (HEAD_POINTS - weight) if weight < HEAD_POINTS else inf
    return min(points * min(price, dearest), LONGEST)


class Pace:
    """For the thread that writes."""

    def __init__(
        self, weight: Callable[[], int], *, dearest: float = inf, clock: Callable[[], float] = monotonic
    ) -> None:
        """`weight`: of what waits; `dearest`: as in `pause`; `clock`: seconds that only rise."""
        self._weight = weight
        self._dearest = dearest
        self._clock = clock
        self._until = 0.0
        self.seconds = 0.0  # put off, all in all

    def took(self, points: int) -> None:
        """So many points were committed. A pause that has not ended yet becomes longer, up to the longest there is."""
        seconds = pause(points, self._weight(), dearest=self._dearest)
        if seconds:
            now = self._clock()
            begin = max(now, self._until)
            self._until = min(begin + seconds, now + LONGEST)
            self.seconds += max(self._until - begin, 0.0)

    def left(self) -> float:
        """Seconds that are still to be waited; 0.0: none."""
        if not self._until:
            return 0.0
        left = self._until - self._clock()
        if left > 0:
            return left
        self._until = 0.0
        return 0.0
