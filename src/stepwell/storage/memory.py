"""How a process that stores points uses memory. Only where the C library is glibc; elsewhere nothing changes."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h
KEPT: Final = 128 << 20  # bytes that are free at the end of the heap before any are given back
MAPPED: Final = 32 << 20  # bytes of a block that is mapped by itself: the most that can be asked for


def share_heap() -> bool:
    """Let all threads take memory from one heap, from now on; whether the C library can be told.

    By default each thread has its own, and none uses what another one freed: a server then takes twice as much, and
    more for an hour. Python's lock keeps threads out of each other's way here, so they do not wait for the heap.
    """
    return _told({_ARENA_MAX: 1})


def keep_freed() -> bool:
    """The same, and use freed memory again. Columns of a million points come and go some times a second. By default
    each is memory new from the system, which clears and maps it page by page: that took two fifths of a move's time.
    """
    return _told({_TRIM_THRESHOLD: KEPT, _MMAP_THRESHOLD: MAPPED, _ARENA_MAX: 1})


def _told(wanted: dict[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all(mallopt(name, value) for name, value in wanted.items())
