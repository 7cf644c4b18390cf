"""What dialects call workspaces, as every request needs it: kept in memory, and read again twice a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from stepwell.core.store import Store
from stepwell.services import aliases
from stepwell.web.work import Work

REMEMBER_SECONDS: Final = 0.5  # a new alias holds within one second


class Aliases:
    """Finds the workspace of a vendor's id without waiting. Call `refresh` before, where `stale`."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._until = float("-inf")
        self._known: Mapping[tuple[str, str], str] = MappingProxyType({})

    @property
    def stale(self) -> bool:
        """Whether what is known may be too old."""
        return self._monotonic() >= self._until

    async def refresh(self, work: Work) -> None:
        """Read them again. Requests that come meanwhile do not wait, unless nothing was ever read."""
        first = self._until < 0
        asked_at = self._monotonic()
        if not first:
            self._until = asked_at + REMEMBER_SECONDS
        known = await work.identify(aliases.list_all, self._store)
        self._known = {(alias.dialect, alias.id): alias.workspace for alias in known}
        self._until = asked_at + REMEMBER_SECONDS

    def workspace(self, dialect: str, alias_id: str) -> str:
        """The workspace that the id is joined to, else the id itself."""
        return self._known.get((dialect, alias_id), alias_id)
