"""`Authorization: SDK-HMAC-SHA256 Access=ID, SignedHeaders=a;b, Signature=HEX`: requests signed with the shared secret.

The signature is HMAC-SHA256 over the scheme's name, the time of X-Sdk-Date and the hash of the canonical request:
method, path, query, the signed headers and the hash of the body.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from stepwell.core.errors import Unauthenticated
from stepwell.services.credentials import Signatory
from stepwell.web.signatures.request import EMPTY_DIGEST, Received, require_covered

SCHEME: Final = "SDK-HMAC-SHA256"
DATE: Final = "x-sdk-date"
CONTENT: Final = "x-sdk-content-sha256"
UNSIGNED: Final = b"UNSIGNED-PAYLOAD"  # what clients say of bodies that are not JSON
_FORM: Final = re.compile(
    r"Access=(?P<access>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-fA-F]{64})"
)
_HEX_DIGEST: Final = re.compile(rb"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSecretClaim:
    """See signatures.request.Claim."""

    received: Received
    credential_id: str
    key_id: None = None
    covered: tuple[str, ...]
    signature: str
    date: str
    signed_at: int
    payload: bytes | None  # the last line of the canonical request; None: the digest of what came

    @property
    def needs_body(self) -> bool:
        """See Claim."""
        return self.payload is None

    @property
    def digest(self) -> bytes | None:
        """See Claim."""
        if self.payload is None or not _HEX_DIGEST.fullmatch(self.payload):
            return None
        return bytes.fromhex(self.payload.decode("ascii"))

    def proved_by(self, signatory: Signatory, body_digest: bytes | None) -> bool:
        """See Claim."""
        payload = self.payload if self.payload is not None else (body_digest or EMPTY_DIGEST).hex().encode()
        return any(
            hmac.compare_digest(self._signed(signatory.secret, query, payload), self.signature.lower())
            for query in _queries(self.received.query)
        )

    def _signed(self, secret: bytes, query: str, payload: bytes) -> str:
        canonical = b"\n".join(
            [
                self.received.method.upper().encode(),
                _path(self.received.path).encode(),
                query.encode(),
                *(name.encode("latin-1") + b":" + self.received.header(name).strip() for name in self.covered),
                b"",
                ";".join(self.covered).encode("latin-1"),
                payload,
            ]
        )
        text = f"{SCHEME}\n{self.date}\n{sha256(canonical).hexdigest()}"
        return hmac.new(secret, text.encode(), sha256).hexdigest()


def read(parameters: str, received: Received) -> SharedSecretClaim:
    """The claim in what follows the scheme's name. Unauthenticated."""
    match = _FORM.fullmatch(parameters.strip())
    if match is None:
        raise Unauthenticated(f"the signature is not {SCHEME} Access=..., SignedHeaders=..., Signature=...")
    covered = tuple(match["headers"].lower().split(";"))
    require_covered(covered, "host", DATE)
    date = received.header(DATE).strip().decode("latin-1")
    content = received.headers.get(CONTENT.encode())
    if not received.has_body:
        payload: bytes | None = EMPTY_DIGEST.hex().encode()
    else:
        payload = content
    if payload is not None and payload != UNSIGNED and not _HEX_DIGEST.fullmatch(payload):
        raise Unauthenticated(f"{CONTENT} is neither a SHA-256 in hexadecimal digits nor {UNSIGNED.decode()}")
    return SharedSecretClaim(
        received=received,
        credential_id=match["access"],
        covered=covered,
        signature=match["signature"],
        date=date,
        signed_at=_time(date),
        payload=payload,
    )


def _time(date: str) -> int:
    try:
        at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Unauthenticated(f"{DATE} must be a time like 20261121T024030Z") from None
    return int(at.timestamp()) * 10**6


def _path(raw: bytes) -> str:
    """Decoded as a whole and encoded again by segments, with a slash at the end."""
    path = quote(unquote_to_bytes(raw), safe="/~")
    return path if path.endswith("/") else path + "/"


def _queries(raw: bytes) -> Iterator[str]:
    """The canonical query, sorted; then as it came, since clients sort numbers as numbers."""
    if not raw:
        yield ""
        return
    pairs = [part.replace(b"+", b" ").partition(b"=") for part in raw.split(b"&") if part]
    decoded = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]
    yield _joined(sorted(decoded))
    if sorted(decoded) != decoded:
        yield _joined(decoded)


def _joined(pairs: list[tuple[bytes, bytes]]) -> str:
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
