"""Many connections from one thread, each asking again as soon as it was answered: a client that costs little itself."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence

from servers import HOST

_HEAD_ENDS = b"\r\n\r\n"


def request(verb: str, path: str, body: bytes, kind: str = "application/json") -> bytes:
    """The bytes of a request over a connection that is kept."""
    head = f"{verb} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def drive(port: int, connections: Sequence[Iterator[bytes]], seconds: float) -> list[float]:
    """Milliseconds of each request, in the order of the answers. Each iterator is the requests of one connection.

    RuntimeError: an answer was no success.
    """
    taken: list[float] = []
    with selectors.DefaultSelector() as ready:
        for requests in connections:
            wire = socket.create_connection((HOST, port))
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(wire, selectors.EVENT_READ, _Connection(wire, requests))
        end = time.perf_counter() + seconds
        each: list[_Connection] = [key.data for key in ready.get_map().values()]
        for connection in each:
            connection.send()
        waiting = len(each)
        while waiting:
            for key, _ in ready.select():
                if (ms := key.data.receive()) is None:
                    continue
                taken.append(ms)
                if time.perf_counter() < end:
                    key.data.send()
                else:
                    waiting -= 1
        for connection in each:
            connection.wire.close()
    return taken


class _Connection:
    def __init__(self, wire: socket.socket, requests: Iterator[bytes]) -> None:
        self.wire = wire
        self._requests = requests
        self._answer = b""
        self._sent = 0.0

    def send(self) -> None:
        data = next(self._requests)
        self._answer, self._sent = b"", time.perf_counter()
        self.wire.sendall(data)

    def receive(self) -> float | None:
        """Milliseconds since the request, once the answer is whole."""
        got = self.wire.recv(1 << 18)
        if not got:
            raise RuntimeError(f"the server hung up after {self._answer[:300]!r}")
        self._answer += got
        head, ended, body = self._answer.partition(_HEAD_ENDS)
        if not ended or len(body) < _length(head):
            return None
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201", b"HTTP/1.1 202", b"HTTP/1.1 204")):
            raise RuntimeError(f"{self._answer[:300]!r}")
        return 1e3 * (time.perf_counter() - self._sent)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
