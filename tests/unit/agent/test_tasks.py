"""What a task is called, as those who start trainings say it."""

from __future__ import annotations

import pytest

from stepwell.agent.tasks import is_first_here, task_name


@pytest.mark.parametrize(
    ("variables", "host", "task"),
    [
        ({}, "node7", "worker-0"),
        ({"STEPWELL_TASK": "reader-2", "RANK": "3"}, "", "reader-2"),
        ({"GROUP_RANK": "1", "RANK": "9", "LOCAL_RANK": "1", "SLURM_NODEID": "4"}, "", "worker-1"),
        ({"NODE_RANK": "2"}, "", "worker-2"),
        ({"SLURM_NODEID": "3", "SLURM_PROCID": "24"}, "", "worker-3"),
        ({"VC_TASK_INDEX": "5"}, "", "worker-5"),
        ({"JOB_COMPLETION_INDEX": "04"}, "", "worker-4"),
        ({"RANK": "3"}, "", "worker-3"),
        ({"RANK": "17", "LOCAL_WORLD_SIZE": "8"}, "", "worker-2"),
        ({"RANK": "17", "LOCAL_WORLD_SIZE": "0"}, "", "worker-17"),
        ({"RANK": "none", "NODE_RANK": ""}, "", "worker-0"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "bert-worker-11", "worker-11"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "bert-5d8f7-24595", "worker-0"),
        ({}, "bert-worker-11", "worker-0"),
    ],
)
def test_the_first_that_knows_the_number_says_it(variables: dict[str, str], host: str, task: str) -> None:
    assert task_name(variables, host) == task


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0"}, True),
        ({"LOCAL_RANK": "3"}, False),
        ({"SLURM_LOCALID": "1"}, False),
        ({"LOCAL_RANK": "0", "SLURM_LOCALID": "0"}, True),
    ],
)
def test_one_process_of_a_machine_measures(variables: dict[str, str], *, first: bool) -> None:
    assert is_first_here(variables) is first
