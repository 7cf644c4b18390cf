"""Points in requests and answers: in the raw form of the native API, whose columns are those of the spool, and as JSON,
for people and for servers that know nothing else. What is sent when is `delivery`'s.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Sequence
from typing import Any, Final

from stepwell.client.records import Series, little

POINTS: Final = "application/vnd.stepwell.points"
PAGE: Final = "application/vnd.stepwell.point-page"
_TYPES: Final = {"int64": "q", "float64": "d"}
_WORD: Final = 8  # bytes: of every cell, and what everything is aligned to


def raw(series: Sequence[Series]) -> bytes:
    """The length of the head, the head, all steps, all values, all times: docs/reference/native-api.md."""
    named = [{"metric": each.metric, "rows": len(each.steps)} for each in series]
    head = json.dumps({"series": named}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % _WORD)
    columns: list[array[Any]] = []
    for column in ("steps", "values", "times"):
        columns += [getattr(each, column) for each in series]
    return b"".join([len(head).to_bytes(_WORD, "little"), head, *(little(column).tobytes() for column in columns)])


def page_of(answer: bytes) -> dict[str, Any]:
    """A page of points in the raw form as the columns and the rest of its JSON."""
    begin = _WORD + int.from_bytes(answer[:_WORD], "little")
    found: dict[str, Any] = json.loads(answer[_WORD:begin])
    size = _WORD * found["rows"]
    for number, column in enumerate(found.pop("columns")):
        cells = array(_TYPES[column["type"]], answer[begin + number * size : begin + (number + 1) * size])
        found[column["name"]] = little(cells).tolist()
    return found


def message(series: Sequence[Series]) -> dict[str, Any]:
    """The same as JSON."""
    return {"series": [_column(each) for each in series]}


def _column(series: Series) -> dict[str, Any]:
    values: list[Any] = series.values.tolist()
    if not math.isfinite(sum(values)):
        values = [value if math.isfinite(value) else _word(value) for value in values]
    return {
        "metric": series.metric,
        "steps": series.steps.tolist(),
        "values": values,
        "times_us": series.times.tolist(),
    }


def _word(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
