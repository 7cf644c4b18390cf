"""How a process that stores points uses memory. Only where the C library is glibc; elsewhere nothing changes."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h
OF_ANSWERS: Final = 32 << 20  # bytes that are enough for answers of some megabytes and what they are made of,
OF_COLUMNS: Final = 128 << 20  # and for columns of a million points
MAPPED: Final = 32 << 20  # bytes of a block that is mapped by itself: the most that can be asked for


def share_heap(kept: int) -> bool:
    """Let all threads take memory from one heap, from now on, and use again what was freed: so many bytes that are free
    at its end stay before any are given back. Whether the C library can be told.

    By default each thread has its own heap, and none uses what another one freed: a server then takes twice as much,
    and more for an hour. Python's lock keeps threads out of each other's way here, so they do not wait for the heap.
    And by default what is large is new memory each time, which the system clears and maps page by page: a third of an
    answer of three megabytes, two fifths of a move of a million points.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = {_TRIM_THRESHOLD: kept, _MMAP_THRESHOLD: MAPPED, _ARENA_MAX: 1}
    return all(mallopt(name, value) for name, value in wanted.items())
