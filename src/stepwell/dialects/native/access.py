"""Who asks, the credentials of a workspace, and the audit log. What a credential is worth, services say."""

from __future__ import annotations

from typing import Final

from stepwell.core.access import ANY_WORKSPACE, Credential
from stepwell.core.audit import AuditEntry
from stepwell.core.errors import Conflict, Forbidden, NotFound
from stepwell.core.series import INT64_MAX, INT64_MIN
from stepwell.dialects.native import wire
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.columns import Table
from stepwell.services import audit, credentials
from stepwell.services.sealing import ServerKey, new_key

_ID: Final = "credential_id"


def get_session(ask: Ask, _: wire.Nothing) -> Table:
    """Who asks: the credential (null: the server wants none), its workspace and its role."""
    return {
        "credential_id": ask.principal.credential_id or None,
        "workspace": ask.principal.workspace,
        "role": ask.principal.role.word,
    }


def list_credentials(ask: Ask, _: wire.Nothing) -> Table:
    """The credentials of the caller's workspace, revoked and expired ones too, oldest first; `*`: of all."""
    found = [each for each in credentials.list_all(ask.store) if _may(ask, each.workspace)]
    return {"credentials": [_told(each) for each in found]}


def create_credential(ask: Ask, body: wire.NewCredential) -> Table:
    """Make a credential. Its secret is in this answer and nowhere else; it cannot sign requests."""
    _wanted(ask)
    workspace = body.workspace if body.workspace is not None else ask.principal.workspace
    if not _may(ask, workspace):
        raise Forbidden(f"this credential makes no credentials for workspace {workspace!r}")
    made, secret = credentials.create(
        ask.store,
        ServerKey(new_key()),  # seals nothing: such a credential does not sign
        workspace=workspace,
        role=body.role,
        name=body.name,
        lifetime=body.expires,
        signing=False,
        now=ask.now,
    )
    return {"credential": _told(made), "secret": secret}


def revoke_credential(ask: Ask, _: wire.Nothing) -> Table:
    """End a credential, within a second. Revoking twice is no error."""
    _wanted(ask)
    asked = ask.params[_ID]
    owner = next((each.workspace for each in credentials.list_all(ask.store) if each.id == asked), None)
    if owner is None or not _may(ask, owner):
        raise NotFound(f"credential {asked!r} does not exist", field=_ID)
    return _told(credentials.revoke(ask.store, credential_id=asked, now=ask.now))


def read_audit(ask: Ask, query: wire.AuditQuery) -> Table:
    """The audit log, newest first: who created, deleted, restored, purged or revoked what, and from where."""
    found, cursor = audit.read(
        ask.store,
        allowed=ask.principal.workspace,
        workspace=query.workspace,
        credential_id=query.credential,
        action=query.action,
        since=INT64_MIN if query.since_us is None else query.since_us,
        until=INT64_MAX if query.until_us is None else query.until_us,
        limit=query.limit,
        cursor=query.cursor,
    )
    return {"entries": [_noted(entry) for entry in found], "cursor": cursor}


def get_activity(ask: Ask, query: wire.ActivityQuery) -> Table:
    """What is being written now: the runs whose points wait in memory, the busiest first."""
    found = ask.store.writing(workspace=ask.principal.workspace, limit=query.limit)
    columns = ("workspace", "run_id", "name", "points", "series")
    writing = [{name: getattr(each, name) for name in columns} for each in found]
    return {"writing": writing, "reading_only": ask.store.healthy()}


def _may(ask: Ask, workspace: str) -> bool:
    return ask.principal.workspace in (ANY_WORKSPACE, workspace)


def _wanted(ask: Ask) -> None:
    """Whoever reaches a server that wants no credential must not make one that outlives this."""
    if not ask.principal.credential_id:
        raise Conflict("this server runs without credentials; `stepwell credential` makes and revokes them")


def _told(credential: Credential) -> Table:
    return {
        "id": credential.id,
        "name": credential.name,
        "workspace": credential.workspace,
        "role": credential.role.word,
        "created_at_us": credential.created_at,
        "expires_at_us": credential.expires_at,
        "revoked_at_us": credential.revoked_at,
        "signs": credential.sealed_secret is not None or credential.public_key is not None,
    }


def _noted(entry: AuditEntry) -> Table:
    return {
        "number": entry.number,
        "at_us": entry.at,
        "action": entry.action,
        "workspace": entry.workspace,
        "subject": entry.subject,
        "details": dict(entry.details),
        "via": entry.actor.via,
        "credential_id": entry.actor.credential_id or None,
        "address": entry.actor.address or None,
        "request_id": entry.actor.request_id or None,
    }
