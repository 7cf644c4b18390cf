"""The tables of points: insert blocks, read in every order, sum up, remove. Exact whatever was merged or sent twice."""

from __future__ import annotations

from collections.abc import Sequence

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled
from stepwell.core.model import Window
from stepwell.core.page import Position
from stepwell.core.series import I64, Order
from stepwell.core.store import PointPage
from stepwell.core.summary import Summary
from stepwell.storage.warehouse.points.rows import Rows, Waiting
from stepwell.storage.warehouse.points.server import ClickHouse


class PointTables:
    """The points of all runs.

    A point is stored once however often it is inserted: its identity is (series, step, time, value, occurrence) (ADR
    0001), and of several rows with one identity the one with the least arrival counts, in every read, merged or not.
    Arrival numbers are the caller's: unique, and rising in the order of acknowledgement. Series keys are unique over
    all runs, and each belongs to one run. Run keys are never used again.

    Errors: Busy when ClickHouse does not answer or has too much to do, StorageFull, StorageFailed.
    """

    def __init__(self, clickhouse: ClickHouse) -> None:
        raise NotImplementedError

    # Schema

    def migrate(self) -> list[int]:
        """Bring the schema up to date; the numbers of the migrations that were done. May be called again after any
        failure, not by two at once: the caller holds a lock."""
        raise NotImplementedError

    def check_schema(self) -> None:
        """Raises StorageFailed with what to do when the schema is older or newer than this code."""
        raise NotImplementedError

    # Writing

    def insert(self, rows: Rows) -> None:
        """Store rows, in one block where the partitions allow; durable when it returns. Inserting the same again, or a
        part of it, changes nothing. After an error any part of it may be stored: insert all of it again."""
        raise NotImplementedError

    def arrivals(self, rows: Rows) -> I64:
        """For each row the arrival of the stored point with its identity, INT64_MAX where there is none. Points above
        the greatest key of their series need not be asked for."""
        raise NotImplementedError

    def occurrences(self, rows: Rows) -> I64:
        """For each row the least occurrence that is above all stored ones of its (series, step, time, value)."""
        raise NotImplementedError

    def delete_runs(self, runs: Sequence[int]) -> None:
        """Begin to remove all points of these runs. They need not be gone when it returns: the caller has forgotten the
        runs before, and asks for them no more. Doing it again is no error."""
        raise NotImplementedError

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
        raise NotImplementedError

    def read_run(self, *, run: int, after: int = -1, limit: int, waiting: Waiting) -> Rows:
        """Up to `limit` points of all series of a run with arrivals above `after` and below `waiting.end`, oldest
        first."""
        raise NotImplementedError

    def buckets(
        self, *, run: int, series: Sequence[int], window: Window, budget: int, waiting: Waiting
    ) -> Buckets:
        """As PointStore.read_buckets, of the union of the series."""
        raise NotImplementedError

    def sample(
        self, *, run: int, series: Sequence[int], window: Window, limit: int, waiting: Waiting
    ) -> Sampled:
        """As PointStore.sample, of the union of the series."""
        raise NotImplementedError

    def summaries(self, *, runs: Sequence[int], series: Sequence[int], waiting: Waiting) -> dict[int, Summary]:
        """series key -> the summary of its points, of these series of these runs; those without points are absent.
        Reads all of their points: what is shown in lists should be kept up to date from `arrivals` instead."""
        raise NotImplementedError

    # Care

    def count(self) -> int:
        """How many rows are stored, with those that repeat another."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Merge what can be merged (OPTIMIZE); reads never depend on it."""
        raise NotImplementedError
