"""storage/promise.py: resolved once, told to everybody once, from whichever thread."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from functools import partial

import pytest

from stepwell.storage.promise import Promise


def test_who_waits_gets_what_was_done():
    promise = Promise[int]()
    thread = threading.Timer(0.05, promise.set_result, [7])
    thread.start()
    assert (promise.done(), promise.running()) == (False, True)
    assert promise.result() == 7
    thread.join()
    assert (promise.done(), promise.running()) == (True, False)
    assert (promise.result(0), promise.exception()) == (7, None)


def test_who_waits_gets_what_hindered_it():
    promise = Promise[int]()
    error = ValueError("no")
    threading.Timer(0.05, promise.set_exception, [error]).start()
    assert promise.exception(60) is error
    with pytest.raises(ValueError, match="no"):
        promise.result()


def test_waiting_ends():
    promise = Promise[int]()
    with pytest.raises(TimeoutError):
        promise.result(0.01)
    with pytest.raises(TimeoutError):
        promise.exception(0.01)
    promise.set_result(1)
    assert promise.result() == 1


def test_nobody_can_cancel_it():
    promise = Promise[int]()
    assert not promise.cancel()
    assert not promise.cancelled()
    promise.set_result(1)
    assert not promise.cancel()


def test_a_listener_that_fails_leaves_the_others_alone(caplog: pytest.LogCaptureFixture):
    promise, told = Promise[int](), list[int]()

    def fail(_: Future[int]) -> None:
        raise RuntimeError("broken")

    for listener in (lambda p: told.append(p.result()), fail, lambda p: told.append(p.result() + 1)):
        promise.add_done_callback(listener)
    promise.set_result(1)
    assert told == [1, 2], "in the order in which they came"
    assert "broken" in caplog.text
    promise.add_done_callback(lambda p: told.append(3))
    assert 3 in told, "resolved before: told at once"


def _note(told: list[int], number: int, _: Future[int]) -> None:
    told.append(number)


def test_each_is_told_once_however_the_threads_meet():
    """A few thousand meetings of who listens and who resolves, with threads that take turns all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(2_000):
            promise, told = Promise[int](), list[int]()
            resolving = threading.Thread(target=promise.set_result, args=(1,))
            resolving.start()
            for number in range(3):
                promise.add_done_callback(partial(_note, told, number))
            resolving.join()
            assert sorted(told) == [0, 1, 2]
    finally:
        sys.setswitchinterval(interval)
