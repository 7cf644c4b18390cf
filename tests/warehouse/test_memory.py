"""A process that moves points uses freed memory again."""

from __future__ import annotations

import platform
import subprocess
import sys

PROGRAM = """
import resource
import threading
import numpy as np
from stepwell.storage.warehouse.memory import keep_freed

def fill(times):
    for _ in range(times):
        [np.ones(1 << 20) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

told = keep_freed()
fill(2)
counts = []
thread = threading.Thread(target=lambda: counts.extend([fill(2), fill(5)]))
thread.start()
thread.join()
print(int(told), counts[1] - counts[0])
"""


def test_columns_that_come_and_go_take_no_new_memory() -> None:
    told, faults = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    ).stdout.split()
    assert bool(int(told)) == (platform.libc_ver()[0] == "glibc")
    if int(told):
        assert int(faults) < 512  # a quarter of the pages of one column; forty were filled
