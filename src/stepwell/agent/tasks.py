"""What a task is called: `worker-0`, `worker-1` and so on, one for each machine or container that works on a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# The number of a machine among those of a run, as whoever started it says. The first that is set counts.
MACHINE_VARIABLES: Final = (
    "GROUP_RANK",  # torchrun
    "NODE_RANK",  # Lightning and many scripts
    "SLURM_NODEID",
    "VC_TASK_INDEX",  # Volcano, ModelArts
    "JOB_COMPLETION_INDEX",  # indexed jobs of Kubernetes
)
TASK_VARIABLE: Final = "STEPWELL_TASK"
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_REPLICA: Final = re.compile(r".*worker-([0-9]{1,9})")  # as operators of Kubernetes name pods


def task_name(variables: Mapping[str, str], host: str) -> str:
    """The task that these variables of the environment and this host's name mean; `worker-0` where nothing tells."""
    given = variables.get(TASK_VARIABLE)
    if given:
        return given
    for name in MACHINE_VARIABLES:
        if _NUMBER.fullmatch(variables.get(name, "")):
            return f"worker-{int(variables[name])}"
    rank = variables.get("RANK", "")
    if _NUMBER.fullmatch(rank):
        beside = variables.get("LOCAL_WORLD_SIZE", "")
        return f"worker-{int(rank) // (int(beside) if _NUMBER.fullmatch(beside) and int(beside) else 1)}"
    replica = _REPLICA.fullmatch(host) if "KUBERNETES_SERVICE_HOST" in variables else None
    return f"worker-{int(replica[1])}" if replica else "worker-0"


def is_first_here(variables: Mapping[str, str]) -> bool:
    """Whether this process is the one of its machine that measures: the others would measure the same again."""
    return all(variables.get(name, "0") == "0" for name in ("LOCAL_RANK", "SLURM_LOCALID"))
