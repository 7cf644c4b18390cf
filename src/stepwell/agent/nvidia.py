"""NVIDIA GPUs, through NVML as the package nvidia-ml-py gives it. It is imported when somebody looks, if it is there.

A device may refuse any question: a slice of MIG has memory of its own and no usage that NVML knows, others tell no
power. What is refused is left out. How full a memory is stands in MemoryInfo; `utilization.memory` is how busy it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from stepwell.agent.readings import Absent, Failed, Reading, Usage

_NONE_HERE: Final = frozenset({6, 9, 12})  # not found, no driver, no library
_REFUSED: Final = frozenset({2, 3, 4, 6, 13})  # no such argument, unsupported, no permission, not found, older driver
_CELSIUS_OF_CHIP: Final = 0


def library(driver: Path = Path("/proc/driver/nvidia/version")) -> Any:
    """NVML, ready for questions. Absent; Failed: there is a driver, but no package to ask it with."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        if driver.exists():
            raise Failed("NVIDIA GPUs are seen with the package nvidia-ml-py: pip install 'stepwell[nvidia]'") from None
        raise Absent from None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        if _code(error) in _NONE_HERE:
            raise Absent from None
        raise Failed(f"NVML: {error}") from None
    return nvml


class Nvidia:
    """`gpu` and `gpu_mem` in percent of each device, named by its number; a slice of MIG is `NUMBER:SLICE`.

    Also `gpu_..._memory_used_bytes`, `gpu_..._power_watts`, `gpu_..._temperature_celsius`. visible: as
    CUDA_VISIBLE_DEVICES; None is all. load: gives NVML; Absent, Failed.
    """

    name = "nvidia"

    def __init__(self, *, visible: str | None = None, load: Callable[[], Any] = library) -> None:
        self._visible = visible
        self._load = load
        self._nvml: Any = None

    def read(self) -> Reading:
        """As `Collector.read`. `trouble` tells of devices that cannot be read while others can."""
        if self._nvml is None:
            self._nvml = self._load()
        usage: list[Usage] = []
        measures: dict[str, float] = {}
        troubles: list[str] = []
        for name, handle in self._devices():
            try:
                usage += self._usage(name, handle)
                measures |= self._measures(name, handle)
            except self._nvml.NVMLError as error:  # noqa: PERF203  a handful
                troubles.append(f"GPU {name}: {error}")
        if troubles and not usage:
            raise Failed(troubles[0])
        if not usage and not measures:
            raise Absent
        return Reading(usage=tuple(usage), measures=measures, trouble="; ".join(troubles)[:300])

    def _devices(self) -> Iterator[tuple[str, Any]]:
        """Name and handle of each that may be used, slices in the place of what is sliced. Failed."""
        nvml = self._nvml
        try:
            found = [
                (str(i), handle)
                for i in range(nvml.nvmlDeviceGetCount())
                if (handle := self._ask("nvmlDeviceGetHandleByIndex", i)) is not None
            ]
            each = [part for name, handle in found for part in self._parts(name, handle)]
            return iter(each if self._visible is None else self._chosen(self._visible, each))
        except nvml.NVMLError as error:
            raise Failed(f"NVML: {error}") from None

    def _parts(self, name: str, handle: Any) -> list[tuple[str, Any]]:
        mode = self._ask("nvmlDeviceGetMigMode", handle)
        if not mode or not mode[0]:
            return [(name, handle)]
        count = self._ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
        slices = ((i, self._ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, i)) for i in range(count))
        return [(f"{name}:{i}", part) for i, part in slices if part is not None]

    def _chosen(self, visible: str, each: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """As CUDA chooses: numbers or beginnings of UUIDs, up to the first that is none."""
        chosen: list[tuple[str, Any]] = []
        for word in (part.strip() for part in visible.split(",")):
            # A number means a device, so all of its slices.
            named = [one for one in each if word and (word == one[0].partition(":")[0] or self._is(word, one[1]))]
            if not named:
                break
            chosen += (one for one in named if one not in chosen)
        return chosen

    def _is(self, word: str, handle: Any) -> bool:
        return word.startswith(("GPU-", "MIG-")) and _text(self._ask("nvmlDeviceGetUUID", handle)).startswith(word)

    def _usage(self, name: str, handle: Any) -> Iterator[Usage]:
        rates = self._ask("nvmlDeviceGetUtilizationRates", handle)
        if rates is not None:
            yield Usage(resource="gpu", device=name, percent=float(rates.gpu))
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        if memory is not None and memory.total:
            yield Usage(resource="gpu_mem", device=name, percent=memory.used / memory.total * 100)

    def _measures(self, name: str, handle: Any) -> dict[str, float]:
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        milliwatts = self._ask("nvmlDeviceGetPowerUsage", handle)
        found = {
            "memory_used_bytes": None if memory is None or not memory.total else float(memory.used),
            "power_watts": None if milliwatts is None else milliwatts / 1000,
            "temperature_celsius": self._ask("nvmlDeviceGetTemperature", handle, _CELSIUS_OF_CHIP),
        }
        return {f"gpu_{name}_{what}": float(value) for what, value in found.items() if value is not None}

    def _ask(self, question: str, *about: Any) -> Any:
        """The answer; None where it is refused, or older than this version of NVML. NVMLError."""
        try:
            return getattr(self._nvml, question)(*about)
        except self._nvml.NVMLError as error:
            if _code(error) in _REFUSED:
                return None
            raise


def _code(error: Exception) -> int:
    return int(getattr(error, "value", 0))


def _text(found: Any) -> str:
    """Versions of the package differ in whether a text is bytes."""
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found or "")
