"""Credentials in the tables of an older release."""

from __future__ import annotations

from catalogs import database
from stepwell.core.access import Role, hash_secret
from stepwell.storage.catalog import credentials, workspaces
from stepwell.storage.embedded import tables


def test_credentials_made_before_there_were_keys_are_read_and_revoked():
    conn = database()
    for table in ("credential_key", "workspace_alias"):
        conn.execute(f"DROP TABLE {table}")
    row = ("cr_old", hash_secret("old"), "w", 2, "", 1, None, None)
    conn.execute("INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    tables.create(conn)
    old = credentials.get(conn, secret_hash=hash_secret("old"))
    assert old is not None
    assert (old.id, old.role, old.sealed_secret, old.key_id, old.public_key) == (
        "cr_old",
        Role.WRITER,
        None,
        None,
        None,
    )
    assert credentials.every(conn) == [old]
    assert credentials.revoke(conn, "cr_old", at=5).revoked_at == 5
    assert workspaces.aliases(conn) == []
