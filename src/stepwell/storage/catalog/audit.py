"""The audit log: entries are added inside the transaction of what they tell of, and read. Nothing changes them."""

from __future__ import annotations

import json
from typing import Final

from stepwell.core.acting import Actor, deed
from stepwell.core.audit import AuditEntry, AuditQuery
from stepwell.core.page import Page
from stepwell.storage.catalog.sql import Connection, Row, Statements

_SQL: Final = Statements.load("queries.sql")


def note(conn: Connection, action: str, *, workspace: str, subject: str, **details: str | None) -> None:
    """Add an entry: who acts and when are those of the deed. Details that are None or empty are left out."""
    doing = deed()
    who = doing.actor
    bindings = {
        "at": doing.at,
        "action": action,
        "workspace": workspace,
        "subject": subject,
        "details": json.dumps({name: value for name, value in details.items() if value}, ensure_ascii=False),
        "via": who.via,
        "credential_id": who.credential_id,
        "address": who.address,
        "request_id": who.request_id,
    }
    _SQL.run(conn, "add_audit", bindings)


def find(conn: Connection, query: AuditQuery) -> Page[AuditEntry]:
    """A page, newest first."""
    bindings = {
        "workspace": query.workspace,
        "credential_id": query.credential_id,
        "action": query.action,
        "since": query.since,
        "until": query.until,
        "before": query.before,
        "limit": query.limit + 1,
    }
    rows = _SQL.all(conn, "find_audit_in" if query.workspace is not None else "find_audit", bindings)
    found = [_entry(row) for row in rows[: query.limit]]
    return Page(items=found, after=(found[-1].number,) if len(rows) > query.limit else None)


def _entry(row: Row) -> AuditEntry:
    number, at, action, workspace, subject, details, via, credential_id, address, request_id = row
    return AuditEntry(
        number=number,
        at=at,
        action=action,
        workspace=workspace,
        subject=subject,
        details=json.loads(details),
        actor=Actor(via=via, credential_id=credential_id, address=address, request_id=request_id),
    )
