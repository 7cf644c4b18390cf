"""Choosing runs, and reading everything of them piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from stepwell.core.errors import TooLarge
from stepwell.core.filters import Comparison, Field, Filter, Kind, Op
from stepwell.core.model import NO_COLUMNS, Columns, Lifecycle, Run, RunQuery, RunRow, Status
from stepwell.core.page import Page
from stepwell.core.series import Points
from stepwell.core.store import RunPoints, Store
from stepwell.services import whole_runs
from stepwell.services.query import CHUNK_POINTS

TAGGED = Comparison(field=Field(kind=Kind.TAG, key="t"), op=Op.IS_NOT_NULL, value=None)


def run(run_id: str, lifecycle: Lifecycle = Lifecycle.ACTIVE) -> Run:
    return Run(
        workspace="w",
        key=1,
        id=run_id,
        experiment_id=0,
        project_number=1,
        name="",
        user="",
        status=Status.RUNNING,
        status_reason="",
        lifecycle=lifecycle,
        artifact_uri="",
        origin="",
        start_time=None,
        end_time=None,
        created_at=0,
        updated_at=0,
    )


class Fake:
    """Runs with so many points each; a search finds all, in pages of three, or what IN lists but for the untagged."""

    def __init__(self, counts: dict[str, int], *, deleted: Sequence[str] = (), untagged: Sequence[str] = ()) -> None:
        self.counts = counts
        self.deleted = deleted
        self.untagged = untagged
        self.asked: list[int] = []

    @property
    def store(self) -> Store:
        return cast("Store", self)

    def get_runs(self, *, workspace: str, run_ids: Sequence[str], columns: Columns) -> list[RunRow | None]:
        self.asked.append(len(run_ids))
        return [self._row(run_id) if run_id in self.counts else None for run_id in run_ids]

    def search_runs(self, *, workspace: str, query: RunQuery) -> Page[RunRow]:
        listed = next((c.value for c in query.filter if c.op is Op.IN), None)
        found = [name for name in self.counts if name not in self.untagged and name not in self.deleted]
        if isinstance(listed, tuple):
            found = [name for name in found if name in listed]
        begin = int(query.after[0] or 0) if query.after else 0
        end = begin + min(3, query.limit)
        return Page(items=[self._row(name) for name in found[begin:end]], after=(end,) if end < len(found) else None)

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
        assert (after is None) == (before is None)
        self.asked.append(len(run_ids))
        found: list[RunPoints] = []
        for run_id in run_ids:
            begin, end = 0, self.counts.get(run_id, 0)
            if after is not None and not found:
                assert before == end
                begin = after + 1
            arrival = np.arange(begin, min(end, begin + limit), dtype=np.int64)
            points = Points(
                step=arrival, time=arrival, value=arrival.astype(np.float64), occurrence=arrival, arrival=arrival
            )
            found.append(
                RunPoints(
                    row=self._row(run_id) if run_id in self.counts else None,
                    series=((run_id, ()),),
                    which=np.zeros(len(arrival), np.int64),
                    points=points,
                    end=end,
                )
            )
            limit -= len(arrival)
            if limit <= 0:
                break
        return found

    def _row(self, run_id: str) -> RunRow:
        return RunRow(run=run(run_id, Lifecycle.DELETED if run_id in self.deleted else Lifecycle.ACTIVE))


def choose(fake: Fake, run_ids: Sequence[str] | None, conditions: Filter = (), skip: int = 0, limit: int = 9) -> str:
    return "".join(
        whole_runs.choose(fake.store, workspace="w", run_ids=run_ids, conditions=conditions, skip=skip, limit=limit)
    )


def test_named_runs_come_in_the_order_named():
    fake = Fake(dict.fromkeys("abcdef", 0), deleted="e", untagged="b")
    assert choose(fake, "dxbea") == "dba"
    assert choose(fake, "dxbea", (TAGGED,)) == "da"
    assert choose(fake, "dxbea", skip=1, limit=1) == "b"
    assert choose(fake, "") == ""
    assert choose(fake, "", (TAGGED,)) == ""
    with pytest.raises(TooLarge):
        choose(fake, ["x"] * 1001)


@pytest.mark.parametrize("skip", range(9))
@pytest.mark.parametrize("limit", range(9))
def test_a_search_is_paged_by_skipping(skip: int, limit: int):
    fake = Fake(dict.fromkeys("abcdefgh", 0), deleted="e")
    assert choose(fake, None, skip=skip, limit=limit) == "abcdfgh"[skip : skip + limit]


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"a": 0},
        {"a": 3, "b": 0, "c": 5},
        {"a": CHUNK_POINTS, "b": 1},
        {"a": 1, "b": CHUNK_POINTS - 1, "c": 0, "d": 2},
        {"a": CHUNK_POINTS * 2 + 1, "b": CHUNK_POINTS * 3, "c": 0},
        {f"r{n}": 777 for n in range(250)},
    ],
)
def test_every_point_comes_once_and_every_run_begins_once(counts: dict[str, int]):
    fake = Fake(counts)
    ids = [*counts, "gone"]
    began: list[str] = []
    found: dict[str, list[int]] = {}
    for piece in whole_runs.read(fake.store, workspace="w", run_ids=ids, columns=NO_COLUMNS, points=True):
        if piece.row is not None:
            began.append(piece.row.run.id)
        assert piece.points is not None
        assert len(piece.points.points) <= CHUNK_POINTS
        found.setdefault(began[-1], []).extend(piece.points.points.arrival.tolist())
    assert began == list(counts)
    assert found == {run_id: list(range(count)) for run_id, count in counts.items()}


def test_runs_alone_have_no_points():
    pieces = list(whole_runs.read(Fake({"a": 5}).store, workspace="w", run_ids="ab", columns=NO_COLUMNS, points=False))
    assert [(piece.row.run.id if piece.row else "", piece.points) for piece in pieces] == [("a", None)]


@pytest.mark.parametrize(
    ("columns", "size"),
    [
        (NO_COLUMNS, whole_runs.RUNS_AT_ONCE),
        (Columns(custom_info=None), whole_runs.LARGE_RUNS_AT_ONCE),
        (Columns(custom_info=("a",)), whole_runs.LARGE_RUNS_AT_ONCE),
    ],
)
def test_runs_are_read_in_batches_and_large_ones_in_smaller(columns: Columns, size: int):
    fake = Fake({f"r{n}": 1 for n in range(250)})
    list(whole_runs.read(fake.store, workspace="w", run_ids=list(fake.counts), columns=columns, points=True))
    assert fake.asked[0] == size
    assert sum(fake.asked) == 250
