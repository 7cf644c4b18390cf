"""Long series are summed up as they grow (points/tile_making.py), in a thread of their own: that takes longer than a
move.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from stepwell.core.errors import StepwellError
from stepwell.storage.warehouse import tiling
from stepwell.storage.warehouse.database import UNHURRIED, Database
from stepwell.storage.warehouse.points import Lately, PointTables, Rows
from stepwell.storage.warehouse.tiling import Key

PAUSE: Final = 5.0  # seconds between two rounds
SERIES: Final = 100_000  # whose growth is remembered
TOGETHER: Final = 16  # series that are summed up in one transaction
_log = logging.getLogger("stepwell.storage")


class Roller:
    """Remembers how series grow, and sums up those that grew by a tile. By itself between `start` and `stop`.

    Several processes move points of one series, and each sees it grow: of those that would sum up series of one run at
    once, one does. Only this process's moves count: what it forgets when it ends is read point by point until the
    series grows again.
    """

    def __init__(self, database: Database, tables: PointTables) -> None:
        self.counters = {"tiles_made": 0}
        self._database = database
        self._tables = tables
        self._lock = threading.Lock()
        self._growth: dict[Key, int] = {}
        self._lately = Lately()
        self._due = threading.Event()
        self._room = threading.Event()  # in what is kept lately, or nobody makes any
        self._room.set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sum up from now on what grows."""
        self._thread = threading.Thread(target=self._work, name="stepwell-roller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more by itself. Idempotent."""
        self._ended.set()
        self._due.set()
        self._room.set()
        if self._thread is not None:
            self._thread.join()

    def grown(self, rows: Rows) -> None:
        """These were moved to ClickHouse; the rows of each series stand together."""
        self._lately.add(rows)
        begins = np.flatnonzero(np.append(True, rows.series[1:] != rows.series[:-1])[: len(rows)])
        counts = np.diff(np.append(begins, len(rows)))
        keys = zip(rows.run[begins].tolist(), rows.series[begins].tolist(), strict=True)
        self._grow(dict(zip(keys, counts.tolist(), strict=True)))
        if self._lately.crowded:
            if self._thread is not None:
                self._room.clear()
            self._due.set()

    def wait(self) -> None:
        """Until what was moved lately has been summed up, where it is much: but no longer than from one round to the
        next."""
        self._room.wait(PAUSE)

    def _grow(self, counts: Mapping[Key, int]) -> None:
        with self._lock:
            for key, count in counts.items():
                self._growth[key] = self._growth.get(key, 0) + count
            if len(self._growth) > SERIES:
                most = sorted(self._growth, key=self._growth.__getitem__, reverse=True)[: SERIES // 2]
                self._growth = {key: self._growth[key] for key in most}

    def roll(self) -> None:
        """Sum up what grew enough."""
        with self._lock:
            due = [key for key, count in self._growth.items() if count >= self._tables.tile]
        for begin in range(0, len(due), TOGETHER):
            if self._ended.is_set():
                return
            self._roll(due[begin : begin + TOGETHER])

    def _roll(self, due: Sequence[Key]) -> None:
        with self._database.changing() as connection:
            alone = tiling.lock(connection, {run for run, _ in due})
            connection.execute(UNHURRIED)
            keys = [key for key in due if key[0] in alone]  # others stay due, and there will be little left to do
            with self._lock:
                grown = {key: self._growth.pop(key, 0) for key in keys}
            try:
                self.counters["tiles_made"] += tiling.roll_up(connection, self._tables, keys, self._lately)
            except BaseException:  # they stay due: a run that has ended grows no more
                self._grow(grown)
                raise

    def _work(self) -> None:
        while not self._ended.is_set():
            self._due.wait(PAUSE)
            self._due.clear()
            try:
                self.roll()
            except StepwellError as error:
                _log.warning(error.message, extra={"action": "roll_up_failed"})
            finally:
                self._room.set()
