"""Being told to stop, from the first moment on: a signal that comes before anyone listens waits until somebody does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def held() -> Iterator[None]:
    """Signals to stop wait for `heard`: a server that is still opening its store then ends as one that is open. Threads
    that are started meanwhile leave these signals to the main thread for good.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heard() -> None:
    """There is somebody who listens: what waited comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
