"""A store and a dictionary are told the same; whatever is asked of both, they answer the same.

Two machines: the engine as it is, and with its limits so small that a few points cross every boundary between journal,
head, blocks and nodes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from point_strategies import assert_says, bucket_rows, exact
from stepwell.core.downsample import sample
from stepwell.core.errors import StepwellError
from stepwell.core.filter_match import compile_filter, sort_rows
from stepwell.core.filters import RUNS, Aggregate, Comparison, Field, Kind, Op, OrderBy, complete_order
from stepwell.core.model import (
    ALL_COLUMNS,
    EVERYTHING,
    Lifecycle,
    PointBatch,
    Repeats,
    RunQuery,
    RunWrite,
    Selector,
    Visibility,
    Window,
)
from stepwell.core.page import Position
from stepwell.core.series import INT64_MAX, INT64_MIN, Labels, Order, Points, value_key
from stepwell.core.store import Store
from stepwell.core.summary import Sample, Summary
from stepwell.storage.embedded import (
    EmbeddedStore,
    backlog,
    blocks,
    flushing,
    head,
    nodes,
    reading,
    recovery,
    tiles,
    writer,
)
from stepwell.storage.embedded import points as point_tables
from store_model import Model, Name, Stored, columns, place
from stores import NOW, Shelf, W, batch_of, new_run, search

IDS = ("a", "b", "c")
METRICS = ("loss", "acc")
LABELS: tuple[Labels, ...] = ((), (("w", "0"),), (("w", "1"),))
VALUES = (0.0, -0.0, 1.0, -1.0, 2.5, float("nan"), float("inf"), float("-inf"))
PAGES = (1, 2, 3, 5, 100)

values = st.sampled_from(VALUES)
run_ids = st.sampled_from(IDS)
steps = st.integers(0, 6) | st.sampled_from([0, 1, 2, 3, INT64_MIN, INT64_MAX])
times = st.integers(0, 3) | st.sampled_from([0, 1, INT64_MIN, INT64_MAX])
points = st.tuples(steps, times, values)
names = st.tuples(st.sampled_from(METRICS), st.sampled_from((*LABELS, ())))
texts = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=2)
selectors = st.builds(
    Selector, run_id=run_ids, metric=st.sampled_from(METRICS), labels=st.none() | st.sampled_from(LABELS)
)
orders = st.sampled_from(Order)
bounds = st.integers(-1, 7)
windows = st.just(EVERYTHING) | st.one_of(
    st.builds(lambda low, high: Window(min_step=low, max_step=high), bounds, bounds),
    st.builds(lambda low, high: Window(min_time=low, max_time=high), bounds, bounds),
    st.builds(lambda step, time: Window(max_step=step, min_time=time), bounds, bounds),
)


@st.composite
def batches(draw: st.DrawFn) -> PointBatch:
    """Points of one to three series, shuffled together."""
    rows = draw(st.dictionaries(names, st.lists(points, min_size=1, max_size=8), min_size=1, max_size=3))
    batch = batch_of(rows)
    order = draw(st.permutations(range(len(batch))))
    return PointBatch(
        series=batch.series,
        which=batch.which[order],
        step=batch.step[order],
        time=batch.time[order],
        value=batch.value[order],
    )


@st.composite
def run_writes(draw: st.DrawFn) -> RunWrite:
    """A change of a run that may not be there; mostly points."""
    plain = draw(st.integers(0, 3)) > 0
    return RunWrite(
        run_id=draw(run_ids),
        points=draw(batches()) if plain else draw(st.none() | batches()),
        repeats=draw(st.sampled_from(Repeats)),
        params={} if plain else draw(texts),
        set_tags={} if plain else draw(texts),
        remove_tags=() if plain else tuple(sorted(draw(st.sets(st.sampled_from("xy"), max_size=1)))),
        lifecycle=None if plain else draw(st.none() | st.sampled_from(Lifecycle)),
        at=NOW,
    )


@dataclass(kw_only=True)
class Reader:
    """Somebody who reads page after page while the machine goes on."""

    which: Selector
    order: Order
    window: Window
    after: Position | None = None
    last: tuple[int, ...] | None = None  # the model's word for the same place


class StoreMachine(RuleBasedStateMachine):
    """The rules; each is told to both, or asked of both."""

    engine = "embedded"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.shelf = Shelf(Path(self.folder.name) / "shelf", engine=self.engine)
        self.model = Model()
        self.readers: list[Reader] = []

    def told(self, points: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """What both say of a point: step, time, value key and occurrence."""
        return [point[:4] for point in points]

    @property
    def store(self) -> Store:
        """The store, which is another one after a restart."""
        return self.shelf.store

    def teardown(self) -> None:
        damage = list(self.store.check())
        self.shelf.close()
        self.folder.cleanup()
        assert damage == []

    # Writing ----------------------------------------------------------------------------------------------------------

    @initialize(some=st.sets(run_ids, min_size=1))
    def begin(self, some: set[str]) -> None:
        for run_id in sorted(some):
            self.create(run_id, {}, {})

    @rule(run_id=run_ids, params=texts, tags=texts)
    def create(self, run_id: str, params: dict[str, str], tags: dict[str, str]) -> None:
        refused = self.model.create(run_id, params, tags)
        new = new_run(run_id, params=params, tags=tags)
        assert outcome(lambda: self.store.create_runs(workspace=W, new=[new])) is refused

    @rule(writes=st.lists(run_writes(), min_size=1, max_size=3))
    def write(self, writes: list[RunWrite]) -> None:
        refused = self.model.write(writes)
        assert outcome(lambda: self.store.write(workspace=W, writes=writes).result()) is refused

    @rule(requests=st.lists(st.lists(run_writes(), min_size=1, max_size=2), min_size=2, max_size=6))
    def write_without_waiting(self, requests: list[list[RunWrite]]) -> None:
        futures = [self.store.write(workspace=W, writes=writes) for writes in requests]
        refused = [self.model.write(writes) for writes in requests]
        assert [outcome(future.result) for future in futures] == refused

    @rule(
        run_id=run_ids, name=names, first=st.integers(-5, 40), count=st.integers(1, 40), value=st.sampled_from(VALUES)
    )
    def write_a_stretch(self, run_id: str, name: Name, first: int, count: int, value: float) -> None:
        """Rising steps, as training logs them; sooner or later over others."""
        rows = [(step, step % 3, value) for step in range(first, first + count)]
        self.write([RunWrite(run_id=run_id, points=batch_of({name: rows}), at=NOW)])

    @rule(run_id=run_ids, name=names, numbers=st.lists(st.integers(0, 60), min_size=8, max_size=40, unique=True))
    def write_a_crowd(self, run_id: str, name: Name, numbers: list[int]) -> None:
        """Many values of few moments, so that ties go over the edges of blocks and pages."""
        rows = [(number % 2, number % 3 // 2, float(number)) for number in numbers]
        self.write([RunWrite(run_id=run_id, points=batch_of({name: rows}), at=NOW)])

    @rule(some=st.lists(run_ids, min_size=1, max_size=2))
    def purge(self, some: list[str]) -> None:
        assert self.store.purge_runs(workspace=W, run_ids=some) == self.model.purge(some)

    # What must change nothing -----------------------------------------------------------------------------------------

    @rule()
    def flush(self) -> None:
        self.store.flush()

    @rule()
    def compact(self) -> None:
        self.store.compact()

    @rule(kill=st.booleans())
    def restart(self, *, kill: bool) -> None:
        if kill:
            self.shelf.revive()
        else:
            self.shelf.reopen()

    # Reading ----------------------------------------------------------------------------------------------------------

    @rule(which=selectors, order=orders, window=windows, page=st.sampled_from(PAGES))
    def read(self, which: Selector, order: Order, window: Window, page: int) -> None:
        reader = Reader(which=which, order=order, window=window)
        while self._turn(reader, page):
            pass

    @rule(which=selectors, order=orders, window=windows)
    def start_reading(self, which: Selector, order: Order, window: Window) -> None:
        self.readers = [*self.readers[-5:], Reader(which=which, order=order, window=window)]

    @precondition(lambda self: self.readers)
    @rule(number=st.integers(0, 5), page=st.sampled_from(PAGES))
    def go_on_reading(self, number: int, page: int) -> None:
        reader = self.readers[number % len(self.readers)]
        if not self._turn(reader, page) and reader.order is not Order.ARRIVAL:
            self.readers.remove(reader)

    def _turn(self, reader: Reader, limit: int) -> bool:
        """Read a page of both; whether there may be more."""
        order, last = reader.order, reader.last
        wanted = self.model.read(reader.which, order, reader.window)
        wanted = [point for point in wanted if last is None or place(point, order) > last]
        found = self.store.read(
            workspace=W, selector=reader.which, order=order, window=reader.window, after=reader.after, limit=limit
        )
        assert self.told(identities(found.points)) == self.told(wanted[:limit])
        reader.after = found.after
        if len(found.points):
            reader.last = place(wanted[len(found.points) - 1], order)
        if order is Order.ARRIVAL:
            assert found.after is not None
            return len(found.points) > 0
        assert (found.after is not None) is (len(wanted) > limit)
        return found.after is not None

    @rule(which=selectors, window=windows, budget=st.integers(1, 12))
    def bucket(self, which: Selector, window: Window, budget: int) -> None:
        (found,) = self.store.read_buckets(workspace=W, selectors=[which], window=window, budget=budget)
        rows = model_rows(self.model.read(which, Order.KEY, window))
        assert len(found) <= budget
        assert int(found.count.sum()) == len(rows)
        for said in bucket_rows(found):
            part, rows = rows[: said["count"]], rows[said["count"] :]
            assert_says(said, exact(part), part)

    @rule(which=selectors, window=windows, limit=st.integers(1, 12))
    def take_a_sample(self, which: Selector, window: Window, limit: int) -> None:
        (found,) = self.store.sample(workspace=W, selectors=[which], window=window, limit=limit)
        wanted = sample(columns(self.model.read(which, Order.KEY, window)), limit)
        assert self.told(identities(found.points)) == self.told(identities(wanted.points))
        assert (found.rows, found.width) == (wanted.rows, wanted.width)

    @rule()
    def sum_up(self) -> None:
        found = self.store.summaries(workspace=W, run_ids=[*IDS, "none"]).by_run()
        for run_id in IDS:
            run = self.model.runs.get(run_id)
            metrics = {metric for metric, _ in run.series} if run else set()
            assert set(found.get(run_id, {})) == metrics
            for metric in metrics:
                assert_sums_up(found[run_id][metric], self.model.points(Selector(run_id=run_id, metric=metric)))
            infos = self.store.list_series(workspace=W, run_id=run_id)
            assert [(info.metric, info.labels) for info in infos] == (sorted(run.series) if run else [])
            for info in infos:
                which = Selector(run_id=run_id, metric=info.metric, labels=info.labels)
                assert_sums_up(info.summary, self.model.points(which))

    @rule(
        metric=st.sampled_from(METRICS),
        aggregate=st.sampled_from([Aggregate.LAST, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT]),
        op=st.sampled_from([Op.GT, Op.EQ, Op.NE, Op.LE]) | st.none(),
        value=st.sampled_from([0.0, 1.0, 2.5, 3.0]),
        descending=st.booleans(),
        visibility=st.sampled_from(Visibility),
        page=st.sampled_from(PAGES),
    )
    def search(
        self,
        metric: str,
        aggregate: Aggregate,
        op: Op | None,
        value: float,
        *,
        descending: bool,
        visibility: Visibility,
        page: int,
    ) -> None:
        field = Field(kind=Kind.METRIC, key=metric, aggregate=aggregate)
        conditions = () if op is None else (Comparison(field=field, op=op, value=value),)
        order = (OrderBy(field=field, descending=descending),)
        seen = [
            self.model.values(run_id)
            for run_id, run in self.model.runs.items()
            if visibility is Visibility.ALL or run.deleted is (visibility is Visibility.DELETED)
        ]
        kept = [row for row in seen if compile_filter(conditions)(row)]
        wanted = sort_rows(kept, complete_order(order, schema=RUNS), schema=RUNS)
        found = search(
            self.store, filter=conditions, order=order, visibility=visibility, page=page, columns=ALL_COLUMNS
        )
        assert [row.run.id for row in found] == [row.attributes["run_id"] for row in wanted]
        for row, known in zip(found, wanted, strict=True):
            assert (row.params, row.tags) == (known.params, known.tags)
            assert {name: summary.count for name, summary in row.metrics.items()} == {
                name: numbers[Aggregate.COUNT] for name, numbers in known.metrics.items()
            }
        assert len(self.store.search_runs(workspace="elsewhere", query=RunQuery(limit=9)).items) == 0


def outcome(call: Any) -> type[StepwellError] | None:
    """What a call raises."""
    try:
        call()
    except StepwellError as error:
        return type(error)
    return None


def identities(points: Points) -> list[tuple[int, ...]]:
    """Step, time, value key and occurrence of each point; what is there must also have its own arrival number."""
    assert len(set(points.arrival.tolist())) == len(points)
    return list(zip(*(column.tolist() for column in points.sort_columns(Order.KEY)), strict=True))


def model_rows(stored: list[Stored]) -> list[tuple[int, int, float]]:
    return [(int(step), int(time), value) for step, time, value in _rows(columns(stored))]


def _rows(points: Points) -> list[tuple[int, int, float]]:
    return list(zip(points.step.tolist(), points.time.tolist(), points.value.tolist(), strict=True))


def assert_sums_up(found: Summary, stored: list[Stored]) -> None:
    """Exact but for the moments; a repeated step is never missed."""
    rows = model_rows(sorted(stored))
    wanted = exact(rows)
    told = {name: _told(value) if isinstance(value := getattr(found, name), Sample) else value for name in wanted}
    assert_says(told, wanted, rows)
    assert found.repeated_steps or len({row[0] for row in rows}) == len(rows)


def _told(point: Sample) -> tuple[int, int, int]:
    return point.step, point.time, value_key(point.value)


class EarlyEndError(Exception):
    """A flush is to end here."""


class TightMachine(StoreMachine):
    """The embedded engine with limits that a few points reach."""

    def __init__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for module in (blocks, flushing):
            self.patch.setattr(module, "POINTS", 8)
        self.patch.setattr(blocks, "NODES_FROM", 3)
        self.patch.setattr(nodes, "WIDTH", 2)
        self.patch.setattr(tiles, "FIRST", 2)
        self.patch.setattr(tiles, "NEXT", 2)
        self.patch.setattr(tiles, "NODES", 4)
        self.patch.setattr(reading, "EXACT_BELOW", 4)
        self.patch.setattr(flushing, "STEP_POINTS", 10)
        self.patch.setattr(flushing, "STEP_SERIES", 2)
        self.patch.setattr(flushing, "INSERTED", 1)
        self.patch.setattr(flushing, "TRIM_ROWS", 2)
        self.patch.setattr(flushing, "BACKLOG_SERIES", 2)
        self.patch.setattr(backlog, "PIECE", 1)
        self.patch.setattr(recovery, "AT_ONCE", 1)
        self.patch.setattr(flushing, "OVERLAP", 5)
        self.patch.setattr(flushing, "GARBAGE_BLOCKS", 3)
        self.patch.setattr(head, "SERIES_KEPT", 2)
        self.patch.setattr(writer, "GROUP_REQUESTS", 3)
        self.patch.setattr(recovery, "_BATCH_POINTS", 5)
        self.patch.setattr(blocks, "CACHE_BYTES", 1_000)
        self.patch.setattr(point_tables, "RUNS_KEPT", 1)
        super().__init__()

    @rule(steps=st.integers(0, 3), trimmed=st.booleans(), kill=st.booleans())
    def flush_in_part(self, steps: int, *, trimmed: bool, kill: bool) -> None:
        """A flush that ends early, after some of its transactions; then perhaps the process."""
        left = iter(range(steps))
        real = flushing.Flusher._insert

        def some(flusher: flushing.Flusher, moves: Any) -> bool:
            if next(left, None) is None:
                raise EarlyEndError
            return real(flusher, moves)

        def none(flusher: flushing.Flusher, end: int) -> None:
            raise EarlyEndError

        with pytest.MonkeyPatch.context() as patch, suppress(EarlyEndError):
            patch.setattr(flushing.Flusher, "_insert", some)
            if not trimmed:
                patch.setattr(flushing.Flusher, "_trim", none)
            self.store.flush()
        if kill:
            self.shelf.revive()

    @rule(which=selectors, order=orders, page=st.sampled_from(PAGES))
    def read_within_a_flush(self, which: Selector, order: Order, page: int) -> None:
        """While points are in blocks already and in the head still."""
        broken: list[BaseException] = []
        real = head.Head.flushed

        def look(one: head.Head, moved: Any) -> None:
            try:
                self.read(which, order, EVERYTHING, page)
                self.bucket(which, EVERYTHING, page)
                self.take_a_sample(which, EVERYTHING, page)
                self.sum_up()
            except BaseException as error:  # noqa: BLE001 - this is the writer's thread; shown by the main one
                broken.append(error)
            real(one, moved)

        assert isinstance(self.store, EmbeddedStore)
        waiting = self.store._backlog
        waiting.bring_back(waiting.keys(), self.store._submit)  # a read asks the writer to, which cannot ask itself
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(head.Head, "flushed", look)
            self.store.flush()
        for error in broken:
            raise error

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.patch.undo()


TestStore = StoreMachine.TestCase
TestTightStore = TightMachine.TestCase
