"""Buckets, samples and summaries of what is stored and what waits. The arithmetic is core's; here is what to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled, last_per_step, rank_edges, sample_ranks, snapped_edges
from stepwell.core.model import EVERYTHING
from stepwell.core.series import I64, Order, Points
from stepwell.core.summary import Summary, repeated_steps
from stepwell.storage.warehouse.points import tiles
from stepwell.storage.warehouse.points.cuts import hidden
from stepwell.storage.warehouse.points.rows import Rows
from stepwell.storage.warehouse.points.server import Server
from stepwell.storage.warehouse.points.spans import collect, parts
from stepwell.storage.warehouse.points.statements import Extent, Scope, age_of, rows_of, select
from stepwell.storage.warehouse.points.tiles import Segment, segments
from stepwell.storage.warehouse.points.waiting import Waiting

NODES_A_BUCKET: Final = 3  # in a longer one, so that edges are off by a sixth of a bucket at most
NAMED: Final = 4_096  # series or steps named in one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is done together, in points.

    at_once: read into memory; exact_below: a window this small is bucketed point by point; nodes: what is summed up in
    one node, from the level of tiles down.
    """

    at_once: int = 1 << 20
    exact_below: int = 65_536
    nodes: tuple[int, ...] = (32_768, 8_192, 2_048, 512, 128)


def buckets(scope: Scope, budget: int, sizes: Sizes) -> Buckets:
    """At most `budget` buckets of all points, of about equally many."""
    pieces = [(piece, piece.scope.extent() if piece.tiles is None else None) for piece in segments(scope)]
    total = sum(_count(piece, extent) for piece, extent in pieces)
    if total <= max(sizes.exact_below, budget):
        points = collect(scope)
        return Buckets.of(points, rank_edges(len(points), budget))
    width = max(1, total // (budget * NODES_A_BUCKET))
    whole = Buckets.concat([nodes for piece, extent in pieces for nodes in _nodes(piece, extent, width, sizes)])
    return whole.merge(snapped_edges(whole.count, budget))


def _count(piece: Segment, extent: Extent | None) -> int:
    """How many points a segment has, or more where some are stored twice. `extent`: of one without tiles."""
    stored = extent.count if extent is not None else 0
    return stored + len(piece.scope.waiting) if piece.tiles is None else int(piece.tiles.count.sum())


def _nodes(piece: Segment, extent: Extent | None, width: int, sizes: Sizes) -> Iterator[Buckets]:
    """Nodes of a segment, in key order, of about `width` points or fewer. `extent`: of one without tiles."""
    if piece.tiles is not None:
        level = next((n for n, each in enumerate(sizes.nodes) if each <= width), len(sizes.nodes) - 1)
        found = tiles.nodes(piece.scope, piece.tiles, level)
        if found is not None:
            yield found.nodes
            return
    for part in parts(piece.scope, extent):
        points = collect(part)
        yield Buckets.of(points, rank_edges(len(points), max(1, -(-len(points) // width))))


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
    for begin in range(0, len(steps), NAMED):
        some = tuple(steps[begin : begin + NAMED].tolist())
        moments = [column.tolist() for column in scope.select("latest_times", 2, steps=some)]
        if moments[0]:
            found.append(scope.rows("of_moments", steps=some, moments=tuple(zip(*moments, strict=True))))
    points = Rows.concat(found).distinct().points.sorted(Order.KEY)
    return points.take(last_per_step(points))


def summaries(
    server: Server, *, runs: Sequence[int], series: Sequence[int], waiting: Waiting, at_once: int, tiled: bool = True
) -> dict[int, Summary]:
    """series key -> the summary of all its points; not `tiled`: whatever was summed up of them before."""
    rows = waiting.rows.of_series(series)
    rows = rows.take(rows.points.arrival < waiting.end)
    found: dict[int, Summary] = {}
    for long in with_tiles(server, runs, series) if tiled else ():
        found |= _long(server, runs, long, waiting, at_once)
    series = [one for one in series if one not in found]
    rows = rows.of_series(series)
    for some, count in _batches(server, runs, series, rows, end=waiting.end, at_once=at_once):
        if count > at_once and len(some) == 1:
            found |= _long(server, runs, some[0], waiting, at_once, tiled=tiled)
            continue
        values = {"runs": tuple(runs), "series": some, "end_age": age_of(waiting.end)}
        run, *columns = select(server, "of_series", 7, values)
        every = Rows.concat([rows_of(columns, run), rows.of_series(some)])
        every = every.take(~hidden(every, waiting.cuts)).distinct()
        if not len(every):
            continue
        starts = np.flatnonzero(np.append(True, every.series[1:] != every.series[:-1]))
        edges = np.append(starts, len(every))
        summed = Summary.rows(Buckets.of(every.points, edges), repeated_steps(every.points, edges))
        found.update(zip(every.series[starts].tolist(), summed, strict=True))
    return found


def with_tiles(server: Server, runs: Sequence[int], series: Sequence[int]) -> list[int]:
    """Those that are so long that they have tiles."""
    found: list[int] = []
    for begin in range(0, len(series), NAMED):
        values = {"runs": tuple(runs), "series": tuple(series[begin : begin + NAMED])}
        found += select(server, "tiled", 1, values)[0].tolist()
    return found


def _batches(
    server: Server, runs: Sequence[int], series: Sequence[int], waiting: Rows, *, end: int, at_once: int
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Series that have points, some at a time, and how many rows they have."""
    counts: dict[int, int] = {}
    for begin in range(0, len(series), NAMED):
        some = tuple(series[begin : begin + NAMED])
        columns = select(server, "counts", 2, {"runs": tuple(runs), "series": some, "end_age": age_of(end)})
        counts.update(zip(columns[0].tolist(), columns[1].tolist(), strict=True))
    for one, count in zip(*(part.tolist() for part in np.unique(waiting.series, return_counts=True)), strict=True):
        counts[one] = counts.get(one, 0) + count
    batch: list[int] = []
    held = 0
    for one, count in counts.items():
        if batch and (held + count > at_once or len(batch) == NAMED):
            yield tuple(batch), held
            batch, held = [], 0
        batch.append(one)
        held += count
    if batch:
        yield tuple(batch), held


def _long(
    server: Server, runs: Sequence[int], series: int, waiting: Waiting, at_once: int, *, tiled: bool = True
) -> dict[int, Summary]:
    """The summary of one series whose points do not fit into memory; empty where it has none."""
    whole: Summary | None = None
    for run in runs:
        scope = Scope.of(server, run=run, series=[series], window=EVERYTHING, waiting=waiting, at_once=at_once)
        for one in _summed(segments(scope) if tiled else [Segment(scope=scope, tiles=None)]):
            whole = one if whole is None else whole.merge(one)
    return {} if whole is None else {series: whole}


def _summed(pieces: Sequence[Segment]) -> Iterator[Summary]:
    """Summaries of the parts of stretches, in key order."""
    for piece in pieces:
        found = None if piece.tiles is None else tiles.nodes(piece.scope, piece.tiles, 0)
        if found is not None:
            yield from Summary.rows(found.nodes, found.repeated)
            continue
        for part in parts(piece.scope):
            points = collect(part)
            if len(points):
                yield Summary.of(points)
