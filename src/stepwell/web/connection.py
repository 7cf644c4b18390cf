"""One HTTP/1.1 connection: heads, bodies, pipelined requests, flow control, and what it may cost.

What is asked for is the application's, which speaks ASGI. Written for many small requests a second: one whose body
comes with its head costs one task, no event, no timer and one write.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast
from urllib.parse import unquote

import httptools

from stepwell.web.body import HERE, SLOW
from stepwell.web.response import WHOLE

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = Mapping[str, Any]
Application: TypeAlias = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_READ_AHEAD: Final = 64 << 10  # bytes of a body that nobody has asked for yet
_STATUS_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
_DISCONNECTED: Final = {"type": "http.disconnect"}
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_EXTENSIONS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({WHOLE: MappingProxyType({})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost."""

    head_bytes: int = 64 << 10  # of the request line and all headers; also of what is no body after them
    head_seconds: float = 30.0  # from its first byte, or from connecting, to its end
    body_seconds: float = 30.0  # without another byte of a body that somebody waits for
    answer_seconds: float = 75.0  # without another byte of an answer being taken
    idle_seconds: float = 75.0
    stop_seconds: float = 20.0  # for requests in flight when the server is told to stop
    sweep_seconds: float = 5.0  # how often slow connections are looked for
    connections: int = 4096  # of all clients together


@dataclass(slots=True, kw_only=True)
class Home:
    """What the connections of one server share."""

    application: Application
    limits: Limits
    loop: asyncio.AbstractEventLoop
    connections: set[Connection] = field(default_factory=set)
    tasks: dict[Exchange, asyncio.Task[None]] = field(default_factory=dict)  # of the requests in flight
    stopping: bool = False
    _date: tuple[int, bytes] = (0, b"")

    def make_room(self, newcomer: Connection) -> None:
        """Let go of the client for which nothing has been done for longest; where all are being answered, the newcomer
        is told to come back."""
        idle = [each for each in self.connections if each.idle_since is not None and each is not newcomer]
        if not idle:
            newcomer.turn_away()
            return
        longest = min(idle, key=lambda each: each.idle_since or 0.0)
        self.connections.discard(longest)  # it is gone a moment later
        longest.close()

    def date(self) -> bytes:
        """The line that says when an answer was made."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, f"date: {formatdate(now, usegmt=True)}\r\n".encode("ascii"))
        return self._date[1]


class Connection(asyncio.Protocol):
    """One connection. Times are looked at by a sweep over all of them: no request pays for a timer of its own."""

    _transport: asyncio.Transport

    def __init__(self, home: Home) -> None:
        self._home = home
        self._parser = httptools.HttpRequestParser(self)
        # A client may send its next request before it reads that this answer was the last: that is no error.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._client: tuple[str, int] | None = None
        self._scheme = "http"
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._last: Exchange | None = None  # the one whose body comes, or came
        self._answering: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._reading = True
        self.writable: asyncio.Future[None] | None = None  # waited for while the client does not take what was sent
        self._refusal: tuple[int, str, str] | None = None
        self._head_since: float | None = time.monotonic()  # of a head that is not complete yet
        self._head_bytes = 0  # of a head, or since a piece of a body: of what comes between the pieces and after them
        self._read = 0  # bytes of the last read
        self._read_at = 0.0
        self._idle_since = 0.0

    # --- the transport's side ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        peer = transport.get_extra_info("peername")
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._home.connections.add(self)
        if self._home.stopping:
            transport.close()
        elif len(self._home.connections) > self._home.limits.connections:
            self._home.make_room(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came. One read may hold a small head and a large body, so what it adds is judged at the next."""
        self._read = len(data)
        self._read_at = time.monotonic()
        if self._head_bytes > self._home.limits.head_bytes:
            self._refuse(*self._head_too_large())
            return
        self._head_bytes += self._read
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request is answered as if it had not asked for another protocol; what follows it cannot be read.
            if self._last is not None:
                self._last.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or (400, "malformed_request", "this is not an HTTP/1.1 request")))

    def eof_received(self) -> bool:
        """A client that has sent all and closed its side still gets its answer; one that breaks off is let go."""
        last = self._last
        if self._head_since is not None or last is None or not last.whole or last.complete:
            return False
        last.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or was let go."""
        self._home.connections.discard(self)
        for exchange in (self._answering, *self._waiting):
            if exchange is not None:
                exchange.lose()
        self._waiting.clear()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The client is slower than we are."""
        if self.writable is None:
            self.writable = self._home.loop.create_future()

    def resume_writing(self) -> None:
        """It has taken what was sent."""
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # --- the parser's side ------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = []
        self._head_bytes = self._read
        self._head_since = self._read_at

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A head is complete. An error raised here makes the request malformed."""
        self._head_since = None
        if self._head_bytes > self._home.limits.head_bytes:
            head = len(self._url) + sum(len(name) + len(value) for name, value in self._headers)
            if head > self._home.limits.head_bytes:
                self._refusal = self._head_too_large()
                raise ValueError("head too large")
        self._head_bytes = 0
        exchange = self._last = Exchange(self, self._scope(), self._parser.should_keep_alive())
        self._headers = []  # fields that come after the body are none of the request's headers
        if self._answering is None:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            self.pause_reading()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._head_bytes = 0
        if self._last is not None:
            self._last.feed(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._read = 0  # a head that begins behind it is judged from the next read on: before it came other requests
        if self._last is not None:
            self._last.feed_end()

    def _scope(self) -> Scope:
        url = self._url
        if url.startswith(b"/") and b"#" not in url:
            raw_path, _, query = url.partition(b"?")
        else:
            parsed = httptools.parse_url(url)
            raw_path, query = parsed.path or b"/", parsed.query or b""
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "extensions": _EXTENSIONS,
            "http_version": self._parser.get_http_version(),
            "client": self._client,
            "scheme": self._scheme,
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._headers,
        }

    # --- requests, one after the other ------------------------------------------------------------------------------

    def _begin(self, exchange: Exchange) -> None:
        self._answering = exchange
        self._home.tasks[exchange] = self._home.loop.create_task(exchange.run(self._home.application))

    def ended(self, exchange: Exchange) -> None:
        """All that was to be done for a request is done. No callback of its task tells so: that would be one more turn
        of the loop for each."""
        self._home.tasks.pop(exchange, None)

    def answered(self, exchange: Exchange) -> None:
        """The answer is written; the next request may begin."""
        self._answering = None
        if not exchange.keep_alive:
            self._transport.close()
        elif self._waiting:
            self._begin(self._waiting.popleft())
        else:
            self._idle_since = time.monotonic()
            self.resume_reading()

    def pause_reading(self) -> None:
        """Let the client wait."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more from the client."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes; what a closed connection is given is lost."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def date(self) -> bytes:
        """The header that says when."""
        return self._home.date()

    @property
    def stopping(self) -> bool:
        """Whether this answer is the last one."""
        return self._home.stopping

    def close(self) -> None:
        """Let go of the client once it has what was written."""
        self._transport.close()

    def wake(self) -> asyncio.Future[None]:
        """A future of this connection's loop."""
        return self._home.loop.create_future()

    def stop(self) -> None:
        """Finish what was begun and take no more."""
        if self._answering is None:
            self._transport.close()

    def end_if_slow(self, now: float) -> None:
        """End it when it is idle or its head takes too long; tell who waits for a body that it does not come."""
        limits = self._home.limits
        if self._head_since is not None:
            if now - self._head_since > limits.head_seconds:
                self._transport.close()
        elif self._answering is None:
            if now - self._idle_since > limits.idle_seconds:
                self._transport.close()
        elif self._last is not None and self._reading and now - self._read_at > limits.body_seconds:
            self._last.give_up(limits.body_seconds)

    @property
    def idle_since(self) -> float | None:
        """Since when it is the client's turn to say what it wants; None while it is answered."""
        return self._head_since if self._head_since is not None else None if self._answering else self._idle_since

    def turn_away(self) -> None:
        """Tell the client to come back."""
        most = self._home.limits.connections
        self._refuse(503, "too_many_connections", f"the server has the {most} connections that it may have")

    def _head_too_large(self) -> tuple[int, str, str]:
        limit = self._home.limits.head_bytes
        return 431, "head_too_large", f"the request's headers are larger than the limit of {limit} bytes"

    def _refuse(self, status: int, code: str, message: str) -> None:
        answering = self._answering
        if answering is not None and (answering.whole or answering.written):
            answering.keep_alive = False  # the request before it is fine, and gets its answer whole
            self._waiting.clear()
            self.pause_reading()
            return
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        later = b"retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else b""
        self.write(_STATUS_LINES[status] + later + head + body)
        self._transport.close()


class Exchange:
    """One request and its answer: the two ends of ASGI."""

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_ended",
        "_invited",
        "_left",
        "_lost",
        "_scope",
        "_start",
        "_waiter",
        "complete",
        "keep_alive",
        "whole",
        "written",
    )

    def __init__(self, connection: Connection, scope: Scope, keep_alive: bool) -> None:
        self._connection = connection
        self._scope = scope
        self.keep_alive = keep_alive
        self._body = b""
        self._invited = False  # to send its body, if it asked
        self.whole = False  # the request was received to its end
        self._ended = False  # and the application was told so
        self._lost = False
        self._waiter: asyncio.Future[None] | None = None
        self._start: Message | None = None
        self.written = False  # a part of the answer is on its way
        self._chunked = False
        self._left: int | None = 0  # bytes that content-length promised and that are not written yet
        self.complete = False

    async def run(self, application: Application) -> None:
        """Let the application answer. Its errors become answers there; one that gets here ends the connection."""
        if self.whole and self._body and not self._lost:
            self._scope[HERE], self._body, self._ended = self._body, b"", True
        try:
            await application(self._scope, self.receive, self.send)
        finally:
            if not self.complete:
                self._connection.close()
            self._connection.ended(self)

    # --- the request ------------------------------------------------------------------------------------------------

    def feed(self, body: bytes) -> None:
        """A piece of the body came."""
        if self.complete:
            return
        self._body = self._body + body if self._body else body
        if len(self._body) > _READ_AHEAD:
            self._connection.pause_reading()
        self._wake()

    def feed_end(self) -> None:
        """That was all of it."""
        self.whole = True
        self._wake()

    def lose(self) -> None:
        """The client is gone."""
        self._lost = True
        self._wake()

    def give_up(self, seconds: float) -> None:
        """No more of the body came for so long: who waits for it is told."""
        if not self.whole and not self._body and self._waiter is not None:
            self._scope[SLOW] = seconds
            self._wake()

    async def receive(self) -> Message:
        """The next piece of the body; after the last one, the news that the client is gone or has its answer."""
        if not self._invited and not self.whole and not self.written:
            self._invited = True
            if (b"expect", b"100-continue") in [(name, value.lower()) for name, value in self._scope["headers"]]:
                self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (self._ended or not (self._body or self.whole)) and not self._lost and not self.complete:
            self._connection.resume_reading()
            self._waiter = self._connection.wake()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._lost or self.complete:
            return _DISCONNECTED
        body, self._body = self._body, b""
        self._ended = self.whole
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- the answer -------------------------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """The head of the answer, or a piece of its body. The head leaves with the first piece. What a client that is
        gone is sent is lost. Or all of it in one message (response.WHOLE), as nearly every answer is."""
        if self._connection.writable is not None and not self._lost:
            await asyncio.shield(self._connection.writable)
        if self._lost:
            return
        if message["type"] == WHOLE:
            self.written = True
            self._connection.write(self._all(message["status"], message["head"], message["body"]))
            self._answered()
            return
        if message["type"] == "http.response.start":
            self._start = message
            return
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        data = (b"" if self.written else self._head()) + self._framed(body, more=more)
        self.written = True
        if data:
            self._connection.write(data)
        if not more:
            self._answered()

    def _answered(self) -> None:
        self.complete = True
        self._wake()
        self._connection.answered(self)

    def _all(self, status: int, head: bytes, body: bytes) -> bytes:
        if self._connection.stopping:
            self.keep_alive = False
        return b"%b%b%b%b\r\n%b" % (
            _STATUS_LINES[status],
            self._connection.date(),
            head,
            b"" if self.keep_alive else b"connection: close\r\n",
            b"" if self._scope["method"] == "HEAD" else body,
        )

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        """A piece of the body as it travels. RuntimeError: the answer is not as long as it said."""
        if self._scope["method"] == "HEAD":
            return b""
        if self._chunked:
            return (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError(f"an answer that is not as long as its content-length says (by {self._left})")
        return body

    def _head(self) -> bytes:
        assert self._start is not None, "a body before its head"
        status: int = self._start["status"]
        given: list[tuple[bytes, bytes]] = self._start["headers"]
        if self._connection.stopping:
            self.keep_alive = False
        lines = [_STATUS_LINES[status], self._connection.date()]
        sized = status in (204, 304) or self._scope["method"] == "HEAD"
        closing = False
        for name, value in given:
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                sized = True
                self._left = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
                closing = True
        if not sized:
            self._chunked = self._scope["http_version"] == "1.1"
            if self._chunked:
                lines.append(b"transfer-encoding: chunked\r\n")
            else:  # an old client reads until the end of the connection
                self._left = None
                self.keep_alive = False
        if not self.keep_alive and not closing:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        # A value that carries a line of its own would be a header that somebody else wrote.
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
            raise RuntimeError("a header's value holds a line break")
        return head + b"\r\n"
