"""Runs out of the database of an MLflow server, which is only read: it may be in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from stepwell.transfer import mlflow
from stepwell.transfer.databases import Query
from stepwell.transfer.runs import Moved, Run, Tell, key_of

_RUNS = """
SELECT r.run_uuid, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri, e.name
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'
ORDER BY r.start_time, r.run_uuid
"""
_EXPERIMENTS = "SELECT name FROM experiments"
_METRICS = "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = %s ORDER BY key, step, timestamp"
_PARAMS = "SELECT key, value FROM params WHERE run_uuid = %s"
_TAGS = "SELECT key, value FROM tags WHERE run_uuid = %s"
_FIELDS = ("run_id", "name", "user", "status", "start_time", "end_time")  # of _RUNS; then artifact URI and experiment


def read(database: AbstractContextManager[Query], only: Sequence[str], tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs that are not deleted, as they are at one moment. only: of these experiments; all where none is named.
    `tell` hears of points that cannot be.

    ValueError: it is no such database, or has no such experiment. Unavailable.
    """
    with database as rows:
        found = list(rows(_RUNS))
        mlflow.check_only(only, {name for (name,) in rows(_EXPERIMENTS)})
        chosen = [row for row in found if not only or row[-1] in only]
        for count, row in enumerate(chosen):
            moved(count, len(chosen), row[1] or row[0])
            yield _run(rows, row, tell)
        moved(len(chosen), len(chosen), "all of them")


def _run(rows: Query, row: Sequence[Any], tell: Tell) -> Run:
    params, tags = ({key: text or "" for key, text in rows(query, row[0])} for query in (_PARAMS, _TAGS))
    run = mlflow.run(dict(zip(_FIELDS, row)), row[-1], params, tags)  # noqa: B905  of the first
    mlflow.keep_files(run, row[-2] or "", tell)
    for key, step, timestamp, stored, is_nan in rows(_METRICS, row[0]):
        value = float("nan") if is_nan else mlflow.value(stored)
        mlflow.take(run, key, (step or 0, timestamp * 1000, key_of(value)), tell)
    return run
