"""Tables of columns as JSON values: numpy columns stay as they are, and what is not a finite number is named beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import F64

Column: TypeAlias = NDArray[Any] | list[Any]
Table: TypeAlias = dict[str, Any]


def table(columns: Mapping[str, Column], *, absent: Mapping[str, NDArray[np.bool_]] | None = None) -> Table:
    """The columns and their `non_finite`. The encoder writes null for NaN and infinities of float columns.

    absent: column -> rows that have no value at all; their null is not listed.
    """
    found: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and column.dtype == np.float64:
            marks = non_finite(column, None if absent is None else absent.get(name))
            if marks:
                found[name] = marks
    return {**columns, "non_finite": found}


def non_finite(values: F64, absent: NDArray[np.bool_] | None = None) -> Table | None:
    """{"at": rows, "value": words} for what is not finite and not absent; None when there is nothing such."""
    where = ~np.isfinite(values)
    if absent is not None:
        where &= ~absent
    if not where.any():
        return None
    at = np.flatnonzero(where)
    return {"at": at, "value": [word(value) for value in values[at].tolist()]}


def word(value: float) -> str:
    """How a value that is not finite is written."""
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
