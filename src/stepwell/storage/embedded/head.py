"""The head: points that are durable in the journal and not yet in blocks, as columns per series in memory.

One thread (the writer) changes it; any thread reads it. A commit is kept as it is and costs nothing for each of its
series; some commits at once, or the first reader, give their rows to the series (`_settle`). A reader takes `State`s
under the lock, which is held for that and for reference copies; the rows behind a state never change, since only places
beyond them are filled.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

import numpy as np

from stepwell.core.errors import Corrupt
from stepwell.core.series import I64, Key, Labels, Order, Points, float_of, value_key
from stepwell.core.summary import Summary
from stepwell.storage.catalog.live import Live
from stepwell.storage.embedded.pieces import COLUMNS, Piece, Row, Unsettled, identities, joined, points_of, sort_keys
from stepwell.storage.embedded.slots import Slots

_NONE: Final = np.empty((COLUMNS, 0), np.int64)
SERIES_WEIGHT: Final = 8  # points that a series weighs beside its own: names and objects take about 1 KiB
SERIES_KEPT: Final = 200_000  # clean series remembered, so that the next write need not look them up
NAMES_KEPT: Final = 200_000  # in lists of names as requests bring them again and again
UNSETTLED: Final = 64  # commits kept as they are, at most,
UNSETTLED_SERIES: Final = 4_096  # with so many series, one counted for each commit: to settle them takes 10 ms
UNSETTLED_POINTS: Final = 65_536

T = TypeVar("T")
Name = tuple[str, Labels]
_DAMAGE: Final = attrgetter("damage")


class State(NamedTuple):
    """A moment of a series: `rows[:, :n]` are its points in the head; `stored` sums up those in blocks."""

    rows: I64
    n: int
    in_order: bool  # whether the rows stand in key order
    stored: Summary | None
    epoch: int  # counts the flushes of the series

    def one(self, place: int = 0) -> Row:
        """A row alone: numpy takes ten times as long to say each of them."""
        step, time, bits, occurrence, arrival = self.rows[:, place].tolist()
        return Row(step, time, float_of(bits), occurrence, arrival)

    def points(self) -> Points:
        """The head's points of the series in key order."""
        points = points_of(self.rows[:, : self.n])
        return points if self.in_order else points.sorted(Order.KEY)


class Series:
    """A series that the head knows. `slot` is its place in `Slots` as long as it does."""

    __slots__ = ("damage", "key", "known", "name", "run_key", "slot", "state")

    def __init__(self, *, key: int, run_key: int, name: Name, stored: Summary | None, damage: str = "") -> None:
        """`damage`: why nothing of it can be read or added; "" when all is well."""
        self.key = key
        self.run_key = run_key
        self.name = name
        self.damage = damage
        self.slot = -1
        self.state = State(_NONE, 0, True, stored, 0)
        self.known: tuple[int, int, Live] | None = None  # by `remember`: of the state of this epoch with so many points

    @property
    def metric(self) -> str:
        """Half of its name."""
        return self.name[0]

    @property
    def labels(self) -> Labels:
        """The other half."""
        return self.name[1]

    def append(self, rows: I64, *, in_order: bool) -> None:
        """Add points; `in_order`: sorted, and after every earlier one. Under the head's lock."""
        old, n, ordered, stored, epoch = self.state
        total = n + rows.shape[1]
        if n == 0:
            old = rows  # as they are: of most series in very many no second point comes before the flush
        elif total > old.shape[1]:
            grown = np.empty((COLUMNS, max(4, total + total // 2)), np.int64)
            grown[:, :n] = old[:, :n]
            old = grown
        if n:
            old[:, n:total] = rows
        self.state = State(old, total, ordered and in_order, stored, epoch)

    def drop(self, n: int, stored: Summary) -> None:
        """The first `n` points are in blocks now, and `stored` sums up everything in blocks."""
        rows, total, _, _, epoch = self.state
        if n == total:
            self.state = State(_NONE, 0, True, stored, epoch + 1)
            return
        rest = rows[:, n:total].copy()
        ordered = total - n < 2 or bool((np.diff(np.lexsort(sort_keys(rest))) == 1).all())
        self.state = State(rest, total - n, ordered, stored, epoch + 1)

    def restate(self, stored: Summary) -> None:
        """Another summary of what is in blocks."""
        rows, total, ordered, _, epoch = self.state
        self.state = State(rows, total, ordered, stored, epoch + 1)

    def summed_up(self, state: State) -> tuple[int, Summary | None]:
        """How many points of `state` are summed up, and the summary of these and of what is in blocks."""
        known = self.known
        if known is not None and known[0] == state.epoch and known[1] <= state.n:
            return known[1], known[2].summary
        return 0, state.stored

    def remember(self, state: State, total: Summary) -> Live:
        """The series with the summary of all of it. The next search asks for the same of most series."""
        live = Live(self.run_key, *self.name, total)
        self.known = (state.epoch, state.n, live)
        return live


class Moment(NamedTuple):
    """When the head was taken: the flush steps done by then, and the arrival number after the last point published."""

    flushes: int
    end: int


class Head:
    """All series with points in memory, and clean ones lately written."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._points = 0
        self._owed_points = self._owed_series = 0
        self.end = 0  # the arrival number after the last point published
        self.nameless = ""  # why nobody knows whose some points are, so that nothing can be read; "" when all are known
        self.flushes = 0  # flush steps done; together with the same number in the database it tells whether both agree
        self.slots: Slots[Series] = Slots()
        self._by_run: dict[int, dict[Name, Series]] = {}
        self._lists: dict[tuple[int, tuple[Name, ...]], I64] = {}  # slots of a run's series, as requests name them
        self._listed = 0
        self._admitted: list[Series] = []
        self._unsettled: list[Unsettled] = []
        self._unsettled_points = self._unsettled_series = 0
        self._dirty: dict[int, Series] = {}
        self._dirty_of: dict[str, dict[int, Series]] = {}  # by metric: a search asks for few of many
        self._dirty_in: dict[int, dict[int, Series]] = {}  # by run: of most of its series no point waits
        self._clean: OrderedDict[int, Series] = OrderedDict()  # by key, those that are clean longest first

    @property
    def points(self) -> int:
        """How many are not in blocks; those owed among them."""
        return self._points + self._owed_points

    @property
    def weight(self) -> int:
        """How much memory is in use, in points: of many series with one point each, most is not in the points."""
        return self.points + SERIES_WEIGHT * (len(self._dirty) + self._owed_series)

    def owe(self, *, points: int, series: int) -> None:
        """So much more, or less, of what is not in blocks is not here either, but in the backlog of a start."""
        with self.lock:
            self._owed_points += points
            self._owed_series += series

    def find(self, run_key: int, names: Iterable[Name]) -> list[Series | None]:
        """Series of a run that the head knows; None says nothing about the database."""
        return list(map(self._by_run.get(run_key, {}).get, names))

    def listed(self, run_key: int, names: tuple[Name, ...]) -> I64 | None:
        """The slots of series of a run that were found together before, in this order."""
        return self._lists.get((run_key, names))

    def remember(self, run_key: int, series: Sequence[Series]) -> I64:
        """The slots of series, none of them damaged; `listed` knows them from now on."""
        slots = np.fromiter((one.slot for one in series), np.int64, len(series))
        self._listed += len(series)
        if self._listed > NAMES_KEPT:
            self._forget_lists()
        self._lists[run_key, tuple([one.name for one in series])] = slots
        return slots

    def _forget_lists(self) -> None:
        self._lists.clear()
        self._listed = 0

    def begin(self) -> None:
        """A group begins. What an earlier one admitted and did not commit may not be in the database: forget it."""
        if self._admitted:
            with self.lock:
                for series in self._admitted:
                    if self._clean.pop(series.key, None) is not None:
                        self._forget(series)
            self._admitted.clear()

    def admit(self, series: Series) -> None:
        """Know a series that has no points here, so far as the group that is being committed sees it."""
        with self.lock:
            self._know(series)
            self._clean[series.key] = series
        self._admitted.append(series)

    def committed(self) -> None:
        """The group is in the database: its series stay."""
        self._admitted.clear()

    def hold(self, series: Series) -> None:
        """A damaged series whose points stay in the journal: who would read it is told."""
        with self.lock:
            self._forget_lists()
            self._know(series)
            self._add(series)

    def _know(self, series: Series) -> None:
        series.slot = self.slots.give(series, series.key, key_of(series.state.stored))
        self._by_run.setdefault(series.run_key, {})[series.name] = series

    def _add(self, series: Series) -> None:
        self._clean.pop(series.key, None)
        self._dirty[series.key] = series
        self._dirty_of.setdefault(series.name[0], {})[series.key] = series
        self._dirty_in.setdefault(series.run_key, {})[series.key] = series

    def publish(self, pieces: Iterable[Piece], *, end: int) -> None:
        """Make a commit visible, all of it at one moment; `end` is the arrival number after its last point."""
        with self.lock:
            self.end = end
            for piece in pieces:
                if len(piece.slots):
                    self._take(piece)

    def _take(self, piece: Piece) -> None:
        slots, edges, rows, rises = piece
        late = np.zeros(len(slots), np.bool_) if rises else self.slots.late(slots, identities(rows, edges[:-1]))
        for slot in slots[self.slots.points[slots] == 0].tolist():
            self._add(self._at(slot))
        self.slots.add(slots, edges[1:] - edges[:-1], identities(rows, edges[1:] - 1), rise=rises)
        self._points += rows.shape[1]
        self._unsettled.append(Unsettled(piece, late))
        self._unsettled_points += rows.shape[1]
        self._unsettled_series += len(slots)
        if (
            self._unsettled_series >= UNSETTLED_SERIES
            or self._unsettled_points >= UNSETTLED_POINTS
            or len(self._unsettled) >= UNSETTLED
        ):
            self._settle()

    def _at(self, slot: int) -> Series:
        series = self.slots.items[slot]
        assert series is not None, "a slot is given back after its points are gone"
        return series

    def _settle(self) -> None:
        """Give the rows of commits to their series."""
        if not self._unsettled:
            return
        (slots, edges, rows, _), late = joined(self._unsettled)
        self._unsettled.clear()
        self._unsettled_points = self._unsettled_series = 0
        for slot, (start, end), behind in zip(slots.tolist(), pairwise(edges.tolist()), late.tolist(), strict=True):
            self._at(slot).append(rows[:, start:end], in_order=not behind)

    def state(self, series: Series) -> State:
        """All points of a series that the head has."""
        with self.lock:
            self._settle()
            return series.state

    def capture(
        self, run_key: int, metric: str | None, labels: Labels | None
    ) -> tuple[Moment, list[tuple[Series, State]]]:
        """The dirty series of a run that match, at one moment. Corrupt when one of them is damaged."""
        with self.lock:
            self._settle()
            names = self._by_run.get(run_key, {})
            if metric is not None and labels is not None:
                series = names.get((metric, labels))
                found = [] if series is None else [series]
            else:
                found = [s for s in names.values() if metric is None or s.metric == metric]
            return Moment(self.flushes, self.end), self._states(found)

    def capture_runs(
        self, run_keys: Collection[int], metrics: Collection[str] | None = None
    ) -> tuple[Moment, list[tuple[Series, State]]]:
        """The dirty series of some runs, and of these metrics (None: all), at one moment. Corrupt when one of them is
        damaged.
        """
        with self.lock:
            self._settle()
            return Moment(self.flushes, self.end), self._states(self._matching(run_keys, metrics))

    def everything(self) -> tuple[int, list[tuple[Series, State]]]:
        """All dirty series but damaged ones, and the arrival number after their last point, at one moment."""
        with self.lock:
            self._settle()
            return self.end, [(s, s.state) for s in self._dirty.values() if not s.damage]

    def dirty(
        self, run_keys: Collection[int] | None = None, metrics: Collection[str] | None = None
    ) -> list[tuple[Series, State]]:
        """Series with points in the head, of the given runs and metrics (None: all), at one moment. Corrupt when one of
        them is damaged.
        """
        with self.lock:
            self._settle()
            return self._states(self._matching(run_keys, metrics))

    def _states(self, found: Collection[Series]) -> list[tuple[Series, State]]:
        damage = self.nameless or next(filter(None, map(_DAMAGE, found)), "")
        if damage:
            raise Corrupt(damage)
        return [(series, series.state) for series in found if series.state.n]

    def _matching(self, run_keys: Collection[int] | None, metrics: Collection[str] | None) -> Collection[Series]:
        """The dirty ones of these runs and metrics, looked for along the one of both that has fewer."""
        ways: list[list[dict[int, Series]]] = []
        if run_keys is not None:
            ways.append([self._dirty_in[key] for key in run_keys if key in self._dirty_in])
        if metrics is not None:
            ways.append([self._dirty_of[metric] for metric in metrics if metric in self._dirty_of])
        if not ways:
            return self._dirty.values()
        found = [s for some in min(ways, key=lambda way: sum(map(len, way))) for s in some.values()]
        if run_keys is None or metrics is None:
            return found
        runs = frozenset(run_keys)
        return [s for s in found if s.run_key in runs and s.name[0] in metrics]

    def _not_dirty(self, series: Series) -> None:
        del self._dirty[series.key]
        _leave(self._dirty_of, series.name[0], series)
        _leave(self._dirty_in, series.run_key, series)

    def flushed(self, moved: Iterable[tuple[Series, int, Summary]]) -> None:
        """A flush step is committed: for each series how many of its points moved, and the summary of what is in
        blocks.
        """
        with self.lock:
            for series, n, stored in moved:
                if self._dirty.get(series.key) is not series:
                    continue  # its run was purged meanwhile
                series.drop(n, stored)
                self._points -= n
                self.slots.points[series.slot] -= n
                if self.slots.points[series.slot] == 0:
                    self._not_dirty(series)
                    self._clean[series.key] = series
            self.flushes += 1
            while len(self._clean) > SERIES_KEPT:
                self._forget(self._clean.popitem(last=False)[1])

    def restate(self, stored: Iterable[tuple[int, Summary]]) -> None:
        """Points in blocks are gone, in one step: what sums up the rest of each series, by key."""
        with self.lock:
            self._settle()
            for key, summary in stored:
                series = self._dirty.get(key) or self._clean.get(key)
                if series is not None:
                    series.restate(summary)
            self.flushes += 1

    def _forget(self, series: Series) -> None:
        names = self._by_run[series.run_key]
        del names[series.name]
        if not names:
            del self._by_run[series.run_key]
        self.slots.take_back(series.slot)
        self._forget_lists()

    def forget_runs(self, run_keys: Iterable[int]) -> None:
        """Runs that are purged."""
        with self.lock:
            self._settle()
            self._forget_lists()
            for run_key in run_keys:
                for series in self._by_run.pop(run_key, {}).values():
                    if self._clean.pop(series.key, None) is None:
                        self._not_dirty(series)
                        self._points -= series.state.n
                    self.slots.take_back(series.slot)


def _leave(dirty: dict[T, dict[int, Series]], where: T, series: Series) -> None:
    same = dirty[where]
    del same[series.key]
    if not same:
        del dirty[where]


def key_of(summary: Summary | None) -> Key | None:
    """An upper bound of the identities in a series: its last point with the greatest occurrence there can be."""
    if summary is None:
        return None
    last = summary.last
    return (last.step, last.time, value_key(last.value), 2**63 - 1)
