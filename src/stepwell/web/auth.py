"""Who is calling, in whatever way they prove it, and what protects a server without credentials from foreign pages.

A secret, or a token issued for it, comes as Bearer, as Basic with the id, or as X-Auth-Token; a signature (signatures/)
comes in the Authorization header. X-Auth-Token decides where both come: clients that sign always send a token beside.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final, TypeAlias

from stepwell.core.access import ANYONE, Principal, Role
from stepwell.core.clock import Clock
from stepwell.core.errors import Unauthenticated
from stepwell.core.store import Store
from stepwell.services import credentials
from stepwell.services.credentials import Signatory
from stepwell.services.sealing import ServerKey
from stepwell.web.body import Body
from stepwell.web.errors import HttpProblem
from stepwell.web.signatures import SCHEMES
from stepwell.web.signatures.request import Claim, Received, check_age
from stepwell.web.work import Work

Headers: TypeAlias = Mapping[bytes, bytes]

# Every route that needs no credential is named here; the router refuses any other that claims to be public.
PUBLIC_PATHS: Final = frozenset(
    {
        "/",
        "/api/docs",
        "/api/health",
        "/api/health/ready",
        "/api/openapi.json",
        "/api/runs/{sqid}",
        "/api/version",
        "/health",
        "/health/dlq",
        "/health/ready",
        "/healthz",
        "/oauth/token",
        "/readyz",
        "/storage/{place:path}",
        "/ui/",
        "/ui/{name:path}",
        "/version",
    }
)
NOBODY: Final = Principal(credential_id="", workspace="", role=Role.READER)  # the caller of a public route
REMEMBER_SECONDS: Final = 0.5  # a revoked credential is refused within one second
LATELY_SECONDS: Final = 3_600.0  # for which who was let in may see how the process fares while the store is away
SIGNED_BODY: Final = 32 << 20  # of a body whose digest only the signature knows: it is read before anybody may enter
_REMEMBERED: Final = 4096
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")
_ORIGIN: Final = re.compile(r"https?://([^/?#@\s]+)")


class Gate:
    """Decides who a caller is. Unless `required`, whoever comes from this machine and no foreign page is ANYONE.

    Host and path that it is given are those that the client sent, and therefore signed.
    """

    def __init__(
        self,
        *,
        required: bool,
        bound_host: str,
        store: Store,
        key: ServerKey,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._required = required
        self._bound_host = bound_host.strip("[]").lower()
        self._store = store
        self._key = key
        self._clock = clock
        self._monotonic = monotonic
        self._sources: set[tuple[bytes, bytes | None]] = set()  # found to be ours
        self._principals: dict[bytes, tuple[float, Principal]] = {}
        self._signatories: dict[tuple[str | None, str | None], tuple[float, Signatory]] = {}

    def guard(self, headers: Headers, *, encrypted: bool = False) -> None:
        """HttpProblem 403 for a request that a foreign page may have made. `encrypted`: the client surely uses https,
        so that a page that came without is foreign."""
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if (host, origin) in self._sources:
            return
        if self._required:
            _guard_basic(headers, encrypted)
            return
        if host is None or not self._is_ours(host.decode("latin-1")):
            raise _foreign("the missing Host header" if host is None else f"Host {host.decode('latin-1')!r}")
        if origin is not None and not self._is_ours(_authority(origin)):
            raise _foreign(f"Origin {origin.decode('latin-1')!r}")
        if len(self._sources) < _REMEMBERED:
            self._sources.add((host, origin))

    def known(self, headers: Headers) -> Principal | None:
        """The caller, if that needs no look-up."""
        if not self._required:
            return ANYONE
        remembered = self._principals.get(_shown(headers))
        if remembered is None or remembered[0] < self._monotonic():
            return None
        return remembered[1]

    def lately(self, headers: Headers) -> Principal | None:
        """Who the caller was within the last hour, unless it was refused since. For when nobody can be looked up."""
        remembered = self._principals.get(_shown(headers))
        if remembered is None or remembered[0] + LATELY_SECONDS < self._monotonic():
            return None
        return remembered[1]

    async def look_up(
        self, method: str, raw_path: bytes, query: bytes, *, headers: Headers, body: Body, work: Work
    ) -> Principal:
        """The caller, from the store. Unauthenticated, and where the body is signed what reading it raises."""
        shown = _shown(headers)
        if not shown:
            raise Unauthenticated("a credential is required: send 'Authorization: Bearer SECRET' or Basic ID:SECRET")
        if b"x-auth-token" in headers:
            return await self._by_secret(shown, None, headers[b"x-auth-token"].decode("latin-1").strip(), work)
        scheme, _, rest = shown.decode("latin-1").partition(" ")
        scheme = scheme.lower()
        if scheme == "bearer":
            return await self._by_secret(shown, None, rest.strip(), work)
        if scheme == "basic":
            return await self._by_secret(shown, *basic_pair(rest.strip()), work)
        if scheme in SCHEMES:
            host = headers.get(b"host", b"")
            received = Received(method=method, path=raw_path, query=query, host=host, headers=headers)
            return await self._by_signature(SCHEMES[scheme](rest, received), body, work)
        raise Unauthenticated("the Authorization header must be Bearer, Basic, SDK-HMAC-SHA256 or Signature")

    async def _by_secret(self, shown: bytes, id_: str | None, secret: str, work: Work) -> Principal:
        asked_at = self._monotonic()
        try:
            principal = await work.identify(
                credentials.identify, self._store, self._key, credential_id=id_, secret=secret, now=self._clock()
            )
        except Unauthenticated:
            self._principals.pop(shown, None)
            raise
        if len(self._principals) >= _REMEMBERED:
            self._principals.clear()
        self._principals[shown] = (asked_at + REMEMBER_SECONDS, principal)
        return principal

    async def _by_signature(self, claim: Claim, body: Body, work: Work) -> Principal:
        """The cheap questions first; the body is read only for a credential that exists."""
        check_age(claim, self._clock())
        signatory = await self._signatory(claim, work)
        digest = await body.hold(SIGNED_BODY, work) if claim.needs_body else None
        if not claim.proved_by(signatory, digest):
            raise Unauthenticated(
                "the signature does not match the request: another secret or key, or a changed request"
            )
        if claim.digest is not None:
            body.expect(claim.digest)
        return credentials.principal(signatory.credential, self._clock())

    async def _signatory(self, claim: Claim, work: Work) -> Signatory:
        whose = claim.credential_id, claim.key_id
        asked_at = self._monotonic()
        remembered = self._signatories.get(whose)
        if remembered is not None and remembered[0] >= asked_at:
            return remembered[1]
        signatory = await work.identify(
            credentials.signatory, self._store, self._key, credential_id=whose[0], key_id=whose[1]
        )
        if len(self._signatories) >= _REMEMBERED:
            self._signatories.clear()
        self._signatories[whose] = (asked_at + REMEMBER_SECONDS, signatory)
        return signatory

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


def _guard_basic(headers: Headers, encrypted: bool) -> None:
    """A browser sends Basic credentials for a foreign page too; a Bearer token it never adds by itself."""
    origin = headers.get(b"origin")
    if origin is None or not headers.get(b"authorization", b"").lower().startswith(b"basic"):
        return
    downgraded = encrypted and not origin.lower().startswith(b"https:")
    if downgraded or _authority(origin) != headers.get(b"host", b"").decode("latin-1").lower():
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


def _shown(headers: Headers) -> bytes:
    """What a caller shows, as a whole; empty for nothing."""
    token = headers.get(b"x-auth-token")
    return headers.get(b"authorization", b"") if token is None else b"x-auth-token:" + token


def basic_pair(encoded: str) -> tuple[str, str]:
    """Id and secret of a Basic credential. Unauthenticated."""
    try:
        id_, colon, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        raise Unauthenticated("the Basic credential is not base64 of ID:SECRET in UTF-8") from None
    if not colon:
        raise Unauthenticated("the Basic credential is not ID:SECRET")
    return id_, secret
