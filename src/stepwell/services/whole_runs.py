"""Whole runs: choosing some, and reading everything of them run after run in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stepwell.core import limits
from stepwell.core.filters import Comparison, Field, Filter, Kind, Op, OrderBy
from stepwell.core.model import NO_COLUMNS, Columns, Lifecycle, RunQuery, RunRow
from stepwell.core.page import Position
from stepwell.core.store import RunPoints, Store
from stepwell.services.checks import check_count
from stepwell.services.query import CHUNK_POINTS

RUNS_AT_ONCE: Final = 100
LARGE_RUNS_AT_ONCE: Final = 10  # with custom info, which may be megabytes of each
_IDS_AT_ONCE: Final = 10_000
_OLDEST_FIRST: Final = (OrderBy(field=Field(kind=Kind.ATTRIBUTE, key="start_time")),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of one run. `row` is there when the run begins with it; `points` are there when points were asked for."""

    row: RunRow | None
    points: RunPoints | None


def choose(
    store: Store, *, workspace: str, run_ids: Sequence[str] | None, conditions: Filter = (), skip: int = 0, limit: int
) -> list[str]:
    """The ids of the runs that are there and not deleted and meet all conditions, without the first `skip`, up to
    `limit`. Of `run_ids` in their order; None: of the workspace, those that started first first, then by id.
    """
    if run_ids is None:
        return _search(store, workspace, conditions, skip, limit)
    check_count(len(run_ids), field="run_ids", limit=limits.RUNS_PER_WRITE)
    if conditions and run_ids:
        listed = Comparison(field=Field(kind=Kind.ATTRIBUTE, key="run_id"), op=Op.IN, value=tuple(run_ids))
        found = set(_search(store, workspace, (listed, *conditions), 0, len(run_ids)))
    else:
        rows = store.get_runs(workspace=workspace, run_ids=run_ids, columns=NO_COLUMNS)
        found = {row.run.id for row in rows if row is not None and row.run.lifecycle is Lifecycle.ACTIVE}
    return [run_id for run_id in run_ids if run_id in found][skip:][:limit]


def read(store: Store, *, workspace: str, run_ids: Sequence[str], columns: Columns, points: bool) -> Iterator[Piece]:
    """The runs in the order given, each with one piece or more; those that are gone are left out.

    Points stand as they arrived, all series together. A piece has at most CHUNK_POINTS of them. A run is read as it is
    at one moment: of a write to it, all is there or nothing.
    """
    size = RUNS_AT_ONCE if columns.custom_info == () else LARGE_RUNS_AT_ONCE
    for begin in range(0, len(run_ids), size):
        ids = run_ids[begin : begin + size]
        if points:
            yield from _with_points(store, workspace, ids, columns)
        else:
            rows = store.get_runs(workspace=workspace, run_ids=ids, columns=columns)
            yield from (Piece(row=row, points=None) for row in rows if row is not None)


def _with_points(store: Store, workspace: str, ids: Sequence[str], columns: Columns) -> Iterator[Piece]:
    begin = 0
    after = before = None
    while begin < len(ids):
        going_on = after is not None  # in a run that began already
        found = store.read_runs(
            workspace=workspace,
            run_ids=ids[begin : begin + 1] if going_on else ids[begin:],
            columns=NO_COLUMNS if going_on else columns,
            after=after,
            before=before,
            limit=CHUNK_POINTS,
        )
        yield from (
            Piece(row=None if going_on else each.row, points=each) for each in found if going_on or each.row is not None
        )
        last = found[-1]
        more = sum(len(each.points) for each in found) >= CHUNK_POINTS
        after, before = (int(last.points.arrival[-1]), last.end) if more else (None, None)
        begin += len(found) - more


def _search(store: Store, workspace: str, conditions: Filter, skip: int, limit: int) -> list[str]:
    found: list[str] = []
    after: Position | None = None
    while len(found) < limit:
        query = RunQuery(
            filter=conditions,
            order=_OLDEST_FIRST,
            limit=min(_IDS_AT_ONCE, skip + limit - len(found)),
            after=after,
            columns=NO_COLUMNS,
        )
        page = store.search_runs(workspace=workspace, query=query)
        found += [row.run.id for row in page.items[skip:]]
        skip = max(0, skip - len(page.items))
        after = page.after
        if after is None:
            break
    return found
