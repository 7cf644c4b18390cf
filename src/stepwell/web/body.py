"""Reading the bytes of a request: limits while they stream in, slow and broken uploads, gzip.

What the bytes mean is the dialect's.
"""

from __future__ import annotations

import asyncio
import hmac
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final, TypeAlias

from stepwell.core.errors import Busy, Unauthenticated
from stepwell.web.errors import HttpProblem, body_too_large
from stepwell.web.work import Work

Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
SLOW: Final = "stepwell.slow"  # set in a request's scope by the server when its body does not go on
HERE: Final = "stepwell.body"  # there too, the whole body where it came with its head: nothing is to be received then
LINGER_BYTES: Final = 256 << 20
LINGER_SECONDS: Final = 15.0
SMALL_REST: Final = 64 << 10  # an unread rest up to this is passed over, and the connection stays open
_UNPACK_HERE: Final = 64 << 10  # smaller bodies are unpacked on the event loop: less than a thread hop costs


class BodyBudget:
    """Bytes of bodies that wait or are worked on, over all requests."""

    def __init__(self, limit: int = 256 << 20) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int) -> None:
        """Busy when the limit would be passed."""
        if self.used + size > self.limit:
            raise Busy(f"request bodies of {self.used} bytes are in flight; the limit is {self.limit}. Try again.")
        self.used += size


class Body:
    """The body of one request. Read it once, whole or in chunks; call `release` when the request is done."""

    __slots__ = (
        "_budget",
        "_digest",
        "_encoding",
        "_expects",
        "_held",
        "_here",
        "_length",
        "_receive",
        "_scope",
        "_taken",
        "complete",
    )

    def __init__(
        self,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        budget: BodyBudget,
        scope: Mapping[str, Any],
    ) -> None:
        self._receive = receive
        self._budget = budget
        self._scope = scope
        length = headers.get(b"content-length")
        self._length = None if length is None else int(length)
        self._encoding = headers.get(b"content-encoding")
        self._expects = b"expect" in headers
        self._taken = 0
        self._here: bytes | None = scope.get(HERE)
        self._held: bytes | None = None  # read already, not yet given out
        self._digest: bytes | None = None  # what it must have
        self.complete = not self._length and b"transfer-encoding" not in headers

    @property
    def leaves_much(self) -> bool:
        """Whether so much is unread that the connection is better ended than read to the end of the body."""
        return not self.complete and (self._length is None or self._length > SMALL_REST or self._expects)

    async def whole(self, limit: int, work: Work) -> bytes:
        """See Call.body."""
        if self._here is not None and self._encoding is None and self._digest is None:
            data = self._all_here()
            self._take(data, limit)
            return data
        packed = self._packed()
        data = await self._raw(limit)
        if self._digest is not None:
            _check_digest(await _digest_of(data, work), self._digest)
        if not packed:
            return data
        if len(data) <= _UNPACK_HERE and limit <= _UNPACK_HERE:
            return self._unpack(data, limit)
        return await work.write(self._unpack, data, limit)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See Call.chunks."""
        if self._packed():
            raise _bad_encoding("identity")
        if self._held is not None:
            if self._held:
                yield self._held
            return
        seen = sha256() if self._digest is not None else None
        while not self.complete:
            chunk = await self._next()
            if chunk:
                if seen is not None:
                    seen.update(chunk)
                yield chunk
        if seen is not None and self._digest is not None:
            _check_digest(seen.digest(), self._digest)

    async def hold(self, limit: int, work: Work) -> bytes:
        """Read all of it now, to be given out later; its SHA-256 as it came. Problems as for `Call.body`."""
        self._held = await self._raw(limit)
        return await _digest_of(self._held, work)

    def expect(self, digest: bytes) -> None:
        """Its SHA-256 as it comes must be this: else reading it whole, or its last chunk, is Unauthenticated."""
        self._digest = digest

    async def _raw(self, limit: int) -> bytes:
        """All bytes as they come, or as they are held. HttpProblem 413, Busy."""
        if self._length is not None and self._length > limit:
            raise body_too_large(limit)
        if self._held is not None:
            if len(self._held) > limit:
                raise body_too_large(limit)
            return self._held
        data = await self._next()
        self._take(data, limit)
        parts = [data]
        while not self.complete:
            parts.append(await self._next())
            self._take(parts[-1], limit)
        return data if len(parts) == 1 else b"".join(parts)

    async def discard(self) -> None:
        """Read on and forget, within bounds, so that a client that is still sending gets to read our answer."""
        if self._expects:
            return  # it was never told to go on
        seen = 0
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.complete and seen < LINGER_BYTES:
                    seen += len(await self._next())
        except (TimeoutError, HttpProblem):
            return

    def release(self) -> None:
        """The bytes read are no longer held."""
        self._budget.used -= self._taken
        self._taken = 0

    def _take(self, data: bytes, limit: int) -> None:
        size = len(data)
        if self._taken + size > limit:
            raise body_too_large(limit)
        self._budget.take(size)
        self._taken += size

    async def _next(self) -> bytes:
        """One piece; sets `complete` at the last. HttpProblem: 408 when it is too slow, 400 when the client is gone."""
        if self.complete:
            return b""
        self._expects = False
        if self._here is not None:
            return self._all_here()
        message = await self._receive()
        if message["type"] != "http.request":
            self.complete = True
            raise HttpProblem(400, "body_broken_off", "the connection ended before the body did", close=True)
        data: bytes = message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if not data and not self.complete and SLOW in self._scope:
            self.complete = True
            raise HttpProblem(
                408, "body_too_slow", f"no more of the body came for {self._scope[SLOW]:g} seconds", close=True
            )
        return data

    def _all_here(self) -> bytes:
        data, self._here, self.complete = self._here or b"", None, True
        return data

    def _packed(self) -> bool:
        if self._encoding is None or self._encoding.lower() in (b"", b"identity"):
            return False
        if self._encoding.lower() in (b"gzip", b"x-gzip"):
            return True
        raise _bad_encoding("gzip")

    def _unpack(self, data: bytes, limit: int) -> bytes:
        """At most `limit` bytes are ever made, however much the body claims to hold."""
        unpacker = zlib.decompressobj(wbits=31)
        try:
            plain = unpacker.decompress(data, limit + 1)
        except zlib.error as error:
            raise HttpProblem(400, "malformed_gzip", f"the body is not gzip: {error}") from None
        if len(plain) > limit:
            raise body_too_large(limit)
        if not unpacker.eof or unpacker.unused_data:
            raise HttpProblem(400, "malformed_gzip", "the body is not one whole gzip member")
        return plain


async def _digest_of(data: bytes, work: Work) -> bytes:
    if len(data) <= _UNPACK_HERE:
        return sha256(data).digest()
    return await work.write(lambda: sha256(data).digest())


def _check_digest(found: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(found, expected):
        raise Unauthenticated("the body is not the one that was signed: its SHA-256 is another")


def _bad_encoding(accepted: str) -> HttpProblem:
    return HttpProblem(
        415,
        "unknown_content_encoding",
        f"the body's content-encoding is not supported here; use {accepted}",
        headers=(("accept-encoding", accepted),),
    )
