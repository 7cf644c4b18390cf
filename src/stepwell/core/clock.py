"""Time as an argument: a clock is a function that gives integer microseconds UTC."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeAlias

Clock: TypeAlias = Callable[[], int]
LATEST: Final = 253_402_300_799_999_999  # the end of the year 9999, the last that `utc_text` can tell


def system_clock() -> int:
    """Now, in microseconds UTC."""
    return time.time_ns() // 1000


def utc_text(at: int) -> str:
    """A time as people read it, to the second: 2026-11-21T02:40:30Z."""
    return datetime.fromtimestamp(at // 10**6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
