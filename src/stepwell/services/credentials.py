"""Credentials: making, listing, revoking, and finding who a secret, token or signature belongs to.

Secrets are stored hashed and, for signatures, encrypted; they are never logged.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final

from stepwell.core.access import ANY_WORKSPACE, Credential, Principal, Role, hash_secret
from stepwell.core.clock import LATEST, utc_text
from stepwell.core.errors import Invalid, Unauthenticated
from stepwell.core.ids import check_workspace, new_credential_id, new_secret
from stepwell.core.store import Store
from stepwell.services import public_keys, tokens
from stepwell.services.checks import check_text
from stepwell.services.sealing import ServerKey, Unsealable

SHORTEST_SECRET: Final = 16
LONGEST: Final = 255
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_LIFETIME: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_MICROSECONDS: Final = {"s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6, "w": 604_800 * 10**6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """A credential with what its signatures are checked with: a shared secret or a public key (DER), one of them."""

    credential: Credential
    secret: bytes = b""
    public_key: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token and how many seconds it holds."""

    token: str
    seconds: int


def create(
    store: Store,
    key: ServerKey,
    *,
    workspace: str,
    role: str,
    name: str = "",
    lifetime: str | None = None,
    credential_id: str | None = None,
    secret: str | None = None,
    signing: bool = True,
    key_id: str | None = None,
    public_key: str | None = None,
    now: int,
) -> tuple[Credential, str]:
    """Store a credential and give it with its secret, which nobody can learn again.

    `lifetime` is a number with s, m, h, d or w; None never expires. With `signing` requests may be signed with the
    secret, which is therefore kept encrypted too. `key_id` and `public_key` (PEM) come together: requests signed by
    the owner of that key under that name are the credential's as well. Invalid: a malformed argument; AlreadyExists:
    the id, the secret or the key id is taken.
    """
    if workspace != ANY_WORKSPACE:
        check_workspace(workspace)
    if credential_id is not None and not (len(credential_id) <= LONGEST and _ID.fullmatch(credential_id)):
        raise Invalid(
            f"credential id {credential_id!r} must be 1 to {LONGEST} letters, digits, '.', '_', '@' and '-'", field="id"
        )
    check_text(name, field="name", limit=LONGEST)
    if (key_id is None) != (public_key is None):
        raise Invalid("a key id and a public key come together", field="key_id" if key_id is None else "public_key")
    secret = new_secret() if secret is None else _checked_secret(secret)
    credential_id = credential_id or new_credential_id()
    credential = Credential(
        id=credential_id,
        secret_hash=hash_secret(secret),
        workspace=workspace,
        role=_role(role),
        name=name,
        created_at=now,
        expires_at=None if lifetime is None else _end(lifetime, now),
        sealed_secret=key.seal(secret, owner=credential_id) if signing else None,
        key_id=None if key_id is None else public_keys.checked_id(key_id),
        public_key=None if public_key is None else public_keys.from_pem(public_key),
    )
    store.put_credential(credential=credential)
    return credential, secret


def list_all(store: Store) -> list[Credential]:
    """All of them, revoked and expired ones too, oldest first."""
    return store.list_credentials()


def revoke(store: Store, *, credential_id: str, now: int) -> Credential:
    """End a credential. NotFound."""
    return store.revoke_credential(id=credential_id, at=now)


def identify(store: Store, key: ServerKey, *, secret: str, credential_id: str | None = None, now: int) -> Principal:
    """Who has this secret or token, or (with `credential_id`) whether the secret is its. Unauthenticated.

    Whoever has the right secret is told that it is revoked or expired; everyone else, that it is unknown.
    """
    if credential_id is None:
        claims = tokens.read(key, secret)
        if claims is not None:
            return _of_token(store, claims, now)
    return principal(_with_secret(store, credential_id, secret), now)


def exchange(store: Store, key: ServerKey, *, credential_id: str, secret: str, now: int) -> Issued:
    """A token for whoever has the secret; it ends no later than the credential. Unauthenticated."""
    credential = _with_secret(store, credential_id, secret)
    principal(credential, now)
    seconds = tokens.LIFETIME_SECONDS
    if credential.expires_at is not None:
        seconds = min(seconds, -(-(credential.expires_at - now) // 10**6))
    return Issued(token=tokens.issue(key, credential_id=credential.id, now=now, seconds=seconds), seconds=seconds)


def signatory(
    store: Store, key: ServerKey, *, credential_id: str | None = None, key_id: str | None = None
) -> Signatory:
    """Whose signatures come under this credential id, or under this key id. Expired and revoked ones too, so that
    `principal` can tell whoever proves to be one. Unauthenticated: there is none, or it cannot sign."""
    if key_id is not None:
        owner = store.get_credential(key_id=key_id)
        if owner is None or owner.public_key is None:
            raise Unauthenticated("the signature's key id is unknown")
        return Signatory(credential=owner, public_key=owner.public_key)
    credential = store.get_credential(id=credential_id)
    if credential is None:
        raise Unauthenticated("the signature's access key is unknown")
    if credential.sealed_secret is None:
        raise Unauthenticated(
            "this credential cannot sign requests: it was made with --no-signing or by an old release"
        )
    try:
        secret = key.unseal(credential.sealed_secret, owner=credential.id)
    except Unsealable as error:
        raise Unauthenticated(str(error)) from None
    return Signatory(credential=credential, secret=secret.encode("utf-8", "surrogatepass"))


def principal(credential: Credential, now: int) -> Principal:
    """Who somebody is that has proved to own a credential. Unauthenticated: it is revoked or expired."""
    why = credential.why_invalid(now)
    if why:
        raise Unauthenticated(why)
    return Principal(credential_id=credential.id, workspace=credential.workspace, role=credential.role)


def _with_secret(store: Store, credential_id: str | None, secret: str) -> Credential:
    given = hash_secret(secret)
    if credential_id is None:
        credential = store.get_credential(secret_hash=given)
    else:
        credential = store.get_credential(id=credential_id)
    if credential is None or not hmac.compare_digest(credential.secret_hash, given):
        raise Unauthenticated("the credential is unknown or its secret is wrong")
    return credential


def _of_token(store: Store, claims: tokens.Claims, now: int) -> Principal:
    if now >= claims.expires_at:
        raise Unauthenticated(f"the token expired at {utc_text(claims.expires_at)}; ask for a new one")
    if claims.credential_id == tokens.NOBODY:
        raise Unauthenticated("the token was issued while the server wanted no credentials; ask for a new one")
    credential = store.get_credential(id=claims.credential_id)
    if credential is None:
        raise Unauthenticated("the token's credential is unknown")
    return principal(credential, now)


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


def _end(lifetime: str, now: int) -> int:
    """When what lives so long from now ends. Invalid."""
    end = now + microseconds(lifetime)
    if end > LATEST:
        raise Invalid(f"expires {lifetime!r} is later than the year 9999", field="expires")
    return end


def microseconds(lifetime: str, *, field: str = "expires") -> int:
    """How long a number with s, m, h, d or w is. Invalid, naming `field`."""
    match = _LIFETIME.fullmatch(lifetime)
    if match is None or int(match[1]) == 0:
        raise Invalid(
            f"{field} {lifetime!r} must be a number from 1 to 999999 with s, m, h, d or w, such as 90d", field=field
        )
    return int(match[1]) * _MICROSECONDS[match[2]]
