"""Which cores count, and how much of them is used: groups of both versions, limits, and the bare machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stepwell.agent.cpu import Cpu
from stepwell.agent.readings import Absent, Failed, Reading
from unit.agent.machines import MOUNT_2, container_2, host, ticking, tree, usage

BUSY_STAT = """cpu0 200 0 200 2400 0 0 0 0 0 0
cpu1 100 0 100 2600 0 0 0 0 0 0
cpu2 100 0 100 2600 0 0 0 0 0 0
cpu3 100 0 100 2600 0 0 0 0 0 0
"""


def cpu(root: Path, *seconds: float, affinity: Any = lambda: {0, 1, 2, 3}) -> Cpu:
    return Cpu(root, clock=ticking(*seconds), affinity=affinity)


def test_the_first_look_tells_nothing(tmp_path: Path) -> None:
    assert cpu(host(tmp_path), 1).read() == Reading()


def test_on_a_bare_machine_the_machine_counts(tmp_path: Path) -> None:
    collector = cpu(host(tmp_path), 1, 9)
    collector.read()
    tree(tmp_path, {"proc/stat": BUSY_STAT})  # 800 ticks of each core; 200 of the first were busy
    found = collector.read()
    assert usage(found) == {"cpu": pytest.approx(200 / 3200 * 100)}
    assert found.measures == {"cpu_cores_used": pytest.approx(0.25), "cpu_cores_limit": 4}


def test_cores_of_others_do_not_count(tmp_path: Path) -> None:
    collector = cpu(host(tmp_path), 1, 9, affinity=lambda: {0, 1, 99})
    collector.read()
    tree(tmp_path, {"proc/stat": BUSY_STAT})
    found = collector.read()
    assert usage(found) == {"cpu": pytest.approx(200 / 1600 * 100)}
    assert found.measures["cpu_cores_limit"] == 2


def test_waiting_for_a_disk_is_idle_and_guests_count_once(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/stat": "cpu0 10 0 0 10 10 0 0 0 10 0\n"})
    collector = cpu(root, 1, 2)
    collector.read()
    tree(root, {"proc/stat": "cpu0 30 0 0 30 50 0 0 0 30 0\n"})
    assert usage(collector.read()) == {"cpu": pytest.approx(20 / 80 * 100)}


def test_a_quota_is_what_counts_in_a_container(tmp_path: Path) -> None:
    collector = cpu(container_2(tmp_path, cpu_max="150000 100000\n"), 10, 14)
    collector.read()
    tree(tmp_path, {"sys/fs/cgroup/cpu.stat": "usage_usec 4000000\n"})  # 3 s within 4 s
    found = collector.read()
    assert usage(found) == {"cpu": pytest.approx(50)}
    assert found.measures == {"cpu_cores_used": pytest.approx(0.75), "cpu_cores_limit": 1.5}


def test_a_container_without_a_quota_has_all_cores_of_its_cpuset(tmp_path: Path) -> None:
    root = tree(container_2(tmp_path), {"sys/fs/cgroup/cpuset.cpus.effective": "0-1\n"})
    collector = cpu(root, 10, 12, affinity=lambda: {0})  # this process alone is bound to one
    collector.read()
    tree(root, {"sys/fs/cgroup/cpu.stat": "usage_usec 3000000\n"})
    found = collector.read()
    assert usage(found) == {"cpu": pytest.approx(50)}
    assert found.measures["cpu_cores_limit"] == 2


def test_a_quota_of_more_cores_than_there_are_limits_nothing(tmp_path: Path) -> None:
    collector = cpu(container_2(tmp_path, cpu_max="6400000 100000\n"), 10, 12)
    collector.read()
    tree(tmp_path, {"sys/fs/cgroup/cpu.stat": "usage_usec 5000000\n"})
    assert collector.read().measures == {"cpu_cores_used": pytest.approx(2), "cpu_cores_limit": 4}


def test_the_level_with_the_tightest_quota_is_measured(tmp_path: Path) -> None:
    job, step = "sys/fs/cgroup/slurm/job_7", "sys/fs/cgroup/slurm/job_7/step_0"
    files = {
        "proc/self/cgroup": "0::/slurm/job_7/step_0\n",
        "proc/self/mountinfo": MOUNT_2,
        f"{job}/cpu.max": "200000 100000",
        f"{job}/cpu.stat": "usage_usec 0",
        f"{step}/cpu.max": "max 100000",
        f"{step}/cpu.stat": "usage_usec 0",
    }
    collector = cpu(host(tmp_path, **files), 10, 11)
    collector.read()
    tree(tmp_path, {f"{job}/cpu.stat": "usage_usec 1500000", f"{step}/cpu.stat": "usage_usec 7"})
    assert usage(collector.read()) == {"cpu": pytest.approx(75)}


def test_a_session_on_a_machine_of_one_s_own_is_not_the_machine(tmp_path: Path) -> None:
    scope = "sys/fs/cgroup/user.slice/session-1.scope"
    files = {
        "proc/self/cgroup": "0::/user.slice/session-1.scope\n",
        "proc/self/mountinfo": MOUNT_2,
        f"{scope}/cpu.stat": "usage_usec 0",
        f"{scope}/cgroup.events": "populated 1",
        "sys/fs/cgroup/cpu.stat": "usage_usec 0",  # the root has no cgroup.events
    }
    collector = cpu(host(tmp_path, **files), 1, 9)
    collector.read()
    tree(tmp_path, {"proc/stat": BUSY_STAT})
    assert usage(collector.read()) == {"cpu": pytest.approx(200 / 3200 * 100)}


@pytest.mark.parametrize("together", [True, False])
def test_version_1_limits_and_counts_where_it_is_mounted(tmp_path: Path, *, together: bool) -> None:
    limits = counts = "sys/fs/cgroup/cpu,cpuacct"
    mounts = "31 23 0:27 /docker/1f /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
    places = "4:cpu,cpuacct:/docker/1f\n1:name=systemd:/docker/1f\n"
    if not together:
        limits, counts = "sys/fs/cgroup/cpu", "sys/fs/cgroup/cpuacct"
        mounts = (
            "31 23 0:27 /docker/1f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
            "32 23 0:28 /docker/1f /sys/fs/cgroup/cpuacct ro - cgroup cgroup rw,cpuacct\n"
        )
        places = "4:cpu:/docker/1f\n5:cpuacct:/docker/1f\n"
    files = {
        "proc/self/cgroup": places,
        "proc/self/mountinfo": mounts,
        f"{limits}/cpu.cfs_quota_us": "200000\n",
        f"{limits}/cpu.cfs_period_us": "100000\n",
        f"{counts}/cpuacct.usage": "1000000000\n",
    }
    collector = cpu(host(tmp_path, **files), 10, 12)
    collector.read()
    tree(tmp_path, {f"{counts}/cpuacct.usage": "2000000000\n"})
    found = collector.read()
    assert usage(found) == {"cpu": pytest.approx(25)}
    assert found.measures["cpu_cores_limit"] == 2


def test_version_1_on_a_machine_of_one_s_own_is_the_machine(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:cpu,cpuacct:/\n",
        "proc/self/mountinfo": "31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpuacct.usage": "1\n",
        "sys/fs/cgroup/cpu/release_agent": "\n",
    }
    collector = cpu(host(tmp_path, **files), 1, 9)
    collector.read()
    tree(tmp_path, {"proc/stat": BUSY_STAT})
    assert usage(collector.read()) == {"cpu": pytest.approx(200 / 3200 * 100)}


def test_a_counter_that_began_anew_tells_nothing(tmp_path: Path) -> None:
    collector = cpu(container_2(tmp_path), 10, 12)
    collector.read()
    tree(tmp_path, {"sys/fs/cgroup/cpu.stat": "usage_usec 5\n"})
    assert collector.read() == Reading()


def test_without_proc_there_are_no_cores_to_tell_of(tmp_path: Path) -> None:
    with pytest.raises(Absent):
        cpu(tmp_path).read()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"proc/stat": "cpu0 1 2 3\n"}, "it names no cores"),
        ({"proc/stat": "cpu0 1 2 3 x 5\n"}, "'x' is no number"),
        ({"sys/fs/cgroup/cpu.stat": "usage_usec x\n"}, "cpu.stat: 'x' is no number"),
        ({"sys/fs/cgroup/cpu.max": "much 100000\n"}, "cpu.max: 'much' is no number"),
        ({"sys/fs/cgroup/cpuset.cpus.effective": "0-999999999\n"}, "there is no core 999999999"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, files: dict[str, str], told: str) -> None:
    root = tree(container_2(tmp_path), files)
    with pytest.raises(Failed, match=told):
        cpu(root, 1).read()
