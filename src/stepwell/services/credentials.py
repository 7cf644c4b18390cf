"""Credentials: making, listing, revoking, and finding who a secret belongs to. Secrets are never stored or logged."""

from __future__ import annotations

import hmac
import re
from typing import Final

from stepwell.core.access import ANY_WORKSPACE, Credential, Principal, Role, hash_secret
from stepwell.core.errors import Invalid, TooLarge, Unauthenticated
from stepwell.core.ids import check_workspace, new_credential_id, new_secret
from stepwell.core.store import Store

SHORTEST_SECRET: Final = 16
LONGEST: Final = 255
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_LIFETIME: Final = re.compile(r"(\d{1,6})([smhdw])")
_MICROSECONDS: Final = {"s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6, "w": 604_800 * 10**6}


def create(
    store: Store,
    *,
    workspace: str,
    role: str,
    name: str = "",
    lifetime: str | None = None,
    credential_id: str | None = None,
    secret: str | None = None,
    now: int,
) -> tuple[Credential, str]:
    """Store a credential and give it with its secret, which nobody can learn again.

    `lifetime` is a number with s, m, h, d or w; None never expires. Invalid: a malformed argument; AlreadyExists: the
    id or the secret is taken.
    """
    if workspace != ANY_WORKSPACE:
        check_workspace(workspace)
    if credential_id is not None and not (len(credential_id) <= LONGEST and _ID.fullmatch(credential_id)):
        raise Invalid(
            f"credential id {credential_id!r} must be 1 to {LONGEST} letters, digits, '.', '_', '@' and '-'", field="id"
        )
    if len(name) > LONGEST:
        raise TooLarge(f"name has {len(name)} characters; the limit is {LONGEST}", field="name", limit=LONGEST)
    secret = new_secret() if secret is None else _checked_secret(secret)
    credential = Credential(
        id=credential_id or new_credential_id(),
        secret_hash=hash_secret(secret),
        workspace=workspace,
        role=_role(role),
        name=name,
        created_at=now,
        expires_at=None if lifetime is None else now + _microseconds(lifetime),
    )
    store.put_credential(credential=credential)
    return credential, secret


def list_all(store: Store) -> list[Credential]:
    """All of them, revoked and expired ones too, oldest first."""
    return store.list_credentials()


def revoke(store: Store, *, credential_id: str, now: int) -> Credential:
    """End a credential. NotFound."""
    return store.revoke_credential(id=credential_id, at=now)


def identify(store: Store, *, secret: str, credential_id: str | None = None, now: int) -> Principal:
    """Who has this secret, or (with `credential_id`) whether it is its. Unauthenticated, without saying why."""
    given = hash_secret(secret)
    if credential_id is None:
        credential = store.get_credential(secret_hash=given)
    else:
        credential = store.get_credential(id=credential_id)
    if credential is None or not hmac.compare_digest(credential.secret_hash, given) or not credential.valid_at(now):
        raise Unauthenticated("the credential is unknown, expired or revoked")
    return Principal(credential_id=credential.id, workspace=credential.workspace, role=credential.role)


def _role(word: str) -> Role:
    for role in Role:
        if role.word == word:
            return role
    raise Invalid(f"role {word!r} must be one of {', '.join(role.word for role in Role)}", field="role")


def _checked_secret(secret: str) -> str:
    if not SHORTEST_SECRET <= len(secret) <= LONGEST or not secret.isprintable() or " " in secret:
        raise Invalid(
            f"the secret must have {SHORTEST_SECRET} to {LONGEST} printable characters without spaces", field="secret"
        )
    return secret


def _microseconds(lifetime: str) -> int:
    match = _LIFETIME.fullmatch(lifetime)
    if match is None or int(match[1]) == 0:
        raise Invalid(f"{lifetime!r} must be a number with s, m, h, d or w, such as 90d", field="expires")
    return int(match[1]) * _MICROSECONDS[match[2]]
