"""Long series that may be summed up (points/tile_making.py): nobody else sums up series of their runs, and PostgreSQL
says up to where all of their points are in ClickHouse.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TypeAlias

from stepwell.storage.warehouse import cuts
from stepwell.storage.warehouse.database import Connection
from stepwell.storage.warehouse.journal import SQL
from stepwell.storage.warehouse.points import Lately, PointTables

Key: TypeAlias = tuple[int, int]  # run key, series key


def lock(connection: Connection, run_keys: Collection[int]) -> set[int]:
    """Those of some runs whose series nobody else sums up, nor will until the end of the transaction."""
    return {key for (key,) in SQL.all(connection, "lock_tiles", (json.dumps(sorted(run_keys)),))}


def roll_up(connection: Connection, tables: PointTables, keys: Sequence[Key], lately: Lately | None = None) -> int:
    """Sum up what is new of some series of locked runs; how many tiles were made. Those of purged runs are left out."""
    runs = json.dumps(sorted({run for run, _ in keys}))
    upto: dict[int, int] = dict(SQL.all(connection, "settled", (runs,)))
    settled = {(run, series): upto[run] for run, series in keys if run in upto}
    hiding = list(cuts.of_series(connection, [series for _, series in settled]).values())
    return tables.roll_up(settled=settled, cuts=hiding, lately=lately)
