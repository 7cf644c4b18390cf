"""Asking again while a server is away for a moment, where a person waits for the answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from stepwell.client.sender import backoff
from stepwell.client.transport import Unavailable

Answer = TypeVar("Answer")

_TRIES: Final = 6  # about a quarter of a minute


def patiently(ask: Callable[[], Answer]) -> Answer:
    """The answer; Unavailable after some tries."""
    for failures in range(_TRIES - 1):
        try:
            return ask()
        except Unavailable as error:  # noqa: PERF203  a request takes longer than any try
            time.sleep(max(backoff(failures, random.random()), error.retry_after or 0.0))  # noqa: S311  no secret
    return ask()
