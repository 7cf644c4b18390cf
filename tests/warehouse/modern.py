"""The newest ClickHouse inside this process, by the package chdb: the same statements as on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Chdb:
    """One database of a ClickHouse that runs in this process. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        from chdb.session import Session

        self._folder = folder
        self._session = Session(str(folder / "data"))
        self.run("CREATE DATABASE IF NOT EXISTS points ENGINE = Atomic")
        self.run("USE points")

    @property
    def version(self) -> tuple[int, ...]:
        """The first numbers of its version."""
        text = str(self._session.query("SELECT version()", "TSV")).strip()
        return tuple(int(part) for part in text.split(".")[:3])

    @property
    def cluster(self) -> str:
        """It is none."""
        return ""

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        self._session.query(statement)

    def select(self, statement: str, values: Mapping[str, Any], types: Sequence[type]) -> list[Any]:
        """The columns of an answer that has only whole numbers of 64 bits."""
        text = statement % {name: _literal(value) for name, value in values.items()}
        raw = self._session.query(text, "RowBinary").bytes() or b""
        table = np.frombuffer(raw, np.int64).reshape(-1, len(types))
        return [np.ascontiguousarray(table[:, number]) for number in range(len(types))]

    def insert(self, table: str, columns: Mapping[str, Any]) -> None:
        """Insert rows."""
        file = self._folder / "rows"
        np.column_stack(list(columns.values())).astype(np.int64).tofile(file)
        names = ", ".join(columns)
        shape = ", ".join(f"{name} Int64" for name in columns)
        self.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM file('{file}', 'RowBinary', '{shape}')")

    def settled(self, table: str) -> bool:
        """There is no other replica."""
        return True

    def close(self) -> None:
        """End it."""
        self._session.close()


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))})"
    return str(int(value))
