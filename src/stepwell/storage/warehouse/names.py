"""The keys of series that were written to lately, so that they need not be asked for again. Only keys: they belong to
their run for good, and whoever uses one has the row of the run locked. What a series holds is never remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from stepwell.storage.catalog import series
from stepwell.storage.catalog.series import Name
from stepwell.storage.warehouse.database import Connection

KNOWN: Final = 1_000_000  # names in memory
Names: TypeAlias = dict[Name, int]


class KnownNames:
    """For the thread that writes."""

    def __init__(self, *, most: int = KNOWN) -> None:
        """`most`: names that are remembered; beyond, the runs are forgotten that were first written to."""
        self._most = most
        self._count = 0
        self._server = 0
        self._of_runs: dict[int, Names] = {}

    def meet(self, server: int) -> None:
        """Which PostgreSQL is asked from now on: one that was started since may lack what the last one had."""
        if server != self._server:
            self.forget()
            self._server = server

    def ensure(self, connection: Connection, run_key: int, names: Sequence[Name]) -> list[int]:
        """The keys of a run's series, in the order of `names`, made where they are missing."""
        known = self._of_runs.setdefault(run_key, {})
        missing = [name for name in names if name not in known]
        if missing:
            known.update(zip(missing, series.ensure(connection, run_key, missing), strict=True))
            self._count += len(missing)
        found = [known[name] for name in names]
        while self._count > self._most:
            self._count -= len(self._of_runs.pop(next(iter(self._of_runs))))
        return found

    def forget(self) -> None:
        """What was made last may not be there: its transaction was rolled back."""
        self._of_runs.clear()
        self._count = 0
