"""From the journal to ClickHouse, in blocks of many runs. What is acknowledged stays in the journal until it is there.

A row is locked while it moves, so that two processes move different ones. An end between the insert and the commit
leaves points in both, where reads find each once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from stepwell.core.clock import Clock
from stepwell.core.errors import StepwellError
from stepwell.storage.warehouse import journal
from stepwell.storage.warehouse.database import ANSWER_SECONDS, Database
from stepwell.storage.warehouse.journal import SQL
from stepwell.storage.warehouse.points import PointTables

ROWS: Final = 2_000  # of the journal in one move
GARBAGE: Final = 1_000  # purged runs that are removed at once
PAUSE: Final = 1.0  # seconds between two rounds
_log = logging.getLogger("stepwell.storage")


class Mover:
    """Moves points when told to, and by itself between `start` and `stop`."""

    def __init__(self, database: Database, tables: PointTables, *, clock: Clock) -> None:
        self.counters = {"moves": 0, "points_moved": 0}
        self.waiting = 0  # points in the journal, as of the last round
        self._database = database
        self._tables = tables
        self._clock = clock
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Move from now on what comes."""
        self._thread = threading.Thread(target=self._work, name="stepwell-mover", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more by itself. Idempotent."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def flush(self) -> None:
        """Move all that was acknowledged before the call."""
        while self._move("next_to_move_waiting"):
            pass

    def tidy(self, *, at_once: bool) -> None:
        """Remove the points of purged runs: by default only where no read that began before the purge can go on."""
        before = self._clock() + (1 if at_once else -2 * ANSWER_SECONDS * 1_000_000)
        with self._database.changing() as connection:
            runs = [key for (key,) in SQL.all(connection, "garbage", {"before": before, "limit": GARBAGE})]
            self._tables.delete_runs(runs)
            SQL.each(connection, "drop_garbage", ((key,) for key in runs))

    def _move(self, statement: str) -> int:
        """Move some rows; how many."""
        with self._database.changing() as connection:
            found = SQL.all(connection, statement, (ROWS,))
            if not found:
                return 0
            rows = journal.rows_of(found)
            self._tables.insert(rows)
            SQL.each(connection, "drop", ({"run_key": run, "first_arrival": first} for run, first, _ in found))
        self.counters["moves"] += 1
        self.counters["points_moved"] += len(rows)
        return len(found)

    def _work(self) -> None:
        while not self._ended.wait(PAUSE):
            self._carefully(self._round)

    def _round(self) -> None:
        while self._move("next_to_move") == ROWS and not self._ended.is_set():
            pass
        self.tidy(at_once=False)
        with self._database.snapshot() as connection:
            ((_, self.waiting),) = SQL.all(connection, "waiting")

    def _carefully(self, run: Callable[[], None]) -> None:
        try:
            run()
        except StepwellError as error:
            _log.warning(error.message, extra={"action": "move_failed"})
