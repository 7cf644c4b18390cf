"""Which of the metrics that Pluto's client logs by itself say how much of a machine is used, in percent.

Bytes, watts and rates have no total: no sample. Each core and each GPU counts like a device.
"""

from __future__ import annotations

import re
from typing import Final

from stepwell.core.resources import Alias, Resource


def _alias(name: str, resource: Resource) -> Alias:
    return Alias(name=re.compile(rf"sys/{name}"), resource=resource)


ALIASES: Final = (
    _alias(r"cpu\.percentage\.[0-9]+", Resource.CPU),
    _alias(r"gpu\.[0-9]+\.[^/]+\.memory\.utilization", Resource.GPU_MEMORY),
    _alias(r"gpu\.[0-9]+\.(?![^/]+\.memory\.utilization)[^/]+\.utilization", Resource.GPU),
)
