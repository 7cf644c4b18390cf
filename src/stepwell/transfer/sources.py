"""Where runs come from: the kinds of `stepwell import`, with their flags."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from stepwell.client.progress import Progress
from stepwell.transfer import (
    csv_files,
    databases,
    mlflow_database,
    mlflow_folder,
    mlflow_server,
    parquet_files,
    table_files,
    tensorboard,
    wandb,
)
from stepwell.transfer.importing import Import, Sums
from stepwell.transfer.runs import Moved, Run, Tell
from stepwell.transfer.server import Server
from stepwell.transfer.table_files import Form
from stepwell.transfer.tables import Choice

Read: TypeAlias = Callable[[dict[str, Any], Server, Tell, Moved], Iterator[Run]]
Bring: TypeAlias = Callable[[dict[str, Any], Server, Tell, Progress], str]


def add(kinds: Any) -> Iterator[tuple[ArgumentParser, Bring, str]]:
    """Each kind: its parser, what brings the runs and says what became of them, and what its progress counts."""
    table = kinds.add_parser("csv", help="a CSV file: a row is a step, and each column a metric")
    _add_table(table)
    parquet = kinds.add_parser("parquet", help="as csv, of a Parquet file; needs pyarrow")
    _add_table(parquet)
    board = kinds.add_parser("tensorboard", help="event files: each folder that has some is a run")
    board.add_argument("source", metavar="DIR")
    mlflow = kinds.add_parser("mlflow", help="the runs of an MLflow server, its database, or its folder")
    mlflow.add_argument("source", metavar="URL|FILE|DIR", help="http(s)://, postgresql://, a SQLite file, or mlruns")
    mlflow.add_argument("--only", metavar="EXPERIMENT", action="append", default=[], help="of all those that are there")
    biases = kinds.add_parser("wandb", help="what W&B's client has kept on disk, offline or not")
    biases.add_argument("source", metavar="DIR|FILE", help="a folder named wandb, one of a run, or a .wandb file")
    for kind, read, units in (
        (table, partial(_table, csv_files), ""),
        (parquet, partial(_table, parquet_files), ""),
        (board, _tensorboard, ""),
        (mlflow, _mlflow, "runs"),
        (biases, _wandb, ""),
    ):
        kind.description = "What the server has already is not sent again: importing twice changes nothing."
        kind.add_argument("--experiment", metavar="NAME", help="where the runs belong; made when it is missing")
        kind.add_argument("--no-files", action="store_true", help="leave the files of runs where they are")
        yield kind, partial(_bring, read), units


def _bring(read: Read, asked: dict[str, Any], server: Server, tell: Tell, progress: Progress) -> str:
    imported = Import(server, tell, progress.note, dry=asked["dry_run"], with_files=not asked["no_files"])
    for run in read(asked, server, tell, progress.show):
        imported.bring(run)
    return _summary(imported.sums, dry=asked["dry_run"])


def _add_table(table: ArgumentParser) -> None:
    table.add_argument("source", metavar="FILE|DIR", help="a file, or a folder that an export has made")
    table.add_argument("--run-id", metavar="ID", help="of the one run that the file is")
    table.add_argument("--run", metavar="COLUMN", dest="run_column", help="names the run of each row")
    table.add_argument("--step", metavar="COLUMN", help="the step of each row; without one: the number of the row")
    table.add_argument(
        "--time", metavar="COLUMN", help="seconds since 1970 (NAME_ms, NAME_us: parts of it), or ISO 8601"
    )
    table.add_argument("--leave-out", metavar="COLUMN", action="append", default=[], help="is no metric")


def _table(form: Form, asked: dict[str, Any], server: Server, tell: Tell, moved: Moved) -> Iterator[Run]:
    return table_files.read(form, Path(asked["source"]), _choice(asked), partial(_start, server), tell, moved)


def _tensorboard(asked: dict[str, Any], _: Server, tell: Tell, moved: Moved) -> Iterator[Run]:
    folder = Path(asked["source"])
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    return tensorboard.read(folder, asked["experiment"], tell, moved)


def _wandb(asked: dict[str, Any], _: Server, tell: Tell, moved: Moved) -> Iterator[Run]:
    place = Path(asked["source"])
    if not place.exists():
        raise ValueError(f"{place}: no such file or folder")
    return wandb.read(place, asked["experiment"], tell, moved)


def _mlflow(asked: dict[str, Any], _: Server, tell: Tell, moved: Moved) -> Iterator[Run]:
    for run in _mlflow_runs(asked["source"], asked["only"], tell, moved):
        run.experiment = asked["experiment"] or run.experiment
        yield run


def _mlflow_runs(source: str, only: Sequence[str], tell: Tell, moved: Moved) -> Iterator[Run]:
    if source.startswith(("http://", "https://")):
        return mlflow_server.read(source, only, tell, moved)
    if databases.is_postgres(source):
        return mlflow_database.read(databases.postgres(source), only, tell, moved)
    local = source.removeprefix("sqlite:///").removeprefix("file://")
    if "://" in local:
        raise ValueError(f"{databases.shown(source)}: start an MLflow server of it, and give that one's URL")
    path = Path(local)
    if path.is_dir():
        return mlflow_folder.read(path, only, tell, moved)
    return mlflow_database.read(databases.sqlite(path), only, tell, moved)


def _choice(asked: dict[str, Any]) -> Choice:
    return Choice(
        step=asked["step"],
        time=asked["time"],
        run=asked["run_column"],
        leave_out=asked["leave_out"],
        experiment=asked["experiment"],
        id=asked["run_id"],
    )


def _start(server: Server, run_id: str) -> int | None:
    there = server.run(run_id)
    return None if there is None else there["run"]["start_time_us"]


def _summary(sums: Sums, *, dry: bool) -> str:
    equal = f", {sums.equal} more that equal one of them" if sums.equal else ""
    lines = [
        f"{sums.runs} runs with {sums.series} series and {sums.points} points{equal}",
        f"{sums.new_runs} runs are new, {sums.changed_runs} changed; {sums.there} points are on the server already",
    ]
    files = sums.files.line("on the server", "sent", dry=dry)
    lines += [files] if files else []
    if sums.elsewhere:
        kept = ", ".join(f"{scheme}: ({count} runs)" for scheme, count in sorted(sums.elsewhere.items()))
        lines.append(f"files that are kept elsewhere stay there: {kept}")
    if dry:
        return "\n".join([*lines, f"nothing is written; {sums.sent} points would be sent"])
    same = "the same" if str(sums.read) == str(sums.stored) else "NOT the same"
    return "\n".join(
        [*lines, f"{sums.sent} points sent; checksums {sums.read} read, {sums.stored} on the server: {same}"]
    )
