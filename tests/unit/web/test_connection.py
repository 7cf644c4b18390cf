"""A connection without sockets: what the short ways of small requests may not change. With sockets, and clients that do
what they should not: tests/api/test_connections.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from stepwell.web.call import Call
from stepwell.web.connection import Application, Connection, Home, Limits, Message, Scope
from stepwell.web.response import Response, json_response
from stepwell.web.routing import Route
from unit.web.asking import Asking

LIMIT = 1 << 10
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.writes = 0
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data
        self.writes += 1

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def home_of(application: Application) -> Home:
    return Home(application=application, limits=Limits(), loop=asyncio.get_running_loop())


def connected(home: Home) -> tuple[Connection, Wire]:
    connection, wire = Connection(home), Wire()
    connection.connection_made(wire)
    return connection, wire


async def quiet() -> None:
    """Until all that can be done is done."""
    for _ in range(20):
        await asyncio.sleep(0)


def request(verb: str, path: str, body: bytes = b"", *lines: str, version: str = "1.1") -> bytes:
    more = "".join(f"{line}\r\n" for line in lines)
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{verb} {path} HTTP/{version}\r\nHost: localhost\r\n{length}{more}\r\n".encode() + body


def exchanged(application: Application, *pieces: bytes, stopping: bool = False) -> tuple[bytes, bool]:
    """What a connection answers to these bytes, but for dates and request ids, and whether it ends."""

    async def main() -> tuple[bytes, bool]:
        home = home_of(application)
        connection, wire = connected(home)
        home.stopping = stopping
        for piece in pieces:
            connection.data_received(piece)
            await quiet()
        return wire.sent, wire.closed

    sent, closed = asyncio.run(main())
    return re.sub(rb"(date: |x-request-id: |\"request_id\":\")[^\r\"]*", rb"\1", sent), closed


def at_length(application: Application) -> Application:
    """The same where the server offers no short ways."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope["extensions"]
        taken = scope.pop("stepwell.body", None)

        async def given() -> Message:
            nonlocal taken
            if taken is None:
                return await receive()
            body, taken = taken, None
            return {"type": "http.request", "body": body, "more_body": False}

        await application(scope, given, send)

    return app


async def size(call: Call) -> Response:
    return json_response(len(await call.body(LIMIT)))


async def ignore(_call: Call) -> Response:
    return json_response("not read", 409)


async def count(call: Call) -> Response:
    return json_response(sum([len(chunk) async for chunk in call.chunks()]))


async def nothing(_call: Call) -> Response:
    return Response(204)


async def other(_call: Call) -> Response:
    return Response(200, b"{}", headers=(("x-name", "value"),))


async def text(_call: Call) -> Response:
    return Response(200, b"{}", "text/plain")


ROUTES = (
    *(Route("POST", f"/t/{each.__name__}", each) for each in (size, ignore, count, nothing, other, text)),
    *(Route("GET", f"/t/{each.__name__}", each) for each in (size, nothing, other, text)),
)
BODY = b"0123456789"
ASKED = {
    "post": [request("POST", "/t/size", BODY)],
    "get": [request("GET", "/t/size")],
    "head": [request("HEAD", "/t/size")],
    "last": [request("POST", "/t/size", BODY, "Connection: close")],
    "old": [request("POST", "/t/size", BODY, version="1.0")],
    "in pieces": [request("POST", "/t/size", BODY)[:-4], BODY[-4:]],
    "pipelined": [request("POST", "/t/size", BODY) + request("POST", "/t/count", BODY) + request("GET", "/t/size")],
    "not read": [request("POST", "/t/ignore", BODY), request("GET", "/t/size")],
    "much not read": [request("POST", "/t/ignore", bytes(70_000))],
    "piece by piece": [request("POST", "/t/count", BODY)],
    "too large": [request("POST", "/t/size", bytes(LIMIT + 1))],
    "not gzip": [request("POST", "/t/size", BODY, "Content-Encoding: gzip")],
    "not known": [request("POST", "/t/size", BODY, "Content-Encoding: odd")],
    "chunked": [request("POST", "/t/size", b"", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"],
    "no content": [request("POST", "/t/nothing", BODY), request("GET", "/t/nothing")],
    "a header": [request("POST", "/t/other", BODY), request("GET", "/t/other")],
    "text": [request("POST", "/t/text", BODY), request("GET", "/t/text")],
    "not there": [request("POST", "/t/absent", BODY), request("GET", "/t/absent")],
    "continue": [request("POST", "/t/size", BODY, "Expect: 100-continue")[:-10], BODY],
    "its own id": [request("POST", "/t/size", BODY, "X-Request-Id: mine")],
}


@pytest.mark.parametrize("stopping", [False, True])
@pytest.mark.parametrize("asked", list(ASKED))
def test_short_ways_say_the_same(asked: str, stopping: bool) -> None:
    app = Asking(ROUTES).app
    found = exchanged(app, *ASKED[asked], stopping=stopping)
    assert found[0].startswith(b"HTTP/1.1 ")
    assert found == exchanged(at_length(app), *ASKED[asked], stopping=stopping)


def test_a_head_that_begins_behind_much_else_is_not_too_large() -> None:
    one, other = request("POST", "/t/count", bytes(70_000)), request("GET", "/t/size")
    sent, _ = exchanged(Asking(ROUTES).app, one + other[:9], other[9:])
    assert sent.count(b"HTTP/1.1 200 ") == 2


def test_a_small_request_is_one_write_and_nothing_to_wait_for() -> None:
    kinds: list[str] = []
    app = Asking(ROUTES).app

    async def main() -> int:
        async def told(scope: Scope, receive: Receive, send: Send) -> None:
            async def received() -> Message:
                kinds.append("receive")
                return await receive()

            async def sent(message: Message) -> None:
                kinds.append(message["type"])
                await send(message)

            await app(scope, received, sent)

        connection, wire = connected(home_of(told))
        connection.data_received(request("POST", "/t/size", BODY))
        await quiet()
        return wire.writes

    assert asyncio.run(main()) == 1
    assert kinds == ["stepwell.response"]
