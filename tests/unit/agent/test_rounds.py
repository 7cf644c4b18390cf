"""One round asks everyone; who fails, fails alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from stepwell.agent.readings import Absent, Collector, Failed, Reading, Usage
from stepwell.agent.rounds import Rounds, Sample
from unit.agent.machines import ticking


class Scripted:
    """A collector that answers, or raises, what it is told."""

    def __init__(self, name: str, *answers: Reading | Exception) -> None:
        self.name = name
        self.asked = 0
        self._answers = answers

    def read(self) -> Reading:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


GOOD = Reading(usage=(Usage(resource="cpu", percent=5),), measures={"cores": 2})


def rounds(*collectors: Collector, tell: Callable[[str], None] = lambda _: None, clock: object = None) -> Rounds:
    if clock is None:
        return Rounds(collectors, tell, now=lambda: 7)
    return Rounds(collectors, tell, now=lambda: 7, clock=clock)  # type: ignore[arg-type]


def test_each_tells_how_long_it_took_and_that_it_succeeded() -> None:
    found = rounds(Scripted("cpu", GOOD), clock=ticking(10, 10.25)).sample()
    assert found == Sample(
        time_us=7,
        usage=GOOD.usage,
        measures={"cores": 2, "collector_cpu_seconds": 0.25, "collector_cpu_success": 1},
    )


@pytest.mark.parametrize("error", [Failed("no such line"), RuntimeError("driver"), OSError(5, "I/O"), MemoryError()])
def test_who_fails_fails_alone(error: Exception) -> None:
    told: list[str] = []
    found = rounds(Scripted("gpu", error), Scripted("cpu", GOOD), tell=told.append).sample()
    assert found.usage == GOOD.usage
    assert found.measures["collector_gpu_success"] == 0
    assert found.measures["collector_cpu_success"] == 1
    assert len(told) == 1
    assert "gpu" in told[0]


def test_what_is_not_there_tells_nothing_and_is_asked_after_a_minute() -> None:
    collector = Scripted("npu", Absent(), GOOD)
    asked = rounds(collector, clock=ticking(0, 5, 59, 60, 60.5))
    assert asked.sample().measures == {}
    assert [asked.sample().measures for _ in range(2)] == [{}, {}]
    assert collector.asked == 1
    assert asked.sample().usage == GOOD.usage


@pytest.mark.parametrize("percent", [math.nan, math.inf, -1.0, 1e7])
def test_what_is_no_percentage_is_no_sample(percent: float) -> None:
    told: list[str] = []
    reading = Reading(usage=(Usage(resource="mem", percent=percent), *GOOD.usage))
    found = rounds(Scripted("x", reading), tell=told.append).sample()
    assert found.usage == GOOD.usage
    assert found.measures["collector_x_success"] == 0
    assert told == ["the collector x failed: a value is out of all bounds"]


def test_a_measure_that_is_no_number_is_left_out() -> None:
    found = rounds(Scripted("x", Reading(measures={"a": math.nan, "b": 1}))).sample()
    assert found.measures.keys() == {"b", "collector_x_seconds", "collector_x_success"}


def test_a_part_that_fails_is_told_and_the_rest_kept() -> None:
    told: list[str] = []
    reading = Reading(usage=GOOD.usage, trouble="GPU 1: lost")
    found = rounds(Scripted("nvidia", reading), tell=told.append).sample()
    assert found.usage == GOOD.usage
    assert found.measures["collector_nvidia_success"] == 0
    assert told == ["the collector nvidia failed: GPU 1: lost"]
