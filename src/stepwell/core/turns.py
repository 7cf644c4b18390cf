"""How often the threads of this process take turns at Python's lock.

Who waits for it gets it after an interval. Python's own, 5 ms, suits threads that each do little at a time: with a
shorter one the thread that writes makes more, smaller commits. Beside one that computes for long it is ten times too
long: every call into SQLite or over a long array lets go of the lock, and waits for an interval to have it back.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

OFTEN: Final = 0.0005  # seconds


class _Often:
    """A block that computes for long. Any number of threads may be in one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._otherwise = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._otherwise = sys.getswitchinterval()
                sys.setswitchinterval(OFTEN)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                sys.setswitchinterval(self._otherwise)


often: Final = _Often()
