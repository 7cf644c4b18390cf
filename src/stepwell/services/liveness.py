"""Runs whose makers promised to give signs of life: who is watched, when they were last heard of, who has gone silent.

Only runs that are watched can be found silent. Nothing here knows how often `fail_silent` is called.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final

from stepwell.core.model import NO_COLUMNS, Event, Record, RunRow, RunWrite, Status
from stepwell.core.page import Position
from stepwell.core.store import Store

WATCH: Final = "watch"
SILENT_AFTER: Final = 150_000_000  # microseconds without a sign of life, for a run that ever gave a beat
SILENT_AFTER_NO_BEAT: Final = 1_800_000_000  # for one that never did
NOTED_EVERY: Final = 10_000_000  # a later sign is not stored before this: a beat each four seconds need not be a commit
REASON: Final = "no sign of life"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """When a run was last heard of, and when it last gave a beat (None: never)."""

    seen_at: int
    beat_at: int | None = None


def watched(run_id: str, *, on: bool, at: int, signs: Signs | None = None) -> Record:
    """The record that says whether a run is watched, to be written with the run."""
    known = signs or Signs(seen_at=at)
    return Record(
        kind=WATCH,
        id=run_id,
        body=json.dumps({"seen_at": known.seen_at, "beat_at": known.beat_at}),
        parent=run_id,
        indexed={"watched": "yes" if on else "no"},
        created_at=at,
        updated_at=at,
    )


def is_watched(store: Store, *, workspace: str, run_id: str) -> bool:
    """Whether anybody promised signs of life of this run, also when it is over by now."""
    return store.get_records(workspace=workspace, kind=WATCH, ids=(run_id,))[0] is not None


def note(store: Store, *, workspace: str, run_id: str, now: int, beat: bool) -> None:
    """A sign of life: a beat, or anything else that was written. Nothing for a run that is not watched."""
    (record,) = store.get_records(workspace=workspace, kind=WATCH, ids=(run_id,))
    if record is None or record.indexed.get("watched") != "yes":
        return
    known = signs_of(record)
    fresh = now - (known.seen_at if not beat or known.beat_at is None else known.beat_at) < NOTED_EVERY
    if fresh and (known.beat_at is not None or not beat):
        return
    signs = Signs(seen_at=max(now, known.seen_at), beat_at=now if beat else known.beat_at)
    store.put_records(
        workspace=workspace, records=(replace(record, body=_body(signs), updated_at=max(now, record.updated_at)),)
    )


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
        over = []
        for record, row in zip(records, rows, strict=True):
            if row is None or row.run.status is not Status.RUNNING:
                over.append(replace(record, indexed={"watched": "no"}, updated_at=now))
            elif _silent(signs_of(record), now, since):
                store.write(workspace=workspace, writes=(_failure(record, row, now),)).result()
                failed += 1
        if over:
            store.put_records(workspace=workspace, records=over)
        if after is None:
            return failed


def _page_of(store: Store, workspace: str, after: Position | None) -> tuple[list[Record], Position | None]:
    page = store.find_records(workspace=workspace, kind=WATCH, where={"watched": "yes"}, after=after, limit=_PAGE)
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
        records=(replace(record, indexed={"watched": "no"}, updated_at=now),),
        at=now,
    )


def _body(signs: Signs) -> str:
    return json.dumps({"seen_at": signs.seen_at, "beat_at": signs.beat_at})
