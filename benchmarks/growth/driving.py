"""Many connections from one thread, each asking again once it was answered: a client that costs little itself."""

from __future__ import annotations

import heapq
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


def drive(port: int, connections: Sequence[Iterator[bytes]], seconds: float, *, every: float = 0.0) -> list[float]:
    """Milliseconds of each request, in the order of the answers. Each iterator is the requests of one connection.

    `every`: seconds from one request of a connection to its next, which also waits for the answer. What was due earlier
    than it could be sent is timed from then. RuntimeError: an answer was no success.
    """
    taken: list[float] = []
    each = [_Connection(socket.create_connection((HOST, port)), requests) for requests in connections]
    with selectors.DefaultSelector() as ready:
        for number, connection in enumerate(each):
            ready.register(connection.wire, selectors.EVENT_READ, number)
        begin = time.perf_counter()
        due = [(begin + every * number / len(each), number) for number in range(len(each))]  # a heap
        waiting = len(each)
        while waiting:
            while due and due[0][0] <= time.perf_counter():
                at, number = heapq.heappop(due)
                each[number].send(at if every else time.perf_counter())
            for key, _ in ready.select(max(0.0, due[0][0] - time.perf_counter()) if due else None):
                connection = each[key.data]
                if (ms := connection.receive()) is None:
                    continue
                taken.append(ms)
                if time.perf_counter() >= begin + seconds:
                    waiting -= 1
                elif every:
                    heapq.heappush(due, (connection.due + every, key.data))
                else:
                    connection.send(time.perf_counter())
    for connection in each:
        connection.wire.close()
    return taken


class _Connection:
    """Its next request is made while the last one is under way, so that no answer is late for it."""

    def __init__(self, wire: socket.socket, requests: Iterator[bytes]) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.wire = wire
        self.due = 0.0  # when the last request was to be sent
        self._requests = requests
        self._next = next(requests)
        self._answer = b""

    def send(self, due: float) -> None:
        self._answer, self.due = b"", due
        self.wire.sendall(self._next)
        self._next = next(self._requests)

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
        return 1e3 * (time.perf_counter() - self.due)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
