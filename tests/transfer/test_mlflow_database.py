"""Databases of MLflow as nobody should fill them. Real ones: tests/contract/mlflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from transfer.conftest import Program, Stored

TABLES = """
CREATE TABLE experiments (experiment_id, name, lifecycle_stage);
CREATE TABLE runs (
    run_uuid, name, user_id, status, start_time, end_time, artifact_uri, experiment_id, lifecycle_stage
);
CREATE TABLE metrics (key, value, timestamp, run_uuid, step, is_nan);
CREATE TABLE params (key, value, run_uuid);
CREATE TABLE tags (key, value, run_uuid);
INSERT INTO experiments VALUES (1, 'digits', 'active');
"""


def test_a_time_in_nanoseconds_costs_its_point_alone(program: Program, stored: Stored, tmp_path: Path) -> None:
    first, second = uuid4().hex, uuid4().hex
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.executescript(TABLES)
        for at, run_id in enumerate((first, second)):
            info = (run_id, "", "", "FINISHED", 1000 + at, None, "", 1, "active")
            database.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(info))})", info)
            database.execute("INSERT INTO metrics VALUES ('loss', 0.5, 1000, ?, 1, 0)", (run_id,))
        database.execute("INSERT INTO metrics VALUES ('loss', 0.25, 1700000000000000000, ?, 2, 0)", (first,))
        database.commit()
    done = program("import", "mlflow", tmp_path / "mlflow.db")
    assert done.status == 1
    assert f"run {first}, metric 'loss': step 2, time 1700000000000000000000 us: not within 64 bits" in done.err
    for run_id in (first, second):
        assert stored.points(run_id, "loss") == [(1, 1_000_000, 0.5)]
