"""A slow or stuck way to a server: everything that is sent through a relay comes later, or does not come on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HERE = "127.0.0.1"


class Relay:
    """Listens on a port and passes on what comes. `delay`: seconds by which each piece is late; `stuck`:
    nothing passes, though connections are taken and held."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.stuck = threading.Event()
        self._target = port
        self._listener = socket.create_server((HERE, 0))
        self._open: list[socket.socket] = []
        self._passing: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """From now on."""
        self._accepting.start()

    def close(self) -> None:
        """No more; what is open is cut."""
        self.stuck.clear()
        self._cut(self._listener)  # that thread ends now, and opens nothing more
        self._accepting.join()
        for each in self._open:
            self._cut(each)
        for thread in self._passing:
            thread.join()
        for each in (self._listener, *self._open):
            each.close()

    @staticmethod
    def _cut(one: socket.socket) -> None:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(near)
            try:
                far = socket.create_connection((HERE, self._target))
            except OSError:
                self._cut(near)
                continue
            self._open.append(far)
            for one, other in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass, args=(one, other), daemon=True)
                self._passing.append(thread)
                thread.start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(1 << 16):
                time.sleep(self.delay)
                while self.stuck.is_set():
                    time.sleep(0.02)
                other.sendall(piece)
        for each in (one, other):
            self._cut(each)


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    """A relay to a port of this machine."""
    found = Relay(port)
    found.start()
    try:
        yield found
    finally:
        found.close()
