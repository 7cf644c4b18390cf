"""The listening socket, the HTTP protocol with its own limits, and a stop that finishes what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES: Final = 64 << 10  # of the request line and all headers
HEAD_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 75
STOP_SECONDS: Final = 20
_SWEEP_SECONDS: Final = 5.0
_BACKLOG: Final = 2048
_HEAD_TOO_LARGE: Final = (431, "head_too_large", f"the request's head is larger than the limit of {HEAD_BYTES} bytes")


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


async def serve(app: Any, listener: socket.socket, *, ready: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT; then take no more, finish what is in flight (STOP_SECONDS), return."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        backlog=_BACKLOG,
    )
    server = Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    sweep = asyncio.create_task(_close_slow_heads(server))
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
    """One connection. Heads (request line and headers) are bounded in size and time; refusals are JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.head_since: float | None = time.monotonic()  # of a head that is not complete yet
        self._head_bytes = 0
        self._read = 0
        self._refusal: tuple[int, str, str] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came. One read may hold a small head and a large body, so what it adds is judged at the next."""
        self._read = len(data)
        if self.head_since is not None:
            if self._head_bytes > HEAD_BYTES:
                self._refuse(*_HEAD_TOO_LARGE)
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
        self.head_since = time.monotonic()

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self.head_since = None
        if self._head_bytes > HEAD_BYTES:
            head = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if head > HEAD_BYTES:
                self._refusal = _HEAD_TOO_LARGE
                raise ValueError("head too large")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed."""
        status, code, message = self._refusal or (400, "malformed_request", "this is not an HTTP/1.1 request")
        self._refuse(status, code, message)

    def close_if_slow(self, now: float) -> None:
        """End a connection whose head takes too long."""
        if self.head_since is not None and now - self.head_since > HEAD_SECONDS and self.transport is not None:
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


async def _close_slow_heads(server: Server) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(server.server_state.connections):
            if isinstance(connection, Protocol):
                connection.close_if_slow(now)
