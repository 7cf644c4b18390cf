"""One ClickHouse server or cluster as this engine sees it: connections, statements, errors. Points are elsewhere."""

from __future__ import annotations

import queue
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import numpy as np
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, ServerException
from numpy.typing import NDArray

from stepwell.core.errors import Busy, Invalid, StepwellError, StorageFailed, StorageFull

PORT: Final = 9000
CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 120
FULL: Final = frozenset({243})  # NOT_ENOUGH_SPACE
# Errors of a server that is alive and may well do it a little later: timeouts, too many queries or parts, no memory
# left, a replica that is read-only, too few live replicas, no keeper.
LATER: Final = frozenset({159, 202, 209, 210, 225, 241, 242, 252, 254, 285, 286, 319, 394, 999})

Column = NDArray[Any]
# A table in the server's memory alone: who finds there what it has left knows that the server was not started since.
_KNOWN: Final = "SELECT count() FROM met WHERE token = %(token)s"
_LEFT: Final = "INSERT INTO met (token) VALUES"
_HOST: Final = re.compile(r"[^:]+(:\d{1,5})?")


class Server(Protocol):
    """What the tables need of a server."""

    @property
    def version(self) -> tuple[int, ...]:
        """The first two or three numbers of the server's version."""
        ...

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        ...

    def select(self, statement: str, values: Mapping[str, Any], types: Sequence[type]) -> list[Column]:
        """The columns of the answer, as many as `types`, which are those of the columns when there is no row."""
        ...

    def insert(self, table: str, columns: Mapping[str, Column]) -> None:
        """Insert rows; the server has them when it returns."""
        ...


@dataclass(slots=True)
class _Link:
    """A connection, and its socket as it was when the server behind it was last looked at."""

    client: Client
    socket: object = None


class ClickHouse:
    """A pool of connections to `clickhouse://user:password@host1:9000,host2:9000/database`. Threads may share it.

    Further hosts are tried in their order when one does not answer. Raises Invalid for a URL that says something else.
    """

    def __init__(self, url: str, *, size: int = 8, met: Callable[[], None] | None = None) -> None:
        """Connects when it is first asked. `size` is how many statements may run at a time; more wait. `met` is called
        before anything is asked of a server that was started since the last time, or is another one: after a power cut
        it may not have all that it was given."""
        self._options = _options(url)
        self._free: queue.LifoQueue[_Link | None] = queue.LifoQueue()
        self._version: tuple[int, ...] | None = None
        for _ in range(size):
            self._free.put(None)
        self._size = size
        self._met = met
        self._tokens: dict[tuple[str, int], int] = {}  # what was left in the memory of the server at a host and port
        self._meeting = threading.Lock()

    @property
    def version(self) -> tuple[int, ...]:
        """The first numbers of the server's version, read once."""
        if self._version is None:
            (found,) = self.select("SELECT version()", {}, [str])
            self._version = tuple(int(part) for part in str(found[0]).split(".")[:3])
        return self._version

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        with self._link() as link:
            link.client.execute(statement)

    def select(self, statement: str, values: Mapping[str, Any], types: Sequence[type]) -> list[Column]:
        """The columns of the answer, as many as `types`, which are those of the columns when there is no row."""
        columns: list[Column] = self._repeated(lambda client: client.execute(statement, values or None, columnar=True))
        return columns or [np.empty(0, each) for each in types]

    def insert(self, table: str, columns: Mapping[str, Column]) -> None:
        """Insert rows; the server has them when it returns. They may be inserted twice."""
        words, given = f"INSERT INTO {table} ({', '.join(columns)}) VALUES", list(columns.values())
        self._repeated(lambda client: client.execute(words, given, columnar=True))

    def close(self) -> None:
        """Close all connections, when the last statement has ended."""
        for _ in range(self._size):
            link = self._free.get()
            if link is not None:
                link.client.disconnect()

    def _repeated(self, work: Callable[[Client], Any]) -> Any:
        """What work says; done again where the driver connected anew in it, perhaps to a server not met before."""
        with self._link() as link:
            found = work(link.client)
            if link.client.connection.socket is not link.socket:
                self._meet(link)
                found = work(link.client)
            return found

    def _meet(self, link: _Link) -> None:
        """See that the server behind a link is known, and has what it was given."""
        connection = link.client.connection
        if not connection.connected:
            connection.connect()
        link.socket = connection.socket
        if self._met is None:
            return
        place = (connection.host, connection.port)
        with self._meeting:  # whoever comes second waits until all is there
            if place in self._tokens and link.client.execute(_KNOWN, {"token": self._tokens[place]})[0][0]:
                return
            token = secrets.randbits(63)
            link.client.execute(_LEFT, [np.array([token], np.int64)], columnar=True)
            self._met()
            self._tokens[place] = token

    @contextmanager
    def _link(self) -> Iterator[_Link]:
        """A connection of one's own. After anything but an answer it is closed: what is on its way is nobody's."""
        link = self._free.get()
        whole = False
        try:
            if link is None:
                link = _Link(Client(**self._options))
                self._meet(link)
            yield link
            whole = True
        except ServerException as error:
            raise _told(error) from error
        except (Error, OSError, EOFError) as error:
            raise Busy(f"ClickHouse does not answer: {_first_line(error)}") from error
        finally:
            if not whole and link is not None:
                link.client.disconnect()
                link = None
            self._free.put(link)


def _options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    hosts = [_HOST.fullmatch(host) for host in place.split(",")]
    if parts.scheme != "clickhouse" or not all(hosts) or parts.query or parts.fragment:
        raise Invalid("a ClickHouse URL is clickhouse://[user:password@]host[:port][,host...][/database]")
    name, _, password = user.partition(":")
    host, _, port = place.split(",")[0].partition(":")
    return {
        "host": host,
        "port": int(port or PORT),
        "alt_hosts": place.partition(",")[2] or None,
        "user": unquote(name) or "default",
        "password": unquote(password),
        "database": unquote(parts.path.strip("/")) or "default",
        "connect_timeout": CONNECT_SECONDS,
        "send_receive_timeout": ANSWER_SECONDS,
        "settings": {"use_numpy": True},
    }


def _told(error: ServerException) -> StepwellError:
    text = f"ClickHouse: {_first_line(error)}"
    if error.code in FULL:
        return StorageFull(text)
    return Busy(text) if error.code in LATER else StorageFailed(text)


def _first_line(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    return str(message).partition("\n")[0].partition(" Stack trace:")[0][:300] or type(error).__name__
