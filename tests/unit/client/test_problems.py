"""What is told of problems: each once, however its details change."""

from __future__ import annotations

import logging

import pytest

from stepwell.client.problems import Problems


def test_a_problem_is_told_once_whatever_its_details(caplog: pytest.LogCaptureFixture) -> None:
    problems = Problems()
    with caplog.at_level(logging.WARNING, "stepwell"):
        for request in range(3):
            problems.add("the server cannot be reached", detail=f"error under request id {request}")
        problems.add("a value was left out", 2)
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "stepwell: the server cannot be reached: error under request id 0",
        "stepwell: a value was left out",
    ]
    assert problems.counts() == {"the server cannot be reached": 3, "a value was left out": 2}


def test_what_occurred_more_than_once_is_summed_up(caplog: pytest.LogCaptureFixture) -> None:
    problems = Problems()
    problems.add("once")
    problems.add("often", 7)
    with caplog.at_level(logging.WARNING, "stepwell"):
        caplog.clear()
        problems.sum_up()
    assert [record.getMessage() for record in caplog.records] == ["stepwell: often: 7 times in all"]
