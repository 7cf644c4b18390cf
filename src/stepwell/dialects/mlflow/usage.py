"""Which of the metrics that MLflow's client logs by itself say how much of a machine is used, in percent.

With the id of a node in the name, nodes count like devices of one task. Megabytes and watts have no total: no sample.
"""

from __future__ import annotations

import re
from typing import Final

from stepwell.core.resources import Alias, Resource


def _alias(name: str, resource: Resource) -> Alias:
    return Alias(prefix="system/", name=re.compile(rf"system/(?:[^/]+/)?{name}"), resource=resource)


ALIASES: Final = (
    _alias("cpu_utilization_percentage", Resource.CPU),
    _alias("system_memory_usage_percentage", Resource.MEMORY),
    _alias("gpu_[0-9]+_utilization_percentage", Resource.GPU),
    _alias("gpu_[0-9]+_memory_usage_percentage", Resource.GPU_MEMORY),
)
