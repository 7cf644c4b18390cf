"""Measures what each tracker's own library costs a training loop, and how soon all of it can be read (../README.md).

    .venv/bin/python benchmarks/trackers/run.py [--steps N] [--seconds N] [--only NAME ...]

Each in its own environment (`scripts/setup.sh clients peers`), one after another, data in a temporary folder. Writes
benchmarks/results/trackers-<date>-<commit>.json and .md. Exits with 1 when something else was read than was logged.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import run as bench  # noqa: E402 - found only after the line above
from servers import ROOT, Plan, disk_bytes, environment, running  # noqa: E402

CACHE: Final = ROOT / ".cache"
PYTHONS: Final = {
    "Stepwell": ROOT / ".venv",
    "MLflow": CACHE / "clients" / "mlflow",
    "TensorBoard": CACHE / "clients" / "tensorboard",
    "Aim": CACHE / "peers" / "aim",
    "Trackio": CACHE / "peers" / "trackio",
}
METRICS: Final = 10  # a step
LINES: Final = (
    ("points a second, until all are stored", "points_per_second", "{:,.0f}", max),
    ("a call in the loop, median, us", "call_us", "{:,.0f}", min),
    ("the longest, ms", "longest_call_ms", "{:,.1f}", min),
    ("a training of 1 ms a step takes longer by, %", "slowed_percent", "{:,.1f}", None),
    ("one metric of ten read back, whole, seconds for 100,000 points", "one", "{:.3f}", min),
    ("all ten, seconds for a million points", "all", "{:.2f}", min),
    ("disk, bytes a point", "bytes_per_point", "{:,.1f}", min),
)
Row = dict[str, Any]


def ask(name: str, what: str, folder: Path, steps: int, seconds: float, told: Mapping[str, str]) -> Row:
    """What a tracker's part reports."""
    program = [str(PYTHONS[name] / "bin" / "python"), str(HERE / f"with_{name.lower()}.py"), what, str(folder)]
    found = subprocess.run(
        [*program, str(steps), str(seconds)],
        env={**environment(), "TRACKIO_DIR": str(folder / "trackio"), "HOME": str(folder.parent), **told},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(f"{name} {what}:\n{found.stderr[-3000:]}")
    row: Row = json.loads(found.stdout.splitlines()[-1])
    return row


@contextmanager
def place(name: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """Where a tracker keeps its data, as variables: of Stepwell a server that runs meanwhile."""
    if name != "Stepwell":
        yield {}
        return
    with running(Plan(name=name, kind="stepwell"), folder) as found:
        yield {"STEPWELL_URL": found.url}


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Below one that is the home of what runs in it."""
    with tempfile.TemporaryDirectory(prefix="trackers-") as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        yield folder


def measure(name: str, args: argparse.Namespace) -> Row:
    """All that one tracker does. A server begins anew for each reader, with nothing in memory."""
    with empty_folder() as folder, place(name, folder) as told:
        trained = ask(name, "train", folder, args.steps, args.seconds, told)
    with empty_folder() as folder:
        with place(name, folder):
            pass
        empty = disk_bytes(folder, ("server.log",))
        with place(name, folder) as told:
            row = ask(name, "log", folder, args.steps, args.seconds, told)
        used = disk_bytes(folder, ("server.log",)) - empty
        row["points"] = row["steps"] * METRICS
        for what in ("one", "all"):
            with place(name, folder) as told:
                found = ask(name, what, folder, row["steps"], args.seconds, told)
            row[f"{what}_seconds"] = found["seconds"]
            row["wrong_metrics"] = row.get("wrong_metrics", 0) + found["wrong_metrics"]
    row |= trained
    row["bytes_per_point"] = used / row["points"]
    row["one"] = row["one_seconds"] / row["steps"] * 100_000
    row["all"] = row["all_seconds"] / row["points"] * 1_000_000
    return row


def version(name: str) -> str:
    """Of an installed package."""
    code = f"from importlib.metadata import version; print(version({name.lower()!r}))"
    program = [str(PYTHONS[name] / "bin" / "python"), "-c", code]
    return f"{name} {subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()}"


def table(rows: Mapping[str, Row]) -> str:
    """For people: each tracker, and how many times better Stepwell is than the best of the others."""
    others = [name for name in rows if name != "Stepwell"]
    out = ["| " + " | ".join(["", *rows, "than the best"]) + " |", "|" + "---|" * (len(rows) + 2)]
    for title, field, form, better in LINES:
        cells = [form.format(row[field]) for row in rows.values()]
        ratio = "-"
        if others and "Stepwell" in rows and better is not None:
            ours, best = rows["Stepwell"][field], better(rows[name][field] for name in others)
            ratio = f"{ours / best if better is max else best / ours:.2g} x"
        out.append("| " + " | ".join([title, *cells, ratio]) + " |")
    return "\n".join(out)


def main() -> int:
    """Measure, save, and say what was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000, help="of ten metrics each")
    parser.add_argument("--seconds", type=float, default=60, help="after which a loop ends early")
    parser.add_argument("--only", nargs="+", choices=PYTHONS, default=list(PYTHONS))
    args = parser.parse_args()
    missing = [name for name in args.only if not PYTHONS[name].exists()]
    if missing:
        print(f"not installed: {', '.join(missing)}; run scripts/setup.sh serve clients peers", file=sys.stderr)
        return 2
    rows: dict[str, Row] = {}
    for name in args.only:
        rows[name] = measure(name, args)
        print(name, rows[name], flush=True)
    about, now = bench.machine(), datetime.now(UTC)
    short = [f"{name} after {row['steps']:,} steps" for name, row in rows.items() if row["steps"] < args.steps]
    facts = {
        "measured": f"{now:%Y-%m-%d %H:%M} UTC",
        "commit": bench.commit(),
        "command": " ".join(["benchmarks/trackers/run.py", *sys.argv[1:]]),
        "machine": f"{about['cores']} cores of {about['cpu']}, {about['memory_gib']} GiB",
        "versions": ", ".join(map(version, rows)),
        **({"ended early": ", ".join(short)} if short else {}),
    }
    text = "\n".join([table(rows), "", *(f"- {key}: {value}" for key, value in facts.items()), ""])
    stem = ROOT / "benchmarks" / "results" / f"trackers-{now:%Y-%m-%d}-{facts['commit']}"
    stem.with_suffix(".json").write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
    stem.with_suffix(".md").write_text(text)
    print(f"\n{text}\nwritten: {stem.relative_to(ROOT)}.json and .md")
    wrong = [name for name, row in rows.items() if row["wrong_metrics"]]
    print(f"other numbers were read: {', '.join(wrong)}" if wrong else "what was logged was read, number by number")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
