"""How a process that moves points keeps the memory that it has used. Only where the C library is glibc.

Columns of a million points come and go some times a second. By default each is memory new from the system, which clears
and maps it page by page: that took two fifths of the time of a move. Here what was freed is used again.
"""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h
KEPT: Final = 128 << 20  # bytes that are free at the end of the heap before any are given back
MAPPED: Final = 32 << 20  # bytes of a block that is mapped by itself: the most that can be asked for


def keep_freed() -> bool:
    """Use freed memory again, in this process and from now on; whether the C library can be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = {_TRIM_THRESHOLD: KEPT, _MMAP_THRESHOLD: MAPPED, _ARENA_MAX: 1}
    return all(mallopt(name, value) for name, value in wanted.items())
