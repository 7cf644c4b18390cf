"""How much of a machine a task uses: which resources there are, what they are called as metrics, and means by minute.

A sample is an ordinary point in percent. The metric is `resource/` and the resource, the labels are `task` and, where
one was named, `device`; its step is its time in whole milliseconds, so that steps rise with time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from stepwell.core.series import F64, I64, INT64_MAX, Labels

METRIC_PREFIX: Final = "resource/"
TASK_LABEL: Final = "task"
DEVICE_LABEL: Final = "device"
FIRST_TASK: Final = "worker-0"  # the task of a run that names none
PERCENT_MAX: Final = 1e6  # every core of a large machine, counted one by one; what is greater is no percentage
MINUTE: Final = 60_000_000  # microseconds
MINUTES_SHOWN: Final = 366 * 24 * 60  # later samples are kept, but show in no minute: one wrong clock must not cost all


class Resource(StrEnum):
    """What is used. The value is the word in a sample and in the metric's name."""

    CPU = "cpu"
    MEMORY = "mem"
    GPU = "gpu"
    GPU_MEMORY = "gpu_mem"
    NPU = "npu"
    NPU_MEMORY = "npu_mem"

    @property
    def metric(self) -> str:
        """The name of its metric."""
        return METRIC_PREFIX + self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Metrics of another name that mean a resource of the first task: all whose whole name fits, values in percent.

    Every name that fits begins with `prefix`.
    """

    prefix: str
    name: re.Pattern[str]
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples of one task, as equally long columns. time: int64 microseconds; usage: float64, NaN for no sample."""

    time: I64
    device: tuple[str, ...]  # "" where none was named
    usage: Mapping[Resource, F64]

    def __len__(self) -> int:
        return len(self.time)


def labels_of(task: str, device: str) -> Labels:
    """The labels of a task's samples."""
    return ((DEVICE_LABEL, device), (TASK_LABEL, task)) if device else ((TASK_LABEL, task),)


def recognised(metric: str, aliases: Iterable[Alias]) -> Resource | None:
    """What a metric of another name means, if anything."""
    return next((alias.resource for alias in aliases if alias.name.fullmatch(metric)), None)


class MinuteMeans:
    """Gathers samples into minutes counted from `start`. Samples before it, or MINUTES_SHOWN after it, are left out."""

    def __init__(self, start: int, newest: int) -> None:
        """`newest`: no sample is later (microseconds)."""
        self.start = start
        self._length = min(max((newest - start) // MINUTE + 1, 0), MINUTES_SHOWN)
        self._sum = {resource: np.zeros(self._length) for resource in Resource}
        self._count = {resource: np.zeros(self._length, np.int64) for resource in Resource}

    @property
    def empty(self) -> bool:
        """Whether there can be no sample in any minute."""
        return not self._length

    @property
    def end(self) -> int:
        """The last microsecond that is in a minute."""
        return min(self.start + self._length * MINUTE - 1, INT64_MAX)

    def add(self, resource: Resource, time: I64, usage: F64) -> None:
        """Count samples in. What is not within 0 and PERCENT_MAX is none."""
        good = (usage >= 0) & (usage <= PERCENT_MAX) & (time >= self.start) & (time <= self.end)
        minute, usage = (time[good] - self.start) // MINUTE, usage[good]
        if not len(minute):
            return
        low = int(minute.min())
        inside = slice(low, int(minute.max()) + 1)
        self._sum[resource][inside] += np.bincount(minute - low, weights=usage)
        self._count[resource][inside] += np.bincount(minute - low)

    def columns(self) -> dict[Resource, F64]:
        """The mean of each minute, NaN where there was no sample; as long as the newest sample of all needs."""
        used = np.zeros(self._length, np.bool_)
        for count in self._count.values():
            used |= count > 0
        length = int(used.nonzero()[0][-1]) + 1 if used.any() else 0
        found = {}
        for resource in Resource:
            count = self._count[resource][:length]
            found[resource] = np.full(length, np.nan)
            np.divide(self._sum[resource][:length], count, out=found[resource], where=count > 0)
        return found
