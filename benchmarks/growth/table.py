"""The rows that a benchmark found: printed, and written beside the other results. Nothing is measured here."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asking import Row
from servers import ROOT

_VERDICTS: Final = {None: "", True: "yes", False: "**no**"}


def asked(about: str | None, parts: Collection[str], *, unless_named: Collection[str] = ()) -> argparse.Namespace:
    """What the command line asks for: `tiny`, `only` (all parts but those left out `unless_named`) and `out`."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="small sizes: does it all work? The numbers mean nothing")
    every = [name for name in parts if name not in unless_named]
    parser.add_argument("--only", nargs="+", choices=list(parts), default=every)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args()


def line(row: Row) -> str:
    """A row of the table."""
    return f"| {row.part} | {row.what} | {row.found} | {row.wanted} | {_VERDICTS[row.holds]} |"


def missed(rows: Collection[Row]) -> bool:
    """Whether one of the targets is."""
    return any(row.holds is False for row in rows)


def facts(program: str, **more: str) -> dict[str, str]:
    """When, what and where was measured. `program` is below benchmarks/."""
    words = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit,
        "command": f"benchmarks/{program} {' '.join(sys.argv[1:])}",
        "machine": f"{os.cpu_count()} cores, {memory:.1f} GiB, {platform.system()}; clients and servers share them",
        **more,
    }


def write(name: str, rows: list[Row], out: Path, told: dict[str, str]) -> None:
    """The table and the rows. What other parts found of the same commit on the same day stays."""
    target = out / f"{name}-{told['measured'][:10]}-{told['commit']}"
    rows = _others(target.with_suffix(".json"), rows) + rows
    table = ["| part | what | found | wanted | holds |", "|---|---|---|---|---|", *map(line, rows)]
    text = "\n".join([*table, "", *(f"- {fact}: {what}" for fact, what in told.items()), ""])
    target.with_suffix(".md").write_text(text)
    target.with_suffix(".json").write_text(json.dumps({**told, "rows": list(map(asdict, rows))}, indent=1) + "\n")


def _others(path: Path, rows: list[Row]) -> list[Row]:
    known = {(row.part, row.what) for row in rows}
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    return [Row(**each) for each in before if (each["part"], each["what"]) not in known]
