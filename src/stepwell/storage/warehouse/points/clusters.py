"""What a statement that makes or changes a table says where ClickHouse is a cluster. No connections.

A table T with points or sums is then two on every server: `T_local`, which the replicas of a shard share by way of
ZooKeeper, and `T` itself, which has no rows and asks one replica of each shard. What reads or inserts names `T`, and
need not know of it. A table that belongs to no series has the same rows on all servers.

Tables are made on each server by itself, and not `ON CLUSTER`: ClickHouse 18.16 ends with a segmentation fault when it
is asked for that before it has reached ZooKeeper, and while it waits for other servers nothing is heard of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

# All rows of a series are on one shard, as long as there are as many of them. No read relies on it.
SHARDED_BY: Final = "series"
DELAY: Final = 120  # seconds by which a replica may be behind that is asked: PostgreSQL tells of more than these
CATCH_UP_SECONDS: Final = 10
# On two replicas, or none: what one alone has when it ends, the others would wait for until it is back. Where there are
# no two, an insert goes on without.
QUORUM: Final[Mapping[str, Any]] = {"insert_quorum": 2, "insert_quorum_timeout": 10_000}
GUARDED: Final = frozenset({"points"})
SHARDED: Final = frozenset({"points", "nodes", "tilings"})  # tables that are two on every server
NO_QUORUM: Final = frozenset({285, 286, 319})  # too few replicas, an earlier insert waits for one, this one waited
SETTINGS: Final[Mapping[str, Any]] = {
    "insert_distributed_sync": 1,  # an insert has come to its shard when it is answered
    "insert_deduplicate": 0,  # what is inserted again was perhaps lost since
    "max_replica_delay_for_distributed_queries": DELAY,
    "fallback_to_stale_replicas_for_distributed_queries": 0,
}
LOOKED_SECONDS: Final = 1.0  # for which a server is taken to know what the others are given
MEMBERS: Final = (
    "SELECT host_name, port, shard_num, replica_num FROM system.clusters WHERE cluster = %(cluster)s "
    "ORDER BY shard_num, replica_num"
)
SERVERS: Final = "SELECT count() FROM system.clusters WHERE cluster = %(cluster)s"
STATE: Final = (  # whether a server is not fit to be asked, and how many shards it knows
    "SELECT count(), (SELECT uniq(shard_num) FROM system.clusters WHERE cluster = %(cluster)s) FROM system.replicas "
    f"WHERE database = currentDatabase() AND (is_readonly OR is_session_expired OR absolute_delay > {DELAY})"
)
CATCH_UP: Final = "SYSTEM SYNC REPLICA points_local"
CATCHING_UP: Final[Mapping[str, Any]] = {"receive_timeout": CATCH_UP_SECONDS}
_MADE: Final = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<table>\w+)(?P<columns>.*?)ENGINE = ReplacingMergeTree(?:\((?P<version>\w+)\))?",
    re.S,
)
_CHANGED: Final = re.compile(r"\AALTER TABLE (?P<table>\w+)")
_MERGED: Final = re.compile(r"\AOPTIMIZE TABLE ")


def worded(statement: str, *, cluster: str, database: str) -> list[str]:
    """The statements that do on a server of a cluster what one does on a single server. Others stay as they are."""
    if found := _MADE.search(statement):
        return _made(found, statement[found.end() :], cluster, database)
    if _MERGED.match(statement):  # 18.16 answers with an error where the last insert had a quorum; it merges by itself
        return []
    return [_CHANGED.sub(r"ALTER TABLE \g<table>_local", statement)]


def makes(statement: str) -> bool:
    """Whether every server must be told. What changes rows goes from one replica of a shard to the others by itself."""
    return not _CHANGED.match(statement)


def _made(found: re.Match[str], rest: str, cluster: str, database: str) -> list[str]:
    table, columns = found["table"], found["columns"]
    version = f", {found['version']}" if found["version"] else ""
    sharded = f"\n    {SHARDED_BY} " in columns
    # {shard} and {replica} are told by the configuration of each server.
    where = f"{{shard}}/{table}', '{{replica}}" if sharded else f"{table}', '{{shard}}-{{replica}}"
    engine = f"ENGINE = ReplicatedReplacingMergeTree('/stepwell/{database}/{where}'{version})"
    local = f"{table}_local" if sharded else table
    made = [f"CREATE TABLE IF NOT EXISTS {local} {columns}{engine}{rest}"]
    if sharded:
        made.append(
            f"CREATE TABLE IF NOT EXISTS {table} AS {database}.{local} "
            f"ENGINE = Distributed({cluster}, {database}, {local}, {SHARDED_BY})"
        )
    return made
