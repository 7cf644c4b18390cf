"""Which of the metrics that Pluto's client logs by itself say how much of a machine is used, in percent.

Cores count like devices. `sys/memory.used`, `sys/memory.active` and a GPU's `memory.used` are bytes without a total,
and a GPU's `memory.utilization` is how busy its memory is, not how full: no samples.
"""

from __future__ import annotations

import re
from typing import Final

from stepwell.core.resources import Alias, Resource

ALIASES: Final = (
    Alias(name=re.compile(r"sys/cpu\.percentage\.[0-9]+"), resource=Resource.CPU),
    Alias(name=re.compile(r"sys/gpu\.[0-9]+\..+(?<!\.memory)\.utilization"), resource=Resource.GPU),
)
