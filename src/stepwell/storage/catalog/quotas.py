"""Keeping workspaces within their quotas: what they hold is counted from what is stored, then kept up in memory.

Nothing of this is stored, so no kill can leave a wrong count. In between the count errs upwards alone - a point that
comes again is counted - and it is taken anew before anything is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from stepwell.core.access import ANY_WORKSPACE
from stepwell.core.bounds import QUOTAS, Bound, Usage, in_force
from stepwell.core.errors import QuotaExceeded
from stepwell.core.series import Labels
from stepwell.storage.catalog import bounds, series
from stepwell.storage.catalog.sql import Connection, Statements

COUNTING: Final = 20  # times as long as counting took nobody counts again: at the limit it costs a twentieth at most,
FEW: Final = 1_000  # but for so many series, which are counted in a moment
RETRY_SECONDS: Final = 60  # somebody has to make room first
_SQL: Final = Statements.load("queries.sql")
_WORDS: Final = {"points": "points", "series": "series", "file_bytes": "bytes of files"}


class Quotas:
    """For the thread that writes, but for `forget`."""

    def __init__(
        self, *, count_points: Callable[[Any, str], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`count_points`: how many points a workspace has; those that are being committed need not be among them."""
        self._count_points = count_points
        self._monotonic = monotonic
        self._bounds: Sequence[Bound] | None = None
        self._used: dict[str, _Used] = {}
        self._pending: dict[str, tuple[int, int]] = {}  # points and series of the open transaction

    def forget(self) -> None:
        """What bounds say has changed, or something is gone. Any thread may say so."""
        self._bounds = None

    def settled(self) -> None:
        """The open transaction has ended."""
        if self._pending:
            self._pending = {}

    def admit_points(
        self, conn: Connection, workspace: str, run_key: int, names: Sequence[tuple[str, Labels]], points: int
    ) -> None:
        """Let points of some series of a run in. QuotaExceeded."""
        limits = self._limits(conn, workspace)
        if not limits:
            return
        new = 0
        if "series" in limits:
            new = sum(key is None for key in series.find(conn, run_key, names))
            self._take(conn, workspace, "series", new, limits)
        self._take(conn, workspace, "points", points, limits)
        known_points, known_series = self._pending.get(workspace, (0, 0))
        self._pending[workspace] = known_points + points, known_series + new

    def admit_file(self, conn: Connection, workspace: str, size: int) -> None:
        """Let a file in whose row is there already, in the place of another perhaps. QuotaExceeded."""
        limit = self._limits(conn, workspace).get("file_bytes")
        if limit is None:
            return
        used = self._used.get(workspace)
        if used is not None:
            used.counts["file_bytes"] += size
        if used is None or used.counts["file_bytes"] > limit:
            used = self._count(conn, workspace)
        if used.counts["file_bytes"] > limit:
            del self._used[workspace]  # the row goes again
            raise _exceeded(workspace, "file_bytes", size, used.counts["file_bytes"] - size, limit)

    def _limits(self, conn: Connection, workspace: str) -> dict[str, int]:
        if self._bounds is None:
            self._used.clear()
            self._bounds = [each for each in bounds.every(conn) if each.name in QUOTAS]
        if not self._bounds:
            return {}
        return dict(in_force(self._bounds, workspace=workspace, everywhere=ANY_WORKSPACE))

    def _take(self, conn: Connection, workspace: str, name: str, more: int, limits: dict[str, int]) -> None:
        limit = limits.get(name)
        if limit is None or not more:
            return
        used = self._used.get(workspace) or self._count(conn, workspace)
        if used.counts[name] + more > limit and (used.few or self._monotonic() >= used.again):
            used = self._count(conn, workspace)
        if used.counts[name] + more > limit:
            raise _exceeded(workspace, name, more, used.counts[name], limit)
        used.counts[name] += more

    def _count(self, conn: Connection, workspace: str) -> _Used:
        began = self._monotonic()
        points, new = self._pending.get(workspace, (0, 0))
        found = usage(conn, workspace, points=self._count_points(conn, workspace))
        counts = {"points": found.points + points, "series": found.series + new, "file_bytes": found.file_bytes}
        ended = self._monotonic()
        made = _Used(counts, again=ended + COUNTING * (ended - began), few=found.series <= FEW)
        self._used[workspace] = made
        return made


class _Used:
    __slots__ = ("again", "counts", "few")

    def __init__(self, counts: dict[str, int], *, again: float, few: bool) -> None:
        """`again`: when it may be counted again; `few`: whether it always may."""
        self.counts = counts
        self.again = again
        self.few = few


def most_bytes(conn: Connection, workspace: str) -> int | None:
    """How many bytes of files a workspace may have; None: any number."""
    return in_force(bounds.every(conn), workspace=workspace, everywhere=ANY_WORKSPACE).get("file_bytes")


def too_much_coming(workspace: str, limit: int) -> QuotaExceeded:
    """What to raise where the files that are on their way to a workspace are more than it may have."""
    return QuotaExceeded(
        f"workspace {workspace!r} may have {limit} bytes of files (its quota file_bytes), and more are on their way: "
        "this file was not stored",
        field="file_bytes",
        limit=limit,
        retry_after=RETRY_SECONDS,
    )


def _exceeded(workspace: str, name: str, more: int, used: int, limit: int) -> QuotaExceeded:
    return QuotaExceeded(
        f"workspace {workspace!r} may have {limit} {_WORDS[name]} (its quota {name}) and has {used}: "
        f"{more} more were not stored",
        field=name,
        limit=limit,
        retry_after=RETRY_SECONDS,
    )


def usage(conn: Connection, workspace: str, *, points: int) -> Usage:
    """What a workspace has; how many points that are, the engine knows."""
    row = _SQL.one(conn, "count_holdings", {"workspace": workspace})
    assert row is not None
    return Usage(points=points, series=row[0], runs=row[1], file_bytes=row[2])
