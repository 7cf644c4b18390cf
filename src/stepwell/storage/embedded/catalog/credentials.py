"""Credentials. Secrets are known by their hash alone."""

from __future__ import annotations

from typing import Final

import apsw

from stepwell.core.access import ANY_WORKSPACE, Credential, Role
from stepwell.core.errors import AlreadyExists, NotFound
from stepwell.storage.embedded.catalog import workspaces
from stepwell.storage.embedded.catalog.sql import Row, Statements

_SQL: Final = Statements.load("queries.sql")


def put(conn: apsw.Connection, credential: Credential) -> None:
    """Store one; makes its workspace when missing. AlreadyExists: the id or the secret is taken."""
    if get(conn, id=credential.id) is not None:
        raise AlreadyExists(f"a credential {credential.id!r} exists already", field="id")
    if get(conn, secret_hash=credential.secret_hash) is not None:
        raise AlreadyExists("another credential has this secret already", field="secret")
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


def get(conn: apsw.Connection, *, id: str | None = None, secret_hash: bytes | None = None) -> Credential | None:
    """By id, or else by the hash of the secret; revoked and expired ones too."""
    if id is not None:
        row = _SQL.one(conn, "find_credential", (id,))
    else:
        row = _SQL.one(conn, "find_credential_by_secret", (secret_hash,))
    return None if row is None else _credential(row)


def every(conn: apsw.Connection) -> list[Credential]:
    """All of them, sorted by creation, then id."""
    return [_credential(row) for row in _SQL.all(conn, "list_credentials")]


def revoke(conn: apsw.Connection, id: str, *, at: int) -> Credential:
    """Take it back. NotFound. Revoking twice keeps the first time."""
    _SQL.run(conn, "revoke_credential", {"id": id, "at": at})
    found = get(conn, id=id)
    if found is None:
        raise NotFound(f"there is no credential {id!r}", field="id")
    return found


def _credential(row: Row) -> Credential:
    number, secret_hash, workspace, role, name, created_at, expires_at, revoked_at = row
    return Credential(
        id=number,
        secret_hash=secret_hash,
        workspace=workspace,
        role=Role(role),
        name=name,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )
