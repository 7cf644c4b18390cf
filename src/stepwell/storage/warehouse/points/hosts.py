"""Where the servers of ClickHouse are, what is run on each of them, and whether each has what was inserted. No rows are
read here.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from stepwell.core.errors import Invalid, StepwellError
from stepwell.storage.warehouse.points import clusters
from stepwell.storage.warehouse.points.errors import SILENT, told
from stepwell.storage.warehouse.points.sending import Sender

PORTS: Final = {"clickhouse": 9000, "clickhouses": 9440}  # of a scheme, where a host has none; the second is TLS
CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 30  # without a sign of life: a server that works on something gives one every tenth of a second
CHANGE_SECONDS: Final = 120  # the same of who makes or changes a table, and says nothing before it is done
CUT_SECONDS: Final = 15  # until a connection counts as gone whose other end says nothing at all
CATCH_UP_SECONDS: Final = 5
# Rows that an insert sends at once: their columns are copied where memory was used before, which costs a third. The
# server puts them together again, so many to a part: parts twice as large as it makes by itself are merged less often.
# A table that passes rows on to shards does not, and would make more parts of them.
PIECES: Final[dict[str, Any]] = {"insert_block_size": 1 << 16, "min_insert_block_size_rows": 1 << 21}
AWAY_SECONDS: Final = 10.0  # for which a server that was away is not asked again
_HOST: Final = re.compile(r"(?P<name>\[[\da-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
MOST_PORTS: Final = 65_535
_CLUSTER: Final = re.compile(r"[A-Za-z_]\w*")
_FORM: Final = (
    "clickhouse://[user:password@]host[:port][,host...][/database][?cluster=NAME], or with TLS "
    "clickhouses://...[?cluster=NAME][&ca_certs=FILE]"
)
Host = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Place:
    """What a URL of ClickHouse says."""

    hosts: tuple[Host, ...]
    user: str
    password: str
    database: str
    cluster: str  # "" without one
    secure: bool  # whether TLS is spoken; the server's certificate and name are always verified then
    ca_certs: str  # the file of the certificates that are trusted; "" for those of the system

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises Invalid for what is no such URL; its words do not repeat it."""
        parts = urlsplit(url)
        user, _, place = parts.netloc.rpartition("@")
        hosts = [_host(each, PORTS.get(parts.scheme, 0)) for each in place.split(",")]
        options = _options(parts.query)
        if parts.fragment or None in hosts or options is None:
            raise Invalid(f"a ClickHouse URL is {_FORM}", field="store")
        ca_certs = options.get("ca_certs", "")
        if ca_certs and parts.scheme != "clickhouses":
            raise Invalid("ca_certs in ClickHouse's URL is of use with clickhouses:// alone", field="store")
        name, _, password = user.partition(":")
        return cls(
            hosts=tuple(host for host in hosts if host is not None),
            user=unquote(name) or "default",
            password=unquote(password),
            database=unquote(parts.path.strip("/")) or "default",
            cluster=options.get("cluster", ""),
            secure=parts.scheme == "clickhouses",
            ca_certs=ca_certs,
        )

    def check(self) -> None:
        """Raises Invalid where the file of trusted certificates cannot be read, or is none."""
        if self.ca_certs:
            try:
                ssl.create_default_context(cafile=self.ca_certs)
            except OSError as error:
                words = f"ca_certs in ClickHouse's URL, {self.ca_certs}, cannot be used: {error.strerror}"
                raise Invalid(words, field="store") from error

    def options(self, turn: int) -> dict[str, Any]:
        """What the driver wants to know for a connection. With a cluster it begins with the host whose turn it is."""
        first = turn % len(self.hosts) if self.cluster else 0
        hosts = [*self.hosts[first:], *self.hosts[:first]]
        others = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in hosts[1:])
        return self._of(hosts) | {"alt_hosts": ",".join(others) or None}

    def only(self, host: Host) -> dict[str, Any]:
        """The same for one of the hosts."""
        return self._of([host])

    def _of(self, hosts: list[Host]) -> dict[str, Any]:
        return {
            "host": hosts[0][0],
            "port": hosts[0][1],
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "secure": self.secure,
            "ca_certs": self.ca_certs,
            "connect_timeout": CONNECT_SECONDS,
            "send_receive_timeout": ANSWER_SECONDS,
            "tcp_keepalive": (CUT_SECONDS // 3, CUT_SECONDS // 3, 2),
            "settings": {"use_numpy": True, **(clusters.SETTINGS if self.cluster else PIECES)},
        }


def _host(text: str, usual: int) -> Host | None:
    """What `NAME:PORT`, `NAME` (at the usual port) or `[ADDRESS]:PORT` says; None where it is none of these."""
    found = _HOST.fullmatch(text)
    port = int(found["port"] or usual) if found and usual else 0
    return (found["name"].strip("[]"), port) if found and 0 < port <= MOST_PORTS else None


def _options(query: str) -> dict[str, str] | None:
    """What stands behind the question mark; None where it is not understood."""
    given = parse_qs(query, keep_blank_values=True, separator="&")
    forms: dict[str, Callable[[str], object]] = {
        "cluster": _CLUSTER.fullmatch,
        "ca_certs": lambda text: Path(text).is_absolute(),
    }
    if any(name not in forms or len(texts) > 1 or not forms[name](texts[0]) for name, texts in given.items()):
        return None
    return {name: texts[0] for name, texts in given.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A server of a cluster, as the cluster's configuration has it."""

    host: Host
    shard: int
    replica: int

    def __str__(self) -> str:
        name, port = self.host
        return f"ClickHouse at {name}:{port} (shard {self.shard}, replica {self.replica})"


def run_on_all(place: Place, members: Sequence[Member], statement: str) -> None:
    """Run a statement on every server, one after the other. The error names the first that does not do it."""
    for member in members:
        _run(place, member, statement)


def run_on_shards(place: Place, members: Sequence[Member], statement: str) -> None:
    """Run a statement on one replica of each shard, the first that does it. Raises what the last one said of a shard of
    which none does."""
    for shard in sorted({member.shard for member in members}):
        replicas = [member for member in members if member.shard == shard]
        for member in replicas:
            try:
                _run(place, member, statement)
                break
            except StepwellError:
                if member is replicas[-1]:
                    raise


def _run(place: Place, member: Member, statement: str) -> None:
    client = Sender(**place.only(member.host) | {"send_receive_timeout": CHANGE_SECONDS})
    try:
        client.execute(statement)
    except SILENT as error:
        raise told(error, str(member)) from error
    finally:
        client.disconnect()


class Replicas:
    """Asks every server of a cluster by itself. Threads may share it, and take turns."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clients: dict[Host, Sender] = {}
        self._away: dict[Host, float] = {}
        self._lock = threading.Lock()

    def have_all(self, table: str) -> bool:
        """Whether all have what was inserted into a table before the call. Waits for those that answer."""
        with self._lock:
            found = [self._has_all(host, table) for host in self._place.hosts]
            return all(found)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.disconnect()
            self._clients.clear()

    def _has_all(self, host: Host, table: str) -> bool:
        if monotonic() - self._away.get(host, -AWAY_SECONDS) < AWAY_SECONDS:
            return False
        client = self._clients.get(host) or Sender(**self._place.only(host))
        self._clients[host] = client
        try:
            client.execute(f"SYSTEM SYNC REPLICA {table}_local", settings={"receive_timeout": CATCH_UP_SECONDS})
        except SILENT:
            client.disconnect()
            self._away[host] = monotonic()
            return False
        self._away.pop(host, None)
        return True
