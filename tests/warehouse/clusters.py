"""A cluster for tests: ZooKeeper, and ClickHouse servers that share shards, all on this host or each on its own."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from warehouse.certificates import Paper
from warehouse.servers import HERE, WITH_US, Host, Process, clickhouse, free_port

NAME = "fleet"
JAR = Path("/usr/share/java/zookeeper.jar")  # as Debian has it; it names all that it needs itself
# Sessions end after ten seconds: tests need not wait for long, and a busy machine is not taken for one that is away.
ZOOKEEPER = """tickTime=1000
dataDir={folder}/data
clientPort={port}
clientPortAddress={address}
maxClientCnxns=0
minSessionTimeout=1000
admin.enableServer=false
"""
CONFIG = """
  <interserver_http_host>{address}</interserver_http_host>
  <interserver_http_port>{interserver}</interserver_http_port>
  <zookeeper>
    <node><host>{zookeeper.address}</host><port>{zookeeper.port}</port></node>
    <session_timeout_ms>10000</session_timeout_ms>
  </zookeeper>
  <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
  <remote_servers><{name}>{shards}</{name}></remote_servers>
"""
SHARD = "<shard><internal_replication>true</internal_replication>{replicas}</shard>"
REPLICA = "<replica><host>{}</host><port>{}</port></replica>"
SECURE_REPLICA = "<replica><host>{}</host><port>{}</port><secure>1</secure></replica>"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Running servers; `replicas` has those of each shard."""

    zookeeper: Process
    replicas: Sequence[Sequence[Process]]
    paper: Paper | None = None  # with which TLS is spoken
    secure_ports: Sequence[int] = ()

    def url(self, database: str) -> str:
        """Of a database on it."""
        if self.paper is not None:
            hosts = ",".join(f"{self.paper.name}:{port}" for port in self.secure_ports)
            return f"clickhouses://{hosts}/{database}?cluster={NAME}&ca_certs={self.paper.authority}"
        hosts = ",".join(f"{one.address}:{one.port}" for shard in self.replicas for one in shard)
        return f"clickhouse://{hosts}/{database}?cluster={NAME}"


@contextmanager
def zookeeper(folder: Path, *, host: Host = HERE) -> Iterator[Process]:
    """A running ZooKeeper server."""
    folder.mkdir(parents=True)
    port = free_port()
    (folder / "zoo.cfg").write_text(ZOOKEEPER.format(folder=folder, port=port, address=host.address))
    program = ["java", "-Xmx128m", "-cp", str(JAR), "org.apache.zookeeper.server.quorum.QuorumPeerMain"]
    command = [*host.enter, *WITH_US, *program, str(folder / "zoo.cfg")]
    server = Process(
        command,
        port=port,
        log=folder / "log",
        stop=signal.SIGTERM,
        address=host.address,
        # A ClickHouse that is let in before, is heard only ten seconds later.
        serves=lambda: _serves(host.address, port),
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _serves(address: str, port: int) -> bool:
    with suppress(ConnectionError), socket.create_connection((address, port)) as one:
        one.sendall(b"srvr")
        return b"Mode: " in one.recv(4_096)
    return False


@contextmanager
def cluster(
    folder: Path,
    *,
    shards: int = 1,
    replicas: int = 2,
    keeper: Host = HERE,
    hosts: Sequence[Host] = (),
    paper: Paper | None = None,
) -> Iterator[Cluster]:
    """A running cluster. `keeper` is the host of ZooKeeper, `hosts` those of the servers, shard by shard. `paper`: with
    which they speak TLS to each other, and to who asks."""
    places = [*hosts] or [HERE] * (shards * replicas)
    ports = [free_port() for _ in places]
    secure_ports = [free_port() for _ in places] if paper else []
    names = [REPLICA.format(host.address, port) for host, port in zip(places, ports, strict=True)]
    if paper:
        names = [SECURE_REPLICA.format(paper.name, port) for port in secure_ports]
    text = "".join(SHARD.format(replicas="".join(names[at : at + replicas])) for at in range(0, len(places), replicas))
    with ExitStack() as running:
        first = running.enter_context(zookeeper(folder / "zookeeper", host=keeper))
        found: list[list[Process]] = []
        for at, (host, port) in enumerate(zip(places, ports, strict=True)):
            more = CONFIG.format(
                address=host.address,
                interserver=free_port(),
                zookeeper=first,
                shard=at // replicas,
                replica=at % replicas,
                name=NAME,
                shards=text,
            )
            if paper:
                more += paper.config(secure_ports[at])
            server = running.enter_context(clickhouse(folder / f"clickhouse-{at}", more=more, host=host, port=port))
            if at % replicas == 0:
                found.append([])
            found[-1].append(server)
        yield Cluster(zookeeper=first, replicas=found, paper=paper, secure_ports=secure_ports)
