"""From the journal to ClickHouse, in blocks of many runs. What is acknowledged stays in the journal until it is there
for good.

A row is locked while it moves, so that two processes move different ones. An end between the insert and the commit
leaves points in both, where reads find each once. A row that was moved is kept for a while: what a server lost when its
machine lost power is put back from it (`put_back`), before anybody reads from that server again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from stepwell.core.clock import Clock
from stepwell.core.errors import StepwellError
from stepwell.storage.catalog.sql import Row
from stepwell.storage.pacing import HEAD_POINTS
from stepwell.storage.warehouse import journal
from stepwell.storage.warehouse.database import ANSWER_SECONDS, Connection, Database
from stepwell.storage.warehouse.journal import SQL
from stepwell.storage.warehouse.points import PointTables, Rows
from stepwell.storage.warehouse.prepared import Value
from stepwell.storage.warehouse.remembered import MOST, Remembered
from stepwell.storage.warehouse.rolling import Roller

ROWS: Final = 2_000  # of the journal in one move,
POINTS: Final = 1 << 21  # and how many points they have unless one row has more
GARBAGE: Final = 1_000  # purged runs that are removed at once
PAUSE: Final = 1.0  # seconds between two rounds
DEAREST: Final = 5e-6  # seconds by which a point is put off at most where more come than are moved
OTHERS: Final = 5  # rounds for which others' rows are left to them, who need not read them
# Seconds for which moved rows are kept. Systems write out what they were given within half a minute, and ClickHouse
# keeps what it has merged for eight minutes.
KEPT: Final = 300
_log = logging.getLogger("stepwell.storage")
Key: TypeAlias = tuple[int, int]  # of a row of the journal: run key, first arrival


class Mover:
    """Moves points when told to, and by itself between `start` and `stop`."""

    def __init__(
        self,
        database: Database,
        tables: PointTables,
        *,
        clock: Clock,
        roller: Roller,
        remembered: Remembered,
        kept: int = KEPT,
    ) -> None:
        """`roller` is told what was moved; `remembered` has what this process wrote; `kept`: seconds for which moved
        rows are kept."""
        self.counters = {"flushes": 0, "points_moved": 0, "points_put_back": 0}
        self.waiting = 0  # points in the journal, as of the last round
        self._database = database
        self._tables = tables
        self._clock = clock
        self._kept = kept
        self._roller = roller
        self._remembered = remembered
        self._given: deque[int] = deque(maxlen=OTHERS)  # the next arrival number, as of each of the last rounds
        self._works = False  # whether the last round went well
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def behind(self) -> int:
        """How far moving is behind, as weight: points that this process wrote, for each as much as makes their full
        number that of a head; 0 where moving does not work, so that waiting is of no use."""
        return self._remembered.count * HEAD_POINTS // MOST if self._works else 0

    def start(self) -> None:
        """Move from now on what comes."""
        self._works = True
        self._thread = threading.Thread(target=self._work, name="stepwell-mover", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more by itself. Idempotent."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def flush(self) -> None:
        """Move all that was acknowledged before the call."""
        with self._database.snapshot() as connection:
            ((before,),) = SQL.all(connection, "arrivals_given")
        while self._move(lambda connection: _next(connection, "next_to_move_waiting", before)):
            pass

    def put_back(self) -> None:
        """Insert again what was moved lately and is not there. For a server that may have lost what it was given."""
        place, more = (-1, -1), True
        while more:
            with self._database.snapshot() as connection:
                asked = {"run_key": place[0], "first_arrival": place[1], "limit": ROWS}
                keys, more = _some(SQL.all(connection, "moved_after", asked))
                rows = journal.of_keys(connection, keys)
            self._ensure(rows)
            place = keys[-1] if keys else place

    def tidy(self, *, at_once: bool) -> None:
        """Remove the points of purged runs: by default only where no read that began before the purge can go on."""
        before = self._clock() + (1 if at_once else -2 * ANSWER_SECONDS * 1_000_000)
        with self._database.changing() as connection:
            runs = [key for (key,) in SQL.all(connection, "garbage", {"before": before, "limit": GARBAGE})]
            self._tables.delete_runs(runs)
            SQL.each(connection, "drop_garbage", ((key,) for key in runs))

    def trim(self) -> bool:
        """Drop some rows that were kept long enough, and whose points are there; whether there are more."""
        with self._database.changing() as connection:
            found = SQL.all(connection, "next_to_drop", {"seconds": self._kept, "limit": ROWS})
            keys, more = _some(found)
            spans = [(first, first + count) for _, first, count in found[: len(keys)]]
            whole = self._tables.whole([run for run, _ in keys], spans)
            self._ensure(
                journal.of_keys(connection, [key for key, there in zip(keys, whole, strict=True) if not there])
            )
            _change(connection, "drop", keys)
        return more

    def _move(self, choose: Callable[[Connection], Sequence[Row]]) -> bool:
        """Move some of the rows (run key, first arrival, points) that are chosen; whether there are more."""
        with self._database.changing() as connection:
            if self._tables.clustered:
                SQL.all(connection, "lock_moves")
            keys, more = _some(choose(connection))
            if not keys:
                return False
            known, others = self._remembered.pop(keys)
            moved = self._tables.insert(*known, journal.of_keys(connection, others))
            _change(connection, "mark_moved" if self._tables.settled() else "mark_inserted", keys)
        self.counters["flushes"] += 1
        for rows in moved:
            self.counters["points_moved"] += len(rows)
            self._roller.grown(rows)
        return more

    def _own(self, connection: Connection) -> Sequence[Row]:
        """Rows that this process wrote, and still has in memory."""
        keys = self._remembered.keys(ROWS)
        return connection.ask(SQL["named_to_move"], _named(keys)) if keys else ()

    def _ensure(self, rows: Rows) -> None:
        """Insert those points again that are not there."""
        missing = rows.take(self._tables.missing(rows))
        if len(missing):
            _log.warning(
                "%d points that ClickHouse had taken are not there; they are put back",
                len(missing),
                extra={"action": "points_put_back"},
            )
            self._tables.insert(missing)
            self._tables.settled()
            self.counters["points_put_back"] += len(missing)

    def _work(self) -> None:
        while not self._ended.wait(PAUSE):
            self._carefully(self._round)

    def _round(self) -> None:
        while self._move(self._own) and not self._ended.is_set():
            self._roller.wait()  # what is moved on meanwhile would have to be read back
        if len(self._given) == OTHERS:
            before = self._given[0]
            while self._move(lambda connection: _next(connection, "next_to_move", before)) and not self._ended.is_set():
                pass
            self._remembered.forget(before)
        while self.trim() and not self._ended.is_set():
            pass
        self.tidy(at_once=False)
        with self._database.snapshot() as connection:
            ((_, self.waiting),) = SQL.all(connection, "waiting")
            ((given,),) = SQL.all(connection, "arrivals_given")
        self._given.append(given)

    def _carefully(self, run: Callable[[], None]) -> None:
        try:
            run()
            self._works = True
        except StepwellError as error:
            self._works = False
            _log.warning(error.message, extra={"action": "move_failed"})


def _next(connection: Connection, statement: str, before: int) -> Sequence[Row]:
    return SQL.all(connection, statement, {"before": before, "limit": ROWS})


def _some(found: Sequence[Row]) -> tuple[list[Key], bool]:
    """The keys of the first rows (run key, first arrival, points) that are few enough to be in memory together, and
    whether there may be more."""
    counts = np.cumsum([count for *_, count in found], dtype=np.int64)
    upto = max(int(np.searchsorted(counts, POINTS, side="right")), 1)
    return [(run, first) for run, first, _ in found[:upto]], upto < len(found) or len(found) == ROWS


def _change(connection: Connection, statement: str, keys: Sequence[Key]) -> None:
    if keys:
        connection.ask(SQL[statement], _named(keys))


def _named(keys: Sequence[Key]) -> dict[str, Value]:
    runs, firsts = np.array(keys, np.int64).T
    return {"run_keys": runs, "first_arrivals": firsts}
