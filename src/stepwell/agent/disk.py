"""Disks: how full the one is that the task writes to, and what the machine's disks move, whoever asks them to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stepwell.agent import kernel
from stepwell.agent.readings import Absent, Counters, Failed, Reading

_SECTOR: Final = 512  # bytes; the unit of /proc/diskstats, whatever the disk's own is
_READ, _WRITTEN = 5, 9  # columns of /proc/diskstats


class Disk:
    """`disk_used_bytes`, `disk_used_percent` of the file system of `folder`; `disk_read_...`, `disk_written_...`.

    root: the folder that has proc and sys. space: as os.statvfs. clock: seconds.
    """

    name = "disk"

    def __init__(
        self,
        folder: Path,
        root: Path = Path("/"),
        *,
        space: Callable[[Path], os.statvfs_result] = os.statvfs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._root = root
        self._space = space
        self._clock = clock
        self._counters = Counters()

    def read(self) -> Reading:
        """As `Collector.read`. What is moved is told from the second look on."""
        measures = self._full()
        rates = self._counters.rates(self._clock(), self._moved())
        measures.update((f"disk_{name}_bytes_per_second", rate) for name, rate in rates.items())
        if not measures:
            raise Absent
        return Reading(measures=measures)

    def _full(self) -> dict[str, float]:
        """As `df` tells: of what may be used, not counting what is kept for root. {} where there is no such folder."""
        try:
            found = self._space(self._folder)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Failed(f"{self._folder}: {error}") from None
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        whole = used + found.f_bavail * found.f_frsize
        return {"disk_used_bytes": used, "disk_used_percent": used / whole * 100} if whole > 0 else {}

    def _moved(self) -> dict[str, float]:
        """Bytes since the start of the machine. Partitions and devices that stand on others would count twice."""
        path = self._root / "proc/diskstats"
        lines = [line.split() for line in (kernel.text_or_none(path) or "").splitlines()]
        disks = [words for words in lines if len(words) > _WRITTEN and self._is_disk(words[2])]
        if not disks:
            return {}
        columns = (("read", _READ), ("written", _WRITTEN))
        return {name: sum(kernel.integer(words[at], path) for words in disks) * _SECTOR for name, at in columns}

    def _is_disk(self, name: str) -> bool:
        return name.isprintable() and (self._root / "sys/block" / name.replace("/", "!") / "device").exists()
