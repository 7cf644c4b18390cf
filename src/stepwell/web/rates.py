"""How many requests one credential may make: a bucket for each that holds a second's worth and refills steadily."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from stepwell.web.errors import HttpProblem

TOO_MANY: Final = "too_many_requests"
_REMEMBERED: Final = 65_536


class Rates:
    """Counts requests. `per_second` 0 lets everything through. For one thread."""

    def __init__(self, per_second: int = 0, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}  # credential -> what was left, and when

    def take(self, credential_id: str) -> None:
        """Count one request. HttpProblem 429 when the credential has made too many; such a request counts nothing."""
        if not self._rate:
            return
        now = self._monotonic()
        left, at = self._buckets.get(credential_id, (float(self._rate), now))
        left = min(float(self._rate), left + (now - at) * self._rate)
        if left < 1.0:
            wait = max(1, math.ceil((1.0 - left) / self._rate))
            raise HttpProblem(
                429,
                TOO_MANY,
                f"this credential may make {self._rate} requests per second; try again in {wait} s",
                headers=(("retry-after", str(wait)),),
                limit=self._rate,
            )
        if credential_id not in self._buckets and len(self._buckets) >= _REMEMBERED:
            self._buckets.clear()
        self._buckets[credential_id] = (left - 1.0, now)
