"""Searches over very many runs in PostgreSQL."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator

import numpy as np
import psycopg
from asking import Asking, Row
from fleet import Databases, serving

from stepwell.core.series import value_keys
from stepwell.core.summary import Summary
from stepwell.storage.catalog import summaries

RUNS = 1_000_000
START = 1_790_000_000_000_000
METRICS = ("loss", "accuracy")
TIMES = 41
MOST = 50.0  # milliseconds
SEARCHES = (
    ("metrics.loss < 0.01", ["metrics.loss ASC"]),
    ("metrics.loss > 0.5", ["metrics.loss DESC"]),
    ("metrics.loss < 0.9", ["metrics.accuracy DESC"]),
    ("metrics.loss < 0.001", ["metrics.accuracy DESC"]),
    ("params.lr = '0.1' and metrics.loss > 0.5", ["metrics.loss ASC"]),
    ("tags.team = 't3' and metrics.loss > 0.5", []),
    ("", []),
)


def search(databases: Databases, tiny: bool) -> Iterator[Row]:
    """Pages of 100 by a metric, over a million runs with two metrics, a param and a tag."""
    address, count = databases.warehouse(), 2_000 if tiny else RUNS
    with serving(address) as (server,):
        server.ask("POST", "/api/v1/runs", b'{"id": "first"}')
    with psycopg.connect(address.catalog, autocommit=True) as connection:
        _fill(connection, count)
    with serving(address) as (server,):
        for text, order in SEARCHES:
            waited, used, rows = _asked(databases, server, text, order)
            yield Row(
                part="search",
                what=f"{count:,} runs: {text or 'all'}{', by ' + order[0] if order else ''}, {rows} of a page of 100",
                found=f"p50 {waited:.1f} ms; {used:.1f} ms of all processors",
                wanted=f"{MOST:.0f} ms",
                holds=waited <= MOST,
            )


def _asked(databases: Databases, server: Asking, text: str, order: list[str]) -> tuple[float, float, int]:
    body = json.dumps({"filter": text, "order_by": order, "limit": 100, "columns": {"metrics": list(METRICS)}}).encode()
    found = json.loads(server.ask("POST", "/api/v1/runs/search", body))
    waited, before = [], databases.used(server.cpu)
    for _ in range(TIMES):
        begin = time.perf_counter()
        server.ask("POST", "/api/v1/runs/search", body)
        waited.append(1e3 * (time.perf_counter() - begin))
    used = (databases.used(server.cpu) - before).whole / TIMES
    return statistics.median(waited), 1e3 * used, len(found["runs"]["id"])


def _fill(connection: psycopg.Connection[tuple[int, ...]], count: int) -> None:
    """Runs as the server would have stored them, by COPY."""
    row = connection.execute("SELECT key, workspace_key, experiment_id FROM run").fetchone()
    assert row is not None
    first, workspace, experiment = row[0] + 1, row[1], row[2]
    rng = np.random.default_rng(7)
    values = rng.random((count, len(METRICS)))
    columns = 'key, workspace_key, id, experiment_id, project_number, name, "user", status, status_reason, deleted'
    with connection.cursor().copy(
        f"COPY run ({columns}, artifact_uri, origin, start_time, created_at, updated_at) FROM STDIN".encode()
    ) as copy:
        for number in range(count):
            at, name = START + 1_000_000 * number, f"run{number:07d}"
            status = "FINISHED" if number % 10 else "RUNNING"
            same = (experiment, number + 2, name, "me", status, "", 0, "", "native", at, at, at)
            copy.write_row((first + number, workspace, name, *same))
    for table, name, of in (("param", "lr", 5), ("tag", "team", 7)):
        with connection.cursor().copy(f"COPY {table} (run_key, name, value) FROM STDIN".encode()) as copy:
            for number in range(count):
                value = str(10.0 ** -(number % of)) if table == "param" else f"t{number % of}"
                copy.write_row((first + number, name, value))
    ids = [
        connection.execute("INSERT INTO metric (name) VALUES (%s) RETURNING id", (name,)).fetchone() for name in METRICS
    ]
    keys = value_keys(values.ravel()).reshape(values.shape)
    with connection.cursor().copy(
        b"COPY run_metric (metric_id, run_key, last, min, max, mean, count) FROM STDIN"
    ) as copy:
        for place, found in enumerate(ids):
            assert found is not None
            for number, key in enumerate(keys[:, place].tolist()):
                copy.write_row((found[0], first + number, key, key, key, key, 1))
    with connection.cursor().copy(b"COPY series (key, run_key, metric_id, labels_id) FROM STDIN") as copy:
        for place, found in enumerate(ids):
            assert found is not None
            for number in range(count):
                copy.write_row((1 + number * len(METRICS) + place, first + number, found[0], 0))
    with connection.cursor().copy(b"COPY summary (series_key, body) FROM STDIN") as copy:
        for number, value in enumerate(values.ravel().tolist()):
            body = summaries.encode(Summary.of_one(0, START, value))
            copy.write_row((1 + number, body))
    connection.execute("SELECT setval(pg_get_serial_sequence('run', 'key'), %s)", (first + count,))
    connection.execute("SELECT setval(pg_get_serial_sequence('series', 'key'), %s)", (1 + count * len(METRICS),))
    connection.execute("VACUUM ANALYZE")
