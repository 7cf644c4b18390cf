"""The dictionary of series: which run, metric and label set a series key stands for. Not what a series holds."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from stepwell.core.series import Labels
from stepwell.storage.catalog.sql import Connection, Statements

Name: TypeAlias = tuple[str, Labels]  # metric, labels
_SQL: Final = Statements.load("queries.sql")


class Described(NamedTuple):
    """What a series key stands for."""

    key: int
    run_key: int
    metric: str
    labels: Labels


def ensure(conn: Connection, run_key: int, names: Sequence[Name]) -> list[int]:
    """The keys of a run's series, in the order of `names`, made where they are missing. In a write transaction only."""
    found = find(conn, run_key, names)
    missing = [name for name, key in zip(names, found, strict=True) if key is None]
    if missing:
        made = _add(conn, run_key, dict.fromkeys(missing))
        return [made[name] if key is None else key for name, key in zip(names, found, strict=True)]
    return [key for key in found if key is not None]


def find(conn: Connection, run_key: int, names: Sequence[Name]) -> list[int | None]:
    """The keys of a run's series, in the order of `names`; None where there is no such series."""
    wanted = ((run_key, metric, labels_text(labels)) for metric, labels in names)
    return [key for (key,) in _SQL.each(conn, "find_series", wanted)]


def of_run(
    conn: Connection, run_key: int, metric: str | None = None, prefixes: Sequence[str] | None = None
) -> list[Described]:
    """All series of a run, or those of one metric or of metrics with these prefixes, sorted by (metric, labels)."""
    if metric is None and prefixes is not None:
        ranges = json.dumps([(prefix, _behind(prefix)) for prefix in prefixes])
        rows = _SQL.all(conn, "list_series_within", {"run_key": run_key, "ranges": ranges})
    else:
        rows = _SQL.all(conn, "list_series", {"run_key": run_key, "metric": metric})
    found = [Described(key, run_key, name, labels_of(body)) for key, name, body in rows]
    return sorted(found, key=lambda series: (series.metric, series.labels))


def _behind(prefix: str) -> str | None:
    """The least text behind all that begin with the prefix; None where there is none."""
    stem = prefix.rstrip(chr(sys.maxunicode))
    if not stem:
        return None
    last = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if last == 0xD800 else last)  # half of a surrogate pair is no text


def of_runs(conn: Connection, run_keys: Iterable[int]) -> list[Described]:
    """All series of some runs."""
    rows = _SQL.all(conn, "series_of_runs", (json.dumps(list(run_keys)),))
    return [Described(key, run_key, name, labels_of(body)) for key, run_key, name, body in rows]


def labelled(conn: Connection, run_keys: Iterable[int], live: Collection[int] = ()) -> list[Described]:
    """The series of some runs whose metrics have labels in one of them, sorted by (run key, metric, labels). Only those
    with points: with a stored summary, or with their key among the `live` ones."""
    rows = _SQL.all(conn, "label_sets", (json.dumps(list(run_keys)),))
    found = [
        Described(key, run_key, name, labels_of(body))
        for key, run_key, name, body, stored in rows
        if stored or key in live
    ]
    # The mark of a metric is set for good, and by any run of any workspace.
    metrics = {series.metric for series in found if series.labels}
    return sorted((series for series in found if series.metric in metrics), key=lambda series: series[1:])


def keys_of(conn: Connection, run_keys: Iterable[int] | None, metrics: Iterable[str] | None) -> list[int]:
    """The keys of the series of some runs and metrics (None: all), in no order."""
    runs = None if run_keys is None else json.dumps(list(run_keys))
    names = None if metrics is None else json.dumps(list(metrics))
    if runs is None and names is None:
        rows = _SQL.all(conn, "series_keys")
    elif runs is None:
        rows = _SQL.all(conn, "series_keys_of_metrics", (names,))
    elif names is None:
        rows = _SQL.all(conn, "series_keys_of_runs", (runs,))
    else:
        rows = _SQL.all(conn, "series_keys_of_runs_and_metrics", {"runs": runs, "metrics": names})
    return [key for (key,) in rows]


def describe(conn: Connection, keys: Iterable[int], *, by_index: bool = False) -> dict[int, Described]:
    """What series keys stand for; keys of purged series are absent.

    `by_index` walks the whole index by name and never touches the table: for when a page of that is damaged.
    """
    rows = _SQL.all(conn, "describe_series_by_index" if by_index else "describe_series", (json.dumps(list(keys)),))
    return {key: Described(key, run_key, metric, labels_of(body)) for key, run_key, metric, body in rows}


def labels_text(labels: Labels) -> str:
    """The text that `labels.body` holds."""
    return json.dumps(labels, separators=(",", ":"), ensure_ascii=False)


def labels_of(text: str) -> Labels:
    """The labels behind `labels_text`."""
    return () if text == "[]" else tuple((name, value) for name, value in json.loads(text))


def _add(conn: Connection, run_key: int, names: Iterable[Name]) -> dict[Name, int]:
    wanted = [(name, name[0], labels_text(name[1])) for name in names]
    _SQL.each(conn, "add_metric", ((metric,) for metric in dict.fromkeys(metric for _, metric, _ in wanted)))
    labelled = [(name, text) for (_, labels), name, text in wanted if labels]
    _SQL.each(conn, "add_labels", ((text,) for text in dict.fromkeys(text for _, text in labelled)))
    _SQL.each(conn, "mark_labelled", ((metric,) for metric in dict.fromkeys(metric for metric, _ in labelled)))
    keys = _SQL.each(conn, "add_series", ((run_key, metric, text) for _, metric, text in wanted))
    return {name: key for (name, _, _), (key,) in zip(wanted, keys, strict=True)}
