"""What is hidden (points/cuts.py) is removed from ClickHouse later, much of it at once: a removal writes whole parts of
a table anew.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from stepwell.core.errors import StepwellError
from stepwell.storage.warehouse import cuts, tiling
from stepwell.storage.warehouse.database import ANSWER_SECONDS, Connection, Database
from stepwell.storage.warehouse.points import Cut, PointTables

PAUSE: Final = 3_600.0  # seconds between two rounds
WAIT: Final = 2 * ANSWER_SECONDS  # seconds until no read goes on that began before a cut
AGAIN: Final = 1_800  # seconds until ClickHouse is asked again for what it has not removed
CUTS: Final = 1_000  # of one statement
_log = logging.getLogger("stepwell.storage")


class Remover:
    """Removes when told to, and by itself between `start` and `stop`."""

    def __init__(self, database: Database, tables: PointTables) -> None:
        self._database = database
        self._tables = tables
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on."""
        self._thread = threading.Thread(target=self._work, name="stepwell-remover", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more by itself. Idempotent."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def remove(self, *, at_once: bool) -> None:
        """Ask ClickHouse to remove what is hidden, and forget the cuts that hide nothing any more. `at_once`: though
        reads may go on that began before the cut, and though it was asked a while ago."""
        last = 0
        while True:
            asked = {"age": 0 if at_once else WAIT, "again": 0 if at_once else AGAIN, "after": last, "limit": CUTS}
            with self._database.changing() as connection:
                found = cuts.numbered(cuts.SQL.all(connection, "to_remove", asked))
                left = {number: cut for number, cut in found.items() if self._tables.left(cut)}
                ready = {number: cut for number, cut in left.items() if self._sum_up(connection, cut)}
                if not self._tables.settled(*PointTables.TABLES):
                    return  # a replica may have what another has not any more
                self._tables.remove(list(ready.values()))
                cuts.SQL.each(connection, "asked", ((number,) for number in ready))
                cuts.drop(connection, found.keys() - left.keys())
            if len(found) < CUTS or self._ended.is_set():
                return
            last = max(found)

    def _sum_up(self, connection: Connection, cut: Cut) -> bool:
        """Sum up again, without what goes, what was summed up with it; False while another process sums up."""
        alone = tiling.lock(connection, [cut.run])
        if alone:
            tiling.roll_up(connection, self._tables, [(cut.run, cut.series)])
        return bool(alone)

    def _work(self) -> None:
        while not self._ended.wait(PAUSE):
            try:
                self.remove(at_once=False)
            except StepwellError as error:
                _log.warning(error.message, extra={"action": "removal_failed"})
