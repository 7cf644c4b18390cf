"""What other keys of the table of points would cost: rows that ClickHouse reads for an answer, and parts that it makes.

These are counts: the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
from asking import Row
from clickhouse_driver import Client
from fleet import Databases

from stepwell.core.series import INT64_MAX

RUNS, SERIES, STEPS = 10, 20, 20_000  # runs that write at once, a point of each of their series in each step
BLOCKS = 20  # inserts, one behind another, as moves make them
START = 1_790_000_000_000_000
MONTH = 30 * 24 * 3600 * 1_000_000
COLUMNS = ("run", "series", "step", "time", "value_key", "occurrence", "age")
BY_ARRIVAL = "intDiv(age, 134217728)"
BY_MONTH = f"intDiv(time, {MONTH})"
TABLES = {  # partition, order
    "as it is: run, series, step": (BY_ARRIVAL, "run, series, step, time, value_key, occurrence"),
    "steps before series": (BY_ARRIVAL, "run, step, series, time, value_key, occurrence"),
    "series, time, step": (BY_ARRIVAL, "run, series, time, step, value_key, occurrence"),
    "series alone in front": (BY_ARRIVAL, "series, step, time, value_key, occurrence, run"),
    "partitions by month of the points": (BY_MONTH, "run, series, step, time, value_key, occurrence"),
    "no partitions": ("tuple()", "run, series, step, time, value_key, occurrence"),
}
READS = {
    "window of a series": "run = 5 AND series = 110 AND step >= 1000 AND step < 2000",
    "series": "run = 5 AND series = 110",
    "run": "run = 5",
    "new points of a run": f"run = 5 AND age < {INT64_MAX - RUNS * SERIES * STEPS * (BLOCKS - 1) // BLOCKS}",
}


def keys(databases: Databases, tiny: bool) -> Iterator[Row]:
    """Rows read for some questions, with each of some keys; parts of an insert with points of twelve months."""
    url = f"{databases.warehouse().clickhouse}?use_numpy=true"
    with closing(_Asked(url)) as asked:
        for name, (partition, order) in TABLES.items():
            asked.make(partition, order)
            for number in range(BLOCKS):
                asked.insert(_block(number, STEPS // (20 if tiny else 1) // BLOCKS))
            asked.merge()
            found = ", ".join(f"{what} {asked.rows_read(where):,}" for what, where in READS.items())
            yield Row(part="keys", what=f"rows read, {name}", found=found)
        for partition in (BY_ARRIVAL, BY_MONTH):
            asked.make(partition, TABLES["no partitions"][1])
            parts = asked.insert(_block(0, 600) | {"time": START + np.arange(RUNS * SERIES * 600) % 12 * MONTH})
            what = f"parts that one insert with points of twelve months makes, by {partition}"
            yield Row(part="keys", what=what, found=str(parts))


class _Asked:
    """A table of points with some keys."""

    def __init__(self, url: str) -> None:
        self._client = Client.from_url(url)

    def make(self, partition: str, order: str) -> None:
        self._client.execute("DROP TABLE IF EXISTS compared")
        columns = ", ".join(f"{name} Int64" for name in COLUMNS)
        words = f"CREATE TABLE compared ({columns}) ENGINE = ReplacingMergeTree(age) PARTITION BY {partition}"
        self._client.execute(f"{words} ORDER BY ({order})")

    def insert(self, columns: dict[str, np.ndarray]) -> int:
        """Insert rows; how many parts there are then."""
        words = f"INSERT INTO compared ({', '.join(COLUMNS)}) VALUES"
        self._client.execute(words, [columns[name] for name in COLUMNS], columnar=True)
        count = "SELECT count() FROM system.parts WHERE table = 'compared' AND active AND database = currentDatabase()"
        return int(self._client.execute(count)[0][0])

    def merge(self) -> None:
        self._client.execute("OPTIMIZE TABLE compared FINAL")

    def rows_read(self, where: str) -> int:
        """How many rows the server reads to answer which points are there."""
        self._client.execute(f"SELECT count(), sum(value_key), sum(time) FROM compared WHERE {where}")
        return int(self._client.last_query.progress.rows)

    def close(self) -> None:
        self._client.disconnect()


def _block(number: int, steps: int) -> dict[str, np.ndarray]:
    """What one move brings: so many steps of every series of every run."""
    step, run, series = np.meshgrid(np.arange(steps), np.arange(RUNS), np.arange(SERIES), indexing="ij")
    step, run, series = step.ravel() + number * steps, run.ravel(), series.ravel()
    return {
        "run": run,
        "series": run * SERIES + series,
        "step": step,
        "time": START + step * 1_000_000,
        "value_key": np.random.default_rng(number).integers(0, 1 << 62, len(step)),
        "occurrence": np.zeros(len(step), np.int64),
        "age": INT64_MAX - (number * len(step) + np.arange(len(step))),
    }
