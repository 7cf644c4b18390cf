"""The total summaries of series with points in the head: many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stepwell.core.buckets import Buckets
from stepwell.core.series import I64, Order
from stepwell.core.summary import Summary, repeated_steps
from stepwell.storage.catalog.live import Live
from stepwell.storage.embedded.head import Series, State
from stepwell.storage.embedded.pieces import points_of

SUMMED_UP: Final = 1_000  # series at a time: their rows are copied


def sum_up(captured: Sequence[tuple[Series, State]]) -> list[Summary | None]:
    """The summary of all points of each, in blocks and in its state; None where there are none."""
    return [None if live is None else live.summary for live in live_of(captured)]


def live_of(captured: Sequence[tuple[Series, State]]) -> list[Live | None]:
    """The same with the series that they are of. Remembered: what did not change costs no object. Series that several
    points were added to are summed up together, a hundred times as fast.
    """
    found = [
        known[2] if (known := series.known) is not None and known[1] == state.n and known[0] == state.epoch else None
        for series, state in captured
    ]
    due: list[tuple[int, int, Summary | None]] = []  # place in `captured`, first row to be summed up, of those before
    for place in [place for place, live in enumerate(found) if live is None]:
        series, state = captured[place]
        done, base = series.summed_up(state)
        if done + 1 < state.n:
            due.append((place, done, base))
        elif done < state.n:
            found[place] = series.remember(state, _both(base, Summary.of_one(*state.one(done)[:3])))
        elif base is not None:
            found[place] = series.remember(state, base)
    for at in range(0, len(due), SUMMED_UP):
        some = due[at : at + SUMMED_UP]
        parts = [captured[place][1].rows[:, done : captured[place][1].n] for place, done, _ in some]
        in_order = all(captured[place][1].in_order for place, *_ in some)
        for (place, _, base), fresh in zip(some, _summaries(parts, in_order=in_order), strict=True):
            series, state = captured[place]
            found[place] = series.remember(state, _both(base, fresh))
    return found


def _both(base: Summary | None, fresh: Summary) -> Summary:
    return fresh if base is None else base.merge(fresh)


def _summaries(parts: Sequence[I64], *, in_order: bool) -> list[Summary]:
    """One for each, of its rows. `in_order`: those of each stand in key order."""
    lengths = np.array([part.shape[1] for part in parts])
    edges = np.append(0, np.cumsum(lengths))
    points = points_of(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))
    if not in_order:
        which = np.repeat(np.arange(len(parts)), lengths)
        points = points.take(np.lexsort((which, *points.sort_columns(Order.KEY))[::-1]))
    return Summary.rows(Buckets.of(points, edges), repeated_steps(points, edges))
