"""Measures Stepwell, and with --peers MLflow's own server in the same run, with the same requests (see README.md here).

    .venv/bin/python benchmarks/run.py [--peers] [--tiny]

Writes benchmarks/results/<date>-<commit>.json and .md. Exits with 1 when Stepwell answered an error or gave back
something else than it had acknowledged, and with 2 when a program is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pages
import report
from servers import MLFLOW, ROOT, STEPWELL, Plan, Running, disk_bytes, running

CLIENT = ROOT.parent / "shared" / "bench" / "mlflow_rest.py"
OURS = Plan(name="Stepwell", kind="stepwell")
AGAIN = Plan(name="Stepwell, at the end", kind="stepwell")  # the machine's pace changes within a run
ONE = "MLflow, 1 worker"
PEERS = (Plan(name="MLflow, default", kind="mlflow"), Plan(name=ONE, kind="mlflow", workers=1))
WORKLOADS = "w1,w2,w3,c2,c3,s"
RUNS = "cmp,q"  # many runs, which a server of their own gets: they would count as the disk of the points
SETTLE = 10  # seconds before memory and disk are looked at


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", action="store_true", help="measure MLflow's server too")
    parser.add_argument("--tiny", action="store_true", help="small sizes: does it all work? The numbers mean nothing")
    parser.add_argument("--secs", type=float, default=8, help="at most, for each row of writes")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--max-batches", type=int, default=600)
    parser.add_argument("--history", type=int, default=100_000, help="points of the series that is read whole")
    parser.add_argument("--long", type=int, default=1_000_000, help="points of the series that is sampled")
    parser.add_argument("--client", type=Path, default=CLIENT, help="the benchmark client, mlflow_rest.py")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    args = parser.parse_args()
    if args.tiny:
        args.secs, args.max_batches, args.writers, args.history, args.long = 1, 3, 2, 2000, 5000
    return args


def missing(args: argparse.Namespace) -> list[str]:
    """What cannot be found."""
    wanted = [(STEPWELL, "make setup"), (args.client, "name the benchmark client with --client")]
    if args.peers:
        wanted.append((MLFLOW, "scripts/setup.sh clients"))
    return [f"{path} is missing: {remedy}" for path, remedy in wanted if not path.exists()]


def measure(plan: Plan, args: argparse.Namespace, scratch: Path) -> report.Measured:
    """Run the client against one server on an empty data directory."""
    folder = scratch / plan.name.replace(" ", "-").replace(",", "")
    folder.mkdir()
    lengths = [args.history, args.long] if plan.kind == "stepwell" or plan.name == ONE else [args.history]
    with running(plan, folder) as server:
        time.sleep(1 if args.tiny else SETTLE)
        empty = disk_bytes(folder)
        rows = client_rows(plan, server, args, WORKLOADS, lengths, folder / "rows.json")
    points = sum(row["points"] for row in rows if "verify" in row) + sum(lengths)
    used = disk_bytes(folder, ("server.log", "rows.json")) - empty
    at_rest = {"row": "disk at rest", "points": points, "bytes": used, "bytes_per_point": round(used / points, 1)}
    print("disk at rest", at_rest, flush=True)
    again = scratch / f"{folder.name}-runs"
    again.mkdir()
    with running(plan, again) as server:
        rows += client_rows(plan, server, args, RUNS, [], again / "rows.json")
        rows += pages.rows(server.url)
    command = " ".join(plan.command(0, Path("FOLDER"))).replace(str(ROOT) + "/", "").replace("--port 0", "--port PORT")
    return report.Measured(
        name=plan.name, kind=plan.kind, version=plan.version(), command=command, rows=[*rows, at_rest]
    )


def client_rows(
    plan: Plan, server: Running, args: argparse.Namespace, workloads: str, lengths: list[int], out: Path
) -> list[report.Row]:
    """The rows that the client reports."""
    options = {
        "--name": plan.name,
        "--pid": server.pid,
        "--data": server.data,
        "--secs": args.secs,
        "--writers": args.writers,
        "--max-batches": args.max_batches,
        "--series": ",".join(map(str, lengths)),
        "--only": workloads,
        "--runs": 30 if args.tiny else 1000,
        "--settle": 1 if args.tiny else SETTLE,
        "--json": out,
    }
    flags = [str(part) for pair in options.items() for part in pair]
    subprocess.run([sys.executable, str(args.client), server.url, *flags], check=True)
    rows: list[report.Row] = json.loads(out.read_text())["rows"]
    return rows


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    cpu = next(models, platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, marked when files differ from it."""
    short = git("rev-parse", "--short=10", "HEAD")
    return f"{short}-dirty" if git("status", "--porcelain", "--untracked-files=no") else short


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def save(args: argparse.Namespace, measured: list[report.Measured]) -> None:
    """Write the numbers and the table, and print the table."""
    now = datetime.now(UTC)
    ours = [one for one in measured if one.kind == "stepwell"]
    peers = [one for one in measured if one.kind != "stepwell"]
    lines = report.table(ours, peers, report.questions(args.history, args.long, args.writers))
    command = "benchmarks/run.py " + " ".join(sys.argv[1:])
    about = machine()
    facts = {
        "measured": now.strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "command": command.strip(),
        "machine": f"{about['cores']} cores of {about['cpu']}, {about['memory_gib']} GiB; client and server share them",
        "versions": "; ".join(m.version for m in measured[: 2 if peers else 1]),
    }
    text = report.markdown(lines, [*ours, *peers], facts, compared=bool(peers))
    args.out.mkdir(parents=True, exist_ok=True)
    stem = f"{now:%Y-%m-%d}-{facts['commit']}"
    whole = {**facts, "machine": about, "table": lines, "servers": [asdict(m) for m in measured]}
    (args.out / f"{stem}.json").write_text(json.dumps(whole, indent=1) + "\n")
    (args.out / f"{stem}.md").write_text(text)
    print(f"\n{text}\nwritten: {args.out / stem}.json and .md")


def main() -> int:
    """Measure, save, and say what was wrong."""
    args = arguments()
    if absent := missing(args):
        print("\n".join(absent), file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-") as scratch:
        plans = [OURS, *PEERS, AGAIN] if args.peers else [OURS]
        measured = [measure(plan, args, Path(scratch)) for plan in plans]
    save(args, measured)
    wrong = [line for one in measured for line in report.problems(one)]
    print("\n".join(["", "ERRORS AND DIFFERENCES:", *wrong]) if wrong else "every acknowledged point was read back")
    return int(any(report.problems(one) for one in measured if one.kind == "stepwell"))


if __name__ == "__main__":
    sys.exit(main())
