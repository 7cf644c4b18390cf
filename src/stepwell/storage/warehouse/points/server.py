"""One ClickHouse server or cluster as this engine sees it: connections, statements, errors. Points are elsewhere."""

from __future__ import annotations

import logging
import queue
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

import numpy as np
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError

from stepwell.core.errors import Busy, Invalid
from stepwell.storage.warehouse.points import clusters, hosts
from stepwell.storage.warehouse.points.errors import SILENT, told
from stepwell.storage.warehouse.points.hosts import CUT_SECONDS, Member, Place, Replicas
from stepwell.storage.warehouse.points.sending import Column, Sender

# A table in the server's memory alone: who finds there what it has left knows that the server was not started since.
_KNOWN: Final = "SELECT count() FROM met WHERE token = %(token)s"
_LEFT: Final = "INSERT INTO met (token) VALUES"


class Server(Protocol):
    """What the tables need of a server."""

    @property
    def version(self) -> tuple[int, ...]:
        """The first two or three numbers of the server's version."""
        ...

    @property
    def cluster(self) -> str:
        """The name of the cluster; "" for a single server."""
        ...

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        ...

    def select(self, statement: str, values: Mapping[str, Any], types: Sequence[type]) -> list[Column]:
        """The columns of the answer, as many as `types`, which are those of the columns when there is no row."""
        ...

    def insert(self, table: str, *blocks: Mapping[str, Column]) -> None:
        """Insert the rows of some blocks, which have the same columns; the server has them when it returns."""
        ...

    def settled(self, table: str) -> bool:
        """Whether every replica is known to have all rows of a table that were inserted before the call."""
        ...


class Connected(Server, Protocol):
    """The same, of one's own."""

    def close(self) -> None:
        """Let go of it, when the last statement has ended."""
        ...


class Connect(Protocol):
    """Makes such a thing: by default `ClickHouse`."""

    def __call__(self, url: str, *, size: int = 8, met: Callable[[], None] | None = None) -> Connected:
        """As `ClickHouse`."""
        ...


@dataclass(slots=True)
class _Link:
    """A connection, its socket as it was when the server behind it was last looked at, and when that was."""

    client: Client
    socket: object = None
    looked: float = 0.0


class ClickHouse:
    """A pool of connections to `clickhouse://user:password@host1:9000,host2:9000/database`, or with TLS `clickhouses://`.
    Threads may share it.

    Further hosts are tried in their order when one does not answer. With `?cluster=NAME` they are the servers of that
    cluster: connections are spread over them, tables are made on all (clusters.py), and what was asked of a server that
    went away is asked of another one. Raises Invalid for a URL that says something else.
    """

    def __init__(self, url: str, *, size: int = 8, met: Callable[[], None] | None = None) -> None:
        """Connects when it is first asked. `size` is how many statements may run at a time; more wait. `met` is called
        before anything is asked of a server that was started since the last time, or is another one: after a power cut
        it may not have all that it was given."""
        self._place = Place.of(url)
        self._place.check()
        logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)  # what goes wrong we say ourselves, and once
        self._free: queue.LifoQueue[_Link | None] = queue.LifoQueue()
        self._version: tuple[int, ...] | None = None
        for _ in range(size):
            self._free.put(None)
        self._size = size
        self._shards = 0  # of the cluster, as the server knew that was looked at last
        self._turn = 0  # the host with which the next connection begins
        self._met = met
        self._tokens: dict[tuple[str, int], int] = {}  # what was left in the memory of the server at a host and port
        self._meeting = threading.Lock()
        self._replicas = Replicas(self._place)

    @property
    def version(self) -> tuple[int, ...]:
        """The first numbers of the server's version, read once."""
        if self._version is None:
            (found,) = self.select("SELECT version()", {}, [str])
            self._version = tuple(int(part) for part in str(found[0]).split(".")[:3])
        return self._version

    @property
    def cluster(self) -> str:
        """The name of the cluster; "" for a single server."""
        return self._place.cluster

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing. One that makes a table does it on all servers of a cluster, and raises
        Busy where one is away; what changes rows is given to one replica of each shard, and the others follow."""
        if self.cluster:
            self._run_on_cluster(statement)
            return
        with self._link() as link:
            link.client.execute(statement)

    def _run_on_cluster(self, statement: str) -> None:
        columns = self.select(clusters.MEMBERS, {"cluster": self.cluster}, [str, np.int64, np.int64, np.int64])
        rows = zip(*(column.tolist() for column in columns), strict=True)
        members = [Member(host=(name, port), shard=shard, replica=replica) for name, port, shard, replica in rows]
        if not members:
            raise Invalid(f"ClickHouse has no cluster {self.cluster!r} in its configuration", field="store")
        for each in clusters.worded(statement, cluster=self.cluster, database=self._place.database):
            if clusters.makes(statement):
                hosts.run_on_all(self._place, members, each)
            else:
                hosts.run_on_shards(self._place, members, each)

    def select(self, statement: str, values: Mapping[str, Any], types: Sequence[type]) -> list[Column]:
        """The columns of the answer, as many as `types`, which are those of the columns when there is no row."""
        columns: list[Column] = self._repeated(lambda client: client.execute(statement, values or None, columnar=True))
        return columns or [np.empty(0, each) for each in types]

    def insert(self, table: str, *blocks: Mapping[str, Column]) -> None:
        """Insert the rows of some blocks, which have the same columns; the server has them when it returns. They may be
        inserted twice."""
        if self.cluster and table in clusters.GUARDED:
            try:
                self._repeated(lambda client: self._insert(client, table, blocks, clusters.QUORUM))
            except Busy as error:
                if getattr(error.__cause__, "code", 0) not in clusters.NO_QUORUM:
                    raise
            else:
                return
        self._repeated(lambda client: self._insert(client, table, blocks, {}))

    def _insert(
        self, client: Client, table: str, blocks: Sequence[Mapping[str, Column]], settings: Mapping[str, Any]
    ) -> None:
        given = [list(each.values()) for each in blocks]
        if self.cluster and table in clusters.SHARDED:
            if self._shards == 1:  # there is nothing to pass on
                table, settings = f"{table}_local", {**hosts.PIECES, **settings}
            else:  # a table that passes rows on makes a part of each block
                given = [list(map(np.concatenate, zip(*given, strict=True)))]
        client.execute(f"INSERT INTO {table} ({', '.join(blocks[0])}) VALUES", given, columnar=True, settings=settings)

    def settled(self, table: str) -> bool:
        """Whether every server of a cluster is known to have the rows of a table that were inserted before the call."""
        if not self.cluster:
            return True
        (count,) = self.select(clusters.SERVERS, {"cluster": self.cluster}, [np.int64])
        return int(count[0]) <= len(self._place.hosts) and self._replicas.have_all(table)

    def close(self) -> None:
        """Close all connections, when the last statement has ended."""
        for _ in range(self._size):
            link = self._free.get()
            if link is not None:
                link.client.disconnect()
        self._replicas.close()

    def _repeated(self, work: Callable[[Client], Any]) -> Any:
        """What work says; done again where the driver connected anew in it, perhaps to a server not met before, and on
        another connection where the server of a cluster goes away."""
        for _ in range(len(self._place.hosts) if self.cluster else 0):
            try:
                return self._once(work)
            except Busy as error:
                if not isinstance(error.__cause__, NetworkError | EOFError | ConnectionError):
                    raise
        return self._once(work)

    def _once(self, work: Callable[[Client], Any]) -> Any:
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
        if self.cluster:
            self._find_fit(link)
        link.socket = connection.socket
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, CUT_SECONDS * 1_000)
        if self._met is None:
            return
        place = (connection.host, connection.port)
        with self._meeting:  # whoever comes second waits until all is there
            if place in self._tokens and link.client.execute(_KNOWN, {"token": self._tokens[place]})[0][0]:
                return
            token = secrets.randbits(63)
            link.client.execute(_LEFT, [[np.array([token], np.int64)]], columnar=True)
            if self.cluster:  # it fetches from the others what it lost, when it lost something
                link.client.execute(clusters.CATCH_UP, settings=clusters.CATCHING_UP)
            self._met()
            self._tokens[place] = token

    def _find_fit(self, link: _Link) -> None:
        """Go on to a server that knows of what the others are given, where the one behind a link does not."""
        connection = link.client.connection
        for _ in self._place.hosts:
            link.looked = monotonic()
            ((unfit, self._shards),) = link.client.execute(clusters.STATE, {"cluster": self.cluster})
            if not unfit:
                return
            connection.disconnect()
            connection.hosts.rotate(-1)
            connection.connect()
        raise Busy("ClickHouse: no server of the cluster reaches its ZooKeeper")

    @contextmanager
    def _link(self) -> Iterator[_Link]:
        """A connection of one's own. After anything but an answer it is closed: what is on its way is nobody's."""
        link = self._free.get()
        whole = False
        try:
            if link is None:
                self._turn += 1
                link = _Link(Sender(**self._place.options(self._turn)))
                self._meet(link)
            elif self.cluster and monotonic() - link.looked > clusters.LOOKED_SECONDS:
                self._find_fit(link)
            yield link
            whole = True
        except SILENT as error:
            raise told(error) from error
        finally:
            if not whole and link is not None:
                link.client.disconnect()
                link = None
            self._free.put(link)
