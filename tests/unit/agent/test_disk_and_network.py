"""What disks and interfaces move, and how full a disk is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepwell.agent.disk import Disk
from stepwell.agent.network import Network
from stepwell.agent.readings import Absent, Failed, Reading
from unit.agent.machines import ticking, tree

DEV = """Inter-|   Receive                            |  Transmit
 face |bytes    packets errs drop fifo frame |bytes    packets errs drop fifo colls
    lo: 9999 1 0 0 0 0 0 0 9999 1 0 0 0 0 0 0
"""
FREE = os.statvfs_result((4096, 4096, 1000, 400, 300, 0, 0, 0, 0, 255))


def line(name: str, received: int, sent: int) -> str:
    return f"  {name}: {received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0\n"


def missing(_: Path) -> os.statvfs_result:
    raise FileNotFoundError


def hanging(_: Path) -> os.statvfs_result:
    raise OSError(116, "Stale file handle")


def test_real_interfaces_count_and_bridges_over_them_do_not(tmp_path: Path) -> None:
    tree(tmp_path, {"sys/class/net/eth0/device": "", "sys/class/net/eth1/device": "", "sys/class/net/br0/x": ""})
    before = DEV + line("eth0", 1000, 100) + line("eth1", 10, 20) + line("br0", 5, 5)
    tree(tmp_path, {"proc/self/net/dev": before})
    collector = Network(tmp_path, clock=ticking(1, 3))
    assert collector.read() == Reading()
    tree(tmp_path, {"proc/self/net/dev": DEV + line("eth0", 5000, 300) + line("eth1", 30, 20) + line("br0", 9, 9)})
    assert collector.read().measures == {
        "network_received_bytes_per_second": 2010,
        "network_sent_bytes_per_second": 100,
    }


def test_a_container_has_virtual_interfaces_alone(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/self/net/dev": DEV + line("eth0", 0, 0)})
    collector = Network(tmp_path, clock=ticking(1, 2))
    collector.read()
    tree(tmp_path, {"proc/self/net/dev": DEV + line("eth0", 7, 8) + line("new0", 100, 100)})
    assert collector.read().measures == {"network_received_bytes_per_second": 7, "network_sent_bytes_per_second": 8}


@pytest.mark.parametrize("files", [{}, {"proc/self/net/dev": DEV}])
def test_without_an_interface_there_is_no_network(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(Absent):
        Network(tree(tmp_path, files)).read()


def test_an_interface_that_counts_no_numbers_is_named(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/self/net/dev": "eth0: many 1 0 0 0 0 0 0 5 1\n"})
    with pytest.raises(Failed, match="'many' is no number"):
        Network(tmp_path).read()


def disks(root: Path, read: int, written: int) -> Path:
    rows = [
        f"   8  0 sda 5 0 {read} 5 5 0 {written} 0 0 0 0",
        f"   8  1 sda1 5 0 {read} 5 5 0 {written} 0 0 0 0",
        "   7  0 loop0 5 0 99999 5 5 0 99999 0 0 0 0",
    ]
    return tree(root, {"proc/diskstats": "\n".join(rows), "sys/block/sda/device": "", "sys/block/loop0/size": "1"})


def test_a_disk_is_as_full_as_df_tells(tmp_path: Path) -> None:
    found = Disk(tmp_path, tmp_path, space=lambda _: FREE).read()
    assert found.measures == {"disk_used_bytes": 600 * 4096, "disk_used_percent": pytest.approx(600 / 900 * 100)}
    assert found.usage == ()


def test_what_whole_disks_move_is_told_from_the_second_look_on(tmp_path: Path) -> None:
    disks(tmp_path, 100, 200)
    collector = Disk(tmp_path, tmp_path, space=missing, clock=ticking(1, 3))
    with pytest.raises(Absent):
        collector.read()
    disks(tmp_path, 104, 220)
    assert collector.read().measures == {"disk_read_bytes_per_second": 1024, "disk_written_bytes_per_second": 5120}


def test_a_folder_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="Stale file handle"):
        Disk(tmp_path, tmp_path, space=hanging).read()


def test_the_disk_of_this_machine_can_be_read(tmp_path: Path) -> None:
    measures = Disk(tmp_path).read().measures
    assert 0 <= measures["disk_used_percent"] <= 100
