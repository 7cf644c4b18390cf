"""Ascend chips as `npu-smi info` prints them. The tables are written after its versions: no NPU is needed here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stepwell.agent.npu import Npu, ask
from stepwell.agent.readings import Absent, Failed
from unit.agent.machines import usage

MIB = 1 << 20
ONE_CHIP = """
+----------------------------------------------------------------------------------------+
| npu-smi 24.0                 Version: 24.0                                             |
+---------------------+--------------+---------------------------------------------------+
| NPU   Name          | Health       | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                | Bus-Id       | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+=====================+==============+===================================================+
| 0     910B3         | OK           | 92.5        40                0    / 0             |
| 0                   | 0000:C1:00.0 | 75          0    / 0          16384/ 65536         |
+=====================+==============+===================================================+
| 3     910B3         | Alarm        | -           NA                0    / 0             |
| 0                   | 0000:C2:00.0 | 0           0    / 0          0    / 65536         |
+=====================+==============+===================================================+
| NPU     Chip        | Process id   | Process name             | Process memory(MB)     |
+=====================+==============+===================================================+
| 0       0           | 4711         | python                   | 16000                  |
+=====================+==============+===================================================+
"""
TWO_CHIPS = """
| NPU   Name          | Health       | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip  Phy-ID        | Bus-Id       | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+=====================+==============+===================================================+
| 1     Ascend910     | OK           | 180.1       35                0    / 0             |
| 0     2             | 0000:9D:00.0 | 10          0    / 0          6553 / 65530         |
+----------------------------------------------------------------------------------------+
| 1     Ascend910     | OK           | -           36                0    / 0             |
| 1     3             | 0000:9F:00.0 | 20          0    / 0          13106/ 65530         |
+=====================+==============+===================================================+
"""
NO_HBM = """
| NPU     Name        | Health       | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device      | Bus-Id       | AICore(%)    Memory-Usage(MB)                        |
| 8       310P3       | OK           | NA           46                0     / 0             |
| 0       0           | 0000:02:00.0 | 5            5000 / 20000                            |
"""


def read(text: str) -> dict[str, float]:
    return usage(Npu(lambda: text).read())


def test_each_chip_tells_how_busy_and_how_full_it_is() -> None:
    assert read(ONE_CHIP) == {"npu 0-0": 75, "npu_mem 0-0": 25, "npu 3-0": 0, "npu_mem 3-0": 0}


def test_what_a_board_does_not_tell_is_left_out() -> None:
    assert Npu(lambda: ONE_CHIP).read().measures == {
        "npu_0-0_power_watts": 92.5,
        "npu_0-0_temperature_celsius": 40,
        "npu_0-0_memory_used_bytes": 16384 * MIB,
        "npu_3-0_memory_used_bytes": 0,
    }


def test_two_chips_of_one_board_are_told_apart() -> None:
    assert read(TWO_CHIPS) == {"npu 1-0": 10, "npu_mem 1-0": 10, "npu 1-1": 20, "npu_mem 1-1": 20}


def test_a_chip_without_hbm_has_other_memory() -> None:
    assert read(NO_HBM) == {"npu 8-0": 5, "npu_mem 8-0": 25}


def test_a_chip_that_tells_nothing_has_no_sample() -> None:
    silent = NO_HBM.replace("| 5            5000 / 20000 ", "| NA           NA   / NA    ")
    found = Npu(lambda: silent).read()
    assert found.usage == ()
    assert found.measures == {"npu_8-0_temperature_celsius": 46}


@pytest.mark.parametrize("text", ["", "DrvMngGetConsoleLogLevel failed.", "| 0 | 0000:C1:00.0 | 5 |", ONE_CHIP[:600]])
def test_an_answer_without_a_chip_is_named(text: str) -> None:
    with pytest.raises(Failed, match="names no chip"):
        Npu(lambda: text).read()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of npu-smi."""

    def put(script: str) -> None:
        path = tmp_path / "npu-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return put


def test_the_program_of_the_driver_is_asked(program: Callable[[str], None]) -> None:
    program(f"[ \"$*\" = info ] && cat <<'END'\n{TWO_CHIPS}\nEND")
    assert set(usage(Npu().read())) == {"npu 1-0", "npu_mem 1-0", "npu 1-1", "npu_mem 1-1"}


def test_a_program_that_fails_is_named_with_its_words(program: Callable[[str], None]) -> None:
    program("echo dcmi module initialize failed >&2; exit 7")
    with pytest.raises(Failed, match="exit status 7: dcmi module initialize failed"):
        ask()


def test_a_program_that_is_none_is_named(program: Callable[[str], None], tmp_path: Path) -> None:
    program("")
    (tmp_path / "npu-smi").write_bytes(b"\x7fELF")
    with pytest.raises(Failed, match="npu-smi info"):
        ask()


def test_without_the_program_there_is_no_npu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Absent):
        Npu().read()
