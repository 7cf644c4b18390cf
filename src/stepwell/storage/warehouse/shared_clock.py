"""One time for all servers of a warehouse. Nothing here decides by it."""

from __future__ import annotations

from time import monotonic_ns
from typing import Final

from stepwell.core.clock import system_clock
from stepwell.storage.warehouse.database import Database

PROMPT: Final = 1_000_000  # microseconds: an answer that took longer says too little about when it was given
_ASKED: Final = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"


class SharedClock:
    """Implements core.clock.Clock: the time of PostgreSQL, which is heard now and then and counted on in between. So
    servers agree on it, whatever happens to the clocks of their machines."""

    def __init__(self) -> None:
        """Until PostgreSQL is heard it is this machine's."""
        self._ahead = system_clock() - _counted()

    def __call__(self) -> int:
        """Now, in microseconds UTC."""
        return _counted() + self._ahead

    def hear(self, database: Database) -> None:
        """Ask PostgreSQL. Busy: it does not answer."""
        with database.snapshot() as connection:
            begun = _counted()
            ((theirs,),) = connection.execute(_ASKED).fetchall()
            ended = _counted()
        if ended - begun < PROMPT:
            self._ahead = theirs - (begun + ended) // 2


def _counted() -> int:
    return monotonic_ns() // 1_000
