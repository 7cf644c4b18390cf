"""GPUs as NVML tells of them, by a fake of it: no machine that runs these tests needs one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stepwell.agent.nvidia import Nvidia, library
from stepwell.agent.readings import Absent, Failed
from unit.agent.machines import FakeNvml, NvmlError, usage

GIB = 1 << 30


def gpu(**told: Any) -> dict[str, Any]:
    return {"gpu": 90, "memory": (20 * GIB, 80 * GIB), "milliwatts": 350_500, "celsius": 61, **told}


def nvidia(*devices: dict[str, Any], visible: str | None = None) -> Nvidia:
    return Nvidia(visible=visible, load=lambda: FakeNvml(*devices))


def test_each_gpu_tells_how_busy_and_how_full_it_is() -> None:
    found = nvidia(gpu(), gpu(gpu=0, memory=(0, 80 * GIB))).read()
    assert usage(found) == {"gpu 0": 90, "gpu_mem 0": 25, "gpu 1": 0, "gpu_mem 1": 0}
    assert found.measures["gpu_0_memory_used_bytes"] == 20 * GIB
    assert found.measures["gpu_0_power_watts"] == 350.5
    assert found.measures["gpu_1_temperature_celsius"] == 61
    assert found.trouble == ""


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    found = nvidia({"gpu": 5}, {"memory": (1, 2)}, {"milliwatts": 9000}).read()
    assert usage(found) == {"gpu 0": 5, "gpu_mem 1": 50}
    assert found.measures == {"gpu_1_memory_used_bytes": 1, "gpu_2_power_watts": 9}


@pytest.mark.parametrize("code", [2, 3, 4, 6, 13])
def test_a_refusal_is_no_failure(code: int) -> None:
    found = nvidia(gpu(gpu=NvmlError(code))).read()
    assert usage(found) == {"gpu_mem 0": 25}
    assert found.trouble == ""


def test_slices_of_mig_have_memory_and_no_usage() -> None:
    slices = ({"memory": (GIB, 10 * GIB)}, NvmlError(6), {"memory": (5 * GIB, 10 * GIB)})
    found = nvidia(gpu(), gpu(mig=1, slices=slices)).read()
    assert usage(found) == {"gpu 0": 90, "gpu_mem 0": 25, "gpu_mem 1:0": 10, "gpu_mem 1:2": 50}


def test_a_gpu_that_fell_off_the_bus_costs_no_other() -> None:
    found = nvidia(gpu(), gpu(gpu=NvmlError(15))).read()
    assert usage(found) == {"gpu 0": 90, "gpu_mem 0": 25}
    assert found.trouble == "GPU 1: GPU is lost"


def test_when_all_are_lost_it_is_a_failure() -> None:
    with pytest.raises(Failed, match="GPU 0: GPU is lost"):
        nvidia(gpu(gpu=NvmlError(15))).read()


@pytest.mark.parametrize("devices", [(), ({},), ({"memory": (0, 0)},)])
def test_no_gpu_is_no_sample(devices: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(Absent):
        nvidia(*devices).read()


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, {"0", "1", "2"}),
        ("0,2", {"0", "2"}),
        (" 2 , 0 ", {"0", "2"}),
        ("0,9,1", {"0"}),  # as CUDA: up to the first that is none
        ("", set()),
        ("-1", set()),
        ("GPU-aa", {"0"}),
        ("GPU-bb,GPU-aa", {"0", "1"}),
        ("1,1", {"1"}),
    ],
)
def test_only_visible_gpus_count(visible: str | None, names: set[str]) -> None:
    devices = gpu(uuid=b"GPU-aa11"), gpu(uuid="GPU-bb22"), gpu()
    collector = nvidia(*devices, visible=visible)
    if not names:
        with pytest.raises(Absent):
            collector.read()
        return
    assert {each.device for each in collector.read().usage} == names


def test_a_visible_number_means_all_slices_and_a_uuid_one() -> None:
    slices = ({"memory": (1, 4), "uuid": "MIG-a"}, {"memory": (2, 4), "uuid": "MIG-b"})
    assert usage(nvidia(gpu(mig=1, slices=slices), visible="0").read()) == {"gpu_mem 0:0": 25, "gpu_mem 0:1": 50}
    assert usage(nvidia(gpu(mig=1, slices=slices), visible="MIG-b").read()) == {"gpu_mem 0:1": 50}


def test_nvml_is_loaded_once() -> None:
    loaded = []

    def load() -> Any:
        loaded.append(1)
        return FakeNvml(gpu())

    collector = Nvidia(load=load)
    collector.read()
    collector.read()
    assert loaded == [1]


class Broken(FakeNvml):
    """The driver answers nothing any more."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        raise NvmlError(999)


def test_a_driver_that_is_broken_is_named() -> None:
    with pytest.raises(Failed, match="Unknown Error"):
        Nvidia(load=Broken).read()


def package(monkeypatch: pytest.MonkeyPatch, code: int) -> ModuleType:
    """In the place of nvidia-ml-py, one whose nvmlInit ends with `code`; 0 is well."""
    module: Any = ModuleType("pynvml")

    def init() -> None:
        if code:
            raise NvmlError(code)

    module.NVMLError, module.nvmlInit = NvmlError, init
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def test_the_package_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = package(monkeypatch, 0)
    assert library() is module


@pytest.mark.parametrize("code", [9, 12])
def test_a_package_without_a_driver_is_no_device(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    package(monkeypatch, code)
    with pytest.raises(Absent):
        library()


def test_a_driver_that_does_not_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    package(monkeypatch, 999)
    with pytest.raises(Failed, match="NVML: Unknown Error"):
        library()


def test_without_the_package_only_a_driver_is_worth_a_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(Absent):
        library(tmp_path / "version")
    (tmp_path / "version").touch()
    with pytest.raises(Failed, match=r"pip install 'stepwell\[nvidia\]'"):
        library(tmp_path / "version")
