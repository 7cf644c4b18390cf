"""The network, as the container or the machine sees it. What goes through RDMA passes the kernel by and is not here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stepwell.agent import kernel
from stepwell.agent.readings import Absent, Counters, Reading

_RECEIVED, _SENT = 0, 8  # columns behind an interface's name
_OWN: Final = "lo"


class Network:
    """`network_received_bytes_per_second` and `network_sent_bytes_per_second` of all interfaces.

    root: the folder that has proc and sys. clock: seconds.
    """

    name = "network"

    def __init__(self, root: Path = Path("/"), *, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._counters = Counters()

    def read(self) -> Reading:
        """As `Collector.read`. Nothing at the first look."""
        path = self._root / "proc/self/net/dev"
        found = kernel.text_or_none(path)
        if found is None:
            raise Absent
        counters = {}
        for line in found.splitlines():
            name, colon, rest = line.partition(":")
            words = rest.split()
            if colon and len(words) > _SENT and name.strip() != _OWN:
                counters[name.strip()] = kernel.integers([words[_RECEIVED], words[_SENT]], path)
        if not counters:
            raise Absent
        # Bridges and bonds pass on what real interfaces count too; a container has virtual ones alone.
        chosen = [name for name in counters if self._is_real(name)] or list(counters)
        sums = {f"{name} {way}": counters[name][i] for name in chosen for i, way in enumerate(("received", "sent"))}
        rates = self._counters.rates(self._clock(), sums)
        told: dict[str, float] = {}
        for key, rate in rates.items():
            measure = f"network_{key.rpartition(' ')[2]}_bytes_per_second"
            told[measure] = told.get(measure, 0.0) + rate
        return Reading(measures=told)

    def _is_real(self, name: str) -> bool:
        return name.isprintable() and "/" not in name and (self._root / "sys/class/net" / name / "device").exists()
