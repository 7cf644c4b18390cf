"""The raw forms: columns as the processor has them, of buckets, summaries, histories and requests with points. Pure.

JSON is the form that people read and every program can; these say the same in a twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from stepwell.core.errors import Invalid
from stepwell.core.series import I64
from stepwell.dialects.native.columns import Table

POINTS: Final = "application/vnd.stepwell.points"
_WORD: Final = 8  # bytes: of every cell, and what everything is aligned to
_TYPES: Final = {"i": ("int64", "<i8"), "f": ("float64", "<f8")}


@dataclass(frozen=True, slots=True)
class Form:
    """The raw form of an answer: its media type, and what makes it of the answer."""

    media_type: str
    encode: Callable[[Table], bytes]

    def wanted(self, accept: str | None) -> bool:
        """Whether a header Accept names it."""
        named = (each.partition(";")[0].strip().lower() for each in (accept or "").split(","))
        return self.media_type in named


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
    named = [_named(each, table, names) for each, table in zip(series, tables, strict=True)]
    return _packed({"series": named}, {name: [each[name] for each in tables] for name in names})


def summaries(answer: Table) -> bytes:
    """A SummaryTable: the length of the head (8 bytes), the head, the columns. All numbers are little-endian.

    The head is JSON, padded with spaces to a multiple of 8 bytes: `run_id` and `metric` of each row, `columns` name and
    type (int64 or float64) of each column. Then column after column, 8 bytes a cell. A cell that is NaN or infinite is
    just that; a value that does not exist is NaN, as of a metric whose `finite_count` is 0.
    """
    named = {name: answer[name] for name in ("run_id", "metric")}
    return _packed(named, {name: [answer[name]] for name in answer if name not in {*named, "non_finite"}})


def page(answer: Table) -> bytes:
    """A PointPage: the length of the head (8 bytes), the head, the columns. All numbers are little-endian.

    The head is JSON, padded with spaces to a multiple of 8 bytes: `rows`, how many points there are, `cursor` and
    `since`, and `columns`, name and type (int64 or float64) of each column. Then column after column, 8 bytes a cell.
    A value that is NaN or infinite is just that.
    """
    head = {"rows": len(answer["steps"]), "cursor": answer["cursor"], "since": answer["since"]}
    return _packed(head, {name: [answer[name]] for name in answer if name not in {*head, "non_finite"}})


def _packed(head: Table, columns: Mapping[str, list[NDArray[Any]]]) -> bytes:
    """`columns`: the parts of each, arrays of one type."""
    types = {name: _TYPES[parts[0].dtype.kind] for name, parts in columns.items()}
    told = orjson.dumps({**head, "columns": [{"name": name, "type": types[name][0]} for name in columns]})
    told += b" " * (-len(told) % _WORD)
    cells = (np.ascontiguousarray(part, types[name][1]).data for name, parts in columns.items() for part in parts)
    return b"".join([len(told).to_bytes(_WORD, "little"), told, *cells])


def _named(series: Table, table: Table, names: list[str]) -> dict[str, Any]:
    named = {name: series[name] for name in ("run_id", "metric", "labels")}
    return {**named, "rows": len(table[names[0]])}


BUCKETS: Final = Form("application/vnd.stepwell.buckets", buckets)
PAGE: Final = Form("application/vnd.stepwell.point-page", page)
SUMMARIES: Final = Form("application/vnd.stepwell.summaries", summaries)
