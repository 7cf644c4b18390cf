"""What fuzzing found once is not found again; and some fresh input for each target, the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzzing.targets import TARGETS, Target

pytestmark = pytest.mark.slow  # a server for each dialect
FOUND = Path(__file__).with_name("found")
FEW = 60


@pytest.fixture(params=list(TARGETS), scope="module")
def named(request: pytest.FixtureRequest) -> Iterator[tuple[str, Target]]:
    target = TARGETS[request.param]()
    yield request.param, target
    target.close()


def test_what_was_found_is_refused_or_answered(named: tuple[str, Target]) -> None:
    name, target = named
    for file in sorted((FOUND / name).glob("*.bin")):
        target.run(file.read_bytes())


def test_bad_input_is_refused_or_answered(named: tuple[str, Target]) -> None:
    name, target = named
    rng = random.Random(name)
    for _ in range(FEW):
        target.run(target.make(rng))
