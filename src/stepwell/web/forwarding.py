"""Where the client of a request is and how it addressed the server, when proxies stand between.

Each proxy appends what it sees to the X-Forwarded-* headers, so the last values are those of our own proxies; what
stands before them anybody may have written. Without trusted proxies nothing of this is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stepwell.web.errors import HttpProblem

FOR: Final = b"x-forwarded-for"
HOST: Final = b"x-forwarded-host"
PROTO: Final = b"x-forwarded-proto"
PREFIX: Final = b"x-forwarded-prefix"
_FORMS: Final = {
    FOR: re.compile(rb"[\[\]0-9A-Za-z:._-]{1,100}"),
    HOST: re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?"),
    PROTO: re.compile(rb"https?"),
    PREFIX: re.compile(rb"/|(/[A-Za-z0-9._~%!$&'()*+;=:@-]+)+/?"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """What the trusted proxies tell; None, or an empty prefix, where they tell nothing.

    `prefix` is the path that they removed, percent-encoded, without a slash at the end.
    """

    client: str | None
    host: bytes | None
    scheme: str | None
    prefix: bytes


def read(headers: Iterable[tuple[bytes, bytes]], hops: int) -> Forwarded:
    """`headers` in the order in which they came, names in lower case; `hops`: how many proxies are ours, at least 1.

    The outermost of them says who the client is and what it sees; a prefix is what all of them removed, one by one.
    HttpProblem 400: a value that cannot be what it stands for.
    """
    given: dict[bytes, list[bytes]] = {name: [] for name in _FORMS}
    for name, value in headers:
        if name in given:
            given[name] += [each.strip() for each in value.split(b",")]
    trusted = {name: [_checked(name, each) for each in values[-hops:]] for name, values in given.items()}
    client, host, scheme = (next(iter(trusted[name]), b"") for name in (FOR, HOST, PROTO))
    return Forwarded(
        client=client.decode("ascii") or None,
        host=host or None,
        scheme=scheme.decode("ascii") or None,
        prefix=b"".join(each.rstrip(b"/") for each in trusted[PREFIX]),
    )


def _checked(name: bytes, value: bytes) -> bytes:
    if value and not _FORMS[name].fullmatch(value):
        text = f"the proxy's header {name.decode()} has a value that cannot be used: {value.decode('latin-1')!r}"
        raise HttpProblem(400, "malformed_forwarding", text)
    return value
