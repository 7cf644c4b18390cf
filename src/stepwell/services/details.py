"""What is known of a run beyond its params, tags and points: typed records with the run as their parent.

A detail is JSON text of a kind. Of some kinds a run has one, whose id is the run's; of others many. Which kinds
there are, and what their JSON means, is the business of who writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from stepwell.core.errors import Conflict
from stepwell.core.model import Record
from stepwell.core.store import Store

ALIAS: Final = "run_alias"
_PAGE: Final = 1000
_ATTEMPTS: Final = 20  # of a change that others keep overtaking


def of_run(store: Store, *, workspace: str, run_id: str, kinds: Sequence[str]) -> dict[str, str]:
    """kind -> JSON text, of the kinds of which a run has one; absent ones are left out."""
    return of_runs(store, workspace=workspace, run_ids=(run_id,), kinds=kinds).get(run_id, {})


def of_runs(store: Store, *, workspace: str, run_ids: Sequence[str], kinds: Sequence[str]) -> dict[str, dict[str, str]]:
    """run id -> kind -> JSON text; runs without any are left out."""
    found = store.records_of_runs(workspace=workspace, kinds=kinds, run_ids=run_ids)
    return {run_id: {record.kind: record.body for record in records} for run_id, records in found.items()}


def every(store: Store, *, workspace: str, run_id: str, kind: str, most: int | None = None) -> Iterator[Record]:
    """The records of a kind of which a run has many, in the order of creation; at most `most` of them."""
    after, left = None, most
    while left is None or left > 0:
        limit = _PAGE if left is None else min(_PAGE, left)
        page = store.find_records(workspace=workspace, kind=kind, where={"parent": run_id}, after=after, limit=limit)
        yield from page.items
        after, left = page.after, None if left is None else left - len(page.items)
        if after is None:
            return


def merge(
    store: Store, *, workspace: str, run_id: str, kind: str, change: Callable[[str | None], str], now: int
) -> str:
    """Replace the detail by what `change` makes of it (None: there is none yet); the new JSON text.

    Several may do so at once: each sees what the one before left. NotFound: no such run; Conflict: others were faster
    twenty times.
    """
    for _ in range(_ATTEMPTS):
        (old,) = store.get_records(workspace=workspace, kind=kind, ids=(run_id,))
        body = change(None if old is None else old.body)
        # Two changes within one microsecond must differ, else the second would not notice the first.
        at = now if old is None else max(now, old.updated_at + 1)
        new = Record(kind=kind, id=run_id, body=body, parent=run_id, created_at=at, updated_at=at)
        try:
            store.put_records(workspace=workspace, records=(new,), unchanged=() if old is None else (old,))
        except Conflict:
            continue
        return body
    raise Conflict(f"the {kind} of run {run_id!r} is being changed by too many at once; nothing was stored")


def put(store: Store, *, workspace: str, records: Sequence[Record]) -> None:
    """Store details, all or none; each replaces an older one of its kind and id. NotFound: no such run."""
    store.put_records(workspace=workspace, records=records)


def alias(run_id: str, name: str, *, scope: int, at: int) -> Record:
    """Another name of a run, unique in its scope (an experiment's id)."""
    return Record(
        kind=ALIAS,
        id=run_id,
        body="{}",
        parent=run_id,
        unique={"alias": f"{scope}/{name}"},
        created_at=at,
        updated_at=at,
    )


def run_of_alias(store: Store, *, workspace: str, name: str, scope: int) -> str | None:
    """The id of the run that has this other name."""
    where: Mapping[str, str] = {"alias": f"{scope}/{name}"}
    found = store.find_records(workspace=workspace, kind=ALIAS, where=where, after=None, limit=1).items
    return found[0].parent if found else None


def alias_of(record: Record) -> str:
    """The name behind `alias`."""
    return record.unique["alias"].partition("/")[2]
