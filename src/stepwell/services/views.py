"""Saved views: what a page was showing, under a name of its own in a workspace. What the text means is the page's."""

from __future__ import annotations

import json
from dataclasses import dataclass

from stepwell.core import limits
from stepwell.core.errors import NotFound
from stepwell.core.model import Record
from stepwell.core.store import Store
from stepwell.services.checks import check_count, check_name, check_text

_KIND = "view"
_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`address` is the part of the page's address that says what it shows."""

    name: str
    address: str
    updated_at: int


def save(store: Store, *, workspace: str, name: str, address: str, at: int) -> View:
    """Keep a view, replacing the one of that name. Invalid, TooLarge."""
    check_name(name, field="name", limit=limits.VIEW_NAME_LENGTH)
    check_text(address, field="address", limit=limits.VIEW_LENGTH)
    (old,) = store.get_records(workspace=workspace, kind=_KIND, ids=[name])
    if old is None:
        check_count(len(views(store, workspace=workspace)) + 1, field="views", limit=limits.VIEWS)
    record = Record(
        kind=_KIND,
        id=name,
        body=json.dumps({"address": address}),
        created_at=at if old is None else old.created_at,
        updated_at=at,
    )
    store.put_records(workspace=workspace, records=[record])
    return _view(record)


def views(store: Store, *, workspace: str) -> list[View]:
    """All views of a workspace, sorted by name."""
    found, after = [], None
    while True:
        page = store.find_records(workspace=workspace, kind=_KIND, where={}, after=after, limit=_PAGE)
        found += [_view(record) for record in page.items]
        after = page.after
        if after is None:
            return sorted(found, key=lambda view: view.name)


def delete(store: Store, *, workspace: str, name: str) -> None:
    """Forget a view. NotFound."""
    if not store.delete_records(workspace=workspace, kind=_KIND, ids=[name]):
        raise NotFound(f"no view {name!r}", field="name")


def _view(record: Record) -> View:
    return View(name=record.id, address=json.loads(record.body)["address"], updated_at=record.updated_at)
