"""The listening socket, the HTTP protocol with its own limits, and a stop that finishes what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from stepwell.web.body import SLOW

_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost."""

    head_bytes: int = 64 << 10  # of the request line and all headers
    head_seconds: float = 30.0  # from its first byte, or from connecting, to its end
    body_seconds: float = 30.0  # without another byte of a body that somebody waits for
    idle_seconds: int = 75
    stop_seconds: int = 20  # for requests in flight when the server is told to stop
    sweep_seconds: float = 5.0  # how often slow connections are looked for


DEFAULT: Final = Limits()


def listen(host: str, port: int) -> socket.socket:
    """A bound and listening socket; port 0 takes a free one. OSError says why not."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Without it the last small piece of an answer can wait 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(app: Any, listener: socket.socket, *, ready: Callable[[], None], limits: Limits = DEFAULT) -> None:
    """Answer requests until SIGTERM or SIGINT; then take no more, finish what is in flight (stop_seconds), return."""
    config = uvicorn.Config(
        app,
        http=type("BoundProtocol", (Protocol,), {"limits": limits}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # forwarding.py reads them
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
        backlog=_BACKLOG,
    )
    server = Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    sweep = asyncio.create_task(_end_slow_connections(server, limits.sweep_seconds))
    loop.call_soon(ready)  # the socket listens already: whoever connects now is served
    try:
        await server.serve(sockets=[listener])
    finally:
        sweep.cancel()


class Server(uvicorn.Server):
    """uvicorn's server, with the signals left to `serve`."""

    def stop(self) -> None:
        """Finish; a second call does not wait for requests in flight."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: uvicorn would raise the signal again at the end, and the exit status would not be 0."""
        yield


class Protocol(HttpToolsProtocol):
    """One connection. Heads (request line and headers) are bounded in size and time, bodies in time between reads.

    Times are looked at by a sweep over all connections, so that no request pays for a timer of its own.
    """

    limits: ClassVar[Limits] = DEFAULT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head_since: float | None = time.monotonic()  # of a head that is not complete yet
        self._head_bytes = 0
        self._read = 0
        self._read_at = 0.0
        self._refusal: tuple[int, str, str] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came. One read may hold a small head and a large body, so what it adds is judged at the next."""
        self._read = len(data)
        self._read_at = time.monotonic()
        if self.head_since is not None:
            if self._head_bytes > self.limits.head_bytes:
                self._refuse(*self._head_too_large())
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a bool
        """A client that has sent all and closed its side still gets its answer; one that breaks off is let go."""
        if self.head_since is not None or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = self._read
        self.head_since = self._read_at

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self.head_since = None
        if self._head_bytes > self.limits.head_bytes:
            head = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if head > self.limits.head_bytes:
                self._refusal = self._head_too_large()
                raise ValueError("head too large")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed."""
        status, code, message = self._refusal or (400, "malformed_request", "this is not an HTTP/1.1 request")
        self._refuse(status, code, message)

    def end_if_slow(self, now: float) -> None:
        """End a connection whose head takes too long; tell whoever waits for the body that it does not come."""
        if self.head_since is not None:
            if now - self.head_since > self.limits.head_seconds:
                self.transport.close()
            return
        cycle = self.cycle
        awaited = cycle.more_body and not cycle.body and not cycle.response_complete and not self.flow.read_paused
        if awaited and now - self._read_at > self.limits.body_seconds:
            self.scope[SLOW] = self.limits.body_seconds  # type: ignore[typeddict-unknown-key]
            cycle.message_event.set()

    def _head_too_large(self) -> tuple[int, str, str]:
        limit = self.limits.head_bytes
        return 431, "head_too_large", f"the request's head is larger than the limit of {limit} bytes"

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


async def _end_slow_connections(server: Server, pause: float) -> None:
    while True:
        await asyncio.sleep(pause)
        now = time.monotonic()
        for connection in list(server.server_state.connections):
            if isinstance(connection, Protocol):
                connection.end_if_slow(now)
