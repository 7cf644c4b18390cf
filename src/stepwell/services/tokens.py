"""Tokens that stand for a credential for some hours: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256 (RFC 7515).

A token names the credential and says nothing of what it may do: workspace, role, expiry and revocation are looked up
when it is used.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Final

from stepwell.services.sealing import ServerKey

LIFETIME_SECONDS: Final = 43_199
NOBODY: Final = ""  # whom a token names that was issued while nobody had to prove anything
_PURPOSE: Final = b"token"
_ISSUER: Final = "stepwell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token of ours says. `expires_at` in microseconds UTC."""

    credential_id: str
    expires_at: int


def issue(key: ServerKey, *, credential_id: str, now: int, seconds: int = LIFETIME_SECONDS) -> str:
    """A token for a credential."""
    issued = now // 10**6
    claims = {
        "iss": _ISSUER,
        "sub": credential_id,
        "iat": issued,
        "exp": issued + seconds,
        "jti": secrets.token_hex(16),
    }
    signed = _HEADER + "." + _encode(json.dumps(claims, separators=(",", ":")).encode())
    return signed + "." + _encode(key.code(_PURPOSE, signed.encode()))


def read(key: ServerKey, token: str) -> Claims | None:
    """What a token says, expired ones too; None for everything that this key did not sign."""
    signed, _, code = token.rpartition(".")
    header, _, claims = signed.partition(".")
    if header != _HEADER or not token.isascii():
        return None
    if not hmac.compare_digest(_encode(key.code(_PURPOSE, signed.encode())), code):
        return None
    try:
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (binascii.Error, ValueError):
        return None
    return Claims(credential_id=said["sub"], expires_at=said["exp"] * 10**6)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_HEADER: Final = _encode(b'{"alg":"HS256","typ":"JWT"}')
