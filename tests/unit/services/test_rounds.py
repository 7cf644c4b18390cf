"""Work that is done again and again, in a thread of its own."""

from __future__ import annotations

import logging
import threading

import pytest

from stepwell.core.errors import StorageFull
from stepwell.services.rounds import Rounds


def test_it_goes_on_until_the_end() -> None:
    enough = threading.Event()
    threads: list[str] = []

    def work() -> None:
        threads.append(threading.current_thread().name)
        if len(threads) == 3:
            enough.set()

    with Rounds("test", work, seconds=0.001):
        assert enough.wait(60)
    done = len(threads)
    assert set(threads) == {"stepwell-test"}
    assert not [thread for thread in threading.enumerate() if thread.name == "stepwell-test"]
    assert len(threads) == done


@pytest.mark.parametrize("error", [StorageFull("no space"), ZeroDivisionError("no space")], ids=["store", "defect"])
def test_an_error_does_not_end_it(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    enough = threading.Event()
    rounds: list[int] = []

    def work() -> None:
        rounds.append(1)
        if len(rounds) == 2:
            enough.set()
        raise error

    with caplog.at_level(logging.WARNING, "stepwell.rounds"), Rounds("test", work, seconds=0.001):
        assert enough.wait(60)
    assert "no space" in caplog.text


def test_it_ends_at_once_while_it_waits() -> None:
    with Rounds("test", lambda: None, seconds=3600):
        pass
