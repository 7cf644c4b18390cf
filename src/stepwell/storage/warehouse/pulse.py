"""Whether both servers answer, and PostgreSQL takes writes, asked again and again beside the work, so that whoever
wants to know never waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from time import monotonic
from typing import Final

import numpy as np

from stepwell.core.errors import StepwellError
from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.database import Database
from stepwell.storage.warehouse.points import Connect, Server
from stepwell.storage.warehouse.shared_clock import SharedClock

POSTGRESQL: Final = "PostgreSQL"
CLICKHOUSE: Final = "ClickHouse"
PAUSE: Final = 0.5  # seconds between two rounds
LATE: Final = 15.0  # seconds after which a round that has no end counts as no answer
# Of a server that another one stands in for meanwhile, or that somebody has set so.
_ONLY_READS: Final = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"


class Pulse:
    """Asks on connections of its own: it tells of the servers, not of how much this process asks of them."""

    def __init__(
        self, address: Address, connect: Connect, *, answered: Callable[[], None], clock: SharedClock | None = None
    ) -> None:
        """`answered` is called, and `clock` hears PostgreSQL, each time that it answers."""
        self._address = address
        self._connect = connect
        self._answered = answered
        self._clock = clock
        self._trouble = ""
        self._away: frozenset[str] = frozenset()
        self._asked = POSTGRESQL
        self._looked = monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stepwell-pulse", daemon=True)

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def trouble(self) -> str:
        """ "" or, in a sentence, which server does not answer. Before the start, none is known."""
        return f"{self._asked} has not answered for {LATE:.0f} seconds" if self._late else self._trouble

    @property
    def away(self) -> frozenset[str]:
        """Which of the two do not answer, as far as is known. One that takes no writes is not away."""
        return self._away | {self._asked} if self._late else self._away

    @property
    def _late(self) -> bool:
        return self._thread.is_alive() and monotonic() - self._looked > LATE

    def _work(self) -> None:
        with (
            closing(Database(self._address.catalog, size=1)) as database,
            closing(self._connect(self._address.clickhouse, size=1)) as clickhouse,
        ):
            while not self._ended.wait(PAUSE):
                self._look(database, clickhouse)
                self._looked = monotonic()

    def _look(self, database: Database, clickhouse: Server) -> None:
        troubles: list[str] = []
        away: set[str] = set()
        asks = {POSTGRESQL: partial(self._ask, database), CLICKHOUSE: partial(_select, clickhouse)}
        for name, ask in asks.items():
            self._asked = name
            try:
                troubles.append(ask())
            except StepwellError as error:
                troubles.append(error.message)
                away.add(name)
        self._away = frozenset(away)
        self._trouble = next(filter(None, troubles), "")

    def _ask(self, database: Database) -> str:
        if self._clock is not None:
            self._clock.hear(database)
        with database.snapshot() as connection:
            ((only_reads,),) = connection.execute(_ONLY_READS).fetchall()
        self._answered()
        if not only_reads:
            return ""
        database.renew()
        return "PostgreSQL takes no writes: it is a standby, or was set to be read-only"


def _select(clickhouse: Server) -> str:
    clickhouse.select("SELECT toInt64(1)", {}, [np.int64])
    return ""
