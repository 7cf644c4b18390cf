"""Summaries of series on disk: their bytes, and the numbers of a metric in a run that searches compare and sort by.

A stored summary is as of the last flush; whoever reads lays the live ones over it (`live.py`).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepwell.core.buckets import Buckets, Samples
from stepwell.core.errors import Corrupt
from stepwell.core.series import I64, Labels, value_key
from stepwell.core.summary import Sample, Summary
from stepwell.storage.catalog.series import labels_of
from stepwell.storage.catalog.sql import Connection, Row, Statements, listed

_SAMPLE: Final = [("step", "<i8"), ("time", "<i8"), ("value", "<f8")]
_ENDS: Final = ("first", "last", "min", "max")
_COUNTS: Final = ("count", "finite_count", "nan_count", "pos_inf_count", "neg_inf_count", "min_time", "max_time")
_BODIES: Final = np.dtype(  # BODY, as numpy reads many of them
    [("version", "u1"), ("flags", "u1")]
    + [(name, _SAMPLE) for name in _ENDS]
    + [(name, "<i8") for name in _COUNTS]
    + [("mean", "<f8"), ("m2", "<f8"), ("checksum", "<u4")]
)
_RESIDUE: Final = 0x2144DF1C  # the CRC-32 of anything followed by its own CRC-32
BODY: Final = struct.Struct("<BB qqd qqd qqd qqd 7q dd I")  # FORMAT.md, "Summary body"
CHECKED: Final = BODY.size - 4
_SOUND: Final = bytes(CHECKED) + zlib.crc32(bytes(CHECKED)).to_bytes(4, "little")
VERSION: Final = 1
UNLABELLED: Final = 0  # the id of no labels
_SQL: Final = Statements.load("queries.sql")

LISTS: Final = 4  # lists of names that are remembered,
_LONG: Final = 1 << 20  # each of at most so many characters
_NAMES: Final = msgspec.json.Decoder(tuple[str, ...])
_NUMBERS: Final = msgspec.json.Decoder(tuple[int, ...])


class StoredRun(NamedTuple):
    """The stored summaries of a run, not decoded yet: each a metric, the id of its labels and a body, in no order."""

    key: int
    metrics: tuple[str, ...]
    labels: tuple[int, ...]
    bodies: bytes  # one behind another

    def each(self) -> Iterator[tuple[str, int, bytes]]:
        """One after another."""
        apart = [self.bodies[at : at + BODY.size] for at in range(0, len(self.bodies), BODY.size)]
        return zip(self.metrics, self.labels, apart, strict=True)

    def without(self, metrics: Collection[str]) -> StoredRun:
        """Those of other metrics."""
        kept = [each for each in self.each() if each[0] not in metrics]
        names, labels, bodies = zip(*kept, strict=True) if kept else ((), (), ())
        return StoredRun(self.key, names, labels, b"".join(bodies))


def store(conn: Connection, summaries: Sequence[tuple[int, Summary]]) -> None:
    """Replace the summaries of series by key, and what searches see of them. Keys of purged series are left out."""
    _SQL.each(conn, "store_summary", ((encode(summary), key) for key, summary in summaries))
    by_key = dict(summaries)
    rows: list[Row] = []
    shared: dict[tuple[int, int], None] = {}
    for key, metric_id, run_key, labelled in _SQL.all(conn, "measured_by", (json.dumps(list(by_key)),)):
        if labelled:
            shared[metric_id, run_key] = None
        else:
            rows.append((metric_id, run_key, *searched(by_key[key])))
    rows += ((metric_id, run_key, *searched(_union(conn, metric_id, run_key))) for metric_id, run_key in shared)
    _SQL.each(conn, "store_run_metric", rows)


def load(conn: Connection, series_keys: Iterable[int]) -> dict[int, Summary]:
    """Stored summaries by series key; absent where there is none."""
    rows = _SQL.all(conn, "load_summaries", (json.dumps(list(series_keys)),))
    return {key: decode(body) for key, body in rows}


def load_runs(
    conn: Connection, run_keys: Iterable[int], metrics: Sequence[str] | None = None
) -> dict[tuple[int, str], dict[Labels, Summary]]:
    """Stored summaries of runs: (run key, metric) -> labels -> summary, of all metrics or of the named ones."""
    found: dict[tuple[int, str], dict[Labels, Summary]] = {}
    runs, labels = bodies_of_runs(conn, run_keys, metrics)
    for run in runs:
        for metric, labels_id, body in run.each():
            found.setdefault((run.key, metric), {})[labels[labels_id]] = decode(body)
    return found


def bodies_of_runs(
    conn: Connection, run_keys: Iterable[int], metrics: Iterable[str] | None = None
) -> tuple[list[StoredRun], dict[int, Labels]]:
    """The stored summaries of runs that have any, and the labels by the ids in them. Raises Corrupt."""
    keys = listed(run_keys)
    if metrics is None:
        rows = _SQL.all(conn, "summaries_of_runs", {"keys": keys})
    else:
        rows = _SQL.all(conn, "summaries_of_runs_and_metrics", {"keys": keys, "names": json.dumps(list(metrics))})
    # Most runs have the same metrics, and no labels: a list is read once.
    names = {text: _names(text) for text in set(map(itemgetter(1), rows))}
    numbers = {text: _NUMBERS.decode(text) for text in set(map(itemgetter(2), rows))}
    runs = [StoredRun(key, names[metrics], numbers[labels], bodies) for key, metrics, labels, bodies in rows]
    if any(len(run.bodies) != len(run.metrics) * BODY.size for run in runs):
        raise _unsound()
    labelled = set[int]().union(*numbers.values()) - {UNLABELLED}
    texts = _SQL.all(conn, "labels_bodies", (json.dumps(list(labelled)),)) if labelled else []
    return runs, {UNLABELLED: (), **{labels_id: labels_of(text) for labels_id, text in texts}}


def _names(text: str) -> tuple[str, ...]:
    return _names_lately(text) if len(text) <= _LONG else _NAMES.decode(text)


@lru_cache(maxsize=LISTS)
def _names_lately(text: str) -> tuple[str, ...]:
    return _NAMES.decode(text)


def labelled(conn: Connection, metrics: Iterable[str]) -> set[str]:
    """Those of the metrics of which some series, of whatever run, has labels."""
    return {name for (name,) in _SQL.all(conn, "labelled_metrics", (json.dumps(list(metrics)),))}


def union(by_labels: Mapping[Labels, Summary]) -> Summary:
    """One summary of a metric's label sets, at least one, merged in order of the labels, so always the same bits."""
    if len(by_labels) == 1:
        return next(iter(by_labels.values()))
    return reduce(Summary.merge, (by_labels[labels] for labels in sorted(by_labels)))


def searched(summary: Summary) -> tuple[int, int, int, int, int]:
    """What a search compares: last, min, max and mean as value keys, and the count."""
    if summary.count == summary.finite_count == 1:
        only = value_key(summary.last.value)
        return (only, only, only, only, 1)
    return (
        value_key(summary.last.value),
        value_key(summary.min.value),
        value_key(summary.max.value),
        value_key(summary.mean),
        summary.count,
    )


def encode(summary: Summary) -> bytes:
    """The bytes of a summary, its checksum last."""
    packed = BODY.pack(
        VERSION,
        summary.repeated_steps,
        *summary.first,
        *summary.last,
        *summary.min,
        *summary.max,
        summary.count,
        summary.finite_count,
        summary.nan_count,
        summary.pos_inf_count,
        summary.neg_inf_count,
        summary.min_time,
        summary.max_time,
        summary.mean,
        summary.m2,
        0,
    )
    checked = packed[:CHECKED]
    return checked + zlib.crc32(checked).to_bytes(4, "little")


def decode(body: bytes) -> Summary:
    """The summary behind `encode`. Raises Corrupt."""
    if not _is_sound(body):
        raise _unsound()
    # All names at once: a page of runs decodes tens of thousands of these, and slices would cost as much as the rest.
    (
        version, flags,
        first_step, first_time, first_value, last_step, last_time, last_value,
        min_step, min_at, min_value, max_step, max_at, max_value,
        count, finite_count, nan_count, pos_inf_count, neg_inf_count, min_time, max_time, mean, m2, _,
    ) = BODY.unpack(body)  # fmt: skip
    if version != VERSION:
        raise _unknown(version)
    return Summary(
        count=count,
        first=Sample(first_step, first_time, first_value),
        last=Sample(last_step, last_time, last_value),
        min=Sample(min_step, min_at, min_value),
        max=Sample(max_step, max_at, max_value),
        finite_count=finite_count,
        mean=mean,
        m2=m2,
        nan_count=nan_count,
        pos_inf_count=pos_inf_count,
        neg_inf_count=neg_inf_count,
        min_time=min_time,
        max_time=max_time,
        repeated_steps=bool(flags & 1),
    )


def decode_all(pieces: Sequence[bytes], order: I64 | None = None) -> tuple[Buckets, NDArray[np.bool_]]:
    """The summaries behind `encode` as columns, and which of them repeat steps. No object for any. Raises Corrupt.

    A piece holds one or more, one behind another. order: their places as they are to come; None for as they are. The
    columns are views into rows of all of them: who asks for few pays for these alone.
    """
    rows = _sound(pieces)
    if order is not None:
        rows = rows.take(order)
    numbers: dict[str, Any] = {name: rows[name] for name in (*_COUNTS, "mean", "m2")}
    ends: dict[str, Any] = {name: Samples(**{part: rows[name][part] for part, _ in _SAMPLE}) for name in _ENDS}
    return Buckets(**numbers, **ends), (rows["flags"] & 1).astype(np.bool_)


def decode_last(pieces: Sequence[bytes]) -> tuple[list[int], list[int], list[float]]:
    """Of the same the last points as columns: steps, times, values. Raises Corrupt."""
    last = _sound(pieces)["last"]
    return last["step"].tolist(), last["time"].tolist(), last["value"].tolist()


def _sound(pieces: Sequence[bytes]) -> NDArray[Any]:
    for length, checksum in set(zip(map(len, pieces), map(zlib.crc32, pieces), strict=True)):
        if not length or length % BODY.size or checksum != _residue(length // BODY.size):
            raise _unsound()
    rows = np.frombuffer(b"".join(pieces), _BODIES)
    versions = rows["version"]
    if (versions != VERSION).any():
        raise _unknown(int(versions[versions != VERSION][0]))
    return rows


@lru_cache(maxsize=1024)
def _residue(count: int) -> int:
    """The CRC-32 of so many sound bodies, one behind another: it does not depend on what they hold, as each leaves the
    register in one state. To ask for that of many at once takes a fifth of asking for each."""
    return reduce(lambda checksum, _: zlib.crc32(_SOUND, checksum), range(count), 0)


def _is_sound(body: bytes) -> bool:
    return len(body) == BODY.size and zlib.crc32(body) == _RESIDUE


def _unsound() -> Corrupt:
    return Corrupt("a stored summary fails its checksum")


def _unknown(version: int) -> Corrupt:
    return Corrupt(f"a stored summary has version {version}, which this release does not know")


def counts(conn: Connection, series_keys: Iterable[int]) -> dict[int, int | None]:
    """How many points the stored summaries count: None for one that is damaged; series without one are absent."""
    rows = _SQL.all(conn, "load_summaries", (json.dumps(list(series_keys)),))
    return {key: _count(body) for key, body in rows}


def without_repeats(conn: Connection, series_keys: Iterable[int]) -> set[int]:
    """Those of the series of which a sound summary says that no step has two points."""
    rows = _SQL.all(conn, "load_summaries", (json.dumps(list(series_keys)),))
    return {key for key, body in rows if _is_sound(body) and not body[1] & 1}


def _count(body: bytes) -> int | None:
    if not _is_sound(body):
        return None
    return int.from_bytes(body[98:106], "little", signed=True)  # a fifth of what decoding all of it takes


def _union(conn: Connection, metric_id: int, run_key: int) -> Summary:
    rows = _SQL.all(conn, "summaries_of_metric", (run_key, metric_id))
    return union({labels_of(labels): decode(body) for labels, body in rows})
