"""What tests of a store say: engines, a shelf that opens and reopens one directory, points in and points out.

Points are written and compared as rows (step, time, value); a row read back has the value's key in the place of the
value, since NaN does not equal itself and 0.0 equals -0.0.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from stepwell.core.clock import Clock
from stepwell.core.model import (
    EVERYTHING,
    NO_COLUMNS,
    NewRun,
    PointBatch,
    Repeats,
    RunQuery,
    RunRow,
    RunWrite,
    Selector,
    Window,
)
from stepwell.core.page import Position
from stepwell.core.series import Labels, Order, Points, value_key
from stepwell.core.store import Store
from stepwell.storage.embedded import EmbeddedStore
from warehouse.places import TIGHT, Warehouse

W: Final = "w"
RUN: Final = "r1"
LOSS: Final = "loss"
NOW: Final = 1_700_000_000_000_000

Row = tuple[int, int, float]
Told = tuple[int, int, int]  # step, time, value key


class Engine(Protocol):
    """How tests open stores of one engine. Without `background` it moves nothing but when asked."""

    @property
    def lacks(self) -> Mapping[str, str]:
        """What tests may need (`@pytest.mark.needs`) and this engine has not, each with the reason."""
        ...

    def open(self, directory: Path, clock: Clock, *, background: bool) -> Store:
        """The store of a directory, made when there is none."""
        ...

    def copy(self, directory: Path, copy: Path) -> None:
        """Another store that holds what a closed one does."""
        ...

    def remove(self, directory: Path) -> None:
        """What a closed store left."""
        ...


class Embedded:
    """All of a store is in its directory."""

    lacks: Final[Mapping[str, str]] = {}

    def open(self, directory: Path, clock: Clock, *, background: bool) -> Store:
        """See Engine."""
        return EmbeddedStore(directory, clock=clock, background=background)

    def copy(self, directory: Path, copy: Path) -> None:
        """See Engine."""
        _copy(directory, copy)

    def remove(self, directory: Path) -> None:
        """See Engine."""
        shutil.rmtree(directory)


ENGINES: Final[Mapping[str, Engine]] = {
    "embedded": Embedded(),
    "warehouse": Warehouse(),
    "tight warehouse": Warehouse(sizes=TIGHT),
    "bucket warehouse": Warehouse(in_bucket=True),
    "chdb": Warehouse(modern=True),
}
USUAL: Final = ("embedded",)  # engines that need no servers


class Shelf:
    """A directory and the store that is open in it. Close it at the end: then the directories go too."""

    def __init__(
        self, folder: Path, *, engine: str = "embedded", background: bool = False, new: Path | None = None
    ) -> None:
        """`new` is the directory of a store that holds nothing and is closed: a copy of it saves making another."""
        self._folder = folder
        self._engine = engine
        self._background = background
        self._lives = 0
        self._others: list[Store] = []
        self.directory = folder / "life-0"
        if new is not None:
            ENGINES[engine].copy(new, self.directory)
        self.store = self.open(self.directory)

    def open(self, directory: Path) -> Store:
        """A store in a directory; the caller closes it."""
        return ENGINES[self._engine].open(directory, self.clock, background=self._background)

    def borrow(self, directory: Path) -> Store:
        """A store in another directory, which is closed with this shelf."""
        self._others.append(self.open(directory))
        return self._others[-1]

    @staticmethod
    def clock() -> int:
        """A clock that stands still."""
        return NOW

    def reopen(self) -> Store:
        """Close the store and open it again."""
        self.store.close()
        self.store = self.open(self.directory)
        return self.store

    def revive(self) -> Store:
        """Open what a kill would leave: a copy of the files as they are now. Nobody may write meanwhile."""
        self._lives += 1
        copy = self._folder / f"life-{self._lives}"
        _copy(self.directory, copy)
        self.store.close()
        shutil.rmtree(self.directory)
        self.directory = copy
        self.store = self.open(copy)
        return self.store

    def close(self) -> None:
        """Close everything and remove it."""
        for store in (self.store, *self._others):
            store.close()
        ENGINES[self._engine].remove(self.directory)
        shutil.rmtree(self._folder)


# The same store now, after a restart, and after a kill.
LIVES: Final[Mapping[str, Callable[[Shelf], Store]]] = {
    "at once": lambda shelf: shelf.store,
    "reopened": Shelf.reopen,
    "killed": Shelf.revive,
}


def _copy(directory: Path, copy: Path) -> None:
    """A copy without what an opening makes again: held-back space, locks, shared memory."""
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("reserve", "lock", "*-shm", "control"))


def batch(rows: Iterable[Row], *, metric: str = LOSS, labels: Labels = ()) -> PointBatch:
    """Rows of one series."""
    return batch_of({(metric, labels): list(rows)})


def batch_of(series: Mapping[Any, Sequence[Row]]) -> PointBatch:
    """Rows of several series by (metric, labels), one series after another."""
    rows = [row for each in series.values() for row in each]
    return PointBatch(
        series=tuple(series),
        which=np.repeat(np.arange(len(series)), [len(each) for each in series.values()]).astype(np.int64),
        step=np.array([row[0] for row in rows], np.int64),
        time=np.array([row[1] for row in rows], np.int64),
        value=np.array([row[2] for row in rows], np.float64),
    )


def columns(step: Any, time: Any, value: Any, *, metric: str = LOSS) -> PointBatch:
    """Arrays as the points of one series."""
    which = np.zeros(len(step), np.int64)
    return PointBatch(series=((metric, ()),), which=which, step=step, time=time, value=value)


def new_run(run_id: str = RUN, **fields: Any) -> NewRun:
    """A run with what a test does not care about filled in."""
    return NewRun(**{"id": run_id, "name": run_id, "origin": "test", "at": NOW, **fields})


def make_runs(store: Store, *run_ids: str, workspace: str = W) -> None:
    """Runs of experiment 0."""
    store.create_runs(workspace=workspace, new=[new_run(run_id) for run_id in run_ids])


def change(store: Store, run_id: str = RUN, *, workspace: str = W, **fields: Any) -> None:
    """One write to one run, waited for."""
    store.write(workspace=workspace, writes=[RunWrite(**{"run_id": run_id, "at": NOW, **fields})]).result()


def add(store: Store, rows: Iterable[Row], run_id: str = RUN, *, append: bool = False, **series: Any) -> None:
    """Points of one series of one run, waited for."""
    change(store, run_id, points=batch(rows, **series), repeats=Repeats.APPEND if append else Repeats.RETRY)


def told(points: Points) -> list[Told]:
    """Points as comparable rows, in their order."""
    step, time, key, _ = points.sort_columns(Order.KEY)
    return list(zip(step.tolist(), time.tolist(), key.tolist(), strict=True))


def rows_told(rows: Iterable[Row]) -> list[Told]:
    """Written rows in the form of `told`."""
    return [(step, time, value_key(value)) for step, time, value in rows]


def in_order(rows: Iterable[Told], order: Order) -> list[Told]:
    """Rows, given as they arrived, in another order."""
    if order is Order.KEY:
        return sorted(rows)
    return sorted(rows, key=lambda row: (row[1], row[0], row[2])) if order is Order.TIME else list(rows)


def selector(run_id: str = RUN, metric: str = LOSS, labels: Labels | None = None) -> Selector:
    """The union of a metric's label sets, or one of them."""
    return Selector(run_id=run_id, metric=metric, labels=labels)


def place(shelf: Shelf, where: str, rows: Sequence[Row], run_id: str = RUN, **series: Any) -> list[Row]:
    """Write rows so that they lie somewhere; the rows in the order of their arrival.

    head, journal: in memory only, or read back from what is durable. blocks, mixed: all or the older half in blocks.
    overlapping: four parts whose ranges overlap, each flushed alone. compacted: the same, merged.
    """
    parts = [rows[start::4] for start in (3, 2, 1, 0)] if where in {"overlapping", "compacted"} else [rows]
    if where == "mixed":
        parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    for number, part in enumerate(parts):
        add(shelf.store, part, run_id, **series)
        if where in {"blocks", "overlapping", "compacted"} or (where == "mixed" and number == 0):
            shelf.store.flush()
    if where == "compacted":
        shelf.store.compact()
    if where == "journal":
        shelf.revive()
    return [row for part in parts for row in part]


PLACES: Final = ("head", "journal", "blocks", "mixed", "overlapping", "compacted")


def read_points(
    store: Store,
    which: Selector | None = None,
    *,
    order: Order = Order.KEY,
    window: Window = EVERYTHING,
    page: int = 1000,
    after: Position | None = None,
    workspace: str = W,
) -> Points:
    """All points from a position on, page by page."""
    parts: list[Points] = []
    while True:
        found = store.read(
            workspace=workspace, selector=which or selector(), order=order, window=window, after=after, limit=page
        )
        assert len(found.points) <= page
        parts.append(found.points)
        after = found.after
        if order is Order.ARRIVAL:
            assert after is not None, "a live reader can always go on"
            if not len(found.points):
                return Points.concat(parts)
        elif after is None:
            return Points.concat(parts)
        else:
            assert len(found.points) == page, "a page that is not the last one is full"


def read_rows(store: Store, which: Selector | None = None, **options: Any) -> list[Told]:
    """`read_points` as comparable rows."""
    return told(read_points(store, which, **options))


def search(store: Store, *, workspace: str = W, page: int = 1000, **query: Any) -> list[RunRow]:
    """All pages of a search of runs."""
    after: Position | None = None
    rows: list[RunRow] = []
    while True:
        asked = RunQuery(**{"columns": NO_COLUMNS, **query, "limit": page, "after": after})
        found = store.search_runs(workspace=workspace, query=asked)
        assert len(found.items) <= page
        rows += found.items
        after = found.after
        if after is None:
            return rows


def search_ids(store: Store, **query: Any) -> list[str]:
    """The ids that a search of runs finds."""
    return [row.run.id for row in search(store, **query)]
