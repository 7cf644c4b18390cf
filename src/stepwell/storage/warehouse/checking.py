"""Comparing what PostgreSQL says of the points with the points that are there, and naming what does not fit and what it
costs. Nothing is changed or repaired.

It reads all points, while servers write. What is compared is as of one moment of PostgreSQL: of many series together
first, of those that seem not to fit run by run then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

import numpy as np

from stepwell.core.errors import Corrupt
from stepwell.core.model import Damage
from stepwell.core.series import INT64_MAX, value_key
from stepwell.core.summary import Summary
from stepwell.storage.catalog import runs, series, summaries
from stepwell.storage.catalog.sql import Row, Statements
from stepwell.storage.warehouse import cuts, journal
from stepwell.storage.warehouse.database import Connection, Database
from stepwell.storage.warehouse.points import PointTables, Rows, Waiting

SQL: Final = Statements(files(__package__).joinpath("checking.sql").read_text("utf-8"))
PAGE: Final = 1_000  # rows that are looked at together
CLOSE: Final = 1e-9  # by which means of one set of points may differ, of its greatest value: sums round
LOOKS: Final = 2  # that must agree: what is purged meanwhile is no damage
_COUNTS: Final = ("count", "finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What PostgreSQL says of some series at one moment: the runs and the bodies of their summaries, by key, and what
    waits."""

    run_of: Mapping[int, int]
    bodies: Mapping[int, bytes | None]
    waiting: Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A series whose points are not what its summary or what was summed up of them says. None: there is none."""

    run: int
    series: int
    said: Summary | None
    damaged: str  # why the summary cannot be read; "" where it can, or is missing
    there: Summary | None
    spoilt: bool  # what was summed up of the points is not what they are

    @property
    def fits(self) -> bool:
        """Whether the summary is right."""
        return not self.damaged and not differ(self.said, self.there)


def check(database: Database, tables: PointTables) -> Iterator[Damage]:
    """What is damaged of the journal, what ClickHouse lacks, and summaries that do not fit, in that order."""
    for _, damage in damaged_rows(database):
        yield damage
    for rows in lacking(database, tables):
        yield from of_each(database, rows, "are not in ClickHouse any more; the journal has them, for a repair")
    for some in misfits(database, tables):
        if isinstance(some, Damage):
            yield some
            continue
        with database.snapshot() as connection:
            found = [damage for one in some for damage in told_of(connection, one)]
        yield from found


def damaged_rows(database: Database) -> Iterator[tuple[tuple[int, int], Damage]]:
    """Rows of the journal that cannot be read: run key and first arrival, and what it costs."""
    for found in _journal(database):
        for run, first, count, payload, moved in found:
            if isinstance(trouble := _decoded(run, first, payload), Corrupt):
                cost = (
                    "that ClickHouse was given" if moved else "that were acknowledged cannot be read, as all of the run"
                )
                with database.snapshot() as connection:
                    place = f"journal of run {_run_name(connection, run)} from arrival {first}"
                yield (
                    (run, first),
                    Damage(place=place, cost=f"{count} points {cost}; nothing is moved meanwhile: {trouble.message}"),
                )


def lacking(database: Database, tables: PointTables) -> Iterator[Rows]:
    """Points that were moved to ClickHouse and are not there, some at a time."""
    for found in _journal(database):
        decoded = [_decoded(run, first, payload) for run, first, _, payload, moved in found if moved]
        rows = Rows.concat([one for one in decoded if isinstance(one, Rows)])
        rows = rows.take(tables.missing(rows))
        if len(rows):
            yield rows


def misfits(database: Database, tables: PointTables) -> Iterator[list[Misfit] | Damage]:
    """The series of which something does not fit, those of one run together; and runs that cannot be looked at."""
    after = -1
    while True:
        with database.snapshot() as connection:
            page = SQL.all(connection, "series_after", {"after": after, "limit": PAGE})
        run_of = {key: run for key, run, _ in page}
        for run, keys in _suspects(database, tables, run_of).items():
            try:
                found = _looked_at(database, tables, run, keys)
            except Corrupt as error:
                with database.snapshot() as connection:
                    name = _run_name(connection, run)
                yield Damage(place=f"run {name}", cost=f"its series cannot be compared: {error.message}")
                continue
            if found:
                yield found
        if len(page) < PAGE:
            return
        after = page[-1][0]


def moment(connection: Connection, run_of: Mapping[int, int], *, end: int | None = None) -> Moment:
    """That of some series (series key -> run key), with all that arrived before `end`, by default before the moment:
    then all are of one run. Raises Corrupt where a row of the journal cannot be read whose points are nowhere else."""
    keys, run_keys = list(run_of), sorted(set(run_of.values()))
    if end is None:
        end = min(journal.ends(connection, run_keys).values(), default=0)
    rows = []
    for run, first, payload, moved in SQL.all(connection, "journal_of_runs", (json.dumps(run_keys),)):
        decoded = _decoded(run, first, payload)
        if isinstance(decoded, Rows):
            rows.append(decoded)
        elif not moved:
            raise decoded
    return Moment(
        run_of=run_of,
        bodies=dict(SQL.all(connection, "bodies", (json.dumps(keys),))),
        waiting=Waiting(rows=Rows.concat(rows), end=end, cuts=list(cuts.of_series(connection, keys).values())),
    )


def compared(tables: PointTables, then: Moment) -> list[Misfit]:
    """The series that did not fit at a moment."""
    keys, run_keys = list(then.bodies), sorted(set(then.run_of.values()))
    there = tables.summaries(runs=run_keys, series=keys, waiting=then.waiting, tiled=False)
    spoilt = {
        key
        for key in tables.with_tiles(runs=run_keys, series=keys)
        if tables.wrong_tiles(run=then.run_of[key], series=key, waiting=then.waiting)
    }
    found = [
        _misfit(then.run_of[key], key, body, there.get(key), spoilt=key in spoilt) for key, body in then.bodies.items()
    ]
    return [one for one in found if one.spoilt or not one.fits]


def of_each(database: Database, rows: Rows, told: str) -> Iterator[Damage]:
    """One damage for each series that some points are of."""
    keys, counts = np.unique(rows.series, return_counts=True)
    with database.snapshot() as connection:
        found = [
            Damage(place=f"points of series {name_of(connection, key)}", cost=f"{count} {told}")
            for key, count in zip(keys.tolist(), counts.tolist(), strict=True)
        ]
    yield from found


def told_of(connection: Connection, one: Misfit) -> Iterator[Damage]:
    """What is damaged of a series, for people."""
    name = name_of(connection, one.series)
    if not one.fits:
        yield Damage(place=f"summary of series {name}", cost=_cost(one))
    if one.spoilt:
        yield Damage(
            place=f"sums of series {name}", cost="charts of it may be wrong, or slow; they do not fit its points"
        )


def name_of(connection: Connection, key: int) -> str:
    """A series as people know it."""
    found = series.describe(connection, [key]).get(key)
    if found is None:
        return f"{key} (of a purged run)"
    labels = "".join(f" {name}={value!r}" for name, value in found.labels)
    return f"{found.metric!r}{labels} of run {_run_name(connection, found.run_key)}"


def differ(one: Summary | None, other: Summary | None) -> bool:
    """Whether two summaries cannot be of the same points. Means may differ by what sums round."""
    if one is None or other is None:
        return one is not other
    if any(getattr(one, name) != getattr(other, name) for name in _COUNTS):
        return True
    for each in ("first", "last"):
        left, right = getattr(one, each), getattr(other, each)
        if (left.step, left.time, value_key(left.value)) != (right.step, right.time, value_key(right.value)):
            return True
    if any(value_key(getattr(one, each).value) != value_key(getattr(other, each).value) for each in ("min", "max")):
        return True
    greatest = max(abs(one.min.value), abs(one.max.value))
    return abs(one.mean / 2 - other.mean / 2) > CLOSE * greatest  # halves: two means may be further apart than a float


def _journal(database: Database) -> Iterator[list[Row]]:
    place = {"run_key": -1, "first_arrival": -1}
    while True:
        with database.snapshot() as connection:
            found = SQL.all(connection, "journal_after", {**place, "limit": PAGE})
        yield found
        if len(found) < PAGE:
            return
        place = {"run_key": found[-1][0], "first_arrival": found[-1][1]}


def _decoded(run: int, first: int, payload: bytes) -> Rows | Corrupt:
    try:
        return journal.decode(payload, run_key=run, first_arrival=first)
    except Corrupt as error:
        return error


def _suspects(database: Database, tables: PointTables, run_of: Mapping[int, int]) -> dict[int, list[int]]:
    """Run key -> the series of it that may not fit: what arrives meanwhile is in one of both only."""
    found: dict[int, list[int]] = {}
    try:
        with database.snapshot() as connection:
            then = moment(connection, run_of, end=INT64_MAX)
        some = [one.series for one in compared(tables, then)]
    except Corrupt:  # which run it is shows when each is looked at by itself
        some = list(run_of)
    for key in some:
        found.setdefault(run_of[key], []).append(key)
    return found


def _looked_at(database: Database, tables: PointTables, run: int, keys: Sequence[int]) -> list[Misfit]:
    found: list[Misfit] = []
    for _ in range(LOOKS):
        with database.snapshot() as connection:
            then = moment(connection, dict.fromkeys(keys, run))
        found = compared(tables, then)
        keys = [one.series for one in found]
        if not keys:
            break
    return found


def _misfit(run: int, key: int, body: bytes | None, there: Summary | None, *, spoilt: bool) -> Misfit:
    one = Misfit(run=run, series=key, said=None, damaged="", there=there, spoilt=spoilt)
    try:
        return one if body is None else replace(one, said=summaries.decode(body))
    except Corrupt as error:
        return replace(one, damaged=error.message)


def _cost(one: Misfit) -> str:
    if one.damaged:
        return f"{one.damaged}; {_words(one.there)} are there"
    if one.said is None:
        return f"it is missing; {_words(one.there)} are there"
    lost = one.said.count - (0 if one.there is None else one.there.count)
    return f"it says {_words(one.said)}; {_words(one.there)} are there{f': {lost} are lost' if lost > 0 else ''}"


def _words(one: Summary | None) -> str:
    if one is None:
        return "no points"
    return (
        f"{one.count} points from step {one.first.step} ({one.first.value!r}) to step {one.last.step} "
        f"({one.last.value!r}), least {one.min.value!r}, greatest {one.max.value!r}, mean {one.mean!r}"
    )


def _run_name(connection: Connection, key: int) -> str:
    found = runs.named(connection, key)
    return str(key) if found is None else found[1]
