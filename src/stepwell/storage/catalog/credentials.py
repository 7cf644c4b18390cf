"""Credentials. Secrets come here hashed and encrypted, never in clear."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stepwell.core.access import ANY_WORKSPACE, Credential, Role
from stepwell.core.clock import utc_text
from stepwell.core.errors import AlreadyExists, NotFound
from stepwell.storage.catalog import audit, workspaces
from stepwell.storage.catalog.sql import Connection, Row, Statements

_SQL: Final = Statements.load("queries.sql")


def put(conn: Connection, credential: Credential) -> None:
    """Store one; makes its workspace when missing. AlreadyExists: the id, the secret or the key id is taken."""
    if get(conn, id=credential.id) is not None:
        raise AlreadyExists(f"a credential {credential.id!r} exists already", field="id")
    if get(conn, secret_hash=credential.secret_hash) is not None:
        raise AlreadyExists("another credential has this secret already", field="secret")
    if credential.key_id is not None and get(conn, key_id=credential.key_id) is not None:
        raise AlreadyExists(f"another credential has the key id {credential.key_id!r} already", field="key_id")
    if credential.workspace != ANY_WORKSPACE:
        workspaces.ensure(conn, credential.workspace, at=credential.created_at)
    bindings = {
        "id": credential.id,
        "secret_hash": credential.secret_hash,
        "workspace": credential.workspace,
        "role": int(credential.role),
        "name": credential.name,
        "created_at": credential.created_at,
        "expires_at": credential.expires_at,
        "revoked_at": credential.revoked_at,
    }
    _SQL.run(conn, "add_credential", bindings)
    key = {name: getattr(credential, name) for name in ("sealed_secret", "key_id", "public_key")}
    if any(value is not None for value in key.values()):
        _SQL.run(conn, "add_credential_key", {"id": credential.id, **key})
    audit.note(
        conn,
        "credential.create",
        workspace=credential.workspace,
        subject=credential.id,
        role=credential.role.word,
        name=credential.name,
        key_id=credential.key_id,
        expires_at=None if credential.expires_at is None else utc_text(credential.expires_at),
    )


def get(
    conn: Connection, *, id: str | None = None, secret_hash: bytes | None = None, key_id: str | None = None
) -> Credential | None:
    """By the first of these that is given; revoked and expired ones too."""
    if id is not None:
        row = _SQL.one(conn, "find_credential", (id,))
    elif secret_hash is not None:
        row = _SQL.one(conn, "find_credential_by_secret", (secret_hash,))
    else:
        row = _SQL.one(conn, "find_credential_by_key", (key_id,))
    return None if row is None else _credential(row)


def every(conn: Connection) -> list[Credential]:
    """All of them, sorted by creation, then id."""
    return [_credential(row) for row in _SQL.all(conn, "list_credentials")]


def revoke(conn: Connection, id: str, *, at: int) -> Credential:
    """Take it back. NotFound. Revoking twice keeps the first time."""
    found = get(conn, id=id)
    if found is None:
        raise NotFound(f"there is no credential {id!r}", field="id")
    if found.revoked_at is not None:
        return found
    _SQL.run(conn, "revoke_credential", {"id": id, "at": at})
    audit.note(conn, "credential.revoke", workspace=found.workspace, subject=id, name=found.name)
    return replace(found, revoked_at=at)


def _credential(row: Row) -> Credential:
    number, secret_hash, workspace, role, name, created_at, expires_at, revoked_at, sealed, key_id, public_key = row
    return Credential(
        id=number,
        secret_hash=secret_hash,
        workspace=workspace,
        role=Role(role),
        name=name,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        sealed_secret=sealed,
        key_id=key_id,
        public_key=public_key,
    )
