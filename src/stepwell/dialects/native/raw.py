"""The raw forms: columns as the processor has them, of answers with buckets and of requests with points. Pure.

JSON is the form that people read and every program can; these say the same in a twentieth of the time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from stepwell.core.errors import Invalid
from stepwell.core.series import I64
from stepwell.dialects.native.columns import Table

BUCKETS: Final = "application/vnd.stepwell.buckets"
POINTS: Final = "application/vnd.stepwell.points"
_WORD: Final = 8  # bytes: of every cell, and what everything is aligned to
_TYPES: Final = {"i": ("int64", "<i8"), "f": ("float64", "<f8")}


def wanted(accept: str | None) -> bool:
    """Whether a header Accept names the raw form."""
    return accept is not None and BUCKETS in (each.partition(";")[0].strip().lower() for each in accept.split(","))


def sent(content_type: str | None) -> bool:
    """Whether a header Content-Type names the raw form of points."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == POINTS


def points(body: bytes) -> tuple[bytes, I64]:
    """A PointsWrite: the length of the head (8 bytes), the head, the columns. All numbers are little-endian.

    The head is JSON as the body without this form, padded with spaces to a multiple of 8 bytes; but in place of its
    columns a series has `rows`, how many points it has, and `times_us`, which is false where it has no times and may be
    absent where it has. Then three columns, 8 bytes a cell: the steps (int64) of the first series, of the second, and
    so on; all values (float64); the times (int64) of those series that have them.
    """
    # This only takes head and columns apart. Invalid where the lengths do not fit.
    size = int.from_bytes(body[:_WORD], "little")
    if len(body) % _WORD or size % _WORD or not _WORD + size <= len(body):
        raise Invalid(
            f"the body has {len(body)} bytes, and its head {size}, as the first {_WORD} bytes say: both must be "
            f"multiples of {_WORD}, and the head must fit"
        )
    cells = np.frombuffer(body, "<i8", offset=_WORD + size)
    return body[_WORD : _WORD + size], cells.astype(np.int64, copy=False)


def buckets(answer: Table) -> bytes:
    """A BucketsAnswer: the length of the head (8 bytes), the head, the columns. All numbers are little-endian.

    The head is JSON, padded with spaces to a multiple of 8 bytes: `series` are run_id, metric, labels and rows (how
    many buckets) of each series, `columns` name and type (int64 or float64) of each column. Then column after column,
    8 bytes a cell: the rows of the first series, of the second, and so on. A cell that is NaN or infinite is just that;
    a value that does not exist is NaN, as in a bucket whose `finite_count` is 0.
    """
    series = answer["series"]
    tables = [each["buckets"] for each in series]
    names = [name for name in tables[0] if name != "non_finite"] if tables else []
    types = {name: _TYPES[tables[0][name].dtype.kind] for name in names}
    head = orjson.dumps(
        {
            "series": [_named(each, table, names) for each, table in zip(series, tables, strict=True)],
            "columns": [{"name": name, "type": types[name][0]} for name in names],
        }
    )
    head += b" " * (-len(head) % _WORD)
    cells = (np.ascontiguousarray(each[name], types[name][1]).data for name in names for each in tables)
    return b"".join([len(head).to_bytes(_WORD, "little"), head, *cells])


def _named(series: Table, table: Table, names: list[str]) -> dict[str, Any]:
    named = {name: series[name] for name in ("run_id", "metric", "labels")}
    return {**named, "rows": len(table[names[0]])}
