"""Buckets, samples and summaries of what is stored and what waits. The arithmetic is core's; here is what to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled, last_per_step, rank_edges, sample_ranks, snapped_edges
from stepwell.core.model import EVERYTHING
from stepwell.core.series import I64, Order, Points
from stepwell.core.summary import Summary, repeated_steps
from stepwell.storage.warehouse.points.rows import Rows, Waiting
from stepwell.storage.warehouse.points.server import Server
from stepwell.storage.warehouse.points.spans import parts
from stepwell.storage.warehouse.points.statements import Scope, age_of, rows_of, select

EXACT_BELOW: Final = 65_536  # points: a window this small is bucketed point by point
NODES_A_BUCKET: Final = 16  # in a longer one, so that edges are off by a thirty-second of a bucket
AT_ONCE: Final = 4_096  # series or steps named in one statement


def collect(scope: Scope) -> Points:
    """All points in key order. For what fits into memory."""
    points = Rows.concat([scope.rows("of_window"), scope.waiting]).distinct().points
    return points if scope.series is not None and len(scope.series) == 1 else points.sorted(Order.KEY)


def buckets(scope: Scope, budget: int) -> Buckets:
    """At most `budget` buckets of all points, of about equally many."""
    total = scope.extent().count + len(scope.waiting)
    if total <= max(min(EXACT_BELOW, scope.at_once), budget):
        points = collect(scope)
        return Buckets.of(points, rank_edges(len(points), budget))
    width = max(1, total // (budget * NODES_A_BUCKET))
    nodes = []
    for part in parts(scope):
        points = collect(part)
        nodes.append(Buckets.of(points, rank_edges(len(points), max(1, len(points) // width))))
    whole = Buckets.concat(nodes)
    return whole.merge(snapped_edges(whole.count, budget))


def sample(scope: Scope, limit: int) -> Sampled:
    """The sample of all points. The steps are read twice, to count them and to choose: all need not fit into memory."""
    pieces = list(parts(scope, whole_steps=True))
    edges = np.concatenate([[0], np.cumsum([len(_steps(piece)) for piece in pieces], dtype=np.int64)])
    ranks, width = sample_ranks(int(edges[-1]), limit)
    places = np.searchsorted(ranks, edges)
    found = []
    for piece, edge, begin, end in zip(pieces, edges[:-1], places[:-1], places[1:], strict=True):
        if begin < end:
            found.append(_latest(piece, _steps(piece)[ranks[begin:end] - edge]))
    return Sampled(points=Points.concat(found), rows=int(edges[-1]), width=width)


def _steps(scope: Scope) -> I64:
    """Every step that has a point, rising."""
    (steps,) = scope.select("steps", 1)
    return np.union1d(steps, scope.waiting.points.step)


def _latest(scope: Scope, steps: I64) -> Points:
    """Of each of these steps the point with the greatest (time, arrival), in key order."""
    found = [scope.waiting.take(np.isin(scope.waiting.points.step, steps))]
    for begin in range(0, len(steps), AT_ONCE):
        some = tuple(steps[begin : begin + AT_ONCE].tolist())
        moments = [column.tolist() for column in scope.select("latest_times", 2, steps=some)]
        if moments[0]:
            found.append(scope.rows("of_moments", steps=some, moments=tuple(zip(*moments, strict=True))))
    points = Rows.concat(found).distinct().points.sorted(Order.KEY)
    return points.take(last_per_step(points))


def summaries(
    server: Server, *, runs: Sequence[int], series: Sequence[int], waiting: Waiting, at_once: int
) -> dict[int, Summary]:
    """series key -> the summary of all its points."""
    rows = waiting.rows.of_series(series)
    rows = rows.take(rows.points.arrival < waiting.end)
    found: dict[int, Summary] = {}
    for some, count in _batches(server, runs, series, rows, end=waiting.end, at_once=at_once):
        if count > at_once and len(some) == 1:
            found[some[0]] = _long(server, runs, some[0], waiting, at_once)
            continue
        values = {"runs": tuple(runs), "series": some, "end_age": age_of(waiting.end)}
        run, *columns = select(server, "of_series", 7, values)
        every = Rows.concat([rows_of(columns, run), rows.of_series(some)]).distinct()
        starts = np.flatnonzero(np.append(True, every.series[1:] != every.series[:-1]))
        edges = np.append(starts, len(every))
        summed = Summary.rows(Buckets.of(every.points, edges), repeated_steps(every.points, edges))
        found.update(zip(every.series[starts].tolist(), summed, strict=True))
    return found


def _batches(
    server: Server, runs: Sequence[int], series: Sequence[int], waiting: Rows, *, end: int, at_once: int
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Series that have points, some at a time, and how many rows they have."""
    counts: dict[int, int] = {}
    for begin in range(0, len(series), AT_ONCE):
        some = tuple(series[begin : begin + AT_ONCE])
        columns = select(server, "counts", 2, {"runs": tuple(runs), "series": some, "end_age": age_of(end)})
        counts.update(zip(columns[0].tolist(), columns[1].tolist(), strict=True))
    for one, count in zip(*(part.tolist() for part in np.unique(waiting.series, return_counts=True)), strict=True):
        counts[one] = counts.get(one, 0) + count
    batch: list[int] = []
    held = 0
    for one, count in counts.items():
        if batch and (held + count > at_once or len(batch) == AT_ONCE):
            yield tuple(batch), held
            batch, held = [], 0
        batch.append(one)
        held += count
    if batch:
        yield tuple(batch), held


def _long(server: Server, runs: Sequence[int], series: int, waiting: Waiting, at_once: int) -> Summary:
    """The summary of one series whose points do not fit into memory."""
    whole: Summary | None = None
    for run in runs:
        scope = Scope.of(server, run=run, series=[series], window=EVERYTHING, waiting=waiting, at_once=at_once)
        for part in parts(scope):
            points = collect(part)
            if len(points):
                one = Summary.of(points)
                whole = one if whole is None else whole.merge(one)
    assert whole is not None
    return whole
