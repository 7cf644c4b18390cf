"""Making a warehouse sound while servers use it: what says something about points is made anew of the points that are
there, and points that the journal still has are put back.

No value is made up, and no point is removed. What a summary said before is in the line that tells of it, for a backup
may have the points. What cannot be read of the journal is set aside in a table. Files stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from stepwell.core import acting
from stepwell.core.audit import EVERYWHERE
from stepwell.core.clock import Clock
from stepwell.core.errors import Busy
from stepwell.core.model import Damage
from stepwell.storage.catalog import audit, summaries
from stepwell.storage.warehouse import checking, cuts, tiling
from stepwell.storage.warehouse.checking import SQL, Misfit
from stepwell.storage.warehouse.database import UNHURRIED, Connection, Database
from stepwell.storage.warehouse.points import PointTables

PATIENCE: Final = 60.0  # seconds until ClickHouse has removed what it was told to
LEFT: Final = "nothing was done about it"


def repair(database: Database, tables: PointTables, *, clock: Clock) -> Iterator[Damage]:
    """What was damaged, thing by thing, each told when it is mended or left. Again it finds only what was left."""
    mended = 0
    for key, damage in checking.damaged_rows(database):
        with database.changing() as connection:
            SQL.run(connection, "make_aside")
            SQL.run(connection, "set_aside", key)
            SQL.run(connection, "drop_row", key)
        mended += 1
        yield Damage(place=damage.place, cost=f"{damage.cost}; it is in the table journal_damaged now")
    for rows in checking.lacking(database, tables):
        tables.insert(rows)
        tables.settled()
        for damage in checking.of_each(
            database, rows, "were not in ClickHouse any more; they are put back from the journal"
        ):
            mended += 1
            yield damage
    for found in checking.misfits(database, tables):
        if isinstance(found, Damage):
            yield Damage(place=found.place, cost=f"{found.cost}; {LEFT}")
            continue
        for damage in _mended(database, tables, found):
            mended += 1
            yield damage
    if mended:
        _note(database, clock, mended)


def _mended(database: Database, tables: PointTables, found: Sequence[Misfit]) -> list[Damage]:
    """All of one run, in one transaction that nobody else writes the run in."""
    run, told = found[0].run, []
    with database.changing() as connection:
        connection.execute(UNHURRIED)
        if not cuts.SQL.all(connection, "lock_runs", (f"[{run}]",)):
            return []  # it was purged
        then = checking.moment(connection, {one.series: run for one in found})
        again = checking.compared(tables, then)
        for one in again:
            told += [
                Damage(place=damage.place, cost=f"{damage.cost}; made anew of the points")
                for damage in checking.told_of(connection, one)
            ]
        _store(connection, [one for one in again if not one.fits])
        if spoilt := [one.series for one in again if one.spoilt]:
            _sum_up(connection, tables, run, spoilt)
    return told


def _store(connection: Connection, found: Sequence[Misfit]) -> None:
    """The right summaries, and what searches see of them."""
    for one in found:
        SQL.run(connection, "drop_summary", (one.series,))
    there = [(one.series, one.there) for one in found if one.there is not None]
    summaries.store(connection, there)
    for one in found:
        if one.there is None:
            rest = SQL.all(connection, "sibling", (one.series,))
            SQL.run(connection, "drop_searched", (one.series,))
            summaries.store(connection, [(key, summaries.decode(body)) for key, body in rest])


def _sum_up(connection: Connection, tables: PointTables, run: int, keys: Sequence[int]) -> None:
    """Remove what was summed up of some series, and do it again."""
    if not tiling.lock(connection, [run]):
        raise Busy("a server sums up series of the same run just now; repair once more")
    tables.delete_tiles(run=run, series=keys)
    end = time.monotonic() + PATIENCE
    while tables.has_tiles(run=run, series=keys):
        if time.monotonic() > end:
            raise Busy("ClickHouse has not removed yet what was summed up wrong; repair once more")
        time.sleep(0.1)
    tiling.roll_up(connection, tables, [(run, key) for key in keys])


def _note(database: Database, clock: Clock, mended: int) -> None:
    with database.changing() as connection:

        def note() -> None:
            audit.note(connection, "store.repair", workspace=EVERYWHERE, subject="", damaged=str(mended))

        acting.carried(note, at=clock())()
