"""A catalog on a database in memory and a real folder, without the threads of an engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw
import numpy as np

from stepwell.core.errors import StepwellError
from stepwell.core.model import NewRun
from stepwell.core.series import Order, Points
from stepwell.core.summary import Summary
from stepwell.storage.catalog import Catalog, runs
from stepwell.storage.catalog.live import Live
from stepwell.storage.catalog.read_cache import ReadCaches
from stepwell.storage.catalog.runs import Purged
from stepwell.storage.contents import Folder
from stepwell.storage.embedded import tables
from stepwell.storage.files import RealFiles

T = TypeVar("T")


def database() -> apsw.Connection:
    """A new database with the catalog's tables."""
    conn = apsw.Connection(":memory:")
    tables.register(conn)
    tables.create(conn)
    return conn


class Bench:
    """A catalog, its connection, the folder of its files, and what waits in memory."""

    def __init__(self, folder: Path) -> None:
        self.conn = database()
        self.folder = folder
        self.live: list[Live] = []
        self.broken: StepwellError | None = None  # what the next commit raises, after it took place
        self.catalog = Catalog(
            submit=self._submit,
            snapshot=self._snapshot,
            live=self._live,
            contents=Folder(RealFiles(folder), alone=True),
            caches=ReadCaches(on=False),
        )

    def purge(self, workspace: str, run_ids: Sequence[str]) -> Purged:
        """What an engine does to the catalog when it purges runs."""
        gone = self._submit(lambda conn: runs.purge(conn, workspace, run_ids, at=9)).result()
        self.catalog.forget_files(gone.files)
        return gone

    def _submit(self, run: Callable[[apsw.Connection], T]) -> Future[T]:
        done: Future[T] = Future()
        try:
            with self.conn:
                result = run(self.conn)
            if self.broken is not None:
                raise self.broken
            done.set_result(result)
        except StepwellError as error:
            done.set_exception(error)
        return done

    @contextmanager
    def _snapshot(self) -> Iterator[apsw.Connection]:
        yield self.conn

    def _live(self, run_keys: Collection[int] | None, metrics: Collection[str] | None) -> Sequence[Live]:
        return [
            each
            for each in self.live
            if (run_keys is None or each.run_key in run_keys) and (metrics is None or each.metric in metrics)
        ]

    def count(self, table: str) -> int:
        """The rows of a table."""
        ((rows,),) = self.conn.execute(f"SELECT count(*) FROM {table}")
        return int(rows)

    def contents(self) -> list[str]:
        """The files below the folder of the contents, and those that are being written."""
        found = [*self.folder.glob("blobs/*/*"), *self.folder.glob("tmp/*")]
        return sorted(str(path.relative_to(self.folder)) for path in found)


def new_run(run_id: str, **given: object) -> NewRun:
    """A run with whatever a test does not care about filled in."""
    return NewRun(**{"id": run_id, "name": run_id, "origin": "test", "at": 5, **given})  # type: ignore[arg-type]


def summary_of(*rows: tuple[int, int, float]) -> Summary:
    """The summary of (step, time, value) rows."""
    points = Points(
        step=np.array([row[0] for row in rows], np.int64),
        time=np.array([row[1] for row in rows], np.int64),
        value=np.array([row[2] for row in rows], np.float64),
        occurrence=np.zeros(len(rows), np.int64),
        arrival=np.arange(len(rows), dtype=np.int64),
    )
    return Summary.of(points.sorted(Order.KEY))
