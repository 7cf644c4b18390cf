"""How many requests somebody may make: a bucket for each that holds a second's worth and refills steadily.

Where several processes serve a store, each takes out of its buckets what the others have let through, a little later: a
bucket may then owe some.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.bounds import in_force
from stepwell.core.store import Store
from stepwell.web.errors import HttpProblem
from stepwell.web.work import Work

TOO_MANY: Final = "too_many_requests"
REMEMBER_SECONDS: Final = 0.5  # a new quota holds within one second
QUOTA: Final = "requests_per_second"
DEBT: Final = 10  # seconds for which a bucket may owe
_REMEMBERED: Final = 65_536


class _Buckets:
    """For one thread that takes, and one that tells and hears of other processes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}  # who -> what was left, and when
        self._taken: dict[str, int] = {}

    def take(self, key: str, rate: int, who: str) -> None:
        """Count one request. HttpProblem 429 when there were too many; such a request counts nothing."""
        with self._lock:
            now, left = self._now(key, rate)
            if left >= 1.0:
                self._keep(key, left - 1.0, now)
                if key not in self._taken and len(self._taken) >= _REMEMBERED:
                    self._taken.clear()  # nobody asks where one process serves the store
                self._taken[key] = self._taken.get(key, 0) + 1
                return
        wait = max(1, math.ceil((1.0 - left) / rate))
        raise HttpProblem(
            429,
            TOO_MANY,
            f"{who} may make {rate} requests per second; try again in {wait} s",
            headers=(("retry-after", str(wait)),),
            limit=rate,
        )

    def taken(self) -> Mapping[str, int]:
        """How often each was let through since the last call."""
        with self._lock:
            found, self._taken = self._taken, {}
        return found

    def charge(self, key: str, rate: int, count: int) -> None:
        """Others have let so many through."""
        with self._lock:
            now, left = self._now(key, rate)
            self._keep(key, max(left - count, -float(DEBT * rate)), now)

    def _now(self, key: str, rate: int) -> tuple[float, float]:
        now = self._monotonic()
        left, at = self._left.get(key, (float(rate), now))
        return now, min(float(rate), left + (now - at) * rate)

    def _keep(self, key: str, left: float, now: float) -> None:
        if key not in self._left and len(self._left) >= _REMEMBERED:
            self._left.clear()
        self._left[key] = (left, now)


class Rates:
    """Counts requests of credentials. `per_second` 0 lets everything through. For one thread, and one that shares."""

    def __init__(self, per_second: int = 0, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._buckets = _Buckets(monotonic)

    def take(self, credential_id: str) -> None:
        """Count one request. HttpProblem 429 when the credential has made too many; such a request counts nothing."""
        if self._rate:
            self._buckets.take(credential_id, self._rate, "this credential")

    def taken(self) -> Mapping[str, int]:
        """Credential -> how many of its requests were let through since the last call."""
        return self._buckets.taken()

    def charge(self, counts: Mapping[str, int]) -> None:
        """What other processes have let through, in the same form."""
        for credential_id, count in counts.items() if self._rate else ():
            self._buckets.charge(credential_id, self._rate, count)


class WorkspaceRates:
    """Counts requests of workspaces that have a quota of them, which is read again twice a second. For one thread, and
    one that shares."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._until = float("-inf")
        self._quotas: Mapping[str, int] = MappingProxyType({})
        self._otherwise: int | None = None
        self._buckets = _Buckets(monotonic)

    @property
    def stale(self) -> bool:
        """Whether what is known may be too old."""
        return self._monotonic() >= self._until

    async def refresh(self, work: Work) -> None:
        """Read the quotas again. Requests that come meanwhile do not wait, unless nothing was ever read."""
        first = self._until < 0
        asked_at = self._monotonic()
        if not first:
            self._until = asked_at + REMEMBER_SECONDS
        found = [each for each in await work.identify(self._store.list_bounds) if each.name == QUOTA]
        named = {each.workspace for each in found}
        limits = {name: in_force(found, workspace=name, everywhere=ANY_WORKSPACE).get(QUOTA, 0) for name in named}
        self._otherwise = limits.get(ANY_WORKSPACE)
        self._quotas = limits
        self._until = asked_at + REMEMBER_SECONDS

    def take(self, workspace: str) -> None:
        """Count one request. HttpProblem 429 when there were too many in the workspace; such a one counts nothing."""
        rate = self._quotas.get(workspace, self._otherwise)
        if rate:
            self._buckets.take(workspace, rate, f"workspace {workspace!r} (its quota {QUOTA})")

    def taken(self) -> Mapping[str, int]:
        """Workspace -> how many of its requests were let through since the last call."""
        return self._buckets.taken()

    def charge(self, counts: Mapping[str, int]) -> None:
        """What other processes have let through, in the same form."""
        for workspace, count in counts.items():
            rate = self._quotas.get(workspace, self._otherwise)
            if rate:
                self._buckets.charge(workspace, rate, count)


class Limits:
    """Both, of a server; and what other processes that serve its store let through."""

    def __init__(self, store: Store, *, per_second: int = 0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self.credentials = Rates(per_second, monotonic=monotonic)
        self.workspaces = WorkspaceRates(store, monotonic=monotonic)

    def share(self) -> None:
        """Tell the others what was let through here since the last call, and charge what they have let through."""
        kinds: Mapping[str, Rates | WorkspaceRates] = {"credential": self.credentials, "workspace": self.workspaces}
        told = {f"{kind} {key}": count for kind, each in kinds.items() for key, count in each.taken().items()}
        found = self._store.share_requests(counts=told)
        for kind, each in kinds.items():
            begin = f"{kind} "
            each.charge({key.removeprefix(begin): count for key, count in found.items() if key.startswith(begin)})
