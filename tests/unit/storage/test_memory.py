"""How a process that stores points uses memory."""

from __future__ import annotations

import platform
import subprocess
import sys

GLIBC = platform.libc_ver()[0] == "glibc"
COLUMNS = """
import resource
import threading
import numpy as np
from stepwell.storage.memory import OF_COLUMNS, share_heap

def fill(times):
    for _ in range(times):
        [np.ones(1 << 20) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

told = share_heap(OF_COLUMNS)
fill(2)
counts = []
thread = threading.Thread(target=lambda: counts.extend([fill(2), fill(5)]))
thread.start()
thread.join()
print(int(told), counts[1] - counts[0])
"""
ANSWERS = """
import resource
from stepwell.storage.memory import OF_ANSWERS, share_heap

def fill(times):
    for _ in range(times):
        b"".join([bytes(1 << 20) for _ in range(3)]) + b"head"
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

told = share_heap(OF_ANSWERS)
before = fill(3)
print(int(told), fill(10) - before)
"""
THREADS = """
import ctypes
import threading
from stepwell.storage.memory import OF_ANSWERS, share_heap

def lowest(count):
    # The C library's own, not Python's, which keeps small objects elsewhere.
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p
    found, barrier = [], threading.Barrier(count)
    def take():
        barrier.wait()
        found.append(malloc(5_000) >> 26)  # a heap of a thread's own is one piece of 64 MiB
    threads = [threading.Thread(target=take) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(set(found))

print(int(share_heap(OF_ANSWERS)), lowest(6))
"""


def said(program: str) -> list[int]:
    """The numbers that it prints; a process of its own, since what is told cannot be taken back."""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return [int(word) for word in done.stdout.split()]


def test_columns_that_come_and_go_take_no_new_memory() -> None:
    told, faults = said(COLUMNS)
    assert bool(told) == GLIBC
    assert not told or faults < 512  # a quarter of the pages of one column; forty were filled


def test_answers_that_come_and_go_take_no_new_memory() -> None:
    told, faults = said(ANSWERS)
    assert bool(told) == GLIBC
    assert not told or faults < 256  # a megabyte of pages; ninety were filled


def test_threads_take_memory_from_one_heap() -> None:
    told, heaps = said(THREADS)
    assert bool(told) == GLIBC
    assert not told or heaps <= 2, "it may lie across the edge of such a piece"
