"""What every scheme of signatures shares: the request that was signed, the claim made about it, and its age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from stepwell.core.clock import utc_text
from stepwell.core.errors import Unauthenticated
from stepwell.services.credentials import Signatory

WINDOW_MINUTES: Final = 15
EMPTY_DIGEST: Final = sha256().digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as its sender saw it. `path` and `query` as they came over the wire, still percent-encoded."""

    method: str
    path: bytes
    query: bytes
    host: bytes
    headers: Mapping[bytes, bytes]  # names in lower case

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the head."""
        return b"transfer-encoding" in self.headers or self.headers.get(b"content-length", b"0").strip(b"0") != b""

    def header(self, name: str) -> bytes:
        """A header that the signature covers. Unauthenticated when it did not come."""
        if name == "host":
            return self.host
        value = self.headers.get(name.encode("latin-1"))
        if value is None:
            raise Unauthenticated(f"the signature covers the header {name!r}, which the request does not have")
        return value


class Claim(Protocol):
    """A signature that is not proved yet."""

    @property
    def credential_id(self) -> str | None:
        """Whose it says it is: this, or `key_id`."""
        ...

    @property
    def key_id(self) -> str | None:
        """See credential_id."""
        ...

    @property
    def signed_at(self) -> int:
        """Microseconds UTC."""
        ...

    @property
    def needs_body(self) -> bool:
        """Whether `proved_by` must know the digest of the body as it is."""
        ...

    @property
    def digest(self) -> bytes | None:
        """The SHA-256 that it says the body has; None where it says nothing."""
        ...

    def proved_by(self, signatory: Signatory, body_digest: bytes | None) -> bool:
        """Whether it is the signatory's. `body_digest` is of the body that came, where `needs_body`."""
        ...


def check_age(claim: Claim, now: int) -> None:
    """Unauthenticated: signed too long ago, or too far in what is the future here."""
    if abs(now - claim.signed_at) > WINDOW_MINUTES * 60 * 10**6:
        raise Unauthenticated(
            f"the request was signed at {utc_text(claim.signed_at)} and this server's clock shows {utc_text(now)};"
            f" at most {WINDOW_MINUTES} minutes may lie between"
        )


def require_covered(covered: tuple[str, ...], *needed: str) -> None:
    """Unauthenticated: a header that must be signed is not."""
    for name in needed:
        if name not in covered:
            raise Unauthenticated(f"the signature does not cover {name!r}, which it must")
