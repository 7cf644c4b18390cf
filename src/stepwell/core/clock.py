"""Time as an argument: a clock is a function that gives integer microseconds UTC."""

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]


def system_clock() -> int:
    """Now, in microseconds UTC."""
    return time.time_ns() // 1000
