"""Machines that are not here: their /proc and /sys as folders, NVML and npu-smi as fakes.

The fakes say what the real ones say on machines with such devices, which those that run these tests need not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stepwell.agent.readings import Reading

HOST_STAT = """cpu  400 0 400 7200 0 0 0 0 0 0
cpu0 100 0 100 1800 0 0 0 0 0 0
cpu1 100 0 100 1800 0 0 0 0 0 0
cpu2 100 0 100 1800 0 0 0 0 0 0
cpu3 100 0 100 1800 0 0 0 0 0 0
intr 12345 0 0
ctxt 99
"""
HOST_MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:    8388608 kB\n"
MOUNT_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """`root` with these files in it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def host(root: Path, **files: str) -> Path:
    """A machine of four cores and 16 GiB whose process is in no group."""
    return tree(root, {"proc/stat": HOST_STAT, "proc/meminfo": HOST_MEMINFO, **files})


def container_2(root: Path, **limits: str) -> Path:
    """The same, seen from a container of cgroup v2 with its own namespace. limits: files of the group, '_' for '.'."""
    group = {
        "cgroup.events": "populated 1\n",
        "cpu.stat": "usage_usec 1000000\nuser_usec 800000\n",
        "cpu.max": "max 100000\n",
        "memory.max": "max\n",
        "memory.current": f"{3 << 30}\n",
        "memory.stat": f"anon 5\ninactive_file {1 << 30}\n",
        **{name.replace("_", "."): text for name, text in limits.items()},
    }
    files = {f"sys/fs/cgroup/{name}": text for name, text in group.items()}
    return host(root, **{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": MOUNT_2, **files})


def usage(reading: Reading) -> dict[str, float]:
    """Resource and device -> percent."""
    return {f"{each.resource} {each.device}".strip(): each.percent for each in reading.usage}


def ticking(*seconds: float) -> Any:
    """A clock that tells these times, one after the other."""
    times: Iterator[float] = iter(seconds)
    return lambda: next(times)


class NvmlError(Exception):
    """As nvidia-ml-py's NVMLError: `value` is the code."""

    def __init__(self, value: int) -> None:
        super().__init__({3: "Not Supported", 15: "GPU is lost", 999: "Unknown Error"}.get(value, f"error {value}"))
        self.value = value


class FakeNvml:
    """As much of nvidia-ml-py as the collector asks. A device is a dict; what is not in it is unsupported."""

    NVMLError = NvmlError

    def __init__(self, *devices: Mapping[str, Any]) -> None:
        self._devices = devices

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  as NVIDIA calls it
        return len(self._devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:  # noqa: N802
        return self._devices[index]

    def nvmlDeviceGetUUID(self, device: Any) -> Any:  # noqa: N802
        return _told(device, "uuid")

    def nvmlDeviceGetMigMode(self, device: Any) -> Any:  # noqa: N802
        return [int("slices" in device), 0] if "mig" in device else _told(device, "mig")

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Any) -> int:  # noqa: N802
        return len(device["slices"])

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Any, index: int) -> Any:  # noqa: N802
        return _told(dict(enumerate(device["slices"])), index)

    def nvmlDeviceGetUtilizationRates(self, device: Any) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=_told(device, "gpu"), memory=77)

    def nvmlDeviceGetMemoryInfo(self, device: Any) -> Any:  # noqa: N802
        used, total = _told(device, "memory")
        return SimpleNamespace(used=used, total=total, free=total - used)

    def nvmlDeviceGetPowerUsage(self, device: Any) -> Any:  # noqa: N802
        return _told(device, "milliwatts")

    def nvmlDeviceGetTemperature(self, device: Any, sensor: int) -> Any:  # noqa: N802
        assert sensor == 0
        return _told(device, "celsius")


def _told(device: Mapping[Any, Any], name: Any) -> Any:
    found = device.get(name, NvmlError(3))
    if isinstance(found, NvmlError):
        raise found
    return found
