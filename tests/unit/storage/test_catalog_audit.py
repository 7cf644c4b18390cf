"""The audit log's table."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from stepwell.core.clock import system_clock
from stepwell.storage.embedded import EmbeddedStore


@pytest.mark.parametrize("statement", ["UPDATE audit SET subject = 'x'", "DELETE FROM audit", "REPLACE INTO audit "])
def test_no_entry_is_changed_or_removed(tmp_path: Path, statement: str):
    store = EmbeddedStore(tmp_path / "data", clock=system_clock, background=False)
    store.put_workspace(name="w", at=1)
    store.close()
    connection = apsw.Connection(str(tmp_path / "data" / "stepwell.db"))
    try:
        before = connection.execute("SELECT * FROM audit").fetchall()
        assert len(before) == 1
        if statement.startswith("REPLACE"):
            connection.execute("PRAGMA recursive_triggers=ON")
            statement += (
                "SELECT number, 7, action, workspace, subject, details, via, credential_id, address, request_id"
            )
            statement += " FROM audit"
        with pytest.raises(apsw.ConstraintError, match="only added to"):
            connection.execute(statement)
        assert connection.execute("SELECT * FROM audit").fetchall() == before
    finally:
        connection.close()
