"""Processors: of the container's or the job's share, or where nothing limits it, of the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Final

from stepwell.agent import kernel
from stepwell.agent.cgroups import Group, group, tightest
from stepwell.agent.readings import Absent, Counters, Failed, Reading, Usage

_IDLE: Final = (3, 4)  # columns of a core's line in /proc/stat: idle, iowait
_COUNTED: Final = 8  # what guests use is counted in the columns before
_CORES: Final = 100_000  # no machine has as many


class Cpu:
    """`cpu` in percent of the cores that may be used; `cpu_cores_used` and `cpu_cores_limit`.

    root: the folder that has proc and sys. clock: seconds. affinity: the cores of this process, where no control group
    tells which ones may be used.
    """

    name = "cpu"

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        clock: Callable[[], float] = time.monotonic,
        affinity: Callable[[], Set[int]] = lambda: os.sched_getaffinity(0),
    ) -> None:
        self._root = root
        self._clock = clock
        self._affinity = affinity
        self._counters = Counters()

    def read(self) -> Reading:
        """As `Collector.read`. Nothing at the first look: usage is what grew since the one before."""
        ticks = self._ticks()
        limited = group(self._root, "cpu")
        level, limit = tightest(limited, _quota, float(len(ticks)))
        used = self._used_of_group(limited, level) if limited and level else self._used_of_machine(ticks)
        if used is None:
            return Reading()
        return Reading(
            usage=(Usage(resource="cpu", percent=used / limit * 100),),
            measures={"cpu_cores_used": used, "cpu_cores_limit": limit},
        )

    def _used_of_group(self, limited: Group, level: Path) -> float | None:
        """How many cores a level of it kept busy. Failed."""
        if limited.version == 1:  # which may limit in one hierarchy, and count in another of the same shape
            counted = group(self._root, "cpuacct") or limited
            level = counted.levels[-(len(limited.levels) - limited.levels.index(level)) :][0]
        name = str(level)
        return self._counters.rates(self._clock(), {name: _seconds(level)}).get(name)

    def _used_of_machine(self, ticks: Mapping[int, list[int]]) -> float | None:
        """How many cores were busy. Ticks are of no known length: what counts is their share."""
        idle = sum(core[column] for core in ticks.values() for column in _IDLE)
        counters = {"idle": idle, "busy": sum(map(sum, ticks.values())) - idle}
        rates = self._counters.rates(self._clock(), counters)
        total = sum(rates.values())
        return rates["busy"] / total * len(ticks) if len(rates) == 2 and total > 0 else None

    def _ticks(self) -> dict[int, list[int]]:
        """What the kernel has counted for each core that may be used. Absent, Failed."""
        path = self._root / "proc/stat"
        found = kernel.text_or_none(path)
        if found is None:
            raise Absent
        cores = {
            int(name[3:]): kernel.integers(words[:_COUNTED], path)
            for name, words in kernel.table(found).items()
            if name.startswith("cpu") and name[3:].isascii() and name[3:].isdecimal() and len(name) < 9
        }
        if not cores or any(len(ticks) <= max(_IDLE) for ticks in cores.values()):
            raise Failed(f"{path}: it names no cores")
        usable = self._usable()
        return {core: ticks for core, ticks in cores.items() if core in usable} or cores

    def _usable(self) -> Set[int]:
        """The cores that may be used: of the control group, which a process may narrow for itself. Failed."""
        found = group(self._root, "cpuset")
        for level in found.levels if found else ():
            for name in ("cpuset.cpus.effective", "cpuset.effective_cpus"):
                text = kernel.text_or_none(level / name)
                if text and text.strip():
                    return set(_listed(text, level / name))
        return self._affinity()


def _listed(text: str, path: Path) -> Iterator[int]:
    """The numbers of a list such as `0-3,8`. Failed."""
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        first, last = kernel.integer(low, path), kernel.integer(high or low, path)
        if last >= _CORES:
            raise Failed(f"{path}: there is no core {last}")
        yield from range(first, last + 1)


def _quota(level: Path) -> float | None:
    """How many cores a level may use at once; None where it is as many as there are. Failed."""
    path = level / "cpu.max"
    words = (kernel.text_or_none(path) or "").split()
    if not words:  # version 1
        path = level / "cpu.cfs_quota_us"
        words = (kernel.text_or_none(path) or "").split()
        words += (kernel.text_or_none(level / "cpu.cfs_period_us") or "").split() if words else []
    if len(words) < 2 or words[0] in ("max", "-1"):
        return None
    quota, period = kernel.integers(words[:2], path)
    return quota / period if quota and period else None


def _seconds(level: Path) -> float:
    """The processor time that a level has used. Failed."""
    path = level / "cpu.stat"
    lines = kernel.table(kernel.text_or_none(path) or "")
    if "usage_usec" in lines:
        return kernel.entry(lines, "usage_usec", path) / 1e6
    path = level / "cpuacct.usage"
    return kernel.integer(kernel.text(path).strip(), path) / 1e9
