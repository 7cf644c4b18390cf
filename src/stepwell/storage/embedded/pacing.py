"""How long commits are put off as the head fills, so that points come in no faster than they can be moved into blocks.
When a write is refused instead is in points.py.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

HEAD_POINTS: Final = 2_000_000  # of weight: with more, nothing is taken any more
EASY: Final = 800_000  # of weight, up to which nobody waits: twice what a flush begins with
PRICE: Final = 4e-6  # seconds for each point, half way between the two
LONGEST: Final = 1.0  # seconds put off at once: whoever is refused is asked to come again after as many


def pause(points: int, weight: int) -> float:
    """Seconds to wait after a commit of so many points into a head of this weight: nothing while there is room, and
    without bound towards the end of it, so that where packing keeps up with it is always in between.
    """
    if weight <= EASY:
        return 0.0
    if weight >= HEAD_POINTS:
        return LONGEST if points else 0.0
    return min(points * PRICE * (weight - EASY) / (HEAD_POINTS - weight), LONGEST)


class Pace:
    """For the thread that writes."""

    def __init__(self, weight: Callable[[], int], *, clock: Callable[[], float] = monotonic) -> None:
        """`weight`: of the head; `clock`: seconds that only rise."""
        self._weight = weight
        self._clock = clock
        self._until = 0.0
        self.seconds = 0.0  # put off, all in all

    def took(self, points: int) -> None:
        """So many points were committed. A pause that has not ended yet becomes longer, up to the longest there is."""
        seconds = pause(points, self._weight())
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
