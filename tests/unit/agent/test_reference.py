"""The reference of the agent names what it measures, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepwell.agent.cpu import Cpu
from stepwell.agent.disk import Disk
from stepwell.agent.memory import Memory
from stepwell.agent.network import Network
from stepwell.agent.npu import Npu
from stepwell.agent.nvidia import Nvidia
from stepwell.agent.readings import Collector, Reading
from stepwell.agent.rounds import all_collectors
from stepwell.agent.tasks import MACHINE_VARIABLES, TASK_VARIABLE
from stepwell.core.resources import Resource
from unit.agent.machines import FakeNvml, container_2, ticking, tree
from unit.agent.test_npu import TWO_CHIPS

DOCS = Path(__file__).resolve().parents[3] / "docs"
REFERENCE = (DOCS / "reference" / "agent-metrics.md").read_text()
GPU = {"gpu": 90, "memory": (20, 80), "milliwatts": 350_500, "celsius": 61}


def before(root: Path) -> None:
    """A machine that has everything, the devices of /proc and /sys at least."""
    container_2(root)
    tree(
        root,
        {
            "proc/self/net/dev": "eth0: 5 1 0 0 0 0 0 0 5 1\n",
            "proc/diskstats": "   8  0 sda 5 0 100 5 5 0 200 0 0 0 0\n",
            "sys/block/sda/device": "",
        },
    )


@pytest.fixture
def readings(tmp_path: Path) -> dict[str, Reading]:
    """The second look of each collector."""
    before(tmp_path)
    collectors: list[Collector] = [
        Cpu(tmp_path, clock=ticking(1, 2), affinity=lambda: {0}),
        Memory(tmp_path),
        Nvidia(load=lambda: FakeNvml(GPU)),
        Npu(lambda: TWO_CHIPS),
        Disk(tmp_path, tmp_path, clock=ticking(1, 2)),
        Network(tmp_path, clock=ticking(1, 2)),
    ]
    assert [each.name for each in collectors] == [
        each.name for each in all_collectors(folder=tmp_path, cuda_visible="")
    ]
    for each in collectors:
        each.read()
    return {each.name: each.read() for each in collectors}


def rows(pattern: str) -> list[tuple[str, str]]:
    return [(match[0], match[1]) for match in re.findall(pattern, REFERENCE, re.MULTILINE)]


def test_every_measure_is_in_the_reference_and_no_other(readings: dict[str, Reading]) -> None:
    found = {
        (re.sub(r"^(gpu|npu)_[0-9-]+_", r"\1_DEVICE_", name), collector)
        for collector, reading in readings.items()
        for name in reading.measures
    }
    told = set(rows(r"^\| `(\w+)` \| `(\w+)` \|"))
    assert found == told


def test_every_usage_is_in_the_reference_with_its_collector(readings: dict[str, Reading]) -> None:
    found = {(each.resource, collector) for collector, reading in readings.items() for each in reading.usage}
    assert found == set(rows(r"^\| `resource/(\w+)` \| `\w+` \| `(\w+)` \|"))
    assert {resource for resource, _ in found} == {each.value for each in Resource}


def test_every_variable_that_names_a_task_is_in_the_how_to() -> None:
    told = re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "howto" / "resource-agent.md").read_text(), re.MULTILINE)
    assert told == [TASK_VARIABLE, *MACHINE_VARIABLES, "RANK"]
