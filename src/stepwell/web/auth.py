"""Who is calling: Bearer and Basic credentials, and what protects a server without credentials from foreign pages."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

from stepwell.core.access import ANYONE, Principal, Role
from stepwell.core.clock import Clock
from stepwell.core.errors import Unauthenticated
from stepwell.core.store import Store
from stepwell.services import credentials
from stepwell.web.errors import HttpProblem
from stepwell.web.work import Work

# Every route that needs no credential is named here; the router refuses any other that claims to be public.
PUBLIC_PATHS: Final = frozenset(
    {
        "/",
        "/api/v1/docs",
        "/api/v1/openapi.json",
        "/health",
        "/healthz",
        "/readyz",
        "/ui/",
        "/ui/{name:path}",
        "/version",
    }
)
NOBODY: Final = Principal(credential_id="", workspace="", role=Role.READER)  # the caller of a public route
REMEMBER_SECONDS: Final = 0.5  # a revoked credential is refused within one second
_REMEMBERED: Final = 4096
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")
_ORIGIN: Final = re.compile(r"https?://([^/?#@\s]+)")


class Gate:
    """Decides who a caller is. Unless `required`, whoever comes from this machine and no foreign page is ANYONE."""

    def __init__(
        self,
        *,
        required: bool,
        bound_host: str,
        store: Store,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._required = required
        self._bound_host = bound_host.strip("[]").lower()
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._sources: set[tuple[bytes, bytes | None]] = set()  # found to be ours
        self._principals: dict[bytes, tuple[float, Principal]] = {}

    def guard(self, headers: Mapping[bytes, bytes]) -> None:
        """HttpProblem 403 for a request that a foreign page may have made."""
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if (host, origin) in self._sources:
            return
        if self._required:
            _guard_basic(headers)
            return
        if host is None or not self._is_ours(host.decode("latin-1")):
            raise _foreign("the missing Host header" if host is None else f"Host {host.decode('latin-1')!r}")
        if origin is not None and not self._is_ours(_authority(origin)):
            raise _foreign(f"Origin {origin.decode('latin-1')!r}")
        if len(self._sources) < _REMEMBERED:
            self._sources.add((host, origin))

    def known(self, authorization: bytes | None) -> Principal | None:
        """The caller, if that needs no look-up."""
        if not self._required:
            return ANYONE
        remembered = self._principals.get(authorization or b"")
        if remembered is None or remembered[0] < self._monotonic():
            return None
        return remembered[1]

    async def look_up(self, authorization: bytes | None, work: Work) -> Principal:
        """The caller, from the store. Unauthenticated."""
        if not authorization:
            raise Unauthenticated("a credential is required: send 'Authorization: Bearer SECRET' or Basic ID:SECRET")
        id_, secret = _parse(authorization.decode("latin-1"))
        asked_at = self._monotonic()
        principal = await work.identify(
            credentials.identify, self._store, credential_id=id_, secret=secret, now=self._clock()
        )
        if len(self._principals) >= _REMEMBERED:
            self._principals.clear()
        self._principals[authorization] = (asked_at + REMEMBER_SECONDS, principal)
        return principal

    def _is_ours(self, authority: str) -> bool:
        match = _AUTHORITY.fullmatch(authority)
        if match is None:
            return False
        host = match[1].strip("[]").lower()
        if host in ("localhost", self._bound_host):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def _guard_basic(headers: Mapping[bytes, bytes]) -> None:
    """A browser sends Basic credentials for a foreign page too; a Bearer token it never adds by itself."""
    origin = headers.get(b"origin")
    if origin is None or not headers.get(b"authorization", b"").lower().startswith(b"basic"):
        return
    if _authority(origin) != headers.get(b"host", b"").decode("latin-1").lower():
        raise HttpProblem(
            403, "foreign_origin", f"Origin {origin.decode('latin-1')!r} may not use a Basic credential here"
        )


def _authority(origin: bytes) -> str:
    """Host and port of an Origin header; empty for 'null' and whatever else is none."""
    match = _ORIGIN.fullmatch(origin.decode("latin-1").lower())
    return match[1] if match else ""


def _foreign(what: str) -> HttpProblem:
    return HttpProblem(
        403,
        "foreign_host",
        f"{what} does not name this machine; without credentials (--auth off) only local addresses are served",
    )


def _parse(authorization: str) -> tuple[str | None, str]:
    """(id or None, secret) of an Authorization header. Unauthenticated."""
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return None, rest
    if scheme.lower() == "basic":
        try:
            id_, colon, secret = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthenticated("the Basic credential is not base64 of ID:SECRET in UTF-8") from None
        if not colon:
            raise Unauthenticated("the Basic credential is not ID:SECRET")
        return id_, secret
    raise Unauthenticated("only Bearer and Basic credentials are understood here")
