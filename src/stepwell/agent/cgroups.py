"""Where the control group lies that a process is counted and limited in, of cgroup v1 and v2, in containers and out.

A percentage is the usage of a group by the limit of the same group. So what counts is the level that has the tightest
limit: a container, a job of SLURM, a service. Where no level has one, the outermost that can be seen counts, if it is a
container's; on a machine of one's own there is none, and the machine counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from stepwell.agent import kernel

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # how mountinfo writes spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The group of this process and those around it: `levels`, its own first, as far out as can be seen."""

    version: int  # 1 or 2
    levels: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mount:
    kind: str  # cgroup or cgroup2
    controllers: frozenset[str]
    top: PurePosixPath  # which group is mounted
    at: str


def group(root: Path, controller: str) -> Group | None:
    """The group that `controller` ("cpuacct", "memory") counts in; None where nothing tells. Failed.

    root: the folder that has proc and sys, "/" but in tests.
    """
    places = _places(kernel.text_or_none(root / "proc/self/cgroup") or "")
    mounts = _mounts(kernel.text_or_none(root / "proc/self/mountinfo") or "")
    for version, kind, key in ((1, "cgroup", controller), (2, "cgroup2", "")):
        place = places.get(key)
        for mount in mounts:
            if place is not None and mount.kind == kind and (version == 2 or controller in mount.controllers):
                return Group(version=version, levels=_levels(root / mount.at.lstrip("/"), mount.top, place))
    return None


def tightest(found: Group | None, limit_of: Callable[[Path], float | None], whole: float) -> tuple[Path | None, float]:
    """The level to measure and its limit; None is the machine, which has `whole`.

    limit_of: the limit that stands at a level, None for none.
    """
    if found is None:
        return None, whole
    limits = [(limit, level) for level in found.levels if (limit := limit_of(level)) is not None and limit < whole]
    if limits:
        limit, level = min(limits, key=lambda each: each[0])
        return level, limit
    return (found.levels[-1] if _is_container(found) else None), whole


def _is_container(found: Group) -> bool:
    """Whether the outermost level is inside of something: the machine's own has, or lacks, files that no other does."""
    outermost = found.levels[-1]
    if found.version == 2:
        return (outermost / "cgroup.events").exists()
    return outermost.exists() and not (outermost / "release_agent").exists()


def _places(text: str) -> dict[str, PurePosixPath]:
    """Controller -> the group's path, of lines such as `4:cpu,cpuacct:/docker/1f`; "" is version 2."""
    found = {}
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            found.update(dict.fromkeys(parts[1].split(","), PurePosixPath(parts[2])))
    return found


def _mounts(text: str) -> list[_Mount]:
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        place, kind = before.split(" "), after.split(" ")
        if len(place) >= 5 and len(kind) >= 3 and kind[0] in ("cgroup", "cgroup2"):
            controllers = frozenset(kind[2].split(","))
            top = PurePosixPath(_unescaped(place[3]))
            found.append(_Mount(kind=kind[0], controllers=controllers, top=top, at=_unescaped(place[4])))
    return found


def _levels(at: Path, top: PurePosixPath, place: PurePosixPath) -> tuple[Path, ...]:
    """The folders from the own group to the mount. A place outside of what is mounted is the mount itself."""
    if ".." in place.parts or not place.is_relative_to(top):
        return (at,)
    inner = place.relative_to(top)
    return tuple(at / each for each in (inner, *inner.parents))


def _unescaped(path: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), path)
