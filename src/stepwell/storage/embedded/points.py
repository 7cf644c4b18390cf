"""The point half of the store: writes go to the writer, reads bring head and blocks together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from time import sleep
from typing import Final

import apsw

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
from stepwell.core.summary import Summary, SummaryTable
from stepwell.storage.catalog import quotas, records, run_rows, runs, series, summaries
from stepwell.storage.catalog.live import Live
from stepwell.storage.catalog.quotas import Quotas
from stepwell.storage.catalog.runs import RunState
from stepwell.storage.embedded import gathering, mending, pages, reading
from stepwell.storage.embedded.arrivals import BEFORE_ALL, RunParts
from stepwell.storage.embedded.backlog import Backlog
from stepwell.storage.embedded.blocks import Blocks, headers_of_many
from stepwell.storage.embedded.head import Head, Moment, Name, Series, State
from stepwell.storage.embedded.staging import Stage
from stepwell.storage.embedded.statements import POINTS
from stepwell.storage.embedded.summing import live_of, sum_up
from stepwell.storage.embedded.writer import Request
from stepwell.storage.pacing import HEAD_POINTS

RUNS_KEPT: Final = 100_000
ATTEMPTS: Final = 1_000  # at seeing head and database at one moment
PAUSE: Final = 0.001  # seconds between them
TOGETHER: Final = 64  # series that are read in one snapshot
_POINT_BYTES: Final = 40

Submit = Callable[[Request], Future[None]]
Snapshot = Callable[[], AbstractContextManager[apsw.Connection]]


class PointCount:
    """How many points a workspace has. For the thread that writes."""

    def __init__(self, head: Head, backlog: Backlog) -> None:
        self._head = head
        self._backlog = backlog

    def __call__(self, connection: apsw.Connection, workspace: str) -> int:
        """Those in blocks and those that wait."""
        keys = runs.keys_in(connection, workspace)
        if self._backlog.series:
            self._backlog.load(connection, series.keys_of(connection, keys, None))
        ((stored,),) = POINTS.all(connection, "points_of_workspace", (workspace,))
        return int(stored) + sum(state.n for _, state in self._head.capture_runs(keys)[1])


class SeriesRows:
    """The database's series, as staging needs them."""

    def __init__(self, cache: Blocks, backlog: Backlog) -> None:
        self._cache = cache
        self._backlog = backlog

    def ensure(
        self, connection: apsw.Connection, run_key: int, names: Sequence[Name]
    ) -> list[tuple[int, Summary | None]]:
        """Key and stored summary of each, made where missing. Points of them that wait since the start are in the head
        afterwards.
        """
        keys = series.ensure(connection, run_key, names)
        self._backlog.load(connection, keys)
        stored = mending.load(connection, self._cache, keys)
        return [(key, stored.get(key)) for key in keys]


class RunCache:
    """Run states lately needed. Used by the writer thread alone, which forgets them whenever a lifecycle may have
    changed.
    """

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], RunState] = {}

    def open(self, connection: apsw.Connection, workspace: str, run_id: str) -> RunState:
        """The state of a run that may be written to. Raises NotFound or Conflict."""
        state = self._states.get((workspace, run_id))
        if state is None:
            state = runs.open_run(connection, workspace, run_id)
            if len(self._states) >= RUNS_KEPT:
                self._states.clear()
            self._states[workspace, run_id] = state
        return state

    def forget(self) -> None:
        """Look everything up anew."""
        self._states.clear()


class PointTables:
    """Implements core.store.PointStore."""

    def __init__(
        self,
        *,
        head: Head,
        backlog: Backlog,
        cache: Blocks,
        submit: Submit,
        snapshot: Snapshot,
        known_runs: RunCache,
        admission: Quotas,
        run_changes: Callable[[int], None],
    ) -> None:
        """`run_changes` is told in each transaction which runs, by key, it changes."""
        self._admission = admission
        self._head = head
        self._backlog = backlog
        self._cache = cache
        self._submit = submit
        self._snapshot = snapshot
        self._runs = known_runs
        self._run_changes = run_changes

    def write(self, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
        """See PointStore."""
        points, texts, plain = 0, 0, True
        for each in writes:
            if each.points is not None:
                points += len(each.points)
            if not each.only_points:
                texts += _text_size(each)
                plain = False
        if points and self._head.weight > HEAD_POINTS:
            raise Busy("points arrive faster than they can be put into blocks; nothing was stored")

        def run(connection: apsw.Connection, stage: Stage) -> None:
            for write in writes:
                self._apply(connection, stage, workspace, write)

        if not plain and any(w.lifecycle is not None or w.make is not None for w in writes):
            run = acting.carried(run, at=max(w.at for w in writes))
        size = 256 + points * _POINT_BYTES + texts
        return self._submit(Request(run=run, points=points, size=size, guarded=not plain))

    def _apply(self, connection: apsw.Connection, stage: Stage, workspace: str, write: RunWrite) -> None:
        if write.only_points:
            state = self._runs.open(connection, workspace, write.run_id)
        else:
            if write.lifecycle is not None:
                self._runs.forget()
            records.check_unchanged(connection, workspace, write.unchanged)
            state = runs.apply(connection, workspace, write)
            if write.records:
                records.put(connection, workspace, write.records)
        self._run_changes(state.key)
        if write.points is not None:
            if state.lifecycle is Lifecycle.DELETED:
                raise runs.deleted(write.run_id)
            self._admission.admit_points(connection, workspace, state.key, write.points.series, len(write.points))
            stage.add(state.key, write.points, append=write.repeats is Repeats.APPEND)

    def usage(self, *, workspace: str) -> Usage:
        """See BoundStore."""
        for _ in range(ATTEMPTS):
            with self._snapshot() as connection:
                keys = runs.keys_in(connection, workspace)
            self._bring_back(keys)
            taken, captured = self._head.capture_runs(keys)
            with self._snapshot() as connection:
                ((flushes,),) = POINTS.all(connection, "flushes")
                if flushes == taken.flushes:
                    ((stored,),) = POINTS.all(connection, "points_of_workspace", (workspace,))
                    waiting = sum(state.n for _, state in captured)
                    return quotas.usage(connection, workspace, points=stored + waiting)
            sleep(PAUSE)
        raise Busy("points moved faster than they could be counted")

    def writing(self, *, workspace: str = ANY_WORKSPACE, limit: int) -> list[Writing]:
        """See Maintenance."""
        points, counts = Counter[int](), Counter[int]()
        for one, state in self._head.dirty():
            points[one.run_key] += state.n
            counts[one.run_key] += 1
        found = list[Writing]()
        with self._snapshot() as connection:
            for key, n in points.most_common():
                if len(found) == limit:
                    break
                owner, run_id, name = runs.named(connection, key) or ("", "", "")  # purged meanwhile
                if owner and workspace in (ANY_WORKSPACE, owner):
                    found.append(Writing(workspace=owner, run_id=run_id, name=name, points=n, series=counts[key]))
        return found

    def list_series(
        self, *, workspace: str, run_id: str, metric: str | None = None, prefixes: Sequence[str] | None = None
    ) -> list[SeriesInfo]:
        """See PointStore."""
        run_key = self._run_key(workspace, run_id)
        if run_key is None:
            return []
        self._bring_back([run_key], None if metric is None else [metric])
        captured = self._head.capture(run_key, metric, None)[1]
        live = {s.key: total for (s, _), total in zip(captured, sum_up(captured), strict=True)}
        with self._snapshot() as connection:
            rows = series.of_run(connection, run_key, metric, prefixes)
            stored = summaries.load(connection, [row.key for row in rows if row.key not in live])
        found = []
        for row in rows:
            summary = live[row.key] if row.key in live else stored.get(row.key)
            if summary is not None:
                found.append(SeriesInfo(metric=row.metric, labels=row.labels, summary=summary))
        return found

    def label_sets(self, *, workspace: str, run_ids: Sequence[str]) -> list[LabelSet]:
        """See PointStore."""
        with self._snapshot() as connection:
            ids = {key: run_id for run_id, key in runs.keys_of(connection, workspace, run_ids).items()}
        self._bring_back(ids)
        live = {found.key for found, _ in self._head.dirty(ids)}
        with self._snapshot() as connection:
            rows = series.labelled(connection, ids, live)
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
        with self._sources(workspace, [selector]) as (source,):
            return pages.page(source, order=order, window=window, after=after, limit=limit)

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
        with self._moment(workspace, run_ids) as (connection, known, taken, captured):
            names = series.of_runs(connection, known.values())
            keys = [each.key for each in names]
            found = headers_of_many(connection, keys)
            gathering.count(connection, keys, found)
            fresh = {s.key: state.points() for s, state in captured}
            found, fresh = gathering.at_one_moment(connection, found, fresh, taken)
            parts = RunParts(names, found, fresh, end=taken.end)
            answer: list[RunPoints] = []
            for run_id in run_ids:
                low, high = (after, before) if not answer else (None, None)
                first, key = BEFORE_ALL if low is None else low, known.get(run_id)
                answer.append(parts.read(connection, self._cache, key, after=first, before=high, limit=limit))
                limit -= len(answer[-1].points)
                if limit <= 0:
                    break
            reached = run_ids[: len(answer)]
            there = [known[run_id] for run_id in dict.fromkeys(reached) if run_id in known]
            rows = {row.run.id: row for row in run_rows.read(connection, workspace, there, columns)}
        return [replace(each, row=rows.get(run_id)) for run_id, each in zip(reached, answer, strict=True)]

    @contextmanager
    def _moment(
        self, workspace: str, run_ids: Sequence[str]
    ) -> Iterator[tuple[apsw.Connection, dict[str, int], Moment, list[tuple[Series, State]]]]:
        """A snapshot and the head as they were at one moment: a snapshot, the keys of the runs that are there, and what
        the head has of them. Where a commit came in between, both are taken again: its points are in the database
        before the head shows them. Busy when that happens again and again.
        """
        for attempt in range(ATTEMPTS):
            with self._snapshot() as connection:
                known = runs.keys_of(connection, workspace, run_ids)
            self._bring_back(known.values())
            taken, captured = self._head.capture_runs(known.values())
            with self._snapshot() as connection:
                ((end,),) = POINTS.all(connection, "arrivals_end")
                if end == taken.end and runs.keys_of(connection, workspace, run_ids) == known:
                    yield connection, known, taken, captured
                    return
            if attempt:
                sleep(PAUSE)
        raise Busy("writes came in faster than the runs could be read at one moment")

    def read_buckets(
        self, *, workspace: str, selectors: Sequence[Selector], window: Window, budget: int
    ) -> list[Buckets]:
        """See PointStore."""
        found = []
        for at in range(0, len(selectors), TOGETHER):
            with self._sources(workspace, selectors[at : at + TOGETHER]) as sources:
                found += reading.buckets(sources, window=window, budget=budget)
        return found

    def sample(self, *, workspace: str, selectors: Sequence[Selector], window: Window, limit: int) -> list[Sampled]:
        """See PointStore."""
        found = []
        for at in range(0, len(selectors), TOGETHER):
            with self._sources(workspace, selectors[at : at + TOGETHER]) as sources:
                found += [reading.sampled(source, window=window, limit=limit) for source in sources]
        return found

    def summaries(
        self, *, workspace: str, run_ids: Sequence[str], metrics: Sequence[str] | None = None
    ) -> SummaryTable:
        """See PointStore."""
        with self._snapshot() as connection:
            ids = {key: run_id for run_id, key in runs.keys_of(connection, workspace, run_ids).items()}
        fresh = self.live(ids, metrics)
        with self._snapshot() as connection:
            return run_rows.summary_table(connection, ids, metrics, fresh)

    def live(self, run_keys: Collection[int] | None, metrics: Collection[str] | None) -> list[Live]:
        """Series with points in the head and their total summaries, of the given runs and metrics; None means all."""
        self._bring_back(run_keys, metrics)
        captured = self._head.dirty(run_keys, None if metrics is None else frozenset(metrics))
        return [live for live in live_of(captured) if live is not None]

    def _bring_back(self, run_keys: Collection[int] | None, metrics: Collection[str] | None = None) -> None:
        """Series of these runs, or of these metrics, whose points wait since the start are in the head afterwards."""
        if not self._backlog.series:
            return
        with self._snapshot() as connection:
            asked = series.keys_of(connection, run_keys, metrics)
        self._backlog.bring_back(asked, self._submit)

    def _run_key(self, workspace: str, run_id: str) -> int | None:
        with self._snapshot() as connection:
            state = runs.find(connection, workspace, run_id)
        return None if state is None else state.key

    @contextmanager
    def _sources(self, workspace: str, selectors: Sequence[Selector]) -> Iterator[list[gathering.Source]]:
        """Of one moment. Head first, then the snapshot: what a flush moves in between is in both, and never in
        neither.
        """
        run_ids = [selector.run_id for selector in selectors]
        with self._snapshot() as connection:
            known = runs.keys_of(connection, workspace, run_ids)
        metrics = {selector.metric for selector in selectors}
        self._bring_back(known.values(), metrics)
        taken, captured = self._head.capture_runs(known.values(), metrics)
        with self._snapshot() as connection:
            there = runs.keys_of(connection, workspace, run_ids)
            # A run that came meanwhile has no series yet, one that was purged has none any more.
            keys = [there[run_id] if known.get(run_id) == there.get(run_id, -1) else -1 for run_id in run_ids]
            asked = _series_asked(connection, keys, selectors)
            wanted = {key for series_keys in asked for key in series_keys}
            fresh = {s.key: state.points() for s, state in captured if s.key in wanted}
            yield gathering.sources(connection, self._cache, asked, fresh, taken)


def _series_asked(
    connection: apsw.Connection, run_keys: Sequence[int], selectors: Sequence[Selector]
) -> list[list[int]]:
    """The keys of the series that each selector means, in no order."""
    found: list[list[int]] = [[] for _ in selectors]
    wanted = (
        {
            "place": place,
            "run_key": key,
            "metric": selector.metric,
            "labels": None if selector.labels is None else series.labels_text(selector.labels),
        }
        for place, (key, selector) in enumerate(zip(run_keys, selectors, strict=True))
    )
    for place, key in POINTS.each(connection, "series_asked", wanted):
        found[place].append(key)
    return found


def _text_size(write: RunWrite) -> int:
    texts = (*write.params, *write.params.values(), *write.set_tags, *write.set_tags.values())
    bodies = sum(len(record.body) for record in write.records) + sum(map(len, write.set_custom_info.values()))
    return sum(map(len, texts)) + bodies + 256 * (len(write.events) + len(write.records))
