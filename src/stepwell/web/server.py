"""The listening socket, and a stop that finishes what it has begun. What a connection says is connection.py's."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable
from typing import Final

from stepwell.web import stopping
from stepwell.web.connection import Application, Connection, Home, Limits
from stepwell.web.tls import LOOK_SECONDS, Certificate

_BACKLOG: Final = 2048
_HANDSHAKE_SECONDS: Final = 10.0
_FILES: Final = 256  # that are open besides connections: of the store, and uploads on their way
_MANY: Final = 1_000_000
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


def room(wanted: int) -> int:
    """How many connections there may be: as many as wanted (0: any number), if the process may open a file for each and
    those of its own. Its limit of open files is raised for them as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = (wanted or _MANY) + _FILES
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(files - _FILES, 1)


async def serve(
    app: Application,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    limits: Limits = DEFAULT,
    certificate: Certificate | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT; then take no more, finish what is in flight (stop_seconds), return.

    A second signal does not wait for what is in flight. With a certificate all connections are encrypted.
    """
    loop = asyncio.get_running_loop()
    home = Home(application=app, limits=limits, loop=loop)
    told, hurried = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hurried if told.is_set() else told).set()

    for number in stopping.SIGNALS:
        loop.add_signal_handler(number, stop)
    stopping.heard()
    # Connections inherit it. No sweep can tell: only the kernel knows whether a client takes what was sent.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(limits.answer_seconds * 1000))
    listening = await loop.create_server(
        lambda: Connection(home),
        sock=listener,
        backlog=_BACKLOG,
        ssl=None if certificate is None else certificate.context,
        ssl_handshake_timeout=None if certificate is None else _HANDSHAKE_SECONDS,
    )
    beside = [asyncio.create_task(_end_slow_connections(home))]
    if certificate is not None:
        beside.append(asyncio.create_task(_look_at(certificate)))
    loop.call_soon(ready)
    try:
        await told.wait()
    finally:
        listening.close()
        for task in beside:
            task.cancel()
        await _finish(home, hurried)


async def _finish(home: Home, hurried: asyncio.Event) -> None:
    """Let the requests in flight end, then let go of everybody."""
    home.stopping = True
    for connection in list(home.connections):
        connection.stop()
    hurry = asyncio.create_task(hurried.wait())
    deadline = home.loop.time() + home.limits.stop_seconds
    while home.tasks and not hurry.done() and (left := deadline - home.loop.time()) > 0:
        await asyncio.wait([hurry, *home.tasks.values()], timeout=left, return_when=asyncio.FIRST_COMPLETED)
    unfinished = list(home.tasks.values())
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)
    for connection in list(home.connections):
        connection.close()
    while home.connections and not hurry.done() and home.loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # the transports tell nobody when they have sent what was written
    hurry.cancel()


async def _look_at(certificate: Certificate) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        certificate.look()


async def _end_slow_connections(home: Home) -> None:
    while True:
        await asyncio.sleep(home.limits.sweep_seconds)
        now = time.monotonic()
        for connection in list(home.connections):
            connection.end_if_slow(now)
