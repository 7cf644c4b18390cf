"""The numbered migrations of the tables in ClickHouse. Each is a file beside this module, done once, in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import numpy as np

from stepwell.core.errors import Invalid, StorageFailed
from stepwell.storage.warehouse.points.server import Server

CODECS_SINCE: Final = (19, 14)
FSYNC_SINCE: Final = (20, 10)
_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")
_TABLE: Final = "CREATE TABLE IF NOT EXISTS migrations (number Int64) ENGINE = ReplacingMergeTree ORDER BY number"


def migrations() -> dict[int, str]:
    """Number -> statements of every migration that this code knows, in order."""
    found = {}
    for file in files(__package__).joinpath("migrations").iterdir():
        if match := _NAME.fullmatch(file.name):
            found[int(match[1])] = file.read_text("utf-8")
    return dict(sorted(found.items()))


def done(server: Server) -> set[int]:
    """The migrations that were done on this server."""
    (exists,) = server.select(
        "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'migrations'", {}, [np.int64]
    )
    if not int(exists[0]):
        return set()
    (numbers,) = server.select("SELECT number FROM migrations GROUP BY number", {}, [np.int64])
    return {int(number) for number in numbers}


def fits(server: Server) -> None:
    """Raises Invalid where there are tables of a single server and the URL names a cluster, or the other way round."""
    (engines,) = server.select(
        "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'points'", {}, [str]
    )
    if len(engines) and (engines[0] == "Distributed") != bool(server.cluster):
        found, wanted = ("a single server", "with") if server.cluster else ("a cluster", "without")
        raise Invalid(
            f"the tables in ClickHouse are those of {found}, and the URL is one {wanted} ?cluster=; "
            "it must be the one with which they were made",
            field="store",
        )


def migrate(server: Server) -> list[int]:
    """Do what is missing; the numbers of what was done. What a failure left undone is repeated, so each statement must
    bear being done twice."""
    fits(server)
    before = done(server)
    server.run(_TABLE)
    missing = {number: text for number, text in migrations().items() if number not in before}
    for number, text in missing.items():
        for statement in text.split(";\n"):
            server.run(statement.format(**abilities(server.version)))
        server.insert("migrations", {"number": np.array([number], np.int64)})
    return list(missing)


def check(server: Server) -> None:
    """Raises StorageFailed where the tables are not those that this code knows."""
    fits(server)
    found, known = done(server), set(migrations())
    if known - found:
        raise StorageFailed(
            f"the tables in ClickHouse lack the migrations {sorted(known - found)}: run `stepwell migrate` first"
        )
    if found - known:
        raise StorageFailed(
            f"the tables in ClickHouse are newer than this program, which does not know {sorted(found - known)}"
        )


def abilities(version: tuple[int, ...]) -> Mapping[str, str]:
    """What a table may be made with on a server of this version."""
    codecs = version >= CODECS_SINCE
    return {
        "rising": "CODEC(Delta, ZSTD(1))" if codecs else "",
        "any": "CODEC(ZSTD(1))" if codecs else "",
        # Older servers cannot be told to: there a part is safe once the system has written its cache out.
        "settings": "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1"
        if version >= FSYNC_SINCE
        else "",
    }
