"""How much memory there is to use, and how much of it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepwell.agent.memory import Memory
from stepwell.agent.readings import Absent, Failed
from unit.agent.machines import MOUNT_2, container_2, host, tree, usage

GIB = 1 << 30


def test_on_a_bare_machine_the_machine_counts(tmp_path: Path) -> None:
    found = Memory(host(tmp_path)).read()
    assert usage(found) == {"mem": 50}
    assert found.measures == {"memory_used_bytes": 8 * GIB, "memory_limit_bytes": 16 * GIB}


def test_a_limit_is_what_counts_in_a_container_and_cached_files_do_not(tmp_path: Path) -> None:
    found = Memory(container_2(tmp_path, memory_max=f"{4 * GIB}\n")).read()
    assert usage(found) == {"mem": 50}
    assert found.measures == {"memory_used_bytes": 2 * GIB, "memory_limit_bytes": 4 * GIB}


def test_a_container_without_a_limit_has_the_machine_s_memory(tmp_path: Path) -> None:
    found = Memory(container_2(tmp_path)).read()
    assert found.measures == {"memory_used_bytes": 2 * GIB, "memory_limit_bytes": 16 * GIB}


def test_the_job_s_limit_counts_for_its_steps(tmp_path: Path) -> None:
    job = "sys/fs/cgroup/slurm/job_7"
    files = {
        "proc/self/cgroup": "0::/slurm/job_7/step_0\n",
        "proc/self/mountinfo": MOUNT_2,
        f"{job}/memory.max": str(8 * GIB),
        f"{job}/memory.current": str(2 * GIB),
        f"{job}/memory.stat": "inactive_file 0",
        f"{job}/step_0/memory.max": "max",
        f"{job}/step_0/memory.current": "77",
        f"{job}/step_0/memory.stat": "inactive_file 0",
    }
    assert usage(Memory(host(tmp_path, **files)).read()) == {"mem": 25}


@pytest.mark.parametrize(
    ("limit", "most"), [(str(4 * GIB), 4 * GIB), ("9223372036854771712", 16 * GIB), (str(64 * GIB), 16 * GIB)]
)
def test_version_1_counts_too(tmp_path: Path, limit: str, most: int) -> None:
    group = "sys/fs/cgroup/memory"
    files = {
        "proc/self/cgroup": "4:memory:/docker/1f\n",
        "proc/self/mountinfo": "31 23 0:27 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        f"{group}/memory.limit_in_bytes": limit,
        f"{group}/memory.usage_in_bytes": str(2 * GIB),
        f"{group}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\n",
    }
    found = Memory(host(tmp_path, **files)).read()
    assert found.measures == {"memory_used_bytes": GIB, "memory_limit_bytes": most}


def test_a_mount_with_a_space_in_its_name_is_found(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "proc/self/mountinfo": "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n",
        "my groups/cgroup.events": "populated 1",
        "my groups/memory.max": str(4 * GIB),
        "my groups/memory.current": str(GIB),
        "my groups/memory.stat": "inactive_file 0",
    }
    assert usage(Memory(host(tmp_path, **files)).read()) == {"mem": 25}


def test_a_group_outside_of_what_is_mounted_is_the_mount(tmp_path: Path) -> None:
    root = tree(container_2(tmp_path, memory_max=str(4 * GIB)), {"proc/self/cgroup": "0::/../../kubepods/pod1\n"})
    assert usage(Memory(root).read()) == {"mem": 50}


def test_a_group_that_does_not_count_memory_leaves_the_machine(tmp_path: Path) -> None:
    root = container_2(tmp_path)
    (root / "sys/fs/cgroup/memory.current").unlink()
    assert usage(Memory(root).read()) == {"mem": 50}


def test_without_proc_there_is_no_memory_to_tell_of(tmp_path: Path) -> None:
    with pytest.raises(Absent):
        Memory(tmp_path).read()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"proc/meminfo": "MemTotal: 5 kB\n"}, "there is no MemAvailable"),
        ({"proc/meminfo": "MemTotal: 0 kB\nMemAvailable: 0 kB\n"}, "MemTotal is 0"),
        ({"sys/fs/cgroup/memory.current": "-5\n"}, "'-5' is no number"),
        ({"sys/fs/cgroup/memory.stat": "anon 5\n"}, "there is no inactive_file"),
        ({"sys/fs/cgroup/memory.max": "9" * 5000}, "is no number"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, files: dict[str, str], told: str) -> None:
    root = tree(container_2(tmp_path), files)
    with pytest.raises(Failed, match=told):
        Memory(root).read()
