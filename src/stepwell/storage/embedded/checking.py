"""Reading everything that is stored, and naming what is damaged and what it costs. Nothing is changed or repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import apsw

from stepwell.core.errors import Corrupt
from stepwell.core.model import Damage
from stepwell.core.series import Order, ascending
from stepwell.storage.catalog import series, summaries
from stepwell.storage.embedded import blocks, codec, journal, nodes, tiles
from stepwell.storage.embedded.blocks import Header
from stepwell.storage.embedded.database import database_errors
from stepwell.storage.embedded.packing import Packer
from stepwell.storage.embedded.statements import POINTS as SQL

Snapshot = Callable[[], AbstractContextManager[apsw.Connection]]
_PAGE = 1_000


def check(snapshot: Snapshot, packer: Packer) -> Iterator[Damage]:
    """Damage of the database, the journal, blocks, nodes and summaries, in that order. Memory stays small."""
    yield from going_on("database", database(snapshot))
    yield from going_on("journal", _journal(snapshot))
    yield from going_on("blocks", _blocks(snapshot, packer))
    yield from going_on("summaries", _summaries(snapshot))


def going_on(place: str, found: Iterator[Damage]) -> Iterator[Damage]:
    """What a part of the check finds, up to where nothing more of it can be read: that is one more damage."""
    try:
        yield from found
    except Corrupt as error:
        yield Damage(place=place, cost=f"from here on nothing can be checked: {error.message}")


def database(snapshot: Snapshot) -> Iterator[Damage]:
    """Table by table, so that the page that cannot be read is named and the others are looked at; then the whole.

    Not the quick check: an index that leads to another row is worse than one that is broken.
    """
    with snapshot() as connection:
        known = journal.rotten(connection)
        whole = not known
        for (name,) in SQL.all(connection, "tables"):
            if name in known:
                continue
            for damage in going_on(f"table {name}", _told(connection, f"table {name}", f"('{name}')")):
                whole = False
                yield damage
        if whole:
            yield from _told(connection, "database", "(100)")


def _told(connection: apsw.Connection, place: str, argument: str) -> Iterator[Damage]:
    with database_errors():
        for (line,) in connection.execute(f"PRAGMA integrity_check{argument}"):
            if line != "ok":
                yield Damage(place=place, cost=f"SQLite says: {line}")


def _blocks(snapshot: Snapshot, packer: Packer) -> Iterator[Damage]:
    after = (-(2**63), -1, -1)
    while True:
        with snapshot() as connection:
            headers = [blocks.header_from(row) for row in SQL.all(connection, "headers_after", (*after, _PAGE))]
            found = [
                damage
                for header in headers
                for damage in (_tile if header.level else _block)(connection, header, packer)
            ]
        yield from found
        if len(headers) < _PAGE:
            break
        after = (headers[-1].series_key, headers[-1].parent, headers[-1].id)


def _journal(snapshot: Snapshot) -> Iterator[Damage]:
    with snapshot() as connection:
        yield from _journal_rows(connection)


def _journal_rows(connection: apsw.Connection) -> Iterator[Damage]:
    for name in journal.rotten(connection):
        cost = "what could be read of it was written anew; of whole rows that were lost nobody can tell the number"
        yield Damage(place=f"table {name} (a journal that was set aside)", cost=cost)
    for first, count in SQL.all(connection, "damaged_journal"):
        yield Damage(
            place=f"journal row {first} (set aside)", cost=f"{count} points that were acknowledged cannot be read"
        )
    counts: dict[int, int] = dict(SQL.all(connection, "journal_counts"))
    for first, found in journal.replay(connection, journal.Compressor()):
        if isinstance(found, Corrupt):
            yield Damage(
                place=f"journal row {first}",
                cost=f"{counts.get(first, 0)} points that were acknowledged cannot be read",
            )


def _block(connection: apsw.Connection, header: Header, packer: Packer) -> Iterator[Damage]:
    place = f"block {header.id} of series {name_of(connection, header.series_key)}"
    try:
        with database_errors():
            data = SQL.one(connection, "block_data", (header.id,))
        if data is None:
            yield Damage(place=place, cost=f"{header.length} points are missing")
            return
        points = codec.decode(data[0], packer)
    except Corrupt as error:
        yield Damage(place=place, cost=f"{header.length} points cannot be read: {error}")
        return
    if not blocks.says(header, points):
        yield Damage(place=place, cost="its header does not describe its points")
    if not ascending(points.sort_columns(Order.KEY)).all():
        yield Damage(place=place, cost="its points are out of order: pages and charts of this series may be wrong")
    if header.length >= blocks.NODES_FROM:
        yield from _nodes(connection, header, packer, place)


def _tile(connection: apsw.Connection, header: Header, packer: Packer) -> Iterator[Damage]:
    place, cost = f"tile {header.id} of series {name_of(connection, header.series_key)}", "charts of this series fail"
    try:
        with database_errors():
            below = blocks.children(connection, header)
            row = SQL.one(connection, "block_data", (header.id,))
    except Corrupt as error:
        yield Damage(place=place, cost=f"reads of this series fail: {error.message}")
        return
    try:
        if row is None or not blocks.describes(header, nodes.decode(row[0], packer)):
            yield Damage(place=place, cost=f"{cost}; its points are whole")
        elif not tiles.covers(header, below):
            yield Damage(place=place, cost="its header does not describe the blocks below it")
    except Corrupt as error:
        yield Damage(place=place, cost=f"{cost}; its points are whole: {error.message}")


def _nodes(connection: apsw.Connection, header: Header, packer: Packer, place: str) -> Iterator[Damage]:
    try:
        with database_errors():
            row = SQL.one(connection, "block_nodes", (header.id,))
        if row is None or not blocks.describes(header, nodes.decode(row[0], packer)):
            yield Damage(place=f"nodes of {place}", cost="charts of this series fail; its points are whole")
    except Corrupt as error:
        yield Damage(place=f"nodes of {place}", cost=f"charts of this series fail; its points are whole: {error}")


def _summaries(snapshot: Snapshot) -> Iterator[Damage]:
    after = -(2**63)
    while True:
        with snapshot() as connection:
            rows = SQL.all(connection, "summaries_after", (after, _PAGE))
            found = [d for key, body in rows if (d := _summary(connection, key, body)) is not None]
        yield from found
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def _summary(connection: apsw.Connection, key: int, body: bytes) -> Damage | None:
    try:
        total = summaries.decode(body).count
    except Corrupt as error:
        return Damage(place=f"summary of series {name_of(connection, key)}", cost=error.message)
    ((stored,),) = SQL.all(connection, "points_in_blocks", (key,))
    if stored == total:
        return None
    cost = f"it counts {total} points; the blocks hold {stored}"
    return Damage(place=f"summary of series {name_of(connection, key)}", cost=cost)


def name_of(connection: apsw.Connection, key: int) -> str:
    """A series as people know it."""
    try:
        with database_errors():
            found = series.describe(connection, [key]).get(key)
            rows = [] if found is None else SQL.all(connection, "run_id", (found.run_key,))
    except Corrupt:
        return f"{key} (whose name cannot be read)"
    if found is None:
        return f"{key} (of a purged run)"
    return f"{found.metric!r} of run {rows[0][0] if rows else found.run_key}"
