"""Runs whose makers promised to give signs of life: who is watched, when they were last heard of, who has gone silent.

Only runs that are watched can be found silent. Nothing here knows how often `fail_silent` is called.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from stepwell.core.clock import Clock
from stepwell.core.errors import Conflict
from stepwell.core.model import NO_COLUMNS, Event, Lifecycle, Record, RunRow, RunWrite, Status
from stepwell.core.page import Position
from stepwell.core.store import Store

WATCH: Final = "watch"
SILENT_AFTER: Final = 150_000_000  # microseconds without a sign of life, for a run that ever gave a beat
SILENT_AFTER_NO_BEAT: Final = 1_800_000_000  # for one that never did
NOTED_EVERY: Final = 10_000_000  # a later sign is not stored before this: a beat each four seconds need not be a commit
CHANGED: Final = 10_000_000  # microseconds by which a clock goes wrong that nobody changed, from one look to the next
REASON: Final = "no sign of life"
_PAGE: Final = 500
_ON: Final = {"watched": "yes"}
_OFF: Final = {"watched": "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """When a run was last heard of, and when it last gave a beat (None: never)."""

    seen_at: int
    beat_at: int | None = None


class Hearing:
    """Since when this server could hear anything: since its start, or since its clock was changed, for nobody is to be
    blamed for an hour that has not been."""

    def __init__(self, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._ahead = self._difference()
        self._since = clock()

    def since(self) -> int:
        """To be asked before each look for silent runs."""
        ahead = self._difference()
        if abs(ahead - self._ahead) > CHANGED:
            self._since = self._clock()
        self._ahead = ahead
        return self._since

    def _difference(self) -> int:
        return self._clock() - int(self._monotonic() * 1_000_000)


def watched(run_id: str, *, at: int) -> Record:
    """The record that says that a run is watched, to be written when the run is made."""
    return Record(
        kind=WATCH,
        id=run_id,
        body=_body(Signs(seen_at=at)),
        parent=run_id,
        indexed=_ON,
        created_at=at,
        updated_at=at,
    )


def find(store: Store, *, workspace: str, run_id: str) -> Record | None:
    """The watch record of a run, also of one that is over; None when nobody promised signs of life of it."""
    return store.get_records(workspace=workspace, kind=WATCH, ids=(run_id,))[0]


def turned(record: Record, *, on: bool, at: int) -> Record:
    """The watch record of a run that goes on (and has been seen now), or that is over."""
    body = _body(Signs(seen_at=at)) if on else record.body
    return _changed(record, body=body, indexed=_ON if on else _OFF, at=at)


def note(store: Store, *, workspace: str, run_id: str, now: int, beat: bool) -> None:
    """A sign of life: a beat, or anything else that was written. Nothing for a run that is not watched."""
    record = find(store, workspace=workspace, run_id=run_id)
    if record is None or record.indexed != _ON:
        return
    known = signs_of(record)
    first = beat and known.beat_at is None
    last = known.beat_at if beat and known.beat_at is not None else known.seen_at
    if not first and 0 <= now - last < NOTED_EVERY:  # less: the clock was put back
        return
    signs = Signs(seen_at=max(now, known.seen_at), beat_at=now if beat else known.beat_at)
    new = _changed(record, body=_body(signs), indexed=_ON, at=now)
    with suppress(Conflict):  # the run has just ended, or gave another sign: that counts
        store.put_records(workspace=workspace, records=(new,), unchanged=(record,))


def signs_of(record: Record) -> Signs:
    """What a watch record says."""
    body = json.loads(record.body)
    return Signs(seen_at=body["seen_at"], beat_at=body["beat_at"])


def fail_silent(store: Store, *, now: int, since: int) -> int:
    """End every watched run that has been silent for too long as FAILED; how many there were.

    `since`: from when on this server could hear anything; nobody is blamed for silence before.
    """
    return sum(_fail_silent(store, workspace.name, now, since) for workspace in store.list_workspaces())


def _fail_silent(store: Store, workspace: str, now: int, since: int) -> int:
    failed, after = 0, None
    while True:
        records, after = _page_of(store, workspace, after)
        rows = store.get_runs(workspace=workspace, run_ids=[each.parent for each in records], columns=NO_COLUMNS)
        for record, row in zip(records, rows, strict=True):
            with suppress(Conflict):  # the run has just ended, or gave a sign: the next round will see
                failed += _judge(store, workspace, record, row, now, since)
        if after is None:
            return failed


def _judge(store: Store, workspace: str, record: Record, row: RunRow | None, now: int, since: int) -> bool:
    if row is None or row.run.status is not Status.RUNNING or row.run.lifecycle is not Lifecycle.ACTIVE:
        off = turned(record, on=False, at=now)
        store.put_records(workspace=workspace, records=(off,), unchanged=(record,))
        return False
    silent = _silent(signs_of(record), now, since)
    if silent:
        store.write(workspace=workspace, writes=(_failure(record, row, now),)).result()
    return silent


def _page_of(store: Store, workspace: str, after: Position | None) -> tuple[list[Record], Position | None]:
    page = store.find_records(workspace=workspace, kind=WATCH, where=_ON, after=after, limit=_PAGE)
    return page.items, page.after


def _silent(signs: Signs, now: int, since: int) -> bool:
    allowed = SILENT_AFTER_NO_BEAT if signs.beat_at is None else SILENT_AFTER + NOTED_EVERY
    return now - max(signs.seen_at, signs.beat_at or 0, since) > allowed


def _failure(record: Record, row: RunRow, now: int) -> RunWrite:
    signs = signs_of(record)
    detail = {"from": row.run.status.value, "to": Status.FAILED.value, "source": "monitor", "seen_at": signs.seen_at}
    return RunWrite(
        run_id=record.parent,
        status=Status.FAILED,
        status_reason=REASON,
        end_time=max(signs.seen_at, row.run.start_time or 0),
        events=(Event(time=now, kind="status", text=f"failed: {REASON}", detail=json.dumps(detail)),),
        records=(turned(record, on=False, at=now),),
        unchanged=(record,),
        at=now,
    )


def _changed(record: Record, *, body: str, indexed: Mapping[str, str], at: int) -> Record:
    """The record anew; its time differs, so that whoever read the old one notices."""
    return replace(record, body=body, indexed=indexed, updated_at=max(at, record.updated_at + 1))


def _body(signs: Signs) -> str:
    return json.dumps({"seen_at": signs.seen_at, "beat_at": signs.beat_at})
