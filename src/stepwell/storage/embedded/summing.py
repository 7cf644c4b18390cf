"""The total summaries of series with points in the head: many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.series import I64, Order
from stepwell.core.summary import Summary, repeated_steps
from stepwell.storage.embedded.head import Series, State
from stepwell.storage.embedded.pieces import points_of

SUMMED_UP: Final = 1_000  # series at a time: their rows are copied


def sum_up(captured: Sequence[tuple[Series, State]]) -> list[Summary | None]:
    """The summary of all points of each, in blocks and in its state; None where there are none. Remembered. Series
    that several points were added to are summed up together, a hundred times as fast.
    """
    found: list[Summary | None] = []
    due: list[tuple[int, int]] = []  # place in `captured`, first row to be summed up
    for place, (series, state) in enumerate(captured):
        done, base = series.summed_up(state)
        if done + 1 < state.n:
            due.append((place, done))
        elif done < state.n:
            base = series.add_up(state, base, Summary.of_one(*state.one(done)[:3]))
        found.append(base)
    for at in range(0, len(due), SUMMED_UP):
        some = due[at : at + SUMMED_UP]
        parts = [captured[place][1].rows[:, done : captured[place][1].n] for place, done in some]
        in_order = all(captured[place][1].in_order for place, _ in some)
        for (place, _), fresh in zip(some, _summaries(parts, in_order=in_order), strict=True):
            series, state = captured[place]
            found[place] = series.add_up(state, found[place], fresh)
    return found


def _summaries(parts: Sequence[I64], *, in_order: bool) -> list[Summary]:
    """One for each, of its rows. `in_order`: those of each stand in key order."""
    lengths = np.array([part.shape[1] for part in parts])
    edges = np.append(0, np.cumsum(lengths))
    points = points_of(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))
    if not in_order:
        which = np.repeat(np.arange(len(parts)), lengths)
        points = points.take(np.lexsort((which, *points.sort_columns(Order.KEY))[::-1]))
    return Summary.rows(Buckets.of(points, edges), repeated_steps(points, edges))
