"""Where blocking work runs, and what goes first."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest

from stepwell.core.turns import OFTEN
from stepwell.web.work import Work


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def work(said: list[str]) -> Iterator[Work]:
    work = Work(give_way=lambda: said.append("gave way"))
    yield work
    work.close()


def test_each_step_of_a_read_gives_way_first(work: Work, said: list[str]) -> None:
    async def steps() -> None:
        for number in range(2):
            await work.read(said.append, str(number))

    asyncio.run(steps())
    assert said == ["gave way", "0", "gave way", "1"]


def test_writes_and_credentials_do_not(work: Work, said: list[str]) -> None:
    async def both() -> None:
        await work.write(said.append, "write")
        await work.identify(said.append, "look up")

    asyncio.run(both())
    assert said == ["write", "look up"]


def test_a_read_takes_turns_often(work: Work) -> None:
    assert asyncio.run(work.read(sys.getswitchinterval)) == pytest.approx(OFTEN)
    assert asyncio.run(work.write(sys.getswitchinterval)) > OFTEN
