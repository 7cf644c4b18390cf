"""Reading points of series as a whole: all of them, buckets, samples. Pages are in pages.py; blocks and head are
brought together in gathering.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled, last_per_step, rank_edges, sample_ranks, snapped_edges
from stepwell.core.errors import Corrupt
from stepwell.core.model import Window
from stepwell.core.series import Order, Points
from stepwell.storage.catalog import summaries
from stepwell.storage.embedded import tiles
from stepwell.storage.embedded.blocks import Header, nodes_of
from stepwell.storage.embedded.gathering import Source, inside, meets, within
from stepwell.storage.embedded.nodes import FINE, WIDTH, NodeTable
from stepwell.storage.embedded.pages import in_order

EXACT_BELOW: Final = 65_536  # points: a window this small is bucketed point by point
NODES_A_BUCKET: Final = 4  # at least, where tiles stand for blocks: an edge is off by an eighth of a bucket at most


def collect(source: Source, window: Window) -> Points:
    """All points of the window in key order. For windows that fit memory."""
    fresh = [p for p in (within(p, window) for p in source.fresh) if len(p)]
    found = []
    for cluster in _clusters(source.meeting(window), fresh):
        parts = [*(within(source.points(header), window) for header in cluster.headers), *cluster.fresh]
        points = Points.concat([p for p in parts if len(p)])
        found.append(points if len(parts) == 1 else in_order(points, Order.KEY))
    return Points.concat([p for p in found if len(p)])


def buckets(asked: Iterable[Source], *, window: Window, budget: int) -> list[Buckets]:
    """Of each source at most `budget` buckets of the window's points, by rank."""
    found: dict[int, Buckets] = {}
    exact: dict[int, Points] = {}  # what is bucketed point by point, and is waiting for others
    for place, source in enumerate(asked):
        whole, cut = _split(source, window)
        fresh = [p for p in (within(p, window) for p in source.fresh) if len(p)]
        total = sum(header.length for header in whole + cut) + sum(map(len, fresh))
        level = _level(total, budget)
        if level is None:
            exact[place] = collect(replace(source, headers=whole + cut, fresh=fresh), window)
            if sum(map(len, exact.values())) >= EXACT_BELOW:
                found |= _ranked(exact, budget)
                exact.clear()
            continue
        nodes = [table for table in _nodes(source, whole + cut, fresh, window, level) if len(table)]
        joined = NodeTable.joined(nodes).buckets() if nodes else Buckets.empty()
        found[place] = joined.merge(snapped_edges(joined.count, budget))
    found |= _ranked(exact, budget)
    return [found[place] for place in range(len(found))]


def _ranked(several: dict[int, Points], budget: int) -> dict[int, Buckets]:
    """Each as buckets of its points. Of short series together: numpy takes longer to begin than to do them."""
    edges = [rank_edges(len(points), budget) for points in several.values()]
    begins = np.cumsum([0, *map(len, several.values())])
    together = np.concatenate([[0], *(each[1:] + begin for each, begin in zip(edges, begins, strict=False))])
    rows = Buckets.of(Points.concat(list(several.values())), together)
    cuts = np.cumsum([0, *(len(each) - 1 for each in edges)]).tolist()
    return {place: rows.take(slice(a, b)) for place, (a, b) in zip(several, pairwise(cuts), strict=True)}


def _level(total: int, budget: int) -> int | None:
    """Of the nodes that so many points are told by: that of tiles, 0 for blocks, -1 for fine ones; None is points."""
    # Below a node for each bucket the nodes are too coarse: the chart would show fewer buckets than were asked for.
    if total <= max(EXACT_BELOW, budget * WIDTH):
        return -1 if total > max(EXACT_BELOW, NODES_A_BUCKET * budget * FINE) else None
    level = 0
    while total >= NODES_A_BUCKET * budget * tiles.node_points(level + 1):
        level += 1
    return level


def _split(source: Source, window: Window) -> tuple[list[Header], list[Header]]:
    """Headers that stand for all of the window: those all of whose points are in it, and blocks that it cuts."""
    whole, cut = list[Header](), list[Header]()
    waiting = list(source.headers)
    while waiting:
        header = waiting.pop()
        if not meets(header, window):
            continue
        if inside(header, window):
            whole.append(header)
        elif header.level:
            waiting += source.blocks.below(source.connection, header)
        else:
            cut.append(header)
    return whole, cut


def _nodes(
    source: Source, headers: list[Header], fresh: list[Points], window: Window, level: int
) -> Iterator[NodeTable]:
    """Nodes of the window's points in key order, of tiles up to a level. Tiles that cannot stand for their blocks, as
    others are among them, or are damaged, give way to what is below them.
    """
    for cluster in _clusters(headers, fresh):
        found = _stored_nodes(source, cluster, window, level)
        if found is not None:
            yield found
        elif any(header.level for header in cluster.headers):
            below = [
                child
                for header in cluster.headers
                for child in (source.blocks.below(source.connection, header) if header.level else [header])
                if meets(child, window)
            ]
            yield from _nodes(source, below, cluster.fresh, window, level)
        else:
            points = collect(replace(source, headers=cluster.headers, fresh=cluster.fresh), window)
            yield nodes_of(points, FINE if level < 0 else None)


def _stored_nodes(source: Source, cluster: _Cluster, window: Window, level: int) -> NodeTable | None:
    """Those of the one header that a cluster consists of, when they tell just what is to be told."""
    if len(cluster.headers) != 1 or cluster.fresh:
        return None
    (header,) = cluster.headers
    if header.level > max(level, 0) or header.max_arrival >= source.end or not inside(header, window):
        return None
    try:
        return (source.blocks.fine if level < 0 else source.blocks.nodes)(source.connection, header)
    except Corrupt:
        if not header.level:
            raise
        return None


def sampled(source: Source, *, window: Window, limit: int) -> Sampled:
    """The sample of the window's points. Blocks that a row is chosen from are opened; others only where their headers
    do not tell how many rows they have. Those are read twice, to count and to take: all at once need not fit in memory.
    """
    meeting = source.meeting(window)
    fresh = [p for p in (within(p, window) for p in source.fresh) if len(p)]
    parts = [replace(source, headers=c.headers, fresh=c.fresh) for c in _clusters(meeting, fresh, columns=1)]
    single = summaries.without_repeats(source.connection, {header.series_key for header in meeting})
    edges = np.concatenate([[0], np.cumsum([_row_count(part, window, single) for part in parts], dtype=np.int64)])
    ranks, width = sample_ranks(int(edges[-1]), limit)
    places = np.searchsorted(ranks, edges)
    found = [
        _rows(part, window).take(ranks[begin:end] - edge)
        for part, edge, (begin, end) in zip(parts, edges[:-1], pairwise(places), strict=True)
        if begin < end
    ]
    return Sampled(points=Points.concat(found), rows=int(edges[-1]), width=width)


def _row_count(part: Source, window: Window, single: set[int]) -> int:
    """How many rows `_rows` has. single: series of which no step has two points in blocks."""
    if len(part.headers) == 1 and not part.fresh:
        (header,) = part.headers
        if header.series_key in single and header.max_arrival < part.end and inside(header, window):
            return header.length
    return len(_rows(part, window))


def _rows(part: Source, window: Window) -> Points:
    """What a sample chooses from, one row a step: first of each block alone, so that few are left to be joined."""
    points = [within(part.points(h), window) for h in part.headers]
    rows = Points.concat([p.take(last_per_step(p)) for p in (*points, *part.fresh)]).sorted(Order.KEY)
    return rows.take(last_per_step(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """Blocks and head points whose ranges overlap: they must be sorted together."""

    headers: list[Header]
    fresh: list[Points]


def _clusters(headers: list[Header], fresh: list[Points], *, columns: int = 2) -> list[_Cluster]:
    """In rising order; disjoint in the first `columns` of (step, time)."""
    spans: list[tuple[tuple[int, ...], tuple[int, ...], Header | Points]] = [
        ((h.min_step, h.min_time), (h.max_step, h.max_time), h) for h in headers
    ]
    spans += [((int(p.step[0]), int(p.time.min())), (int(p.step[-1]), int(p.time.max())), p) for p in fresh]
    spans.sort(key=lambda span: span[0])
    found: list[_Cluster] = []
    end: tuple[int, ...] | None = None
    for low, high, item in ((low[:columns], high[:columns], item) for low, high, item in spans):
        if end is None or low > end:
            found.append(_Cluster(headers=[], fresh=[]))
        end = high if end is None or high > end else end
        (found[-1].headers if isinstance(item, Header) else found[-1].fresh).append(item)  # type: ignore[arg-type]
    return found
