"""Applying retention: which deleted runs and which points are due, workspace by workspace. The store removes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby
from operator import attrgetter
from time import CLOCK_BOOTTIME, clock_gettime
from typing import Final

from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.bounds import DAY, RETENTION, Bound, Kept, in_force
from stepwell.core.clock import Clock
from stepwell.core.errors import Conflict, NotFound
from stepwell.core.model import DEFAULT_EXPERIMENT, Experiment, ExperimentQuery, Lifecycle, Visibility
from stepwell.core.store import Store
from stepwell.services.liveness import Hearing

RUNS: Final = 100  # purged in one transaction
_EXPERIMENTS: Final = 1_000  # of a page
_log: Final = logging.getLogger("stepwell.retention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What went of an experiment, or would: deleted runs with all that is theirs, points of so many series of others
    (a series is counted in each step that was about it), and whether the experiment, deleted and empty, went itself."""

    workspace: str
    experiment_id: int
    runs: tuple[str, ...] = ()
    points: int = 0
    series: int = 0
    experiment: bool = False


class Applying:
    """Applies the rules again and again, but not in the day after the clock was changed: put forward by mistake, it
    makes old what is young, and what went does not come back."""

    def __init__(
        self, store: Store, *, clock: Clock, monotonic: Callable[[], float] = lambda: clock_gettime(CLOCK_BOOTTIME)
    ) -> None:
        """`monotonic`: seconds that go on while the machine sleeps, which changes no clock."""
        self._store = store
        self._clock = clock
        self._hearing = Hearing(clock, monotonic=monotonic)
        self._changed_at = self._began = self._hearing.since()

    def steps(self) -> Iterator[Expiry]:
        """Those of all workspaces; none while the clock may be wrong."""
        changed_at = self._hearing.since()
        if changed_at != self._changed_at:
            _log.warning("the clock was changed: retention waits a day", extra={"action": "retention_waits"})
            self._changed_at = changed_at
        now = self._clock()
        if changed_at == self._began or now - changed_at >= DAY:
            yield from steps(self._store, now=now)


def apply(store: Store, *, now: int, allowed: str = ANY_WORKSPACE, dry: bool = False) -> Iterator[Expiry]:
    """`steps`, those of an experiment joined, and only where something went."""
    place = attrgetter("workspace", "experiment_id")
    for _, found in groupby(steps(store, now=now, allowed=allowed, dry=dry), key=place):
        joined = reduce(_joined, found)
        if joined.runs or joined.points or joined.experiment:
            yield joined


def steps(store: Store, *, now: int, allowed: str = ANY_WORKSPACE, dry: bool = False) -> Iterator[Expiry]:
    """Remove what the rules of the workspace `allowed` (`*`: of all) do not keep, step by step; it may end after any of
    them. `dry`: nothing goes. What was written in the last seconds may wait in memory; a dry run does not see it."""
    rules = [each for each in store.list_bounds() if each.name in RETENTION]
    for name in [each.name for each in store.list_workspaces() if allowed in (ANY_WORKSPACE, each.name)]:
        if any(each.workspace in (name, ANY_WORKSPACE) for each in rules):
            for experiment in _experiments(store, name):
                yield from _expire(store, experiment, rules, now=now, dry=dry)


def _expire(store: Store, experiment: Experiment, rules: Sequence[Bound], *, now: int, dry: bool) -> Iterator[Expiry]:
    workspace, number = experiment.workspace, experiment.id
    rule = in_force(rules, workspace=workspace, everywhere=ANY_WORKSPACE, experiment_id=number)
    nothing = Expiry(workspace=workspace, experiment_id=number)
    if "deleted_runs_days" in rule:
        before = now - rule["deleted_runs_days"] * DAY
        for ids in _purge(store, workspace, number, before=before, dry=dry):
            yield replace(nothing, runs=tuple(ids))
        if not dry and _purge_experiment(store, experiment, before=before):
            yield replace(nothing, experiment=True)
            return
    kept = _kept(rule, now)
    if kept is not None:
        for step in store.expire_points(workspace=workspace, experiment_id=number, kept=kept, dry=dry):
            yield replace(nothing, points=step.points, series=step.series)


def _joined(a: Expiry, b: Expiry) -> Expiry:
    return replace(
        a,
        runs=a.runs + b.runs,
        points=a.points + b.points,
        series=a.series + b.series,
        experiment=a.experiment or b.experiment,
    )


def _kept(rule: Mapping[str, int], now: int) -> Kept | None:
    if not rule.keys() & {"points_days", "points_per_series"}:
        return None
    days = rule.get("points_days")
    return Kept(since=None if days is None else now - days * DAY, latest=rule.get("points_per_series"))


def _purge(store: Store, workspace: str, number: int, *, before: int, dry: bool) -> Iterator[list[str]]:
    after = ""
    while ids := store.runs_deleted_before(
        workspace=workspace, experiment_id=number, before=before, after=after, limit=RUNS
    ):
        if not dry:
            store.purge_runs(workspace=workspace, run_ids=ids, deleted_before=before)
        yield ids
        after = ids[-1]


def _purge_experiment(store: Store, experiment: Experiment, *, before: int) -> bool:
    """Whether it went. One with runs stays, and so does experiment 0."""
    due = experiment.lifecycle is Lifecycle.DELETED and experiment.updated_at < before
    if not due or experiment.id == DEFAULT_EXPERIMENT:
        return False
    try:
        store.purge_experiment(workspace=experiment.workspace, id=experiment.id)
    except (Conflict, NotFound):
        return False
    return True


def _experiments(store: Store, workspace: str) -> Iterator[Experiment]:
    query = ExperimentQuery(visibility=Visibility.ALL, limit=_EXPERIMENTS)
    while True:
        page = store.search_experiments(workspace=workspace, query=query)
        yield from page.items
        if page.after is None:
            return
        query = ExperimentQuery(visibility=Visibility.ALL, limit=_EXPERIMENTS, after=page.after)
