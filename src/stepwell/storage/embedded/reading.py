"""Reading points: pages in any order, buckets, samples. Blocks and head are brought together here and nowhere else.

A read takes the head first, then a database snapshot, so that no point can be in neither. If a flush step was committed
in between, what is in both is removed by its arrival number, and what arrived after the head was taken is left out: of
that time some points are in blocks and others not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import apsw
import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets
from stepwell.core.downsample import Sampled, last_per_step, rank_edges, sample_ranks, snapped_edges
from stepwell.core.errors import Corrupt
from stepwell.core.model import EVERYTHING, Window
from stepwell.core.page import Position
from stepwell.core.series import I64, Order, Points, ascending
from stepwell.core.store import PointPage
from stepwell.storage.catalog import summaries
from stepwell.storage.embedded import blocks, tiles
from stepwell.storage.embedded.blocks import Blocks, Header, nodes_of
from stepwell.storage.embedded.head import Moment
from stepwell.storage.embedded.nodes import FINE, WIDTH, NodeTable
from stepwell.storage.embedded.statements import POINTS as SQL

EXACT_BELOW: Final = 65_536  # points: a window this small is bucketed point by point
NODES_A_BUCKET: Final = 4  # at least, where tiles stand for blocks: an edge is off by an eighth of a bucket at most
_ORDER_WIDTH: Final = {Order.KEY: 5, Order.TIME: 5, Order.ARRIVAL: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Everything of some series at one moment: block headers of a snapshot, and the head's points that are in no block
    of it.
    """

    connection: apsw.Connection
    blocks: Blocks
    headers: list[Header]  # roots, or what is below them
    fresh: list[Points]  # one per series, in key order
    end: int  # the arrival number from which on nothing is shown

    def points(self, header: Header) -> Points:
        """The points of one block."""
        return until(self.end, header, self.blocks.points(self.connection, header))

    def meeting(self, window: Window) -> list[Header]:
        """The blocks that can hold points of the window."""
        return list(tiles.leaves(self.connection, self.headers, lambda header: _meets(header, window)))


def sources(
    connection: apsw.Connection,
    cache: Blocks,
    asked: Sequence[Sequence[int]],
    fresh: dict[int, Points],
    taken: Moment,
) -> list[Source]:
    """For each of the lists of series keys. `fresh`: series key -> the head's points, `taken` before the snapshot.

    Three statements, however many are asked for. Raises Corrupt when blocks are missing.
    """
    every = list(dict.fromkeys(key for keys in asked for key in keys))
    headers = blocks.headers_of_many(connection, every)
    count(connection, every, headers)
    found, fresh = at_one_moment(connection, headers, fresh, taken)
    by_series: dict[int, list[Header]] = {}
    for header in found:
        by_series.setdefault(header.series_key, []).append(header)
    return [
        Source(
            connection=connection,
            blocks=cache,
            headers=[header for key in keys for header in by_series.get(key, ())],
            fresh=[fresh[key] for key in keys if key in fresh and len(fresh[key])],
            end=taken.end,
        )
        for keys in asked
    ]


def count(connection: apsw.Connection, series_keys: Sequence[int], headers: list[Header]) -> None:
    """Raise Corrupt unless the blocks of each series add up to its summary. Both change in one transaction, so all else
    is damage: a header that can no longer be found would be points that silently are not there.
    """
    counted = dict.fromkeys(series_keys, 0)
    for header in headers:
        counted[header.series_key] = counted.get(header.series_key, 0) + header.length
    due = summaries.counts(connection, series_keys)
    for key, found in counted.items():
        told = due.get(key, 0)
        if told is not None and told != found:
            raise Corrupt(f"the blocks of series {key} hold {found} points, its summary counts {told}")


def at_one_moment(
    connection: apsw.Connection, headers: list[Header], fresh: dict[int, Points], taken: Moment
) -> tuple[list[Header], dict[int, Points]]:
    """What a snapshot and a head, taken before it, hold together: each point once. Points that arrived after the head
    was taken may still be in the blocks (`until`).
    """
    ((now,),) = SQL.all(connection, "flushes")
    if now == taken.flushes:
        return headers, fresh
    return [h for h in headers if h.min_arrival < taken.end], _not_in_blocks(headers, fresh)


def until(end: int, header: Header, points: Points) -> Points:
    """The points of a block without those that arrived from `end` on."""
    return points if header.max_arrival < end else points.take(points.arrival < end)


def _not_in_blocks(headers: list[Header], fresh: dict[int, Points]) -> dict[int, Points]:
    flushed: dict[int, int] = {}
    for header in headers:
        flushed[header.series_key] = max(header.max_arrival, flushed.get(header.series_key, -1))
    # A flush takes a series' oldest arrivals first, so what is above the greatest in blocks is only in the head.
    return {key: points.take(points.arrival > flushed.get(key, -1)) for key, points in fresh.items()}


def page(source: Source, *, order: Order, window: Window, after: Position | None, limit: int) -> PointPage:
    """The next `limit` points in `order`. Blocks are opened in the order of their least key, no more than the page
    needs.
    """
    start = _checked(order, after)
    pool = [_next(p, window, order, start, limit) for p in source.fresh]
    waiting = tiles.Frontier(
        source.connection,
        source.headers,
        low=lambda header: _low(header, order),
        wanted=lambda header: _meets(header, window) and _reaches(header, order, start),
    )
    while True:
        bound = waiting.bound()
        ready = [p for p in (_below(p, order, bound) for p in pool) if len(p)]
        wanted = limit + 1 - sum(map(len, ready))
        if wanted <= 0 or bound is None:
            break
        while wanted > 0 and waiting.bound() is not None:
            header = waiting.take()
            pool.append(_next(source.points(header), window, order, start, limit))
            wanted -= header.length
    found = _in_order(Points.concat(ready), order)
    more = len(found) > limit
    found = found.take(slice(0, limit))
    if order is Order.ARRIVAL:
        last = int(found.arrival[-1]) if len(found) else (start[0] if start else -1)
        return PointPage(points=found, after=(last,))
    ends = _columns(found.take(slice(-1, None)), order)
    return PointPage(points=found, after=tuple(int(end[0]) for end in ends) if more else None)


def collect(source: Source, window: Window) -> Points:
    """All points of the window in key order. For windows that fit memory."""
    fresh = [p for p in (_within(p, window) for p in source.fresh) if len(p)]
    found = []
    for cluster in _clusters(source.meeting(window), fresh):
        parts = [*(_within(source.points(header), window) for header in cluster.headers), *cluster.fresh]
        points = Points.concat([p for p in parts if len(p)])
        found.append(points if len(parts) == 1 else _in_order(points, Order.KEY))
    return Points.concat([p for p in found if len(p)])


def buckets(asked: Iterable[Source], *, window: Window, budget: int) -> list[Buckets]:
    """Of each source at most `budget` buckets of the window's points, by rank."""
    found: dict[int, Buckets] = {}
    exact: dict[int, Points] = {}  # what is bucketed point by point, and is waiting for others
    for place, source in enumerate(asked):
        whole, cut = _split(source, window)
        fresh = [p for p in (_within(p, window) for p in source.fresh) if len(p)]
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
        if not _meets(header, window):
            continue
        if _inside(header, window):
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
                if _meets(child, window)
            ]
            yield from _nodes(source, below, cluster.fresh, window, level)
        else:
            points = collect(replace(source, headers=cluster.headers, fresh=cluster.fresh), window)
            yield NodeTable.of(nodes_of(points, FINE if level < 0 else None))


def _stored_nodes(source: Source, cluster: _Cluster, window: Window, level: int) -> NodeTable | None:
    """Those of the one header that a cluster consists of, when they tell just what is to be told."""
    if len(cluster.headers) != 1 or cluster.fresh:
        return None
    (header,) = cluster.headers
    if header.level > max(level, 0) or header.max_arrival >= source.end or not _inside(header, window):
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
    fresh = [p for p in (_within(p, window) for p in source.fresh) if len(p)]
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
        if header.series_key in single and header.max_arrival < part.end and _inside(header, window):
            return header.length
    return len(_rows(part, window))


def _rows(part: Source, window: Window) -> Points:
    """What a sample chooses from, one row a step: first of each block alone, so that few are left to be joined."""
    points = [_within(part.points(h), window) for h in part.headers]
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


def _in_order(points: Points, order: Order) -> Points:
    """Sorted; mostly they stand so already, which the leading columns tell much faster than it is done."""
    if ascending(_lead(points, order)).all():
        return points
    columns = _columns(points, order)
    return points if ascending(columns).all() else points.take(np.lexsort(columns[::-1]))


def _columns(points: Points, order: Order) -> tuple[I64, ...]:
    columns = points.sort_columns(order)
    return columns if order is Order.ARRIVAL else (*columns, points.arrival)


def _checked(order: Order, after: Position | None) -> tuple[int, ...] | None:
    if after is None:
        return None
    numbers = tuple(p for p in after if isinstance(p, int))
    if len(numbers) != len(after) or len(numbers) != _ORDER_WIDTH[order]:
        raise ValueError(f"position {after!r} is not one of order {order}")
    return numbers


def _within(points: Points, window: Window) -> Points:
    if window == EVERYTHING:
        return points
    mask = (points.step >= window.min_step) & (points.step <= window.max_step)
    mask &= (points.time >= window.min_time) & (points.time <= window.max_time)
    return points if mask.all() else points.take(mask)


def _next(points: Points, window: Window, order: Order, start: tuple[int, ...] | None, limit: int) -> Points:
    """The window's points beyond `start`. No more than the page needs where their leading column already rises, as that
    of a series mostly does: then nothing is copied, and what lies before and behind the page costs nothing.
    """
    points = _within(points, window)
    if not _rises(points, order):
        return points if start is None else points.take(_greater(_columns(points, order), start))
    if start is not None:
        points = points.take(slice(int(np.searchsorted(_lead(points, order)[0], start[0])), None))
        equal = int(np.searchsorted(_lead(points, order)[0], start[0], "right"))
        if equal:  # of the same step or time, so that more columns decide
            above = np.ones(len(points), np.bool_)
            above[:equal] = _greater(_columns(points.take(slice(equal)), order), start)
            points = points.take(above)
    if len(points) <= limit + 1:
        return points
    first = _lead(points, order)[0]
    return points.take(slice(int(np.searchsorted(first, first[limit], "right"))))


def _rises(points: Points, order: Order) -> bool:
    """Whether the leading column never falls."""
    first = _lead(points, order)[0]
    return bool((first[1:] >= first[:-1]).all())


def _greater(columns: Sequence[I64], bound: Sequence[int]) -> NDArray[np.bool_]:
    """Rows above `bound`, compared over as many columns as it has."""
    above = np.zeros(len(columns[0]), np.bool_)
    equal = np.ones_like(above)
    for column, value in zip(columns, bound, strict=False):
        above |= equal & (column > value)
        equal &= column == value
    return above


def _below(points: Points, order: Order, bound: Sequence[int] | None) -> Points:
    """Those strictly below a block's least key in its leading columns (None: all): no unopened block can come before
    them.
    """
    if bound is None:
        return points
    below = np.zeros(len(points), np.bool_)
    equal = np.ones_like(below)
    for column, value in zip(_lead(points, order), bound, strict=True):
        below |= equal & (column < value)
        equal &= column == value
    return points if below.all() else points.take(below)


def _lead(points: Points, order: Order) -> tuple[I64, ...]:
    if order is Order.ARRIVAL:
        return (points.arrival,)
    return (points.step, points.time) if order is Order.KEY else (points.time, points.step)


def _low(header: Header, order: Order) -> tuple[int, ...]:
    if order is Order.ARRIVAL:
        return (header.min_arrival,)
    return (header.min_step, header.min_time) if order is Order.KEY else (header.min_time, header.min_step)


def _reaches(header: Header, order: Order, start: tuple[int, ...] | None) -> bool:
    """Whether the block can hold points beyond `start`."""
    if start is None:
        return True
    if order is Order.ARRIVAL:
        return header.max_arrival > start[0]
    high = (header.max_step, header.max_time) if order is Order.KEY else (header.max_time, header.max_step)
    return high >= start[:2]


def _meets(header: Header, window: Window) -> bool:
    return (
        header.min_step <= window.max_step
        and header.max_step >= window.min_step
        and header.min_time <= window.max_time
        and header.max_time >= window.min_time
    )


def _inside(header: Header, window: Window) -> bool:
    return (
        header.min_step >= window.min_step
        and header.max_step <= window.max_step
        and header.min_time >= window.min_time
        and header.max_time <= window.max_time
    )
