"""Runs out of the SQLite file of an MLflow server, which is only read: it may be in use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from stepwell.transfer import mlflow
from stepwell.transfer.runs import Moved, Run

_RUNS = """
SELECT r.run_uuid, r.name, r.user_id, r.status, r.start_time, r.end_time, e.name
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'
ORDER BY r.start_time, r.run_uuid
"""
_METRICS = "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, step, timestamp"


def read(path: Path, only: Sequence[str], moved: Moved) -> Iterator[Run]:
    """The runs that are not deleted, as they are at one moment. only: of these experiments; all where none is named.

    ValueError: it is no such database, or has no such experiment.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as database:
        try:
            database.execute("BEGIN")
            rows = database.execute(_RUNS).fetchall()
            chosen = [row for row in rows if not only or row[6] in only]
            missing = set(only) - {name for (name,) in database.execute("SELECT name FROM experiments")}
            if missing:
                raise ValueError(f"{path}: there is no experiment {min(missing)!r}")
            for count, row in enumerate(chosen):
                moved(count, len(chosen), row[1] or row[0])
                yield _run(database, row)
            moved(len(chosen), len(chosen), path.name)
        except sqlite3.Error as error:
            raise ValueError(f"{path} cannot be read as a database of MLflow: {error}") from None


def _run(database: sqlite3.Connection, row: Sequence[str | None]) -> Run:
    names = ("run_id", "name", "user", "status", "start_time", "end_time")
    pairs = [
        {
            key: text or ""
            for key, text in database.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ?", row[:1])
        }
        for table in ("params", "tags")
    ]
    run = mlflow.run(dict(zip(names, row)), str(row[6]), *pairs)  # noqa: B905  the last is the experiment
    for key, step, timestamp, stored, is_nan in database.execute(_METRICS, row[:1]):
        run.points(key).add(step or 0, timestamp * 1000, float("nan") if is_nan else mlflow.value(stored))
    return run
