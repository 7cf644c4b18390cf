"""One ClickHouse server or cluster as this engine sees it: connections, statements, errors. No table is named here."""

from __future__ import annotations


class ClickHouse:
    """A pool of connections to `clickhouse://user:password@host1:9000,host2:9000/database`. Threads may share it."""

    def __init__(self, url: str, *, size: int = 8) -> None:
        """Connects when it is first asked. `size` is how many statements may run at a time; more wait."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError
