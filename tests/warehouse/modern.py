"""The newest ClickHouse inside this process, by the package chdb: the same statements as on a server."""

from __future__ import annotations

import atexit
import threading
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import numpy as np

LOCK = threading.RLock()  # a process has one session, which has one statement at a time


@cache
def session() -> Any:
    """That of this process, in a folder that goes with it."""
    from chdb.session import Session

    folder = TemporaryDirectory(prefix="stepwell-chdb-")
    found = Session(folder.name)
    atexit.register(folder.cleanup)
    atexit.register(found.close)
    return found


class Chdb:
    """One database of a ClickHouse that runs in this process. Threads may share it, and wait for each other."""

    def __init__(self, name: str = "") -> None:
        """The database of a name, by default one of its own."""
        self.name = name or f"test_{uuid.uuid4().hex}"
        self._session = session()
        with LOCK:
            self._session.query(f"CREATE DATABASE IF NOT EXISTS {self.name} ENGINE = Atomic")

    @property
    def version(self) -> tuple[int, ...]:
        """The first numbers of its version."""
        with LOCK:
            text = str(self._session.query("SELECT version()", "TSV")).strip()
        return tuple(int(part) for part in text.split(".")[:3])

    @property
    def cluster(self) -> str:
        """It is none."""
        return ""

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        with LOCK:
            self._session.query(f"USE {self.name}")
            self._session.query(statement)

    def select(self, statement: str, values: Mapping[str, Any], types: Sequence[type]) -> list[Any]:
        """The columns of an answer that has only whole numbers of 64 bits, or is one column of texts."""
        text = statement % {name: _literal(value) for name, value in values.items()}
        with LOCK:
            self._session.query(f"USE {self.name}")
            if list(types) == [str]:
                return [np.array(str(self._session.query(text, "TSV")).split("\n")[:-1], np.str_)]
            raw = self._session.query(text, "RowBinary").bytes() or b""
        table = np.frombuffer(raw, np.int64).reshape(-1, len(types))
        return [np.ascontiguousarray(table[:, number]) for number in range(len(types))]

    def insert(self, table: str, *blocks: Mapping[str, Any]) -> None:
        """Insert rows."""
        columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        names = ", ".join(columns)
        shape = ", ".join(f"{name} Int64" for name in columns)
        with NamedTemporaryFile(prefix="stepwell-rows-") as file:
            np.column_stack(list(columns.values())).astype(np.int64).tofile(file.name)
            self.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM file('{file.name}', 'RowBinary', '{shape}')")

    def settled(self, table: str) -> bool:
        """There is no other replica."""
        return True

    def close(self) -> None:
        """As of a connection: the database stays."""


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))})"
    return str(int(value))
