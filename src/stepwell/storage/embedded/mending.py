"""Summaries that fail their checksum, made anew from the blocks they sum up. Points are never mended."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import apsw

from stepwell.core.errors import Corrupt
from stepwell.core.series import Order, Points
from stepwell.core.summary import Summary
from stepwell.storage.catalog import summaries
from stepwell.storage.catalog.series import of_runs
from stepwell.storage.embedded import blocks, tiles
from stepwell.storage.embedded.blocks import Blocks
from stepwell.storage.embedded.statements import POINTS as SQL

_log = logging.getLogger("stepwell.storage")


def load(connection: apsw.Connection, cache: Blocks, series_keys: Sequence[int]) -> dict[int, Summary]:
    """As `summaries.load`, on the writing connection. Raises Corrupt when the blocks are damaged too."""
    try:
        return summaries.load(connection, series_keys)
    except Corrupt:
        mend(connection, cache, series_keys)
        return summaries.load(connection, series_keys)


def mend_runs(connection: apsw.Connection, cache: Blocks, run_keys: Sequence[int]) -> None:
    """Mend the summaries of all series of some runs."""
    mend(connection, cache, [series.key for series in of_runs(connection, run_keys)])


def mend(connection: apsw.Connection, cache: Blocks, series_keys: Sequence[int]) -> None:
    """Replace the damaged ones among some summaries."""
    for key in series_keys:
        try:
            summaries.load(connection, [key])
        except Corrupt as error:
            every = tiles.leaves(connection, blocks.headers(connection, [key]), lambda _: True)
            found = [cache.points(connection, header) for header in every]
            if not found:
                raise
            total = Summary.of(Points.concat(found).sorted(Order.KEY))
            SQL.run(connection, "mend_summary", (summaries.encode(total), key))
            _log.warning("series %d: %s; made anew from its blocks", key, error, extra={"action": "summary_mended"})
