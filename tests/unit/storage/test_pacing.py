"""How long commits are put off as the head fills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.storage.embedded.flushing import STEP_POINTS
from stepwell.storage.pacing import EASY, HEAD_POINTS, LONGEST, Pace, pause


class Now:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_nobody_waits_while_there_is_room() -> None:
    assert pause(100_000, 0) == 0.0
    assert pause(100_000, EASY) == 0.0


def test_who_brought_no_points_makes_nobody_wait() -> None:
    assert pause(0, HEAD_POINTS - 1) == 0.0
    assert pause(0, HEAD_POINTS) == 0.0


@given(st.integers(1, 200_000), st.integers(EASY, 2 * HEAD_POINTS), st.integers(0, 100_000))
def test_the_fuller_the_head_and_the_larger_the_commit_the_longer(points: int, weight: int, more: int) -> None:
    assert 0.0 <= pause(points, weight) <= pause(points, weight + more) <= LONGEST
    assert pause(points, weight) <= pause(points + more, weight)


@given(st.integers(0, 200_000), st.integers(0, 3 * HEAD_POINTS), st.floats(0, 1e-3))
def test_a_point_costs_no_more_than_the_dearest(points: int, weight: int, dearest: float) -> None:
    assert pause(points, weight, dearest=dearest) == min(pause(points, weight), points * dearest)


@pytest.mark.parametrize("packed", [40_000, 200_000, 1_000_000])
@pytest.mark.parametrize("group", [1_000, 8_000, 64_000])
@pytest.mark.parametrize("weight", [EASY, HEAD_POINTS - 200_000])
def test_there_is_room_however_fast_points_come(packed: int, group: int, weight: int) -> None:
    """packed: points that are moved into blocks in a second. Those of a commit are there in no time."""
    group = min(group, int(packed * LONGEST))  # more would need longer pauses than there are
    now = Now()
    moving = 0.0

    def step(seconds: float) -> None:
        nonlocal weight, moving
        now.seconds += seconds
        moving += seconds * packed
        while moving >= STEP_POINTS:
            moving -= STEP_POINTS
            weight = max(weight - STEP_POINTS, 0)

    pace = Pace(lambda: weight, clock=now)
    for _ in range(2_000):
        weight += group
        assert weight <= HEAD_POINTS
        pace.took(group)
        step(pace.left())


def test_a_pause_becomes_longer_before_it_ends() -> None:
    now = Now()
    pace = Pace(lambda: (EASY + HEAD_POINTS) // 2, clock=now)
    assert pace.left() == 0.0
    pace.took(1_000)
    first = pace.left()
    assert first > 0
    pace.took(1_000)
    assert round(pace.left() / first, 6) == 2
    for _ in range(1_000):
        pace.took(1_000)
    assert round(pace.left(), 6) == LONGEST
    assert round(pace.seconds, 6) == LONGEST
    now.seconds += LONGEST
    assert pace.left() == 0.0
