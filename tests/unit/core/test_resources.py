"""Samples into minutes: against a plain computation of the same."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.resources import (
    MINUTE,
    MINUTES_SHOWN,
    PERCENT_MAX,
    Alias,
    MinuteMeans,
    Resource,
    labels_of,
    recognised,
)
from stepwell.core.series import INT64_MAX, INT64_MIN

START = 1_700_000_000_000_000
TIMES = st.integers(START - 2 * MINUTE, START + 5 * MINUTE) | st.sampled_from([INT64_MIN, INT64_MAX, START - 1, START])
USAGE = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100) | st.sampled_from([0.0, -1.0, PERCENT_MAX])
SAMPLES = st.lists(st.tuples(st.sampled_from(list(Resource)), TIMES, USAGE), max_size=30)


def plainly(samples: list[tuple[Resource, int, float]]) -> dict[Resource, list[float | None]]:
    """The mean of each minute, one sample after another."""
    minutes: dict[tuple[Resource, int], list[float]] = {}
    for resource, time, usage in samples:
        minute = (time - START) // MINUTE
        if 0 <= minute < MINUTES_SHOWN and 0 <= usage <= PERCENT_MAX:
            minutes.setdefault((resource, minute), []).append(usage)
    length = max((minute + 1 for _, minute in minutes), default=0)
    means = {key: sum(values) / len(values) for key, values in minutes.items()}
    return {resource: [means.get((resource, minute)) for minute in range(length)] for resource in Resource}


@given(SAMPLES)
def test_every_minute_is_the_mean_of_its_samples(samples: list[tuple[Resource, int, float]]):
    means = MinuteMeans(START, max((time for _, time, _ in samples), default=START - 1))
    for resource in Resource:
        mine = [(time, usage) for each, time, usage in samples if each is resource]
        for chunk in (mine[:5], mine[5:]):  # as they come page by page
            means.add(
                resource,
                np.array([time for time, _ in chunk], np.int64),
                np.array([usage for _, usage in chunk], np.float64),
            )
    found = {
        resource: [None if math.isnan(value) else value for value in column.tolist()]
        for resource, column in means.columns().items()
    }
    for resource, column in plainly(samples).items():
        assert len(found[resource]) == len(column)
        for got, want in zip(found[resource], column, strict=True):
            assert (got is None) == (want is None)
            assert got is None or got == pytest.approx(want)


def test_zero_is_measured():
    means = MinuteMeans(START, START)
    means.add(Resource.GPU, np.array([START]), np.array([0.0]))
    assert means.columns()[Resource.GPU].tolist() == [0.0]


@pytest.mark.parametrize(("start", "newest"), [(INT64_MIN, INT64_MAX), (INT64_MAX, INT64_MAX), (0, INT64_MAX), (0, -1)])
def test_extreme_times_are_no_trouble(start: int, newest: int):
    means = MinuteMeans(start, newest)
    assert means.empty is (newest < start)
    assert means.end <= INT64_MAX
    times = np.array([start, newest, INT64_MIN, INT64_MAX])
    means.add(Resource.CPU, times, np.full(4, 5.0))
    assert all(len(column) <= MINUTES_SHOWN for column in means.columns().values())


def test_names_and_labels():
    assert Resource.GPU_MEMORY.metric == "resource/gpu_mem"
    assert labels_of("worker-0", "") == (("task", "worker-0"),)
    assert labels_of("worker-0", "1") == (("device", "1"), ("task", "worker-0"))
    alias = Alias(prefix="cpu", name=re.compile("cpu[0-9]"), resource=Resource.CPU)
    assert recognised("cpu1", [alias]) is Resource.CPU
    assert recognised("a/cpu1", [alias]) is recognised("cpu12", [alias]) is None
