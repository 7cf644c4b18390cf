"""Sorting rows that mostly stand in order: what writers send and servers answer are rising stretches, one for each
series or part. Pure: no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np

from stepwell.core.series import I64, ascending

SHORT: Final = 8  # rows of a stretch on the average: shorter ones are not laid one behind another, but sorted
TRIED: Final = 2  # columns that tell the order of nearly all rows, and are sorted in a third of the time of all
Places: TypeAlias = I64 | slice


def rising(columns: Sequence[I64], *, lead: int) -> Places | None:
    """The places at which rows stand in rising order of their columns, the first of which counts most.

    A slice where they stand so already. Else stretches that are equal in the first `lead` columns are laid one behind
    another, or the rows are sorted by two columns alone; None where that is not enough, or some rows are equal.
    """
    below = ascending(tuple(columns))
    if below.all():
        return slice(None)
    ends = ~below
    for column in columns[:lead]:
        ends |= column[1:] != column[:-1]
    found = _laid(columns, np.flatnonzero(ends) + 1)
    if found is not None:
        return found
    varying = [column for column in columns if (column != column[0]).any()]
    if not varying:
        return None
    order = np.lexsort(tuple(varying[:TRIED])[::-1])
    return order if ascending(tuple(column[order] for column in columns)).all() else None


def _laid(columns: Sequence[I64], ends: I64) -> I64 | None:
    """Stretches that end before `ends` one behind another; None where they are short, or lie in each other."""
    if len(ends) * SHORT > len(columns[0]):
        return None
    starts, stops = np.append(0, ends), np.append(ends, len(columns[0]))
    order = np.lexsort(tuple(column[starts] for column in columns)[::-1])
    starts, stops = starts[order], stops[order]
    edges = np.stack((stops[:-1] - 1, starts[1:]), axis=1).ravel()  # the last of each, the first of the next
    if not ascending(tuple(column[edges] for column in columns))[::2].all():
        return None
    lengths = stops - starts
    moved = starts - np.cumsum(lengths) + lengths
    found: I64 = np.arange(len(columns[0])) + np.repeat(moved, lengths)
    return found
