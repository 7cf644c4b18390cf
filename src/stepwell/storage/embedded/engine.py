"""The embedded engine put together: one directory, one process, one thread that writes. Behaviour is in the parts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from stepwell.core import acting, tracing
from stepwell.core.audit import EVERYWHERE
from stepwell.core.bounds import Expired, Kept
from stepwell.core.clock import Clock
from stepwell.core.errors import StepwellError, StorageFailed, StorageFull
from stepwell.core.model import Copied, Damage, Stats
from stepwell.storage.catalog import Catalog, audit, runs
from stepwell.storage.catalog.quotas import Quotas
from stepwell.storage.catalog.read_cache import ReadCaches
from stepwell.storage.catalog.runs import Purged
from stepwell.storage.contents import Folder
from stepwell.storage.embedded import backing, checking, functions, lost_log, recovery, tiles
from stepwell.storage.embedded.blocks import Blocks
from stepwell.storage.embedded.care import Background, Checkpoints, DiskSpace, wal_bytes
from stepwell.storage.embedded.database import (
    FILE,
    Lock,
    Readers,
    check_sqlite,
    connect_reader,
    connect_writer,
    database_errors,
    pragma,
)
from stepwell.storage.embedded.expiring import Expirer
from stepwell.storage.embedded.flushing import Flusher
from stepwell.storage.embedded.head import Head
from stepwell.storage.embedded.journal import Compressor
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.points import PointCount, PointTables, RunCache, SeriesRows
from stepwell.storage.embedded.reserve import Reserve
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.embedded.statements import POINTS as SQL
from stepwell.storage.embedded.writer import BUCKETS, Request, Writer
from stepwell.storage.files import Files, RealFiles
from stepwell.storage.memory import OF_ANSWERS, share_heap
from stepwell.storage.pacing import Pace

T = TypeVar("T")
READERS: Final = 24  # more than threads that ask: who looks up a credential must not wait for eight long reads
_log = logging.getLogger("stepwell.storage")


class EmbeddedStore(PointTables, Catalog):
    """Implements core.store.Store."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Clock,
        files: Files | None = None,
        background: bool = True,
    ) -> None:
        """Open the directory. `files` puts another disk in the place of the real one; without `background` nothing is
        flushed or tidied but when asked."""
        check_sqlite()
        recovery.check_directory(directory)
        self._directory = directory
        self._path = directory / FILE
        self._closed = False
        self._lock = Lock(directory)
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            files = files or RealFiles(directory)
            if not self._path.exists():
                files.create(FILE).close()  # its owner's alone: SQLite would let everybody read it
            reserve = Reserve(files)
            try:
                self._open(clock, files, reserve, background)
            except StorageFull:
                if not reserve.held:
                    raise
                reserve.release()  # others have filled the disk since: reading needs a log and its index too
                self._open(clock, files, reserve, background)
            undo.pop_all()

    def _open(self, clock: Clock, files: Files, reserve: Reserve, background: bool) -> None:
        """Everything, or nothing is left open."""
        with ExitStack() as undo:
            self._open_parts(clock, files, reserve, background, undo)
            undo.pop_all()

    def _open_parts(self, clock: Clock, files: Files, reserve: Reserve, background: bool, undo: ExitStack) -> None:
        """`undo` learns how to close what was opened, should a later step fail."""
        packer, compressor, known_runs = Packer(), Compressor(), RunCache()
        self._packer = packer
        self._cache = Blocks(packer)
        with database_errors():
            connection = connect_writer(self._path, prepare=functions.register)
            self._connection, self._checkpoints = connection, Checkpoints(connection)
            undo.callback(self._disconnect)
            self._lost = lost_log.lost(connection, self._path.with_name(f"{FILE}-wal"))
            recovery.prepare_schema(connection, self._path)
            self._head = Head()
            backlog = recovery.replay(connection, self._head, self._cache)
        if self._lost is not None:
            _log.error("%s: %s", self._lost.place, self._lost.cost, extra={"action": "log_damaged"})
        self._clock = clock
        self._readers = Readers(self._new_reader, size=READERS)
        reserve.fill()

        def new_stage() -> Stage:
            stored = partial(tiles.near, self._cache)
            return Stage(head=self._head, table=SeriesRows(self._cache, backlog), stored=stored, compressor=compressor)

        self._caches = ReadCaches()
        self._quotas = Quotas(count_points=PointCount(self._head, backlog))
        self._pace = Pace(lambda: self._head.weight)
        self._writer = Writer(
            connection,
            new_stage=new_stage,
            next_arrival=self._head.end,
            space=DiskSpace(reserve, files),
            pace=self._pace,
            committed=self._committed,
            undone=known_runs.forget,
        )
        undo.callback(self._readers.close)
        undo.callback(self._writer.close)
        PointTables.__init__(
            self,
            head=self._head,
            backlog=backlog,
            cache=self._cache,
            submit=self._submit,
            snapshot=self._readers.snapshot,
            known_runs=known_runs,
            admission=self._quotas,
            run_changes=self._caches.rows.changes,
        )
        Catalog.__init__(
            self,
            submit=lambda run: self._change(run, known_runs),
            snapshot=self._readers.snapshot,
            live=self.live,
            contents=Folder(files, alone=True),
            caches=self._caches,
            full=lambda: not self._writer.look_for_room(),
            admit_file=self._quotas.admit_file,
        )
        self._flusher = Flusher(
            head=self._head,
            backlog=backlog,
            cache=self._cache,
            packer=packer,
            submit=self._submit,
            snapshot=self._readers.snapshot,
        )
        expirer = Expirer(
            head=self._head,
            cache=self._cache,
            packer=packer,
            submit=self._submit,
            snapshot=self._readers.snapshot,
            cover=self._flusher.cover,
            clock=clock,
        )
        self._background = Background(
            head=self._head,
            writer=self._writer,
            flusher=self._flusher,
            expirer=expirer,
            checkpoints=self._checkpoints,
            remove_files=self.remove_files,
        )
        if background:
            share_heap(OF_ANSWERS)
            self._background.start()

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self._directory

    @property
    def snapshot(self) -> Callable[[], AbstractContextManager[apsw.Connection]]:
        """A connection that reads one moment, for who moves the whole store elsewhere."""
        return self._readers.snapshot

    def _committed(self, connection: apsw.Connection) -> None:
        self._quotas.settled()
        self._caches.settled()
        self._checkpoints.after_commit(connection)

    def _new_reader(self) -> apsw.Connection:
        return connect_reader(self._path, prepare=functions.register)

    def _change(self, run: Callable[[apsw.Connection], T], known_runs: RunCache) -> Future[T]:
        """Run a change of the catalog on the writer thread."""

        def forgetting(connection: apsw.Connection, stage: Stage) -> T:
            known_runs.forget()
            return run(connection)

        return self._submit(Request(run=acting.carried(forgetting, at=self._clock())))

    def _submit(self, request: Request) -> Future[Any]:
        """To the writer, unless a file could not be synced: then nothing is called durable before a restart."""
        if reason := self.files_failed():
            raise StorageFailed(reason)
        return tracing.followed("commit", self._writer.submit(request))

    def purge_runs(self, *, workspace: str, run_ids: Sequence[str], deleted_before: int | None = None) -> int:
        """See CatalogStore. Alone in its commit: what came before is purged, what comes after finds no run. Writes that
        wait for their commit are overtaken: purging makes room."""

        def run(connection: apsw.Connection, stage: Stage) -> Purged:
            self._runs.forget()
            purged = runs.purge(connection, workspace, run_ids, at=self._clock(), deleted_before=deleted_before)
            for run_key in purged.run_keys:
                self._caches.rows.changes(run_key)
            SQL.each(connection, "add_garbage", ((key,) for key in purged.series_keys))
            return purged

        def committed(purged: Purged) -> None:
            self._head.forget_runs(purged.run_keys)
            self._quotas.forget()

        noted = acting.carried(run, at=self._clock())
        request = Request(run=noted, alone=True, essential=True, committed=committed)
        purged: Purged = self._submit(request).result()
        self.forget_files(purged.files)
        return len(purged.run_keys)

    def expire_points(self, *, workspace: str, experiment_id: int, kept: Kept, dry: bool = False) -> Iterator[Expired]:
        """See BoundStore."""
        for step in self._background.expire(workspace, experiment_id, kept, dry=dry):
            if step.points and not dry:
                self._quotas.forget()
            yield step

    def put_bounds(self, *, workspace: str, experiment_id: int | None, values: Mapping[str, int | None]) -> None:
        """See BoundStore."""
        super().put_bounds(workspace=workspace, experiment_id=experiment_id, values=values)
        self._quotas.forget()

    def share_requests(self, *, counts: Mapping[str, int]) -> Mapping[str, int]:
        """See BoundStore. Only one process may have a directory open."""
        return {}

    def flush(self) -> None:
        """See Maintenance."""
        self._background.flush()

    def compact(self) -> None:
        """See Maintenance."""
        self._background.compact()

    def check(self) -> Iterator[Damage]:
        """See Maintenance."""
        if self._lost is not None:
            yield self._lost
        yield from checking.check(self._readers.snapshot, self._packer)
        yield from checking.going_on("files", self.check_files())

    def give_way(self) -> None:
        """See Maintenance."""
        self._writer.give_way()

    def healthy(self) -> str:
        """See Maintenance."""
        if self._writer.failed:
            return self._writer.failed
        if self.files_failed():
            return self.files_failed()
        return "the disk is full: reads go on, writes are refused" if self._writer.full else ""

    def stats(self) -> Stats:
        """See Maintenance."""
        writer, flusher = self._writer, self._flusher
        with self._readers.snapshot() as connection:
            free = pragma(connection, "freelist_count")
            pages = pragma(connection, "page_count")
        gauges = {
            "queue_requests": float(writer.queued),
            "queue_bytes": float(writer.queued_bytes),
            "head_points": float(self._head.points),
            "wal_bytes": float(wal_bytes(self._directory)),
            "database_bytes": float(pages * 4096),
            "database_free_bytes": float(free * 4096),
            "read_only": float(bool(self.healthy())),
        }
        counters = {
            "commits": writer.counters["commits"],
            "commit_requests": writer.counters["requests"],
            "points": writer.counters["points"],
            "duplicates": writer.counters["duplicates"],
            "paced_seconds": self._pace.seconds,
            "blocks_read": self._cache.opened,
            "blocks_read_bytes": self._cache.bytes_read,
            **flusher.counters,
        }
        upto, cumulative = 0, []
        for bound, count in zip((*BUCKETS, float("inf")), writer.commit_counts, strict=True):
            upto += count
            cumulative.append((bound, upto))
        return Stats(
            gauges=gauges,
            counters={name: float(value) for name, value in counters.items()},
            commit_seconds=tuple(cumulative),
            commit_seconds_sum=writer.commit_seconds,
        )

    def backup(self, *, target: Path, credentials: bool = False) -> Iterator[Copied]:
        """See Maintenance."""
        copying = backing.backup(
            self._readers.snapshot,
            source=self._directory,
            target=target,
            at=self._clock(),
            form=recovery.FORMAT,
            credentials=credentials,
        )
        for number, copied in enumerate(copying):
            if number == 0:
                self._note_backup(target, credentials=credentials)
            yield copied

    def _note_backup(self, target: Path, *, credentials: bool) -> None:
        """In the audit log. A store that cannot be written to any more must still be saved: then the log file says."""

        def note(connection: apsw.Connection, stage: Stage) -> None:
            told = "yes" if credentials else "no"
            audit.note(connection, "store.backup", workspace=EVERYWHERE, subject=str(target), credentials=told)

        try:
            self._submit(Request(run=acting.carried(note, at=self._clock()), essential=True)).result()
        except StepwellError as error:
            _log.error("backup is not in the audit log: %s", error.message, extra={"action": "audit_failed"})

    def close(self) -> None:
        """See Maintenance. What cannot be moved into blocks any more stays in the journal; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._background.stop()
        try:
            if not self.healthy():
                self._background.flush()
                self._writer.submit(Request(run=self._checkpoints.truncate, alone=True, outside=True)).result()
        except StepwellError as error:
            _log.error(error.message, extra={"action": "close_failed"})
        finally:
            self._writer.close()
            self._readers.close()
            self._disconnect()
            self._lock.release()

    def _disconnect(self) -> None:
        self._checkpoints.close()
        with suppress(apsw.Error):  # the last close checkpoints; if it cannot, the next start does
            self._connection.close()
