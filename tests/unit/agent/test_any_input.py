"""Whatever a kernel, a driver or a program says: a collector tells what is wrong, and no number that is none."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stepwell.agent.cpu import Cpu
from stepwell.agent.disk import Disk
from stepwell.agent.memory import Memory
from stepwell.agent.network import Network
from stepwell.agent.npu import Npu
from stepwell.agent.readings import Absent, Collector, Failed
from stepwell.agent.rounds import Rounds
from stepwell.agent.tasks import MACHINE_VARIABLES, task_name
from unit.agent.machines import HOST_MEMINFO, HOST_STAT, MOUNT_2
from unit.agent.test_npu import NO_HBM, ONE_CHIP, TWO_CHIPS

GROUP = "sys/fs/cgroup/"
MOUNT_1 = "31 23 0:27 /docker/1f /sys/fs/cgroup ro - cgroup cgroup rw,cpu,cpuacct,memory\n"
FILES = {
    "proc/stat": HOST_STAT,
    "proc/meminfo": HOST_MEMINFO,
    "proc/diskstats": "   8  0 sda 5 0 100 5 5 0 200 0 0 0 0\n",
    "proc/self/net/dev": "eth0: 5 1 0 0 0 0 0 0 5 1\n",
    "proc/self/cgroup": "0::/\n4:cpu,cpuacct,memory:/docker/1f\n",
    "proc/self/mountinfo": MOUNT_2 + MOUNT_1,
    "sys/block/sda/device": "",
    GROUP + "cgroup.events": "",
    GROUP + "cpu.max": "150000 100000",
    GROUP + "cpu.stat": "usage_usec 1000000",
    GROUP + "cpuacct.usage": "1000000000",
    GROUP + "memory.limit_in_bytes": "4294967296",
    GROUP + "memory.usage_in_bytes": "5000",
    GROUP + "cpu.cfs_quota_us": "100",
    GROUP + "cpu.cfs_period_us": "100",
    GROUP + "cpuset.cpus.effective": "0-1,3",
    GROUP + "memory.max": "4294967296",
    GROUP + "memory.current": "5000",
    GROUP + "memory.stat": "inactive_file 7",
}
WORDS = st.sampled_from(
    [
        *"0 -1 NaN 1e400 ٣ 1_0 0x1 , - / : | cpu0 usage_usec MemTotal: 0::/.. cgroup2 é".split(),
        "9" * 20,
        "9" * 5000,
        "\n",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=12).map(" ".join))


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The text as it is, with something in the middle of it, or something else."""
    at = draw(st.integers(0, len(text)))
    return draw(
        st.sampled_from([text, text[:at], text[:at] + draw(TEXTS) + text[at + draw(st.integers(0, 9)) :], draw(TEXTS)])
    )


def look(*collectors: Collector) -> None:
    """Nothing but Absent and Failed comes out of them."""
    for collector in collectors:
        with contextlib.suppress(Absent, Failed):
            collector.read()


def check(*collectors: Collector) -> None:
    """Nothing but percentages and finite numbers comes out of a round of them."""
    look(*collectors)
    sample = Rounds(collectors, lambda _: None).sample()
    assert all(0 <= each.percent <= 1e6 for each in sample.usage)
    assert all(map(math.isfinite, sample.measures.values()))


def put(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())


KERNELS = st.fixed_dictionaries({}, optional={name: damaged(text) for name, text in FILES.items()})


@given(KERNELS, KERNELS, st.sampled_from([MOUNT_2, MOUNT_1]))
def test_any_files_of_the_kernel(files: dict[str, str], later: dict[str, str], mounts: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, {"proc/self/mountinfo": mounts, **files})
        collectors = (Cpu(root), Memory(root), Disk(root, root), Network(root))
        look(*collectors)
        put(root, later)
        check(*collectors)


@given(st.sampled_from([ONE_CHIP, TWO_CHIPS, NO_HBM]).flatmap(damaged))
def test_any_answer_of_npu_smi(text: str) -> None:
    check(Npu(lambda: text))


@given(st.dictionaries(st.sampled_from([*MACHINE_VARIABLES, "RANK", "LOCAL_WORLD_SIZE"]), TEXTS), TEXTS)
def test_any_variables_of_a_scheduler(variables: dict[str, str], host: str) -> None:
    assert task_name(variables, host).startswith("worker-")
    assert task_name({**variables, "KUBERNETES_SERVICE_HOST": "x"}, host).startswith("worker-")
