"""Which of the metrics that Pluto's client logs by itself say how much of a machine is used, in percent.

Each core and each GPU counts like a device. Bytes, watts and rates have no total, and a GPU's `memory.utilization` says
how busy its memory is, not how full: no samples.
"""

from __future__ import annotations

import re
from typing import Final

from stepwell.core.resources import Alias, Resource


def _alias(name: str, resource: Resource) -> Alias:
    return Alias(prefix="sys/", name=re.compile(rf"sys/{name}"), resource=resource)


ALIASES: Final = (
    _alias(r"cpu\.percentage\.[0-9]+", Resource.CPU),
    _alias(r"gpu\.[0-9]+\.[^/]+(?<!\.memory)\.utilization", Resource.GPU),
)
