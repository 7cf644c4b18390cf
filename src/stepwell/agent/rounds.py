"""One round: ask every collector once. What one of them does wrong costs its own values and no one else's.

Each tells how long it took and whether it succeeded. One whose device is not there tells nothing, and is asked seldom.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stepwell.agent.cpu import Cpu
from stepwell.agent.disk import Disk
from stepwell.agent.memory import Memory
from stepwell.agent.network import Network
from stepwell.agent.npu import Npu
from stepwell.agent.nvidia import Nvidia
from stepwell.agent.readings import Absent, Collector, Failed, Reading, Usage

_MOST: Final = 1e6  # percent; the server takes no more
_ABSENT_FOR: Final = 60.0  # seconds until one that was not there is asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one round found. time_us: microseconds since 1970 UTC."""

    time_us: int
    usage: tuple[Usage, ...]
    measures: Mapping[str, float]


def all_collectors(*, folder: Path, cuda_visible: str | None) -> tuple[Collector, ...]:
    """One of each kind. folder: where the task writes to. cuda_visible: CUDA_VISIBLE_DEVICES, None if it is unset."""
    return Cpu(), Memory(), Nvidia(visible=cuda_visible), Npu(), Disk(folder), Network()


class Rounds:
    """Asks `collectors`. tell: hears what goes wrong. For one thread. clock: seconds; now: microseconds since 1970."""

    def __init__(
        self,
        collectors: Iterable[Collector],
        tell: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._collectors: Sequence[Collector] = tuple(collectors)
        self._tell = tell
        self._clock = clock
        self._now = now
        self._absent_until: dict[str, float] = {}

    def sample(self) -> Sample:
        """Never raises."""
        usage: list[Usage] = []
        measures: dict[str, float] = {}
        for collector in self._collectors:
            begin = self._clock()
            if begin < self._absent_until.get(collector.name, -math.inf):
                continue
            reading = self._read(collector)
            if reading is None:
                self._absent_until[collector.name] = begin + _ABSENT_FOR
                continue
            good = [each for each in reading.usage if 0 <= each.percent <= _MOST]
            finite = {name: float(value) for name, value in reading.measures.items() if math.isfinite(value)}
            trouble = reading.trouble
            if len(good) + len(finite) < len(reading.usage) + len(reading.measures):
                trouble = trouble or "a value is out of all bounds"
            if trouble:
                self._tell(f"the collector {collector.name} failed: {trouble}")
            usage += good
            measures |= finite
            measures[f"collector_{collector.name}_seconds"] = self._clock() - begin
            measures[f"collector_{collector.name}_success"] = 0.0 if trouble else 1.0
        return Sample(time_us=self._now(), usage=tuple(usage), measures=measures)

    def _read(self, collector: Collector) -> Reading | None:
        """None where it has nothing to read."""
        try:
            return collector.read()
        except Absent:
            return None
        except Failed as error:
            return Reading(trouble=str(error))
        except Exception as error:  # noqa: BLE001  whatever a driver's library raises, the others go on
            return Reading(trouble=f"{type(error).__name__}: {error}")
