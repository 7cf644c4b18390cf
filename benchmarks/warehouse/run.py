"""Measures a warehouse: Stepwell over a PostgreSQL and a ClickHouse that are started for it, two of them for quorum.

    .venv/bin/python benchmarks/warehouse/run.py [--tiny] [--only PART ...]

Writes benchmarks/results/warehouse-<date>-<commit>.json and .md; what is there of other parts stays. The parts: ingest,
quorum, single, charts, search, keys. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "growth"))

import following
import ingesting
import ordering
import reading
import searching
import table
from asking import Row
from fleet import started

PARTS = {
    "ingest": ingesting.ingest,
    "quorum": ingesting.quorum,
    "single": following.single,
    "charts": reading.charts,
    "search": searching.search,
    "keys": ordering.keys,
}


def main() -> int:
    """Measure, print, write; 1 when a target is missed."""
    asked = table.asked(__doc__, PARTS)
    rows: list[Row] = []
    for name in asked.only:
        with started(replicas=2 if name == "quorum" else 1) as databases:
            versions = databases.versions()
            for row in PARTS[name](databases, asked.tiny):
                rows.append(row)
                print(table.line(row), flush=True)
        if not asked.tiny:
            load = f"{os.getloadavg()[2]:.1f} processes wanted a processor in the last 15 minutes, these among them"
            table.write("warehouse", rows, asked.out, table.facts("warehouse/run.py", load=load, versions=versions))
    return int(table.missed(rows))


if __name__ == "__main__":
    sys.exit(main())
