"""Who may do what: credentials, roles, and the one question every request asks."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from stepwell.core.clock import utc_text
from stepwell.core.errors import Forbidden

ANY_WORKSPACE = "*"
DEFAULT_WORKSPACE = "default"


class Role(IntEnum):
    """Each role may do what the lesser ones may."""

    READER = 1
    WRITER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as people write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Proof of a principal. Times in microseconds UTC.

    The secret itself is never kept: only its SHA-256, and encrypted where signatures made with it are to be checked.
    """

    id: str
    secret_hash: bytes
    workspace: str  # a name, or '*' for every workspace
    role: Role
    name: str = ""
    created_at: int = 0
    expires_at: int | None = None
    revoked_at: int | None = None
    sealed_secret: bytes | None = None  # encrypted under the server's key
    key_id: str | None = None  # the name under which signatures by the owner of `public_key` come
    public_key: bytes | None = None  # DER, SubjectPublicKeyInfo

    def why_invalid(self, now: int) -> str:
        """ "" or, in a sentence, why it no longer holds."""
        if self.revoked_at is not None:
            return f"the credential was revoked at {utc_text(self.revoked_at)}"
        if self.expires_at is not None and now >= self.expires_at:
            return f"the credential expired at {utc_text(self.expires_at)}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceAlias:
    """The workspace that is meant where requests of one dialect name `id`."""

    dialect: str
    id: str
    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking. `workspace` '*' spans all."""

    credential_id: str
    workspace: str
    role: Role

    @property
    def home(self) -> str:
        """The workspace of a request that names none."""
        return DEFAULT_WORKSPACE if self.workspace == ANY_WORKSPACE else self.workspace


ANYONE = Principal(credential_id="", workspace=ANY_WORKSPACE, role=Role.ADMIN)  # everybody, while auth is off


def hash_secret(secret: str) -> bytes:
    """SHA-256: enough for a secret of 238 random bits, and cheap on every request."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def require(principal: Principal, *, role: Role, workspace: str, named: str = "") -> None:
    """Raise Forbidden unless `principal` may act as `role` in `workspace`. `named`: what they call it, where that is
    another name; which workspace an alias means is told only to those who may go there."""
    if principal.workspace not in (ANY_WORKSPACE, workspace):
        raise Forbidden(f"this credential is not for workspace {(named or workspace)!r}", field="workspace")
    if principal.role < role:
        raise Forbidden(f"this credential is a {principal.role.word}; this needs a {role.word}")
