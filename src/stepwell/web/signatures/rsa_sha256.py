"""`Authorization: Signature version="1",keyId="T/U/F",algorithm="rsa-sha256",headers="...",signature="..."`.

Requests signed with the private key of an uploaded public key: the signed text is a line `name: value` for each covered
header, with `(request-target)` for verb, path and query.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from stepwell.core.errors import Unauthenticated
from stepwell.services import public_keys
from stepwell.services.credentials import Signatory
from stepwell.web.signatures.request import Received, require_covered

SCHEME: Final = "Signature"
ALGORITHM: Final = "rsa-sha256"
VERSION: Final = "1"
TARGET: Final = "(request-target)"
CONTENT: Final = "x-content-sha256"
DATES: Final = ("x-date", "date")  # the first that is covered holds
_PARAMETER: Final = re.compile(r'\s*(\w+)="([^"]*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKeyClaim:
    """See signatures.request.Claim."""

    credential_id: None = None
    key_id: str
    message: bytes
    signature: bytes
    signed_at: int
    digest: bytes | None

    @property
    def needs_body(self) -> bool:
        """Never: the covered header says the digest of the body."""
        return False

    def proved_by(self, signatory: Signatory, _body_digest: bytes | None) -> bool:
        """See Claim."""
        return public_keys.signed_by(signatory.public_key, signature=self.signature, message=self.message)


def read(parameters: str, received: Received) -> PrivateKeyClaim:
    """The claim in what follows the scheme's name. Unauthenticated."""
    given = _parameters(parameters)
    if given.get("algorithm", "").lower() != ALGORITHM:
        raise Unauthenticated(f"the signature's algorithm must be {ALGORITHM}")
    if given.get("version", VERSION) != VERSION:
        raise Unauthenticated(f"the signature's version must be {VERSION}")
    for name in ("keyId", "headers", "signature"):
        if not given.get(name):
            raise Unauthenticated(f"the signature has no {name}")
    covered = tuple(given["headers"].lower().split())
    require_covered(covered, TARGET, "host")
    date = next((name for name in DATES if name in covered), None)
    if date is None:
        raise Unauthenticated("the signature covers neither 'x-date' nor 'date'; it must cover one")
    if received.has_body:
        require_covered(
            covered, CONTENT, *(name for name in ("content-length", "content-type") if _has(received, name))
        )
    return PrivateKeyClaim(
        key_id=given["keyId"],
        message=b"\n".join(_line(name, received) for name in covered),
        signature=_decoded(given["signature"], "the signature"),
        signed_at=_time(date, received),
        digest=_decoded(received.header(CONTENT).decode("latin-1"), CONTENT) if CONTENT in covered else None,
    )


def _parameters(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1] in given:
            raise Unauthenticated(
                'the signature is not Signature keyId="...",algorithm="...",headers="...",signature="..."'
            )
        given[match[1]] = match[2]
        at = match.end()
    return given


def _line(name: str, received: Received) -> bytes:
    if name == TARGET:
        target = received.path + (b"?" + received.query if received.query else b"")
        return f"{TARGET}: {received.method.lower()} ".encode() + target
    return name.encode("latin-1") + b": " + received.header(name)


def _has(received: Received, name: str) -> bool:
    return name.encode() in received.headers


def _time(name: str, received: Received) -> int:
    try:
        at = parsedate_to_datetime(received.header(name).decode("latin-1"))
    except (ValueError, OverflowError):  # a year of twenty digits overflows
        raise Unauthenticated(f"{name} must be a time like 'Sat, 21 Nov 2026 02:40:30 GMT'") from None
    if at.tzinfo is None:
        raise Unauthenticated(f"{name} must be in GMT")
    return int(at.timestamp()) * 10**6


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated(f"{what} is not base64") from None
