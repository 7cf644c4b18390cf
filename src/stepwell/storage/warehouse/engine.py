"""The warehouse put together: many processes over one PostgreSQL and one ClickHouse. Behaviour is in the parts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from stepwell.core import acting
from stepwell.core.bounds import Expired, Kept
from stepwell.core.clock import Clock
from stepwell.core.errors import Busy, Conflict, StepwellError
from stepwell.core.model import Damage, Stats
from stepwell.storage.catalog import Catalog, runs
from stepwell.storage.catalog.quotas import Quotas
from stepwell.storage.catalog.read_cache import ReadCaches
from stepwell.storage.catalog.runs import Purged
from stepwell.storage.memory import OF_COLUMNS, share_heap
from stepwell.storage.pacing import Pace
from stepwell.storage.warehouse import checking, cuts, migrations, repairing
from stepwell.storage.warehouse.address import Address
from stepwell.storage.warehouse.database import Connection, Database
from stepwell.storage.warehouse.expiring import Expirer
from stepwell.storage.warehouse.holding import contents_of
from stepwell.storage.warehouse.joining import JoinedWrites
from stepwell.storage.warehouse.journal import SQL
from stepwell.storage.warehouse.moving import DEAREST, KEPT, Mover
from stepwell.storage.warehouse.point_store import PointReadsAndWrites
from stepwell.storage.warehouse.points import SIZES, ClickHouse, Connect, PointTables, Sizes
from stepwell.storage.warehouse.pulse import CLICKHOUSE, POSTGRESQL, Pulse
from stepwell.storage.warehouse.remembered import Remembered
from stepwell.storage.warehouse.removing import Remover
from stepwell.storage.warehouse.requests import RequestCounts
from stepwell.storage.warehouse.rolling import Roller
from stepwell.storage.warehouse.shared_clock import SharedClock
from stepwell.storage.warehouse.staging import Stage
from stepwell.storage.warehouse.writer import BUCKETS, Writer

_log = logging.getLogger("stepwell.storage")
T = TypeVar("T")
MOVING: Final = 3  # connections for what moves, sums up and puts back; who reads has others


class WarehouseStore(PointReadsAndWrites, Catalog):
    """Implements core.store.Store."""

    def __init__(
        self,
        address: Address,
        *,
        clock: Clock,
        background: bool = True,
        sizes: Sizes = SIZES,
        kept: int = KEPT,
        connect: Connect = ClickHouse,
    ) -> None:
        """Connect. Invalid: the tables are not there yet, or of a newer program. Without `background` nothing is moved
        or tidied but when asked. `kept`: seconds for which points stay in the journal after they were moved.
        `connect`: what speaks to ClickHouse."""
        self._closed = False
        with ExitStack() as undo:
            self._database = Database(address.catalog)
            undo.callback(self._database.close)
            migrations.check(self._database)
            shared = clock if isinstance(clock, SharedClock) else None
            if shared is not None:
                shared.hear(self._database)
            self._moving = undo.enter_context(closing(connect(address.clickhouse, size=MOVING)))
            moved = PointTables(self._moving, sizes=sizes)
            moved.check_schema()
            self._roller = Roller(self._database, moved)
            self._remover = Remover(self._database, moved)
            remembered = Remembered()
            self._mover = Mover(
                self._database, moved, clock=clock, roller=self._roller, remembered=remembered, kept=kept
            )
            self._clickhouse = connect(address.clickhouse, met=self._mover.put_back)
            undo.callback(self._clickhouse.close)
            self._tables = PointTables(self._clickhouse, sizes=sizes)
            self._clock = clock
            self._pulse = Pulse(address, connect, answered=self._database.answers, clock=shared)
            self._requests = RequestCounts(self._database)
            self._quotas = Quotas(count_points=_points_of)
            self._pace = Pace(lambda: self._mover.behind, dearest=DEAREST)
            self._stage = Stage(self._tables, quotas=self._quotas, remembered=remembered, pace=self._pace)
            self._writer = Writer(
                self._database, quotas=self._quotas, joining=JoinedWrites(self._stage), pace=self._pace
            )
            undo.callback(self._writer.close)
            self._expirer = Expirer(self._database, self._tables, self._writer, clock=clock)
            PointReadsAndWrites.__init__(
                self,
                database=self._database,
                writer=self._writer,
                tables=self._tables,
                mover=self._mover,
                stage=self._stage,
            )
            Catalog.__init__(
                self,
                submit=self._submit,
                snapshot=self._database.snapshot,
                live=None,  # what is acknowledged is in the stored summaries
                contents=contents_of(address.files, reach=background),  # commands go on without it
                caches=ReadCaches(on=False),  # nobody tells what other processes change
                admit_file=self._quotas.admit_file,
            )
            self._background = background
            if background:
                share_heap(OF_COLUMNS)
                self._mover.start()
                self._roller.start()
                self._remover.start()
                self._pulse.start()
            undo.pop_all()

    def _submit(self, run: Callable[[Connection], T]) -> Future[T]:
        """For the catalog: what is done is done by whoever acts now."""
        return self._writer.submit(acting.carried(run, at=self._clock()))

    def purge_runs(self, *, workspace: str, run_ids: Sequence[str], deleted_before: int | None = None) -> int:
        """See CatalogStore. The points go from ClickHouse later: without the run nobody asks for them."""

        def run(connection: Connection) -> Purged:
            purged = runs.purge(connection, workspace, run_ids, at=self._clock(), deleted_before=deleted_before)
            SQL.each(connection, "drop_of_run", ((key,) for key in purged.run_keys))
            cuts.forget(connection, purged.run_keys)
            SQL.each(connection, "add_garbage", ((key,) for key in purged.run_keys))
            return purged

        purged = self._submit(run).result()
        self.forget_files(purged.files)
        self._quotas.forget()
        return len(purged.run_keys)

    def delete_blobs(self, *, workspace: str, owner: str, path: str) -> int:
        """See BlobStore."""
        try:
            return super().delete_blobs(workspace=workspace, owner=owner, path=path)
        finally:
            self._quotas.forget()

    def put_bounds(self, *, workspace: str, experiment_id: int | None, values: Mapping[str, int | None]) -> None:
        """See BoundStore."""
        super().put_bounds(workspace=workspace, experiment_id=experiment_id, values=values)
        self._quotas.forget()

    def expire_points(self, *, workspace: str, experiment_id: int, kept: Kept, dry: bool = False) -> Iterator[Expired]:
        """See BoundStore. The points go from ClickHouse later: nobody sees them any more."""
        for step in self._expirer.expire(workspace, experiment_id, kept, dry=dry):
            if not dry:
                self._quotas.forget()
            yield step

    def share_requests(self, *, counts: Mapping[str, int]) -> Mapping[str, int]:
        """See BoundStore."""
        return self._requests.share(counts)

    def flush(self) -> None:
        """See Maintenance."""
        self._mover.flush()

    def compact(self) -> None:
        """See Maintenance."""
        self._mover.flush()
        self._roller.roll()
        self._mover.tidy(at_once=True)
        self._remover.remove(at_once=True)
        self._tables.tidy()
        self.remove_files()

    def check(self) -> Iterator[Damage]:
        """See Maintenance."""
        yield from checking.check(self._database, self._tables)
        yield from self.check_files()

    def repair(self) -> Iterator[Damage]:
        """Mend what is damaged and can be (repairing.py), also while servers use the warehouse; each damage with what
        was done about it. Busy: a server does not answer; what was told of by then is mended."""
        yield from repairing.repair(self._database, self._tables, clock=self._clock)
        for damage in self.check_files():
            yield Damage(place=damage.place, cost=f"{damage.cost}; {repairing.LEFT}")

    def backup(self, *, target: Path, credentials: bool = False) -> NoReturn:
        """See Maintenance. Conflict: databases are copied with their own tools (ADR 24)."""
        raise Conflict(
            "a warehouse is copied with the tools of its databases, ClickHouse first and then PostgreSQL; "
            "docs/howto/warehouse.md says how",
            field="store",
        )

    def give_way(self) -> None:
        """See Maintenance. Writes wait for other machines, not for threads of this process."""

    def healthy(self) -> str:
        """See Maintenance."""
        return self.files_failed() or self._pulse.trouble

    def stats(self) -> Stats:
        """See Maintenance. While PostgreSQL is away, without what it alone can tell."""
        writer = self._writer
        gauges = {
            **self._stored(),
            "queue_requests": float(writer.queued),
            "read_only": float(bool(self.healthy())),
            "postgresql_up": float(POSTGRESQL not in self._pulse.away),
            "clickhouse_up": float(CLICKHOUSE not in self._pulse.away),
        }
        counters = {
            **writer.counters,
            "paced_seconds": self._pace.seconds,
            **self._stage.counters,
            **self._mover.counters,
            **self._roller.counters,
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

    def _stored(self) -> dict[str, float]:
        """What PostgreSQL tells; nothing while it is away."""
        if POSTGRESQL in self._pulse.away:
            return {}
        try:
            with self._database.snapshot() as connection:
                ((rows, points),) = SQL.all(connection, "waiting")
                ((size,),) = SQL.all(connection, "database_bytes")
        except Busy:
            if self._closed:
                raise
            return {}
        return {"head_points": float(points), "journal_rows": float(rows), "database_bytes": float(size)}

    def close(self) -> None:
        """See Maintenance. What cannot be moved any more stays in the journal, for another process; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._pulse.stop()
        self._roller.stop()
        self._remover.stop()
        self._mover.stop()
        self._writer.close()
        try:
            if self._background:
                self._mover.flush()
        except StepwellError as error:
            _log.warning(error.message, extra={"action": "close_failed"})
        self._clickhouse.close()
        self._moving.close()
        self._database.close()


def _points_of(connection: Connection, workspace: str) -> int:
    ((count,),) = SQL.all(connection, "points_of_workspace", (workspace,))
    return int(count)
