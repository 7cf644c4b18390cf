"""The raw form of an answer with buckets: columns as the processor has them, for readers that only wrap them. Pure.

JSON is the form that people read and every program can; this one says the same in a twentieth of the time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from stepwell.dialects.native.columns import Table

BUCKETS: Final = "application/vnd.stepwell.buckets"
_WORD: Final = 8  # bytes: of every cell, and what everything is aligned to
_TYPES: Final = {"i": ("int64", "<i8"), "f": ("float64", "<f8")}


def wanted(accept: str | None) -> bool:
    """Whether a header Accept names the raw form."""
    return accept is not None and BUCKETS in (each.partition(";")[0].strip().lower() for each in accept.split(","))


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
    columns = {name: np.concatenate([each[name] for each in tables]) for name in names}
    types = {name: _TYPES[column.dtype.kind] for name, column in columns.items()}
    head = orjson.dumps(
        {
            "series": [_named(each, table, names) for each, table in zip(series, tables, strict=True)],
            "columns": [{"name": name, "type": types[name][0]} for name in names],
        }
    )
    head += b" " * (-len(head) % _WORD)
    cells = [column.astype(types[name][1], copy=False).tobytes() for name, column in columns.items()]
    return b"".join([len(head).to_bytes(_WORD, "little"), head, *cells])


def _named(series: Table, table: Table, names: list[str]) -> dict[str, Any]:
    named = {name: series[name] for name in ("run_id", "metric", "labels")}
    return {**named, "rows": len(table[names[0]])}
