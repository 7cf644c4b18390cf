"""The thread that takes samples. It never waits for anybody, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from stepwell.agent.rounds import Sample

INTERVAL: Final = 5.0  # seconds between two samples
BATCH_SECONDS: Final = 15.0  # how long samples are gathered before they are handed over


class Watch:
    """Takes a sample every `interval` seconds and hands them over in batches, the first at once.

    take: one sample; may be slow, must not raise. keep: takes the samples over, quickly; must not raise.
    """

    def __init__(
        self, take: Callable[[], Sample], keep: Callable[[Sequence[Sample]], None], interval: float = INTERVAL
    ) -> None:
        self._take = take
        self._keep = keep
        self._interval = interval
        self._waiting: list[Sample] = []
        self._next_batch = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stepwell-agent", daemon=True)

    def start(self) -> None:
        """Begin. RuntimeError where the interpreter is ending."""
        self._thread.start()

    def stop(self) -> None:
        """Hand over what is gathered. Nothing is handed over afterwards, even if a device still holds up the thread."""
        with self._lock:
            if not self._stop.is_set():
                self._hand_over()
            self._stop.set()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            sample = self._take()
            with self._lock:
                if self._stop.is_set():
                    return
                self._waiting.append(sample)
                if time.monotonic() >= self._next_batch:
                    self._hand_over()
            due += self._interval
            late = time.monotonic() - due
            if late >= 0:  # what was missed, while a device was slow or the machine slept, is not made up for
                due += late + self._interval
            self._stop.wait(due - time.monotonic())

    def _hand_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._next_batch = time.monotonic() + BATCH_SECONDS
        if waiting:
            self._keep(waiting)
