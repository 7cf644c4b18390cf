"""What went wrong beside the training: counted, told once each through logging, and summed up at the end."""

from __future__ import annotations

import logging
import threading
from collections import Counter

_LOG = logging.getLogger("stepwell")
_KINDS = 100  # different problems that are told apart


class Problems:
    """For any thread. `add` never raises."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()  # a handler of signals may add one in the midst of another

    def add(self, what: str, count: int = 1, *, detail: str = "") -> None:
        """Count it; the first of its kind is a warning, with `detail`, which may be another each time."""
        with self._lock:
            if what not in self._counts and len(self._counts) >= _KINDS:
                what = "other problems"
            first = what not in self._counts
            self._counts[what] += count
        if first:
            _LOG.warning("stepwell: %s (told once, counted until the end)", f"{what}: {detail}" if detail else what)

    def counts(self) -> dict[str, int]:
        """How often each occurred."""
        with self._lock:
            return dict(self._counts)

    def sum_up(self) -> None:
        """One warning for each that occurred more than once."""
        for what, count in self.counts().items():
            if count > 1:
                _LOG.warning("stepwell: %s: %d times in all", what, count)

    def tell(self, message: str) -> None:
        """Say something that is no problem of its own."""
        _LOG.warning("stepwell: %s", message)
