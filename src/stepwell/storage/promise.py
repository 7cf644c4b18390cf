"""What the caller of a write waits for: a Future that costs a tenth of one, since nobody can cancel it and few block on
it. A lock and a condition for each are made only for those who do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event
from typing import TypeVar

T = TypeVar("T")
_log = logging.getLogger("stepwell.storage")


class Promise(Future[T]):
    """Is resolved once, by one thread. `cancel` never does anything: what was queued will be done."""

    __slots__ = ("_done", "_error", "_listeners", "_value")

    def __init__(self) -> None:  # not that of a Future: its lock is what costs
        self._done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._listeners: list[Callable[[Future[T]], object]] = []

    def set_result(self, result: T) -> None:
        """It is done."""
        self._value = result
        self._done = True
        self._tell()

    def set_exception(self, exception: BaseException | None) -> None:
        """It was not done, and why."""
        self._error = exception
        self._done = True
        self._tell()

    def done(self) -> bool:
        """Whether it is resolved."""
        return self._done

    def running(self) -> bool:
        """Whether it will be resolved."""
        return not self._done

    def cancel(self) -> bool:
        """False."""
        return False

    def cancelled(self) -> bool:
        """False."""
        return False

    def result(self, timeout: float | None = None) -> T:
        """What was done. Raises what hindered it; TimeoutError after so many seconds."""
        if not self._done:
            self._await(timeout)
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # None only where T is

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What hindered it. TimeoutError after so many seconds."""
        if not self._done:
            self._await(timeout)
        return self._error

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call `fn` once it is resolved, on the thread that resolves it, after those that came before; where it is
        resolved, now and here."""
        self._listeners.append(fn)
        if self._done:
            self._tell()

    def _tell(self) -> None:
        """Whoever adds a listener looks at `_done` afterwards, whoever sets it looks at the listeners afterwards: none
        is missed, and taking one off the list gives it to one of the two."""
        while self._listeners:
            try:
                listener = self._listeners.pop(0)
            except IndexError:  # the other thread has it
                return
            try:
                listener(self)
            except Exception:  # noqa: BLE001 - as with any Future: the others are to hear of it too
                _log.exception("whoever waited for a write failed", extra={"action": "listener_failed"})

    def _await(self, timeout: float | None) -> None:
        resolved = Event()
        self.add_done_callback(lambda _: resolved.set())
        if not resolved.wait(timeout):
            raise TimeoutError
