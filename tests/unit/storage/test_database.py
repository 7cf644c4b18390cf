"""Connections to the file of the embedded engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from stepwell.storage.catalog.sql import Statements
from stepwell.storage.embedded import functions
from stepwell.storage.embedded.database import connect_reader, connect_writer
from stepwell.storage.embedded.tables import create


@pytest.mark.parametrize("connect", [connect_writer, connect_reader])
def test_a_statement_is_planned_once(connect: Any, tmp_path: Path):
    writer = connect_writer(tmp_path / "db", prepare=functions.register)
    create(writer)
    connection = connect(tmp_path / "db", prepare=functions.register)
    plans: list[int] = []

    def planned(action: int, *_: str | None) -> int:
        if action == apsw.SQLITE_SELECT:
            plans.append(action)
        return apsw.SQLITE_OK

    connection.authorizer = planned
    for number in range(5):
        assert not Statements.load("queries.sql").all(connection, "find_run", {"workspace": "w", "id": str(number)})
    assert len(plans) == 1
    connection.close()
    writer.close()


def test_a_file_that_may_not_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "stepwell.db"
    connect_writer(path, prepare=functions.register).close()
    monkeypatch.setattr(os, "access", lambda file, mode: mode == os.F_OK and file == str(path))
    with pytest.raises(PermissionError) as caught:
        connect_writer(path, prepare=functions.register)
    assert (caught.value.filename, caught.value.strerror) == (str(path), "Permission denied")
