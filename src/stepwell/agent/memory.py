"""Main memory: of the container's or the job's share, or where nothing limits it, of the machine."""

from __future__ import annotations

from pathlib import Path

from stepwell.agent import kernel
from stepwell.agent.cgroups import group, tightest
from stepwell.agent.readings import Absent, Failed, Reading, Usage


class Memory:
    """`mem` in percent; `memory_used_bytes` and `memory_limit_bytes`. Pages of files that can be dropped do not count.

    root: the folder that has proc and sys.
    """

    name = "memory"

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def read(self) -> Reading:
        """As `Collector.read`."""
        total, available = self._machine()
        level, limit = tightest(group(self._root, "memory"), _limit, float(total))
        used = None if level is None else _used(level)
        if used is None:
            used, limit = max(total - available, 0), float(total)
        return Reading(
            usage=(Usage(resource="mem", percent=used / limit * 100),),
            measures={"memory_used_bytes": used, "memory_limit_bytes": limit},
        )

    def _machine(self) -> tuple[int, int]:
        """Bytes in all, and bytes that could be had. Absent, Failed."""
        path = self._root / "proc/meminfo"
        found = kernel.text_or_none(path)
        if found is None:
            raise Absent
        lines = kernel.table(found)
        total = kernel.entry(lines, "MemTotal", path) * 1024
        if not total:
            raise Failed(f"{path}: MemTotal is 0")
        return total, kernel.entry(lines, "MemAvailable", path) * 1024


def _limit(level: Path) -> float | None:
    """How many bytes a level may use; None for any number. Failed."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        found = (kernel.text_or_none(level / name) or "").strip()
        if found and found != "max":
            return kernel.integer(found, level / name) or None
    return None


def _used(level: Path) -> int | None:
    """Bytes in use; None where the level does not count them. Failed."""
    for name, droppable in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
        found = kernel.text_or_none(level / name)
        if found is not None:
            path = level / "memory.stat"
            unused = kernel.entry(kernel.table(kernel.text(path)), droppable, path)
            return max(kernel.integer(found.strip(), level / name) - unused, 0)
    return None
