"""Connections to PostgreSQL that wait for it, but not for ever: it may be cut off, or stand still with open sockets.
What is asked of it is elsewhere.
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Final, Self

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

from stepwell.storage.warehouse.prepared import PreparingConnection, Value

CUT_SECONDS: Final = 15  # until a connection counts as gone whose other end says nothing at all
LOOK_SECONDS: Final = 5.0


def bounded(answer_seconds: int, *, options: str = "") -> dict[str, Any]:
    """Options of a connection: how long both ends wait for each other, and PostgreSQL works on a statement. `options`:
    what else was asked of PostgreSQL.

    It too must see that a connection was cut, or that its client stands still: until then what was locked by that one
    stays so, for everybody.
    """
    settings = {
        "statement_timeout": f"{answer_seconds}s",
        "idle_in_transaction_session_timeout": f"{answer_seconds}s",
        "tcp_keepalives_idle": CUT_SECONDS // 3,
        "tcp_keepalives_interval": CUT_SECONDS // 3,
        "tcp_keepalives_count": 2,
        "tcp_user_timeout": CUT_SECONDS * 1_000,
        "client_min_messages": "warning",
    }
    return {
        "options": " ".join((options, *(f"-c {name}={value}" for name, value in settings.items()))).strip(),
        "keepalives_idle": CUT_SECONDS // 3,
        "keepalives_interval": CUT_SECONDS // 3,
        "keepalives_count": 2,
        "tcp_user_timeout": CUT_SECONDS * 1_000,
    }


class BoundedConnection(PreparingConnection):
    """A connection whose statements are given up when there is no answer. OperationalError then, and it is closed."""

    patience: float | None = None  # seconds; None: as whoever watches
    asked_at: float | None = None  # of a statement that libpq itself waits for

    @classmethod
    def connect(  # type: ignore[override]  # the options of psycopg's have types of their own
        cls, conninfo: str = "", *, failed: Callable[[psycopg.Error], None], **options: Any
    ) -> Self:
        """As psycopg's; `failed` is told why there is none: a pool that tries again and again keeps it to itself."""
        try:
            return super().connect(conninfo, **options)
        except psycopg.Error as error:
            failed(error)
            raise

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Statements within take so long at most."""
        before, self.patience = self.patience, seconds
        try:
            yield
        finally:
            self.patience = before

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except errors.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # the answer may come some day, to nobody
                self.close()
            raise

    def ask(self, statement: str, values: Mapping[str, Value]) -> list[tuple[Any, ...]]:
        """As PreparingConnection's, which waits in libpq, where a Watch alone can end it."""
        self.asked_at = monotonic()
        try:
            return super().ask(statement, values)
        finally:
            self.asked_at = None


class Watch:
    """Cuts connections that have waited in libpq for too long, from a thread of its own."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: weakref.WeakSet[BoundedConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stepwell-watch", daemon=True)
        self._thread.start()

    def add(self, connection: BoundedConnection) -> None:
        """Watch this one too."""
        connection.patience = self._seconds
        with self._lock:
            self._watched.add(connection)

    def stop(self) -> None:
        """No more. Idempotent."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            with self._lock:
                watched = list(self._watched)
            for connection in watched:
                asked_at = connection.asked_at
                if asked_at is not None and monotonic() - asked_at > self._seconds:
                    _cut(connection)


def _cut(connection: BoundedConnection) -> None:
    """Whoever waits is woken up by the end of the connection. The socket stays libpq's."""
    with suppress(OSError, errors.OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as one:
        one.shutdown(socket.SHUT_RDWR)
