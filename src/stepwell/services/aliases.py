"""What one dialect calls a workspace: joining a vendor's id to a workspace of ours."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import WorkspaceAlias
from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.ids import check_workspace
from stepwell.core.store import Store

LONGEST_ID: Final = 255


def put(store: Store, *, dialect: str, alias_id: str, workspace: str) -> WorkspaceAlias:
    """From now on `alias_id` means `workspace` in requests of that dialect. Invalid."""
    if len(alias_id) > LONGEST_ID:
        raise TooLarge(
            f"the id has {len(alias_id)} characters; the limit is {LONGEST_ID}", field="id", limit=LONGEST_ID
        )
    if not alias_id or not alias_id.isprintable():
        raise Invalid(f"the id {alias_id!r} must be printable and not empty", field="id")
    alias = WorkspaceAlias(dialect=dialect, id=alias_id, workspace=check_workspace(workspace))
    store.put_workspace_alias(alias=alias)
    return alias


def list_all(store: Store) -> list[WorkspaceAlias]:
    """All of them, sorted by dialect, then id."""
    return store.list_workspace_aliases()


def remove(store: Store, *, dialect: str, alias_id: str) -> WorkspaceAlias:
    """The id means itself again. NotFound."""
    return store.delete_workspace_alias(dialect=dialect, id=alias_id)
