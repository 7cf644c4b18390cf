"""Measures a warehouse: Stepwell over a PostgreSQL and a ClickHouse that are started for it.

    .venv/bin/python benchmarks/warehouse/run.py [--tiny] [--only PART ...]

Writes benchmarks/results/warehouse-<date>-<commit>.json and .md; what is there of other parts stays. The parts: ingest,
single, charts, search, keys. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "growth"))

import following
import ingesting
import ordering
import reading
import searching
from asking import Row
from fleet import started
from servers import ROOT

PARTS = {
    "ingest": ingesting.ingest,
    "single": following.single,
    "charts": reading.charts,
    "search": searching.search,
    "keys": ordering.keys,
}


def main() -> int:
    """Measure, print, write; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="small sizes: does it all work? The numbers mean nothing")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    args = parser.parse_args()
    rows: list[Row] = []
    for name in args.only:
        with started() as databases:
            versions = databases.versions()
            for row in PARTS[name](databases, args.tiny):
                rows.append(row)
                print(_line(row), flush=True)
        if not args.tiny:
            _write(rows, args.out, versions)
    return int(any(row.holds is False for row in rows))


def _line(row: Row) -> str:
    verdict = {None: "", True: "yes", False: "**no**"}[row.holds]
    return f"| {row.part} | {row.what} | {row.found} | {row.wanted} | {verdict} |"


def _facts(versions: str) -> dict[str, str]:
    """When, what and where was measured."""
    words = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit,
        "command": "benchmarks/warehouse/run.py " + " ".join(sys.argv[1:]),
        "machine": f"{os.cpu_count()} cores, {memory:.1f} GiB, {platform.system()}; clients and servers share them",
        "load": f"{os.getloadavg()[2]:.1f} processes wanted a processor in the last 15 minutes, these among them",
        "versions": versions,
    }


def _others(path: Path, rows: list[Row]) -> list[Row]:
    """What other parts found of the same commit on the same day."""
    parts = {row.part for row in rows}
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    return [Row(**each) for each in before if each["part"] not in parts]


def _write(rows: list[Row], out: Path, versions: str) -> None:
    told = _facts(versions)
    target = out / f"warehouse-{datetime.now(UTC):%Y-%m-%d}-{told['commit']}"
    rows = _others(target.with_suffix(".json"), rows) + rows
    table = ["| part | what | found | wanted | holds |", "|---|---|---|---|---|", *map(_line, rows)]
    text = "\n".join([*table, "", *(f"- {name}: {fact}" for name, fact in told.items()), ""])
    target.with_suffix(".md").write_text(text)
    target.with_suffix(".json").write_text(json.dumps({**told, "rows": list(map(asdict, rows))}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
