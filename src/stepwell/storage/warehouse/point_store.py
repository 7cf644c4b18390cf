"""The point half of the store: writes go to the journal, reads bring journal and ClickHouse together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stepwell.core import acting
from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.bounds import Usage
from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled
from stepwell.core.errors import Busy
from stepwell.core.model import Columns, LabelSet, Lifecycle, Repeats, RunWrite, Selector, SeriesInfo, Window, Writing
from stepwell.core.page import Position
from stepwell.core.series import Order
from stepwell.core.store import PointPage, RunPoints
from stepwell.core.summary import SummaryTable
from stepwell.storage.catalog import quotas, records, run_rows, runs, series, summaries
from stepwell.storage.warehouse import cuts, journal
from stepwell.storage.warehouse.database import Connection, Database
from stepwell.storage.warehouse.joining import PointWrites
from stepwell.storage.warehouse.journal import SQL
from stepwell.storage.warehouse.moving import Mover
from stepwell.storage.warehouse.points import PointTables, Waiting
from stepwell.storage.warehouse.staging import Stage
from stepwell.storage.warehouse.writer import Writer

NO_SERIES: Final = (-1,)  # a key that no series has: statements need one
JOURNAL_POINTS: Final = 50_000_000  # that wait to be moved


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """What a selector selects, as of one moment of PostgreSQL. ClickHouse is asked after it: what was moved by then is
    there, what came later is cut off by its arrival."""

    run: int
    series: tuple[int, ...]
    waiting: Waiting


class PointReadsAndWrites:
    """Implements core.store.PointStore."""

    def __init__(self, *, database: Database, writer: Writer, tables: PointTables, mover: Mover, stage: Stage) -> None:
        self._database = database
        self._writer = writer
        self._tables = tables
        self._mover = mover
        self._stage = stage

    def write(self, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
        """See PointStore."""
        if self._mover.waiting > JOURNAL_POINTS and any(write.points is not None for write in writes):
            raise Busy("points arrive faster than they can be moved to ClickHouse; nothing was stored")

        names = [(workspace, write.run_id) for write in writes]
        if all(write.only_points and write.repeats is not Repeats.APPEND for write in writes):
            return self._writer.join(PointWrites(workspace=workspace, writes=writes), runs=names)

        def run(connection: Connection) -> None:
            for write in writes:
                self._apply(connection, workspace, write)

        return self._writer.submit(acting.carried(run, at=max(write.at for write in writes)), runs=names)

    def _apply(self, connection: Connection, workspace: str, write: RunWrite) -> None:
        records.check_unchanged(connection, workspace, write.unchanged)
        state = runs.apply(connection, workspace, write)
        if write.records:
            records.put(connection, workspace, write.records)
        if write.points is not None:
            if state.lifecycle is Lifecycle.DELETED:
                raise runs.deleted(write.run_id)
            append = write.repeats is Repeats.APPEND
            self._stage.admit(connection, workspace, state.key, write.points)
            self._stage.add(connection, [(state.key, write.points)], append=append)

    def usage(self, *, workspace: str) -> Usage:
        """See BoundStore."""
        with self._database.snapshot() as connection:
            ((points,),) = SQL.all(connection, "points_of_workspace", (workspace,))
            return quotas.usage(connection, workspace, points=points)

    def writing(self, *, workspace: str = ANY_WORKSPACE, limit: int) -> list[Writing]:
        """See Maintenance."""
        found = []
        with self._database.snapshot() as connection:
            only = None if workspace == ANY_WORKSPACE else workspace
            for key, points in SQL.all(connection, "busiest", {"workspace": only, "limit": limit}):
                names = runs.named(connection, key)
                if names is not None:
                    counts = len(np.unique(journal.of_runs(connection, [key]).series))
                    owner, run_id, name = names
                    found.append(Writing(workspace=owner, run_id=run_id, name=name, points=points, series=counts))
        return found

    def list_series(
        self, *, workspace: str, run_id: str, metric: str | None = None, prefixes: Sequence[str] | None = None
    ) -> list[SeriesInfo]:
        """See PointStore."""
        with self._database.snapshot() as connection:
            state = runs.find(connection, workspace, run_id)
            if state is None:
                return []
            rows = series.of_run(connection, state.key, metric, prefixes)
            stored = summaries.load(connection, [row.key for row in rows])
        return [
            SeriesInfo(metric=row.metric, labels=row.labels, summary=stored[row.key])
            for row in rows
            if row.key in stored
        ]

    def label_sets(self, *, workspace: str, run_ids: Sequence[str]) -> list[LabelSet]:
        """See PointStore."""
        with self._database.snapshot() as connection:
            ids = {key: run_id for run_id, key in runs.keys_of(connection, workspace, run_ids).items()}
            rows = series.labelled(connection, ids)
        return [LabelSet(run_id=ids[row.run_key], metric=row.metric, labels=row.labels) for row in rows]

    def read(
        self,
        *,
        workspace: str,
        selector: Selector,
        order: Order,
        window: Window,
        after: Position | None,
        limit: int,
    ) -> PointPage:
        """See PointStore."""
        moment = self._moment(workspace, selector)
        return self._tables.read(
            run=moment.run,
            series=moment.series,
            order=order,
            window=window,
            after=after,
            limit=limit,
            waiting=moment.waiting,
        )

    def read_runs(
        self,
        *,
        workspace: str,
        run_ids: Sequence[str],
        columns: Columns,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[RunPoints]:
        """See PointStore."""
        with self._database.snapshot() as connection:
            known = runs.keys_of(connection, workspace, run_ids)
            names = {each.key: (each.metric, each.labels) for each in series.of_runs(connection, known.values())}
            waiting = Waiting(
                rows=journal.of_runs(connection, known.values()),
                cuts=list(cuts.of_runs(connection, known.values()).values()),
            )
            ends = journal.ends(connection, known.values())
            rows = {row.run.id: row for row in run_rows.read(connection, workspace, list(known.values()), columns)}
        answer: list[RunPoints] = []
        for run_id in run_ids:
            low, high = (after, before) if not answer else (None, None)
            key = known.get(run_id, -1)
            end = ends.get(key, 0) if high is None else min(high, ends.get(key, 0))
            found = self._tables.read_run(
                run=key,
                after=-1 if low is None else low,
                limit=limit,
                waiting=replace(waiting, end=end),
            )
            keys, which = np.unique(found.series, return_inverse=True)
            answer.append(
                RunPoints(
                    row=rows.get(run_id),
                    series=tuple(names[number] for number in keys.tolist()),
                    which=which.astype(np.int64),
                    points=found.points,
                    end=end,
                )
            )
            limit -= len(found)
            if limit <= 0:
                break
        return answer

    def read_buckets(
        self, *, workspace: str, selectors: Sequence[Selector], window: Window, budget: int
    ) -> list[Buckets]:
        """See PointStore."""
        moments = (self._moment(workspace, selector) for selector in selectors)
        return [
            self._tables.buckets(
                run=moment.run, series=moment.series, window=window, budget=budget, waiting=moment.waiting
            )
            for moment in moments
        ]

    def sample(self, *, workspace: str, selectors: Sequence[Selector], window: Window, limit: int) -> list[Sampled]:
        """See PointStore."""
        moments = (self._moment(workspace, selector) for selector in selectors)
        return [
            self._tables.sample(
                run=moment.run, series=moment.series, window=window, limit=limit, waiting=moment.waiting
            )
            for moment in moments
        ]

    def summaries(
        self, *, workspace: str, run_ids: Sequence[str], metrics: Sequence[str] | None = None
    ) -> SummaryTable:
        """See PointStore."""
        with self._database.snapshot() as connection:
            ids = {key: run_id for run_id, key in runs.keys_of(connection, workspace, run_ids).items()}
            return run_rows.summary_table(connection, ids, metrics, ())

    def _moment(self, workspace: str, selector: Selector) -> _Moment:
        with self._database.snapshot() as connection:
            state = runs.find(connection, workspace, selector.run_id)
            if state is None:
                return _Moment(run=-1, series=NO_SERIES, waiting=Waiting.none())
            if selector.labels is None:
                keys = [row.key for row in series.of_run(connection, state.key, selector.metric)]
            else:
                named = series.find(connection, state.key, [(selector.metric, selector.labels)])
                keys = [key for key in named if key is not None]
            waiting = Waiting(
                rows=journal.of_runs(connection, [state.key]),
                end=journal.ends(connection, [state.key])[state.key],
                cuts=list(cuts.of_series(connection, keys).values()),
            )
        return _Moment(run=state.key, series=tuple(keys) or NO_SERIES, waiting=waiting)
