"""Points that are not to be kept any more: what of a series is cut, in bounded steps.

A step looks at series as of one moment, beside the writes. Then one transaction hides the points and stores the summary
of those that stay, with what came meanwhile, so nobody sees a half. When and why is not decided here; what is hidden
goes later (removing.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final

from stepwell.core import acting
from stepwell.core.bounds import Expired, Kept
from stepwell.core.clock import Clock
from stepwell.core.model import EVERYTHING
from stepwell.core.series import Order
from stepwell.core.summary import Summary
from stepwell.storage.catalog import audit, runs, series, summaries
from stepwell.storage.warehouse import cuts, journal
from stepwell.storage.warehouse.cuts import SQL
from stepwell.storage.warehouse.database import Connection, Database
from stepwell.storage.warehouse.points import Cut, PointTables, Rows, Waiting
from stepwell.storage.warehouse.writer import RunName, Writer

RUNS: Final = 50  # whose series are listed at a time
SERIES: Final = 500  # looked at in one step
POINTS: Final = 1 << 20  # of a series that one step removes at most because of their number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """Some series as of one moment: their runs, summaries and cuts, and what waits."""

    runs: Mapping[int, RunName]
    stored: Mapping[int, Summary]
    run_of: Mapping[int, int]
    ends: Mapping[int, int]
    waiting: Rows
    cuts: Mapping[int, Cut]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A series that is cut, and the summary of what stays of what was there at the moment."""

    cut: Cut
    stays: Summary


class Expirer:
    """Cuts series. Any number of threads and processes may do so."""

    def __init__(
        self,
        database: Database,
        tables: PointTables,
        writer: Writer,
        *,
        clock: Clock,
    ) -> None:
        self._database = database
        self._tables = tables
        self._writer = writer
        self._clock = clock

    def expire(self, workspace: str, experiment_id: int, kept: Kept, *, dry: bool) -> Iterator[Expired]:
        """See BoundStore.expire_points."""
        with self._database.snapshot() as connection:
            run_keys = runs.keys_of_experiment(connection, workspace, experiment_id)
        for first in range(0, len(run_keys), RUNS):
            with self._database.snapshot() as connection:
                found = {each.key: each.run_key for each in series.of_runs(connection, run_keys[first : first + RUNS])}
            keys = list(found)
            for at in range(0, len(keys), SERIES):
                batch = {key: found[key] for key in keys[at : at + SERIES]}
                while (step := self._step(workspace, experiment_id, batch, kept, dry=dry)).points:
                    yield step
                    if dry:
                        break

    def _step(self, workspace: str, experiment_id: int, batch: Mapping[int, int], kept: Kept, *, dry: bool) -> Expired:
        moment = self._moment(batch, kept)
        if not moment.stored:
            return Expired(points=0, series=0)
        plans = self._planned(moment, kept, whole=dry)
        if dry or not plans:
            gone = [moment.stored[plan.cut.series].count - plan.stays.count for plan in plans]
            return Expired(points=sum(gone), series=len(gone))

        def run(connection: Connection) -> Expired:
            gone = _apply(connection, moment, plans)
            if gone:
                told = {"points": str(sum(gone)), "series": str(len(gone))}
                audit.note(connection, "points.expire", workspace=workspace, subject=str(experiment_id), **told)
            return Expired(points=sum(gone), series=len(gone))

        names = sorted({moment.runs[plan.cut.run] for plan in plans if plan.cut.run in moment.runs})
        done: Future[Expired] = self._writer.submit(acting.carried(run, at=self._clock()), runs=names)
        return done.result()

    def _moment(self, batch: Mapping[int, int], kept: Kept) -> _Moment:
        """Those of some series (series key -> run key) of which anything may have to go."""
        with self._database.snapshot() as connection:
            stored = {
                key: summary for key, summary in summaries.load(connection, batch).items() if _is_due(summary, kept)
            }
            run_of = {key: batch[key] for key in stored}
            keys = sorted(set(run_of.values()))
            named = {key: runs.named(connection, key) for key in keys}
            return _Moment(
                runs={key: name[:2] for key, name in named.items() if name is not None},
                stored=stored,
                run_of=run_of,
                ends=journal.ends(connection, keys),
                waiting=journal.of_runs(connection, keys).of_series(list(stored)) if keys else Rows.empty(),
                cuts=cuts.of_series(connection, stored) if stored else {},
            )

    def _planned(self, moment: _Moment, kept: Kept, *, whole: bool) -> list[_Plan]:
        """`whole`: however many points go, as nobody has to hide them."""
        planned = {
            key: Cut.aged(run=run, series=key, before=moment.ends[run], since=kept.since, last=moment.stored[key].last)
            for key, run in moment.run_of.items()
            if run in moment.ends
        }
        stays = moment.stored if kept.since is None else self._summaries(moment, planned)
        if kept.latest is not None:
            excess = {key: one.count - kept.latest for key, one in stays.items() if one.count > kept.latest}
            if whole:
                stays = {key: replace(one, count=one.count - excess.get(key, 0)) for key, one in stays.items()}
                excess = {}
            planned |= {key: self._shortened(moment, planned[key], count) for key, count in excess.items()}
            stays = self._summaries(moment, {key: planned[key] for key in excess}) | {
                key: one for key, one in stays.items() if key not in excess
            }
        return [
            _Plan(cut=cut, stays=stays[key])
            for key, cut in planned.items()
            if key in stays and stays[key].count < moment.stored[key].count
        ]

    def _shortened(self, moment: _Moment, cut: Cut, excess: int) -> Cut:
        """A cut that hides the first points, too."""
        page = self._tables.read(
            run=cut.run,
            series=[cut.series],
            order=Order.KEY,
            window=EVERYTHING,
            after=None,
            limit=min(excess, POINTS) + 1,
            waiting=self._waiting(moment, {cut.series: cut}, cut.before),
        )
        point = page.points.take(slice(-1, None))
        step, time, key, _ = (int(column[0]) for column in point.sort_columns(Order.KEY))
        return replace(cut, pivot=(step, time, key, int(point.occurrence[0])))

    def _summaries(self, moment: _Moment, planned: Mapping[int, Cut]) -> dict[int, Summary]:
        found: dict[int, Summary] = {}
        for run in sorted({cut.run for cut in planned.values()}):
            mine = {key: cut for key, cut in planned.items() if cut.run == run}
            waiting = self._waiting(moment, mine, moment.ends[run])
            found |= self._tables.summaries(runs=[run], series=list(mine), waiting=waiting)
        return found

    @staticmethod
    def _waiting(moment: _Moment, planned: Mapping[int, Cut], end: int) -> Waiting:
        hiding = [cut for cut in planned.values() if cut.hides_anything]
        return Waiting(rows=moment.waiting, end=end, cuts=[*moment.cuts.values(), *hiding])


def _apply(connection: Connection, moment: _Moment, plans: Sequence[_Plan]) -> list[int]:
    """Cut series as planned, unless somebody else did meanwhile; how many points each lost that lost any."""
    run_keys = sorted({plan.cut.run for plan in plans})
    there = {key for (key,) in SQL.all(connection, "lock_runs", (json.dumps(run_keys),))}
    plans = [plan for plan in plans if plan.cut.run in there]
    known = cuts.of_series(connection, [plan.cut.series for plan in plans])
    now = summaries.load(connection, [plan.cut.series for plan in plans])
    later = {run: _since(connection, run, moment.ends[run]) for run in there}
    made = {run: _number(connection, run) for run in there}
    gone: list[int] = []
    for plan in plans:
        key, run = plan.cut.series, plan.cut.run
        mine = {number: cut for number, cut in known.items() if cut.series == key}
        added = later[run].of_series([key])
        same = mine == {number: cut for number, cut in moment.cuts.items() if cut.series == key}
        if same and now[key].count == moment.stored[key].count + len(added):
            cut = replace(plan.cut, made=made[run])
            cuts.drop(connection, [number for number, old in mine.items() if cut.outdoes(old)])
            cuts.add(connection, cut)
            stays = plan.stays.merge(_summary(added)) if len(added) else plan.stays
            summaries.store(connection, [(key, stays)])
            gone.append(now[key].count - stays.count)
    return gone


def _since(connection: Connection, run: int, end: int) -> Rows:
    """What was written to a run since a moment: it is in the journal still, moved or not."""
    return journal.rows_of(SQL.all(connection, "arrived_since", (run, end)))


def _number(connection: Connection, run: int) -> int:
    """An arrival number of a run that no point has."""
    ((first,),) = SQL.all(connection, "take_number", (run,))
    return int(first)


def _summary(rows: Rows) -> Summary:
    return Summary.of(rows.points.sorted(Order.KEY))


def _is_due(summary: Summary, kept: Kept) -> bool:
    if kept.latest is not None and summary.count > kept.latest:
        return True
    return kept.since is not None and summary.count > 1 and summary.min_time < kept.since
