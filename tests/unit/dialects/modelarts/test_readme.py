"""The tables of the dialect's README are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepwell.core.access import Role
from stepwell.core.resources import MINUTES_SHOWN, recognised
from stepwell.dialects import modelarts
from stepwell.dialects.mlflow import usage as mlflow_usage
from stepwell.dialects.modelarts import conditions, errors, translate, wire
from stepwell.dialects.pluto import usage as pluto_usage
from stepwell.web.routing import Router

README = Path(modelarts.__file__).with_name("README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_endpoint_is_there_and_no_other():
    named = [quoted(cells[0])[0] for cells in rows("Endpoints") if cells[0].startswith("`")]
    served = [f"{route.verb} {route.path.removeprefix('/v2/{project_id}')}" for route in modelarts.dialect().routes]
    assert sorted(named) == sorted(served)


def test_the_metrics():
    table = [(quoted(cells[0])[0], quoted(cells[1])[0]) for cells in rows("Metrics of a task")]
    assert table == [(name, resource.value) for name, resource in translate.METRICS.items()]
    assert f"{MINUTES_SHOWN:,}" in README


def test_the_names_of_mlflow():
    for cells in rows("Metrics of a task"):
        for name in quoted(cells[2]):
            resource = translate.METRICS[quoted(cells[0])[0]]
            assert recognised(name, mlflow_usage.ALIASES) is resource
            assert recognised(name.replace("system/", "system/node-1/"), mlflow_usage.ALIASES) is resource


def test_the_names_of_pluto():
    for cells in rows("Metrics of a task"):
        for name in (name for name in quoted(cells[3]) if name.startswith("sys/")):
            assert recognised(name, pluto_usage.ALIASES) is translate.METRICS[quoted(cells[0])[0]]


@pytest.mark.parametrize(
    "name",
    [
        "sys/memory.used",
        "sys/gpu.0.nvidia_h100.memory.used",
        "sys/gpu.0.nvidia_h100.memory.utilization",
        "sys/gpu.0.nvidia_h100.power",
        "sys/network.bytes_sent.rate",
        "system/gpu_0_power_usage_percentage",
        "system/gpu_0_memory_usage_megabytes",
        "system/system_memory_usage_megabytes",
        "system/disk_usage_percentage",
        "system/a/b/cpu_utilization_percentage",
        "my/system/cpu_utilization_percentage",
        "cpu_utilization_percentage",
    ],
)
def test_what_is_not_usage(name: str):
    assert recognised(name, (*mlflow_usage.ALIASES, *pluto_usage.ALIASES)) is None


def test_the_phases():
    table = [(quoted(a)[0], quoted(b)[0], quoted(c)[0]) for a, b, c in rows("Phases")]
    assert table == [(status.value, *phases) for status, phases in translate.PHASES.items()]


def test_the_searches():
    keys = {key: quoted(cells[1]) for cells in rows("Searching") for key in quoted(cells[0])}
    assert set(keys) == set(conditions.KEYS)
    assert {tuple(operators) for operators in keys.values()} == {("like", "in", "not"), ("between",)}
    assert set(conditions.SORTS) <= set(re.findall(r"`(\w+)`", README))
    assert f"At most {wire.CONDITIONS} conditions" in README


def test_the_error_codes():
    told = {quoted(cells[1])[0] for cells in rows("Errors")}
    known = {code for _, _, code in errors._OF_DOMAIN} | set(errors._OF_HTTP.values()) | {"ModelArts.0210"}
    assert told == known


def test_what_changes_needs_a_writer():
    for route in modelarts.dialect().routes:
        writes = route.verb in ("PUT", "DELETE") or route.path.endswith(("/training-jobs", "/actions"))
        assert route.role is (Role.WRITER if writes else Role.READER), route.path


def test_every_route_is_found():
    router = Router([modelarts.dialect()], fallback=modelarts.dialect())
    for route in modelarts.dialect().routes:
        path = re.sub(r"\{\w+\}", "x", route.path)
        assert router.find(route.verb, path.encode()).route.path == route.path
