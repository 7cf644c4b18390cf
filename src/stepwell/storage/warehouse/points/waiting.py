"""What a read has to know beside what ClickHouse holds. No SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from stepwell.core.series import INT64_MAX
from stepwell.storage.warehouse.points.cuts import Cut
from stepwell.storage.warehouse.points.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the journal holds at one moment: rows that are perhaps not in ClickHouse yet, and the arrival number from
    which on nothing is shown. Every point with an arrival below `end` is in `rows` or in ClickHouse, or in both.

    Take it before ClickHouse is asked: what is moved meanwhile is then in both, and never in neither. `rows` may hold
    points of other series, and points that are stored already; they may have no order. What `cuts` hide is not shown.
    """

    rows: Rows
    end: int = INT64_MAX
    cuts: Sequence[Cut] = ()

    @classmethod
    def none(cls) -> Self:
        """Nothing waits."""
        return cls(rows=Rows.empty())
