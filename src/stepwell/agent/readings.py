"""What a collector is and what it finds. There is one in each file of a device; `rounds` alone knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Absent(Exception):
    """There is no such device here. Not a failure: no sample, and nothing to tell."""


class Failed(Exception):
    """It is there and cannot be read; the message says what and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of one resource is used, in percent. device "": there is but one."""

    resource: str  # cpu, mem, gpu, gpu_mem, npu or npu_mem
    percent: float
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look finds. `measures`: everything that is no percentage of a resource, each name with its unit.

    trouble: what went wrong with a part, where the rest is good; "" where nothing did.
    """

    usage: tuple[Usage, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    trouble: str = ""


class Collector(Protocol):
    """Looks at one kind of device. It may keep what the look before has found, to tell how much came since."""

    name: str

    def read(self) -> Reading:
        """What is there now; what cannot be told (yet) is left out. Absent, Failed, and nothing else."""


class Counters:
    """Counters of the look before, to make rates of. For one thread."""

    def __init__(self) -> None:
        self._before: tuple[float, Mapping[str, float]] = (0.0, {})

    def rates(self, now: float, counters: Mapping[str, float]) -> dict[str, float]:
        """By how much each grew per second; left out: what was not there before, or began anew. `now` in seconds."""
        (then, before), self._before = self._before, (now, dict(counters))
        passed = now - then
        if passed <= 0:
            return {}
        grown = {name: counters[name] - before[name] for name in counters.keys() & before.keys()}
        return {name: growth / passed for name, growth in sorted(grown.items()) if growth >= 0}
