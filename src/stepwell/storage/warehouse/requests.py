"""How many requests each process lets through, told to the others: one row of PostgreSQL each, with its last rounds.

Who was away for longer than these misses some: then a little more is let through.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from stepwell.storage.warehouse.database import Connection, Database

ROUNDS: Final = 20  # of which a row tells
_TELL: Final = """
INSERT INTO request_counts (process, told, told_at) VALUES (?, ?, now())
ON CONFLICT (process) DO UPDATE SET told = excluded.told, told_at = excluded.told_at
"""
_HEAR: Final = """
SELECT process, told FROM request_counts WHERE process <> ? AND told_at > now() - make_interval(mins => 1)
"""
_FORGET: Final = "DELETE FROM request_counts WHERE told_at < now() - make_interval(hours => 1)"


class RequestCounts:
    """For one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._process = secrets.randbits(62)
        self._round = 0
        self._told: deque[tuple[int, Mapping[str, int]]] = deque(maxlen=ROUNDS)
        self._heard: dict[int, int] | None = None  # process -> its last round that was heard

    def share(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """See BoundStore.share_requests."""
        self._round += 1
        if counts:
            self._told.append((self._round, counts))
        with self._database.changing() as connection:
            if counts:
                connection.execute(_TELL, (self._process, json.dumps(list(self._told))))
            if self._round == 1:
                connection.execute(_FORGET)
            return self._hear(connection)

    def _hear(self, connection: Connection) -> Mapping[str, int]:
        rows = connection.execute(_HEAR, (self._process,)).fetchall()
        heard, found = self._heard, Counter[str]()
        self._heard = {}
        for process, text in rows:
            told = json.loads(text)
            self._heard[process] = told[-1][0]
            if heard is not None:  # else it was let through before we were there
                for number, counts in told:
                    if number > heard.get(process, 0):
                        found.update(counts)
        return found
