"""The background: when to flush, merge, collect garbage, checkpoint and give space back; and what to do about a full
disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any, Final

import apsw

from stepwell.core import turns
from stepwell.core.bounds import Expired, Kept
from stepwell.core.errors import Corrupt, StepwellError
from stepwell.storage.embedded.database import BUSY_MS, FILE, pragma
from stepwell.storage.embedded.expiring import Expirer
from stepwell.storage.embedded.flushing import Flusher
from stepwell.storage.embedded.head import Head
from stepwell.storage.embedded.log_room import LogRoom
from stepwell.storage.embedded.reserve import RESERVE_BYTES, Reserve
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.embedded.writer import Request, Writer
from stepwell.storage.files import Files

FLUSH_POINTS: Final = 400_000  # of weight, as below
IDLE_SECONDS: Final = 1.5  # without new points, after which the head is flushed if it is worth it
WORTH_POINTS: Final = 5_000
SLOW_SECONDS: Final = 10.0  # between flushes of a head that is not
OLDEST_SECONDS: Final = 60.0  # that points stay in the head at most
CHECKPOINT_PAGES: Final = 4_096  # of the write-ahead log: 16 MiB
HARD_PAGES: Final = 65_536  # 256 MiB
WAIT_MS: Final = 100  # for readers, at the hard cap
VACUUM_PAGES: Final = 1_024  # given back in one request
SPARE_PAGES: Final = 1_024  # free pages kept: the next journal rows use them
TICK: Final = 0.25
_log = logging.getLogger("stepwell.storage")


class Checkpoints:
    """Keeps the write-ahead log short. Called by the writer thread, on its connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.pages = 0
        self._due = CHECKPOINT_PAGES
        self._room = LogRoom(connection.filename)
        connection.set_wal_hook(self._committed)

    def _committed(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self.pages = pages
        return apsw.SQLITE_OK

    def after_commit(self, connection: apsw.Connection) -> None:
        """Copy the log into the database when it has grown; wait for readers only at the hard cap."""
        if self.pages < CHECKPOINT_PAGES:  # else the log begins anew soon
            self._room.keep(self.pages)
        if self.pages < self._due:
            return
        hard = self.pages >= HARD_PAGES
        # A reader may keep the log from being emptied for as long as it reads: try again once it has grown by as much.
        self._due = self.pages + CHECKPOINT_PAGES
        connection.set_busy_timeout(WAIT_MS if hard else 0)
        try:
            mode = apsw.SQLITE_CHECKPOINT_RESTART if hard else apsw.SQLITE_CHECKPOINT_PASSIVE
            total, done = connection.wal_checkpoint(mode=mode)
            if total == done:
                self._due = CHECKPOINT_PAGES
        except apsw.BusyError:
            pass
        finally:
            connection.set_busy_timeout(BUSY_MS)

    def truncate(self, connection: apsw.Connection, stage: Stage) -> None:
        """Empty the log, in a quiet moment. BusyError when a reader is in the way: writes would wait for it too."""
        connection.set_busy_timeout(0)
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            connection.set_busy_timeout(BUSY_MS)
        self.pages, self._due = 0, CHECKPOINT_PAGES
        self._room.emptied()

    def close(self) -> None:
        """Let go of the log."""
        self._room.close()


class DiskSpace:
    """The reserve: given up when the disk is full, taken back when there is room."""

    def __init__(self, reserve: Reserve, files: Files) -> None:
        self._reserve = reserve
        self._files = files
        self._looked = 0.0

    def exhausted(self) -> None:
        """Let purge and flush go on with what was held back."""
        self._reserve.release()

    def recovered(self) -> bool:
        """Whether there is room for the reserve and as much again; looks at most once in a quarter second."""
        now = monotonic()
        if now - self._looked < TICK:
            return False
        self._looked = now
        return self._files.free_space() >= 2 * RESERVE_BYTES and self._reserve.fill()


class Background:
    """One thread that keeps the store in shape."""

    def __init__(
        self,
        *,
        head: Head,
        writer: Writer,
        flusher: Flusher,
        expirer: Expirer,
        checkpoints: Checkpoints,
        remove_files: Callable[[], None],
    ) -> None:
        self._head = head
        self._writer = writer
        self._flusher = flusher
        self._expirer = expirer
        self._checkpoints = checkpoints
        self._remove_files = remove_files
        self._stop = threading.Event()
        self._work = threading.Lock()  # one flush or merge at a time
        self._seen_end = -1
        self._changed = monotonic()
        self._oldest = monotonic()
        self._settled = False
        self._thread = threading.Thread(target=self._loop, name="stepwell-care", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def flush(self) -> None:
        """Move into blocks what is in the head now. Once: beside steady writers a second look finds more for ever."""
        with self._work:
            self._flusher.flush()

    def compact(self) -> None:
        """Flush, merge, collect, give space back."""
        self.flush()
        with self._work:
            self._flusher.compact()
            while self._flusher.collect_garbage():
                pass
            self._remove_files()
            self._shrink(0)

    def expire(self, workspace: str, experiment_id: int, kept: Kept, *, dry: bool) -> Iterator[Expired]:
        """Remove the points of an experiment that are not to be kept. Between two steps others may flush and merge."""
        if not dry:
            self.flush()
        for batch in self._expirer.batches(workspace, experiment_id):
            if dry:
                yield self._expirer.would(batch, kept)
                continue
            rest = batch
            while rest:
                with self._work:
                    expired, keys = self._expirer.step(workspace, experiment_id, rest, kept)
                    self._settled = self._settled and not expired.points
                rest = {key: batch[key] for key in keys}
                yield expired

    def _loop(self) -> None:
        while not self._stop.wait(TICK):
            try:
                self._tick()
            except StepwellError as error:
                _log.error(error.message, extra={"action": "care_failed"})
                self._stop.wait(1.0)  # a full or failing disk: the health page says so, and there is no hurry
            except Exception:  # noqa: BLE001 - the last line of the only background thread: it must live on
                _log.exception("the background work failed", extra={"action": "care_failed"})
                self._stop.wait(1.0)

    def _tick(self) -> None:
        self._writer.look_for_room()
        now = monotonic()
        if self._head.end != self._seen_end:
            self._seen_end, self._changed, self._settled = self._head.end, now, False
        if not self._head.points:
            self._oldest = now
        quiet = now - self._changed >= IDLE_SECONDS
        if self._due(now, quiet=quiet):
            with self._work, turns.often:
                self._flusher.flush()
            self._oldest = monotonic()
        with self._work:
            if self._flusher.collect_garbage():
                self._settled = False
            elif quiet and not self._settled:
                self._remove_files()
                self._shrink(SPARE_PAGES)
                self._settled = True

    def _due(self, now: float, *, quiet: bool) -> bool:
        """Whether to flush: each flush rewrites the young blocks of its series, so few points wait for more."""
        points, age = self._head.weight, now - self._oldest
        if not points:
            return False
        idle = quiet and (points >= WORTH_POINTS or age >= SLOW_SECONDS)
        return points >= FLUSH_POINTS or age >= OLDEST_SECONDS or idle

    def _shrink(self, spare: int) -> None:
        """Give free pages and the log back to the file system, step by step."""

        def run(connection: apsw.Connection, stage: Stage) -> int:
            free = pragma(connection, "freelist_count")
            if free > spare:
                connection.execute(f"PRAGMA incremental_vacuum({min(free - spare, VACUUM_PAGES)})").fetchall()
            return max(free - spare - VACUUM_PAGES, 0)

        try:
            while self._ask(run):
                pass
        except Corrupt as error:  # a page that would have to move is damaged: the file stays as long as it is
            _log.error("no space is given back: %s", error.message, extra={"action": "care_failed"})
        self._ask(self._checkpoints.truncate)

    def _ask(self, run: Callable[[apsw.Connection, Stage], Any]) -> Any:
        future: Future[Any] = self._writer.submit(Request(run=run, alone=True, outside=True, essential=True))
        return future.result()


def wal_bytes(directory: Path) -> int:
    """Size of the write-ahead log."""
    try:
        return (directory / f"{FILE}-wal").stat().st_size
    except FileNotFoundError:
        return 0
