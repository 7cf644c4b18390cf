"""What blocks and the head hold of series at one moment. They are brought together here and nowhere else.

A read takes the head first, then a database snapshot, so that no point can be in neither. If a flush step was committed
in between, what is in both is removed by its arrival number, and what arrived after the head was taken is left out: of
that time some points are in blocks and others not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from stepwell.core.errors import Corrupt
from stepwell.core.model import EVERYTHING, Window
from stepwell.core.series import Points
from stepwell.storage.catalog import summaries
from stepwell.storage.embedded import blocks, tiles
from stepwell.storage.embedded.blocks import Blocks, Header
from stepwell.storage.embedded.head import Moment
from stepwell.storage.embedded.statements import POINTS as SQL


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
        return list(tiles.leaves(self.connection, self.headers, lambda header: meets(header, window)))


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


def within(points: Points, window: Window) -> Points:
    """The points of the window; the same when all are."""
    if window == EVERYTHING:
        return points
    mask = (points.step >= window.min_step) & (points.step <= window.max_step)
    mask &= (points.time >= window.min_time) & (points.time <= window.max_time)
    return points if mask.all() else points.take(mask)


def meets(header: Header, window: Window) -> bool:
    """Whether there can be points of the window in a block."""
    return (
        header.min_step <= window.max_step
        and header.max_step >= window.min_step
        and header.min_time <= window.max_time
        and header.max_time >= window.min_time
    )


def inside(header: Header, window: Window) -> bool:
    """Whether all points of a block are in the window."""
    return (
        header.min_step >= window.min_step
        and header.max_step <= window.max_step
        and header.min_time >= window.min_time
        and header.max_time <= window.max_time
    )
