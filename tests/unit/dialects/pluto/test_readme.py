"""The tables of the dialect's README are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepwell.core.model import Status
from stepwell.core.resources import Resource, recognised
from stepwell.dialects import pluto
from stepwell.dialects.pluto import rules, statuses, usage
from stepwell.services import liveness
from stepwell.services.sealing import ServerKey, new_key

README = Path(pluto.__file__).with_name("README.md").read_text()
ENDPOINT = re.compile(r"^\| `((?:GET|POST|PUT) [^`]+)` \| ([^|]*) \|", re.MULTILINE)


def test_every_endpoint_is_there_and_no_other() -> None:
    named = dict(ENDPOINT.findall(README))
    routes = pluto.dialect(ServerKey(new_key())).routes
    assert sorted(named) == sorted(f"{route.verb} {route.path}" for route in routes)
    for route in routes:
        state = named[f"{route.verb} {route.path}"]
        assert ("public" in state or "by link" in state) is route.public, route.path


def test_the_words_of_statuses() -> None:
    (line,) = re.findall(r"^\| status \| (.*) \|$", README, re.MULTILINE)
    for word in statuses.WORDS:
        inside, _ = statuses.inside(word)
        assert word in line
        assert inside.value in line
    assert {statuses.inside(word)[0] for word in statuses.WORDS} == set(Status) - {Status.SCHEDULED}


def test_the_numbers() -> None:
    assert f"for {liveness.SILENT_AFTER // 10**6} s" in README
    assert f"{liveness.SILENT_AFTER_NO_BEAT // 10**6} s if its client" in README
    assert f"{liveness.NOTED_EVERY // 10**6} s more" in README
    assert f"a line may have {rules.LINE_BYTES >> 20} MiB" in README
    assert f"blocks of about {rules.BLOCK_BYTES >> 20} MiB" in README
    assert f"up to {rules.TAGS}, one" in README
    assert f"up to {rules.NOTE_LENGTH:,} characters" in README


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("sys/cpu.percentage.0", Resource.CPU),
        ("sys/cpu.percentage.17", Resource.CPU),
        ("sys/gpu.0.nvidia_h100.utilization", Resource.GPU),
        ("sys/gpu.3.nvidia.h100.utilization", Resource.GPU),
        ("sys/gpu.0.nvidia_h100.memory.utilization", None),
        ("sys/gpu.0.nvidia_h100.memory.used", None),
        ("sys/memory.used", None),
        ("sys/network.bytes_sent.rate", None),
        ("train/sys/cpu.percentage.0", None),
    ],
)
def test_system_metrics_that_say_how_much_is_used(name: str, resource: Resource | None) -> None:
    assert recognised(name, usage.ALIASES) is resource
