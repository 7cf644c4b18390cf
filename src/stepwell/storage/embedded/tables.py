"""Making the catalog's tables, and preparing connections for them."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import apsw

from stepwell.core.errors import Corrupt
from stepwell.storage.embedded import functions

FORMAT: Final = "1"  # meta.catalog_format


def create(conn: apsw.Connection) -> None:
    """Make the tables that are missing, inside the caller's transaction. Raises Corrupt for another release's."""
    conn.execute(files(__package__).joinpath("catalog.sql").read_text("utf-8"))
    found = conn.execute("SELECT value FROM meta WHERE name = 'catalog_format'").fetchall()
    if found != [(FORMAT,)]:
        raise Corrupt(f"the catalog has format {found[0][0]!r}; this release knows {FORMAT!r}")


def register(conn: apsw.Connection) -> None:
    """Give a connection the SQL functions of the catalog: reading ones and the writing one alike."""
    functions.register(conn)
