"""The tables of points: insert blocks, read in every order, sum up, remove. Exact whatever was merged or sent twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled
from stepwell.core.model import EVERYTHING, Window
from stepwell.core.page import Position
from stepwell.core.series import I64, INT64_MAX, INT64_MIN, Order
from stepwell.core.store import PointPage
from stepwell.core.summary import Summary
from stepwell.storage.warehouse.points import paging, schema, summing, tile_making, tiles
from stepwell.storage.warehouse.points.cuts import Cut, conditions, hidden
from stepwell.storage.warehouse.points.lately import Lately
from stepwell.storage.warehouse.points.rows import Rows, distinct
from stepwell.storage.warehouse.points.server import Server
from stepwell.storage.warehouse.points.statements import SQL, Scope, rows_of, select
from stepwell.storage.warehouse.points.summing import Sizes
from stepwell.storage.warehouse.points.waiting import Waiting

SIZES: Final = Sizes()
NAMED: Final = 1_000  # points named in one statement
NEAR: Final = 16  # rows read for each of them at most, before they are named in full
TOGETHER: Final = 64  # series that are summed up together, and named in one statement
SPREAD: Final = 16  # times as many numbers as points lie between the first and the last: beyond that each is looked for
_PLACE: Final = 4  # columns of an identity but the occurrence


class PointTables:
    """The points of all runs.

    A point is stored once however often it is inserted: its identity is (series, step, time, value, occurrence) (ADR
    0001), and of several rows with one identity the one with the least arrival counts, in every read, merged or not.
    Arrival numbers are the caller's: unique, and rising in the order of acknowledgement. Series keys are unique over
    all runs, and each belongs to one run. Run keys are never used again.

    Errors: Busy when ClickHouse does not answer or has too much to do, StorageFull, StorageFailed.
    """

    TABLES: ClassVar = ("points", "nodes", "tilings")

    def __init__(self, server: Server, *, sizes: Sizes = SIZES) -> None:
        self._server = server
        self._sizes = sizes

    @property
    def tile(self) -> int:
        """How many points of a series are summed up together."""
        return self._sizes.nodes[0]

    # Schema

    def migrate(self) -> list[int]:
        """Bring the schema up to date; the numbers of the migrations that were done. May be called again after any
        failure, not by two at once: the caller holds a lock."""
        return schema.migrate(self._server)

    def check_schema(self) -> None:
        """Raises StorageFailed with what to do when the schema is older or newer than this code."""
        schema.check(self._server)

    # Writing

    def insert(self, *given: Rows) -> list[Rows]:
        """Store rows, in one block where the partitions allow; what is answered is all of them, each once, one part
        behind another by run, series and key. Inserting the same again, or a part of it, changes nothing. After an
        error any part of it may be stored: insert all of it again."""
        parts = distinct(given)  # a part of a table never repeats a point of its own
        if parts:
            self._server.insert("points", *map(_columns, parts))
        return parts

    @property
    def clustered(self) -> bool:
        """Whether there may be several replicas, of which each takes one insert at a time."""
        return bool(self._server.cluster)

    def settled(self, *tables: str) -> bool:
        """Whether all replicas are known to have what was inserted into some tables before the call, by default into
        that of points. Waits for those that answer."""
        return all(self._server.settled(table) for table in tables or ("points",))

    def arrivals(self, rows: Rows) -> I64:
        """For each row the arrival of the stored point with its identity, INT64_MAX where there is none. Points above
        the greatest key of their series need not be asked for."""
        found = np.full(len(rows), INT64_MAX, np.int64)
        for begin, some in _pieces(rows):
            found[begin : begin + len(some)] = some.oldest(self._like(some))
        return found

    def stored(self, rows: Rows, cuts: Sequence[Cut]) -> NDArray[np.bool_]:
        """Which rows are stored and not hidden, whatever their occurrence."""
        found = np.zeros(len(rows), np.bool_)
        for begin, some in _pieces(rows):
            there = self._like(some, "rows_at_places")
            there = there.take(~hidden(there, cuts))
            found[begin : begin + len(some)] = some.first().oldest(there.first()) != INT64_MAX
        return found

    def _like(self, some: Rows, name: str = "oldest_rows") -> Rows:
        """Stored rows, among them all that are the same points as some; `rows_at_places`: but for the occurrence."""
        steps = tuple(np.unique(some.points.step).tolist())
        values = _named(some, "steps", steps) | {"limit": NEAR * len(some)}
        columns = select(self._server, "at_steps", 6, values)
        if len(columns[0]) == values["limit"]:  # too many points of one step: name each point
            width = _PLACE if name == "rows_at_places" else _PLACE + 1
            wanted = tuple(zip(*(column.tolist() for column in some.identities()[:width]), strict=True))
            columns = select(self._server, name, 6, _named(some, "identities", wanted))
        return rows_of(columns, -1)

    def occurrences(self, rows: Rows) -> I64:
        """For each row the least occurrence that is above all stored ones of its (series, step, time, value)."""
        found = np.zeros(len(rows), np.int64)
        for begin, some in _pieces(rows):
            wanted = list(zip(*(column.tolist() for column in some.identities()[:4]), strict=True))
            *place, last = select(self._server, "greatest_occurrences", 5, _named(some, "places", wanted))
            stored = dict(zip(zip(*(c.tolist() for c in place), strict=True), last.tolist(), strict=True))
            for number, one in enumerate(wanted):
                found[begin + number] = stored.get(one, -1) + 1
        return found

    def missing(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of these rows, once inserted, are not stored (any more)."""
        if not len(rows):
            return np.zeros(0, np.bool_)
        ages = INT64_MAX - rows.points.arrival
        return ~np.isin(ages, self._ages(rows.run, int(ages.min()), int(ages.max())))

    def whole(self, runs: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[bool]:
        """For each span of arrivals, from one number to before another, of a run: whether a point with each of its
        numbers is stored."""
        if not spans:
            return []
        ends = np.array(spans, np.int64)
        low, high = int(ends[:, 0].min()), int(ends[:, 1].max())
        if high - low > SPREAD * int((ends[:, 1] - ends[:, 0]).sum()):
            return [False] * len(spans)
        there = np.zeros(high - low, np.bool_)
        there[INT64_MAX - low - self._ages(runs, INT64_MAX - high + 1, INT64_MAX - low)] = True
        return [bool(there[begin - low : end - low].all()) for begin, end in spans]

    def _ages(self, runs: Sequence[int] | I64, low: int, high: int) -> I64:
        """Those between two of what is stored of some runs."""
        values = {"runs": tuple(np.unique(runs).tolist()), "end_age": low, "begin_age": high}
        (found,) = select(self._server, "there", 1, values)
        return found

    def delete_runs(self, runs: Sequence[int]) -> None:
        """Begin to remove all points of these runs. They need not be gone when it returns: the caller has forgotten the
        runs before, and asks for them no more. Doing it again is no error."""
        if runs:
            values = {"runs": ", ".join(str(int(run)) for run in runs)}
            for name in ("delete_tilings", "delete_nodes", "delete_runs"):
                self._server.run(SQL[name] % values)

    def remove(self, cuts: Sequence[Cut]) -> None:
        """Begin to remove what cuts hide, and what was summed up with it, which was summed up again before. It is not
        gone when this returns (`left`). Nobody reads without the cuts any more."""
        for cut in cuts:
            whole = tiles.stored(self._of(cut), INT64_MIN, INT64_MAX, every=True)
            spoilt = whole.take(cut.touches(whole.first_step, whole.min_time) & (whole.made <= cut.made))
            for begin in range(0, len(spoilt.tile), NAMED):
                some = ", ".join(map(str, spoilt.tile[begin : begin + NAMED].tolist()))
                values = {"run": cut.run, "series": cut.series, "made": cut.made, "tiles": some}
                self._server.run(SQL["delete_tiles"] % values)
        if cuts:
            self._server.run(SQL["delete_hidden"] % {"hidden": " OR ".join(conditions(cuts))})

    def left(self, cut: Cut) -> bool:
        """Whether anything is stored that a cut hides, or was summed up with that."""
        (count,) = self._server.select(SQL["hidden"].replace("{hidden}", cut.condition), {}, [np.int64])
        whole = tiles.stored(self._of(cut), INT64_MIN, INT64_MAX, every=True)
        return bool(count[0]) or bool((cut.touches(whole.first_step, whole.min_time) & (whole.made <= cut.made)).any())

    def _of(self, cut: Cut) -> Scope:
        return self._scope(cut.run, [cut.series], EVERYTHING, Waiting.none())

    # Reading. `series` are keys of series of the run `run`; what is not there is empty. `waiting` as in its class.

    def read(
        self,
        *,
        run: int,
        series: Sequence[int],
        order: Order,
        window: Window,
        after: Position | None,
        limit: int,
        waiting: Waiting,
    ) -> PointPage:
        """As PointStore.read, over the union of the series. Positions are (the order's columns..., arrival)."""
        scope = self._scope(run, series, window, waiting)
        return paging.page(scope, order=order, after=after, limit=limit, oldest=self.arrivals)

    def read_run(self, *, run: int, after: int = -1, limit: int, waiting: Waiting) -> Rows:
        """Up to `limit` points of all series of a run with arrivals above `after` and below `waiting.end`, oldest
        first."""
        scope = self._scope(run, None, EVERYTHING, waiting)
        return paging.arrived(scope, after=after, limit=limit, oldest=self.arrivals)

    def buckets(self, *, run: int, series: Sequence[int], window: Window, budget: int, waiting: Waiting) -> Buckets:
        """As PointStore.read_buckets, of the union of the series."""
        return summing.buckets(self._scope(run, series, window, waiting), budget, self._sizes)

    def sample(self, *, run: int, series: Sequence[int], window: Window, limit: int, waiting: Waiting) -> Sampled:
        """As PointStore.sample, of the union of the series."""
        return summing.sample(self._scope(run, series, window, waiting), limit)

    def summaries(
        self, *, runs: Sequence[int], series: Sequence[int], waiting: Waiting, tiled: bool = True
    ) -> dict[int, Summary]:
        """series key -> the summary of its points, of these series of these runs; those without points are absent.
        Reads all of their points, but for those of long series that are summed up; not `tiled`: those too. What is
        shown in lists should be kept up to date from `arrivals` instead."""
        return summing.summaries(
            self._server, runs=runs, series=series, waiting=waiting, at_once=self._sizes.at_once, tiled=tiled
        )

    # Care

    def roll_up(
        self, *, settled: Mapping[tuple[int, int], int], cuts: Sequence[Cut] = (), lately: Lately | None = None
    ) -> int:
        """Sum up what is new of some long series, so that reads of them need not look at every point; how many tiles
        were made. `settled`: (run, series) -> the arrival number before which every point of it is in ClickHouse, and
        not only in the journal. Reads are exact without it; a series of fewer points than two tiles hold needs none.
        `lately` has points that were inserted, and is freed of those that are summed up."""
        scopes = [
            self._scope(run, [series], EVERYTHING, Waiting(rows=Rows.empty(), end=end, cuts=cuts))
            for (run, series), end in settled.items()
        ]
        lately = lately or Lately()
        return sum(
            tile_making.roll_up(scopes[begin : begin + TOGETHER], self._sizes.nodes, lately)
            for begin in range(0, len(scopes), TOGETHER)
        )

    def with_tiles(self, *, runs: Sequence[int], series: Sequence[int]) -> list[int]:
        """Those of these series of these runs of which anything is summed up."""
        return summing.with_tiles(self._server, runs, series)

    def wrong_tiles(self, *, run: int, series: int, waiting: Waiting) -> bool:
        """Whether anything that was summed up of a series, and that a read would use, is not what its points are. Reads
        all of them."""
        return tile_making.wrong(self._scope(run, [series], EVERYTHING, waiting), self._sizes.nodes)

    def delete_tiles(self, *, run: int, series: Sequence[int]) -> None:
        """Begin to remove all that was summed up of some series. It is not gone when this returns (`has_tiles`): until
        it is, nobody may sum them up. Reads are as exact meanwhile as they are without."""
        values = {"run": run, "series": ", ".join(map(str, series))}
        for name in ("delete_tilings_of_series", "delete_nodes_of_series"):
            self._server.run(SQL[name] % values)

    def has_tiles(self, *, run: int, series: Sequence[int]) -> bool:
        """Whether anything is stored that was summed up of some series, as far as is known of each replica. Waits for
        those that answer."""
        (count,) = select(self._server, "nodes_and_tilings", 1, {"run": run, "series": tuple(series)})
        if count[0]:
            return True
        self.settled("nodes", "tilings")  # what one replica removed is listed for the others, which do it now
        return False

    def count(self) -> int:
        """How many rows are stored, with those that repeat another."""
        (found,) = select(self._server, "count", 1, {})
        return int(found[0])

    def tidy(self) -> None:
        """Merge what can be merged; reads never depend on it."""
        self._server.run(SQL["tidy"])

    def _scope(self, run: int, series: Sequence[int] | None, window: Window, waiting: Waiting) -> Scope:
        return Scope.of(
            self._server, run=run, series=series, window=window, waiting=waiting, at_once=self._sizes.at_once
        )


def _columns(rows: Rows) -> dict[str, I64]:
    series, step, time, value_key, occurrence = rows.identities()
    return {
        "run": rows.run,
        "series": series,
        "step": step,
        "time": time,
        "value_key": value_key,
        "occurrence": occurrence,
        "age": INT64_MAX - rows.points.arrival,
    }


def _pieces(rows: Rows) -> Iterator[tuple[int, Rows]]:
    for begin in range(0, len(rows), NAMED):
        yield begin, rows.take(slice(begin, begin + NAMED))


def _named(rows: Rows, name: str, wanted: Sequence[object]) -> dict[str, Any]:
    return {
        "runs": tuple(np.unique(rows.run).tolist()),
        "series": tuple(np.unique(rows.series).tolist()),
        "min_step": int(rows.points.step.min()),
        "max_step": int(rows.points.step.max()),
        name: tuple(wanted),
    }
