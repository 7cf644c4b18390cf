"""What the tables of points answer is what a list of points says: after inserts twice over, merges, crashes between."""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from point_strategies import INT64, VALUE, assert_says, bucket_rows, exact, rows_of
from stepwell.core.downsample import sample
from stepwell.core.errors import Busy, StorageFailed
from stepwell.core.model import EVERYTHING, Window
from stepwell.core.page import Position
from stepwell.core.series import INT64_MAX, INT64_MIN, Order, Points, value_key
from stepwell.core.summary import Summary
from stepwell.storage.warehouse.points import ClickHouse, Lately, PointTables, Rows, Sizes, Waiting, tiles
from stepwell.storage.warehouse.points.cuts import Cut
from stepwell.storage.warehouse.points.server import Server
from stepwell.storage.warehouse.points.statements import SQL
from stepwell.storage.warehouse.points.tiles import segments
from warehouse.modern import Chdb
from warehouse.servers import wait_until

PARTITION = 134_217_728
KEYS = itertools.count(1)  # every example has runs and series of its own in tables that all of them share
WINDOWS = [
    EVERYTHING,
    Window(min_step=0, max_step=2),
    Window(min_time=1, max_time=2),
    Window(min_step=1, max_step=5, min_time=0, max_time=1),
    Window(min_step=INT64_MAX),
    Window(max_step=INT64_MIN),
    Window(min_step=2, max_step=1),
]

Identity = tuple[int, int, int, int, int]  # series, step, time, value key, occurrence
Told = tuple[int, int, int, int, int, int]  # the same and arrival


# The oldest version that is spoken to, and the newest where its package is installed.
VERSIONS = ["server", *(["chdb"] if find_spec("chdb") else [])]
SMALL = Sizes(at_once=4, exact_below=4, nodes=(4, 2, 1))  # so that what is done for long series happens to short ones


Row = tuple[int, int, int, float, int]  # which series, step, time, value, occurrence


@pytest.fixture(scope="module", params=VERSIONS)
def tables(request: pytest.FixtureRequest) -> Iterator[PointTables]:
    """Tables of one database for all tests."""
    if request.param == "chdb":
        yield migrated(Chdb())
        return
    url = request.getfixturevalue("clickhouse_server")
    name = f"points_{uuid.uuid4().hex}"
    with closing(ClickHouse(url)) as root:
        root.run(f"CREATE DATABASE {name}")
    with closing(ClickHouse(f"{url}/{name}")) as server:  # to remove it takes long, and the server goes anyway
        yield migrated(server)


def migrated(server: Server) -> PointTables:
    found = PointTables(server, sizes=SMALL)
    with pytest.raises(StorageFailed, match="stepwell migrate"):
        found.check_schema()
    assert found.migrate() == [1, 2, 3]
    assert found.migrate() == []
    found.check_schema()
    return found


@dataclass
class Written:
    """A run with two series, as the journal and the tables have it, and the truth."""

    tables: PointTables
    run: int = field(default_factory=lambda: next(KEYS))
    series: tuple[int, int] = field(default_factory=lambda: (next(KEYS), next(KEYS)))
    truth: dict[Identity, int] = field(default_factory=dict)
    journal: list[Told] = field(default_factory=list)
    arrival: int = PARTITION - 15  # soon the next partition begins

    def write(self, rows: list[Row]) -> None:
        for which, step, time, value, occurrence in rows:
            identity = (self.series[which], step, time, value_key(value), occurrence)
            self.truth.setdefault(identity, self.arrival)
            self.journal.append((*identity, self.arrival))
            self.arrival += 1

    def rows(self, told: list[Told]) -> Rows:
        columns = np.array(told, np.int64).reshape(-1, 6).T
        keys = columns[3]
        bits = keys ^ ((keys >> 63) & np.int64(INT64_MAX))
        points = Points(
            step=columns[1],
            time=columns[2],
            value=bits.view(np.float64),
            occurrence=columns[4],
            arrival=columns[5],
        )
        return Rows(run=np.full(len(told), self.run), series=columns[0], points=points)

    def waiting(self) -> Waiting:
        """What the journal holds, and rows of another run and series beside it."""
        other = Rows(
            run=np.array([-1]),
            series=np.array([-1]),
            points=self.rows([(0, 1, 1, 0, 0, 0)]).points,
        )
        return Waiting(rows=Rows.concat([other, self.rows(self.journal)]), end=self.arrival)

    def sorted(self, which: tuple[int, ...], order: Order, window: Window = EVERYTHING) -> list[Told]:
        every: list[Told] = [(*identity, arrival) for identity, arrival in self.truth.items() if identity[0] in which]
        every = [
            row
            for row in every
            if window.min_step <= row[1] <= window.max_step and window.min_time <= row[2] <= window.max_time
        ]
        places = {Order.KEY: (1, 2, 3, 4, 5), Order.TIME: (2, 1, 3, 4, 5), Order.ARRIVAL: (5,)}[order]
        return sorted(every, key=lambda row: tuple(row[place] for place in places))

    def points(self, which: tuple[int, ...], window: Window = EVERYTHING) -> Points:
        return self.rows(self.sorted(which, Order.KEY, window)).points

    def choices(self) -> list[tuple[int, ...]]:
        return [self.series, self.series[:1], self.series[1:]]

    def arrive(self, rows: list[Row]) -> None:
        """Write rows, which are moved at once."""
        self.write(rows)
        self.tables.insert(self.rows(self.journal))
        self.journal.clear()

    def sum_up(self) -> None:
        self.tables.roll_up(settled={(self.run, self.series[0]): self.arrival})

    def counted(self) -> tuple[int, int]:
        """How many points of the first series a chart has, and how many a summary."""
        run, series, waiting = self.run, self.series[:1], self.waiting()
        chart = self.tables.buckets(run=run, series=series, window=EVERYTHING, budget=2, waiting=waiting)
        summary = self.tables.summaries(runs=[run], series=series, waiting=waiting)[series[0]]
        return int(chart.count.sum()), summary.count


@contextmanager
def inserting(tables: PointTables, table: str, *, times: int) -> Iterator[None]:
    """What is inserted into a table arrives so often meanwhile; 0: the server is away."""
    insert = tables._server.insert

    def inserted(name: str, *blocks: Mapping[str, NDArray[Any]]) -> None:
        if name == table and not times:
            raise Busy("it is away")
        for _ in range(times if name == table else 1):
            insert(name, *blocks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables._server, "insert", inserted)
        yield


def told(points: Points) -> list[tuple[int, ...]]:
    columns = (points.step, points.time, points.value, points.occurrence, points.arrival)
    return [
        (step, time, value_key(value), occurrence, arrival)
        for step, time, value, occurrence, arrival in zip(*(c.tolist() for c in columns), strict=True)
    ]


STEP = st.one_of(st.integers(-1, 6), st.just(3), INT64)
TIME = st.one_of(st.integers(0, 3), INT64)
ROW = st.tuples(st.integers(0, 1), STEP, TIME, VALUE, st.sampled_from([0, 0, 0, 1]))
ROWS = st.lists(ROW, max_size=12)


@st.composite
def histories(draw: st.DrawFn, tables: PointTables) -> Written:
    """Writes, repeats of them, inserts once or twice, merges, crashes after an insert, tiles that nobody is told of."""
    written = Written(tables)
    earlier: list[Row] = []
    for _ in range(draw(st.integers(1, 5))):
        rows: list[Row] = draw(ROWS)
        repeats: bool = draw(st.booleans())
        if earlier and repeats:
            rows += draw(st.lists(st.sampled_from(earlier), max_size=6))
        written.write(rows)
        earlier += rows
        count = draw(st.integers(0, len(written.journal)))
        moved = written.journal[:count]
        for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
            tables.insert(written.rows(moved))
            if draw(st.booleans()):  # the journal was trimmed too; else the process ended between the two
                written.journal = [row for row in written.journal if row not in moved]
        if draw(st.integers(0, 4)) == 0:
            tables.tidy()
        if draw(st.booleans()):
            settled = min((row[5] for row in written.journal), default=written.arrival)
            some = draw(st.lists(st.sampled_from(written.series), min_size=1, unique=True))
            table, times = draw(st.sampled_from([("", 1), ("nodes", 2), ("tilings", 0)]))
            with inserting(tables, table, times=times), suppress(Busy):
                tables.roll_up(settled={(written.run, series): settled for series in some})
    return written


def pages(written: Written, series: tuple[int, ...], order: Order, window: Window, limit: int) -> Points:
    found, after = [], None
    for _ in range(200):
        position: Position | None = after
        page = written.tables.read(
            run=written.run,
            series=series,
            order=order,
            window=window,
            after=position,
            limit=limit,
            waiting=written.waiting(),
        )
        assert len(page.points) <= limit
        found.append(page.points)
        after = page.after
        if after is None or (order is Order.ARRIVAL and not len(page.points)):
            return Points.concat(found)
    raise AssertionError("the pages have no end")


@given(data=st.data())
def test_pages_are_what_was_written(tables: PointTables, data: st.DataObject):
    written = data.draw(histories(tables))
    series = data.draw(st.sampled_from(written.choices()))
    for order in Order:
        window = data.draw(st.sampled_from(WINDOWS))
        found = pages(written, series, order, window, data.draw(st.sampled_from([3, 7, 100])))
        assert told(found) == [row[1:] for row in written.sorted(series, order, window)]


@given(data=st.data())
def test_a_run_reads_as_it_arrived(tables: PointTables, data: st.DataObject):
    written = data.draw(histories(tables))
    wanted = written.sorted(written.series, Order.ARRIVAL)
    for limit in (3, 1000):
        found: list[Told] = []
        after = -1
        while True:
            rows = tables.read_run(run=written.run, after=after, limit=limit, waiting=written.waiting())
            assert len(rows) <= limit
            found += [(one, *row) for one, row in zip(rows.series.tolist(), told(rows.points), strict=True)]
            if len(rows) < limit:
                break
            after = int(rows.points.arrival[-1])
        assert found == wanted


@given(data=st.data())
def test_buckets_say_what_their_points_say(tables: PointTables, data: st.DataObject):
    written = data.draw(histories(tables))
    series = data.draw(st.sampled_from(written.choices()))
    window = data.draw(st.sampled_from(WINDOWS))
    points = written.points(series, window)
    for budget in (1, 3, 100):
        found = tables.buckets(run=written.run, series=series, window=window, budget=budget, waiting=written.waiting())
        assert len(found) <= budget
        assert int(found.count.sum()) == len(points)
        start = 0
        for said in bucket_rows(found):
            part = rows_of(points)[start : start + said["count"]]
            assert_says(said, exact(part), part)
            start += said["count"]


@given(data=st.data())
def test_a_sample_is_that_of_the_points(tables: PointTables, data: st.DataObject):
    written = data.draw(histories(tables))
    series = data.draw(st.sampled_from(written.choices()))
    window = data.draw(st.sampled_from(WINDOWS))
    points = written.points(series, window)
    for limit in (1, 2, 5, 100):
        wanted = sample(points, limit)
        found = tables.sample(run=written.run, series=series, window=window, limit=limit, waiting=written.waiting())
        assert told(found.points) == told(wanted.points)
        assert (found.rows, found.width) == (wanted.rows, wanted.width)


@given(data=st.data())
def test_summaries_are_those_of_the_points(tables: PointTables, data: st.DataObject):
    written = data.draw(histories(tables))
    found = tables.summaries(runs=[written.run], series=[*written.series, next(KEYS)], waiting=written.waiting())
    wanted = {one: Summary.of(points) for one in written.series if len(points := written.points((one,)))}
    assert found.keys() == wanted.keys()
    for one, summary in wanted.items():
        for name in ("count", "finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time"):
            assert getattr(found[one], name) == getattr(summary, name), name
        for name in ("first", "last", "min", "max"):
            assert repr(getattr(found[one], name)) == repr(getattr(summary, name)), name
        assert found[one].repeated_steps or not summary.repeated_steps
        if summary.finite_count:
            assert math.isclose(found[one].mean, summary.mean, rel_tol=1e-9, abs_tol=1e-300) or summary.m2 > 1e300


@given(data=st.data())
def test_what_is_stored_is_known(tables: PointTables, data: st.DataObject):
    written = data.draw(histories(tables))
    stored: dict[Identity, int] = {}
    for identity, arrival in written.truth.items():
        found = int(tables.arrivals(written.rows([(*identity, 0)]))[0])
        if found != INT64_MAX:
            stored[identity] = found
            assert found >= arrival
    waiting = {row[:5] for row in written.journal}
    assert set(written.truth) - waiting <= set(stored)
    every = [(*identity[:4], 0, 0) for identity in written.truth]
    if every:
        for row, next_one in zip(every, tables.occurrences(written.rows(every)).tolist(), strict=True):
            taken = [identity[4] for identity in stored if identity[:4] == row[:4]]
            assert next_one == max(taken, default=-1) + 1


def test_a_late_point_is_seen_though_tiles_lie_over_one_another(tables: PointTables):
    """Who could not tell of its tiles had divided the series at other steps."""
    written = Written(tables)
    written.arrive([(0, step, 0, 1.0, 0) for step in range(16)])
    with inserting(tables, "tilings", times=0), pytest.raises(Busy):
        written.sum_up()
    written.arrive([(0, 1, 1, 1.0, 0)])
    written.sum_up()
    written.arrive([(0, 6, 1, 1.0, 0)])
    assert written.counted() == (18, 18)
    written.sum_up()
    assert written.counted() == (18, 18)
    assert not tables.wrong_tiles(run=written.run, series=written.series[0], waiting=written.waiting())


def test_very_many_late_points_leave_the_tiles_alone_that_they_did_not_come_to(
    tables: PointTables, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tiles, "LATE", 4)
    monkeypatch.setattr(tiles, "CELLS", 8)
    written = Written(tables)
    written.arrive([(0, step, 0, 1.0, 0) for step in range(64)])
    written.sum_up()
    written.arrive([(0, step, 1, 2.0, 0) for step in (*range(-2, 3), *range(40, 44))])
    assert written.counted() == (73, 73)
    everything = tables._scope(written.run, written.series[:1], EVERYTHING, written.waiting())
    whole = [each.tiles for each in segments(everything) if each.tiles is not None]
    kept = [end for each in whole for end in each.end.tolist()]
    assert kept == [*range(11, 36, 4), *range(47, 60, 4)]  # it came to steps -2 to 5 and 38 to 43, as far as is told
    settled = {(written.run, written.series[0]): written.arrival}
    assert tables.roll_up(settled=settled) == 15 - len(kept)
    assert written.counted() == (73, 73)
    assert not tables.wrong_tiles(run=written.run, series=written.series[0], waiting=written.waiting())


def test_tiles_that_were_inserted_twice_are_the_same_tiles(tables: PointTables):
    """As when the answer to an insert was lost."""
    written = Written(tables)
    written.arrive([(0, step, 0, 1.0, 0) for step in range(16)])
    tables._server.run("SYSTEM STOP MERGES")
    try:
        with inserting(tables, "nodes", times=2):
            written.sum_up()
        assert not tables.wrong_tiles(run=written.run, series=written.series[0], waiting=written.waiting())
        assert written.counted() == (16, 16)
        written.arrive([(0, 6, 1, 1.0, 0)])
        assert written.counted() == (17, 17)
    finally:
        tables._server.run("SYSTEM START MERGES")


def test_what_is_kept_and_gone_is_not_summed_up_for_what_another_brought(tables: PointTables):
    """As many points as a rule of retention removed came through another server."""
    written, gone, lately = Written(tables), Written(tables), Lately(least=1)
    gone.run, gone.series = written.run, written.series
    gone.write([(0, step, 0, 1.0, 0) for step in range(4)])
    lately.add(gone.rows(gone.journal))
    written.arrival = gone.arrival
    written.write([(0, step, 0, 1.0, 0) for step in range(4, 20)])
    (rows,) = tables.insert(written.rows(written.journal))
    lately.add(rows)
    written.journal.clear()
    written.arrive([(0, step, 0, 1.0, 0) for step in range(20, 24)])
    tables.roll_up(settled={(written.run, written.series[0]): written.arrival}, lately=lately)
    assert written.counted() == (20, 20)


def test_steps_whose_tiles_were_removed_get_new_ones(tables: PointTables):
    """Of a run that began anew: charts of what it writes again need not read each point."""
    written = Written(tables)
    lost = range(8, 24)
    written.arrive([(0, step, int(step not in lost), 1.0, 0) for step in range(32)])
    written.sum_up()
    cut = Cut(run=written.run, series=written.series[0], before=written.arrival, made=written.arrival, since=1)
    tables.remove([cut])
    wait_until(lambda: not tables.left(cut))
    for at in range(lost.start, lost.stop, 4):
        written.arrive([(0, step, 1, 2.0, 0) for step in range(at, at + 4)])
        written.sum_up()
    assert written.counted() == (32, 32)
    assert not tables.wrong_tiles(run=written.run, series=written.series[0], waiting=written.waiting())
    untiled = [
        (each.scope.window.min_step, each.scope.window.max_step)
        for each in segments(tables._scope(written.run, written.series[:1], EVERYTHING, written.waiting()))
        if each.tiles is None
    ]
    assert untiled == [(20, 23), (28, INT64_MAX)]  # the last of each place, where more may come


def test_a_chart_of_a_long_series_asks_for_little(tables: PointTables):
    """What there is of tiles, and all columns of those nodes alone that the chart is made of; of the points beside them
    how many they are, and these."""
    written = Written(tables)
    written.arrive([(0, step, 0, float(step), 0) for step in range(40)])
    written.sum_up()
    assert asked(written, EVERYTHING) == [("tiling", 1), ("nodes", 9), ("extent", 1), ("of_window", 4)]
    cut = Window(min_step=2, max_step=33)
    beside = [("extent", 1)] * 2
    read = [("of_window", 2), ("nodes", 14), ("of_window", 2)]
    assert asked(written, cut) == [("tiling", 1), ("tiles", 9), *beside, *read]


def asked(written: Written, window: Window) -> list[tuple[str, int]]:
    """The statements of a chart of three buckets, each with the rows of its answer. The chart is right."""
    names = {text.replace("{alive}", ""): name for name, text in SQL.items()}
    found = list[tuple[str, int]]()
    select = type(written.tables._server).select

    def noted(self: Server, statement: str, *given: Any) -> Any:
        answer = select(self, statement, *given)
        found.append((names[statement], len(answer[0])))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(written.tables._server), "select", noted)
        chart = written.tables.buckets(
            run=written.run, series=written.series[:1], window=window, budget=3, waiting=written.waiting()
        )
    steps = [row[1] for row in written.sorted(written.series[:1], Order.KEY, window)]
    assert len(chart) == 3
    assert int(chart.count.sum()) == len(steps)
    assert (chart.first.step[0], chart.last.step[-1]) == (steps[0], steps[-1])
    return found
