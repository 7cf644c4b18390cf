"""One connection over TLS that says who asks, and can be cut from outside."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress

from crash.soak.machine import trusting
from crash.traffic import Answer, Gone
from serving import HOST


class Secured:
    """Used by one thread; another may cut it."""

    def __init__(self, port: int, *, timeout: float = 60.0) -> None:
        self._port = port
        self._timeout = timeout
        self._context = trusting()
        self._lock = threading.Lock()
        self._connection = self._new()
        self.requests = 0

    def _new(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(HOST, self._port, timeout=self._timeout, context=self._context)

    def ask(
        self, verb: str, path: str, body: bytes | None = None, *, secret: str, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises Gone."""
        sent = {"authorization": f"Bearer {secret}", **({"content-type": "application/json"} if body else {})}
        try:
            self._connection.request(verb, path, body, {**sent, **(headers or {})})
            found = self._connection.getresponse()
            self.requests += 1
            return Answer(found.status, found.read())
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: the socket was closed meanwhile
            self._connection.close()
            with self._lock:
                self._connection = self._new()
            raise Gone(str(error)) from error

    def tell(self, path: str, message: object, *, secret: str, verb: str = "POST", **headers: str) -> Answer:
        """A message as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(verb, path, json.dumps(message).encode(), secret=secret, headers=sent)

    def cut(self) -> None:
        """The connection ends here and now, in whatever is on its way."""
        with self._lock, suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """No more requests."""
        self._connection.close()
