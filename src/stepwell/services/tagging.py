"""Changes to a run's tags that rest on the tags it has. Tags that are simply set go through ingest.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from stepwell.core.errors import Busy, Conflict
from stepwell.core.model import Columns, Lifecycle, RunRow, RunWrite
from stepwell.core.store import Store
from stepwell.services import ingest, runs

_ATTEMPTS: Final = 20


def change(
    store: Store,
    *,
    workspace: str,
    run_id: str,
    tags: Sequence[str] | None = None,
    decide: Callable[[RunRow], RunWrite | None],
) -> None:
    """Write what `decide` makes of a run with all of its tags, or some, and return when it is durable. When somebody
    else changes one of the tags that it sets or removes meanwhile, it decides anew. None: there is nothing to write.

    NotFound: no such run; Conflict: it is deleted; Busy: others kept changing these tags.
    """
    for _ in range(_ATTEMPTS):
        row = runs.get_run(store, workspace=workspace, run_id=run_id, columns=_columns(tags))
        write = decide(row)
        if write is None:
            return
        seen = {name: row.tags.get(name) for name in (*write.set_tags, *write.remove_tags)}
        try:
            ingest.write(store, workspace=workspace, write=replace(write, unchanged_tags=seen)).result()
        except Conflict:
            if row.run.lifecycle is not Lifecycle.ACTIVE:
                raise
        else:
            return
    raise Busy("others keep changing the tags of this run; nothing was stored. Try again.")


def _columns(tags: Sequence[str] | None) -> Columns:
    return Columns(metrics=(), params=(), tags=None if tags is None else tuple(tags))
