"""Reading the audit log. It is written by the store itself, with what it tells of."""

from __future__ import annotations

from typing import Final

from stepwell.core import page
from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.audit import ACTIONS, AuditEntry, AuditQuery
from stepwell.core.errors import Forbidden, Invalid
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.core.store import Store
from stepwell.services.checks import check_limit

ENTRIES_PER_PAGE: Final = 10_000
_KINDS: Final = frozenset((*ACTIONS, *(action.partition(".")[0] for action in ACTIONS)))


def read(
    store: Store,
    *,
    allowed: str,
    workspace: str | None = None,
    credential_id: str | None = None,
    action: str | None = None,
    since: int = INT64_MIN,
    until: int = INT64_MAX,
    limit: int,
    cursor: str | None = None,
) -> tuple[list[AuditEntry], str | None]:
    """A page, newest first, and the cursor of the next (None: this was the last).

    allowed: the workspace whose entries the caller may see; `*`: all, and what concerns no single one. Forbidden:
    another is asked for. Invalid: no such action, limit, cursor.
    """
    check_limit(limit, field="limit", limit=ENTRIES_PER_PAGE)
    if allowed != ANY_WORKSPACE:
        if workspace not in (None, allowed):
            raise Forbidden(f"this credential reads the audit log of workspace {allowed!r} alone")
        workspace = allowed
    if action is not None and action not in _KINDS:
        raise Invalid(f"there is no action {action!r}; there are {', '.join(ACTIONS)}", field="action")
    query = page.fingerprint(workspace, credential_id, action, since, until)
    found = store.read_audit(
        query=AuditQuery(
            workspace=workspace,
            credential_id=credential_id,
            action=action,
            since=since,
            until=until,
            before=_before(page.decode("audit", query, cursor)),
            limit=limit,
        )
    )
    return found.items, page.encode("audit", query, found.after)


def _before(position: page.Position | None) -> int:
    if position is None:
        return INT64_MAX
    if len(position) == 1 and isinstance(position[0], int):
        return position[0]
    raise Invalid("cursor is not one that this server gave", field="cursor")
