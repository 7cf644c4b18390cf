"""Points as rows of one array, as the head keeps them and the journal is read: what a commit brings, and many of these
joined. Nothing here knows of series but their slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import I64, INT64_MAX, Order, Points

STEP, TIME, BITS, OCCURRENCE, ARRIVAL = range(5)  # rows of the array of a series; BITS are the float64's bits
COLUMNS: Final = 5
_IDENTITY: Final = 4  # rows that identify a point: all but the arrival
PART: Final = 64  # points of a series in a commit from which on a copy of them alone is the fastest


class Row(NamedTuple):
    """One point, as in `Points`."""

    step: int
    time: int
    value: float
    occurrence: int
    arrival: int


class Piece(NamedTuple):
    """Points that became durable, sorted by series and key: those of `slots[i]`, each once, are the rows between
    `edges[i]` and `edges[i+1]`.
    """

    slots: I64
    edges: I64
    rows: I64
    rises: bool = False  # whether all are known to come after every earlier point of their series


class Unsettled(NamedTuple):
    """A commit that the head keeps as it is."""

    piece: Piece
    late: NDArray[np.bool_]  # of each series: whether it reaches back behind an earlier point of it


def joined(unsettled: Sequence[Unsettled]) -> tuple[Piece, NDArray[np.bool_]]:
    """All of it as one piece, rows of a series in the order in which they came; which series have late ones."""
    if len(unsettled) == 1:
        return unsettled[0]
    pieces = [piece for piece, _ in unsettled]
    slots = np.concatenate([piece.slots for piece in pieces])
    order = np.argsort(slots, kind="stable")  # of parts: a part is what a commit has of a series
    slots = slots[order]
    lengths = np.concatenate([np.diff(piece.edges) for piece in pieces])[order]
    ends = np.append(0, np.cumsum(lengths))
    rows = _parts(pieces, order) if ends[-1] >= PART * len(order) else _gathered(pieces, order, lengths, ends)
    groups = edges_of(slots)
    late = np.concatenate([late for _, late in unsettled])[order]
    return Piece(slots[groups[:-1]], ends[groups], rows), np.logical_or.reduceat(late, groups[:-1])


def _parts(pieces: Sequence[Piece], order: I64) -> I64:
    """The rows of all parts, in this order: a copy of each."""
    parts = [piece.rows[:, start:end] for piece in pieces for start, end in pairwise(piece.edges.tolist())]
    return np.concatenate([parts[place] for place in order.tolist()], axis=1)


def _gathered(pieces: Sequence[Piece], order: I64, lengths: I64, ends: I64) -> I64:
    """The same, row by row, where parts are too short for a copy of each. `lengths`, `ends`: in the order asked for."""
    offsets = np.append(0, np.cumsum([piece.rows.shape[1] for piece in pieces]))
    begins = np.concatenate([piece.edges[:-1] + offset for piece, offset in zip(pieces, offsets, strict=False)])
    places = np.repeat(begins[order] - ends[:-1], lengths) + np.arange(ends[-1])
    rows = np.empty((COLUMNS, len(places)), np.int64)
    for number, row in enumerate(rows):
        np.concatenate([piece.rows[number] for piece in pieces]).take(places, out=row, mode="clip")
    return rows


def edges_of(which: I64) -> I64:
    """Where another number begins, and the end, of at least one number."""
    if len(which) == 1:
        return np.array((0, 1), np.int64)
    inner = np.flatnonzero(which[1:] != which[:-1])
    edges = np.empty(len(inner) + 2, np.int64)
    edges[0], edges[-1] = 0, len(which)
    np.add(inner, 1, out=edges[1:-1])
    return edges


def identities(rows: I64, places: I64) -> I64:
    """What identifies the points at some places: int64 array (4, n) of step, time, value key, occurrence."""
    found: I64 = rows[:_IDENTITY].take(places, axis=1)
    found[BITS] = keys_of(found[BITS])
    return found


def keys_of(bits: I64) -> I64:
    """The keys of values, given as bits: the same, but for their sign."""
    keys: I64 = bits ^ ((bits >> 63) & INT64_MAX)
    return keys


def points_of(rows: I64) -> Points:
    """Rows of the head as points."""
    return Points(
        step=rows[STEP],
        time=rows[TIME],
        value=rows[BITS].view(np.float64),
        occurrence=rows[OCCURRENCE],
        arrival=rows[ARRIVAL],
    )


def sort_keys(rows: I64) -> tuple[I64, ...]:
    """What `np.lexsort` puts rows of one series in key order by."""
    return points_of(rows).sort_columns(Order.KEY)[::-1]
