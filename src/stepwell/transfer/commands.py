"""`stepwell import` and `export`: flags in, a bar and a summary out. 0: all done. 1: not all. 2: wrongly asked."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from stepwell.client.environment import target
from stepwell.client.progress import Progress
from stepwell.client.transport import Api, Denied, Refused, Unavailable
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
from stepwell.transfer.exporting import Export
from stepwell.transfer.exporting import Sums as Exported
from stepwell.transfer.importing import Import, Sums
from stepwell.transfer.runs import Moved, Run, Tell
from stepwell.transfer.server import Server
from stepwell.transfer.table_files import Form, TableFolder
from stepwell.transfer.tables import Choice
from stepwell.transfer.tensorboard import BoardFolder

_TOLD: Final = 20  # troubles, one by one


def add(commands: Any) -> None:
    """Add these commands to a parser's: each sets `run`, from what was asked to the exit status."""
    kinds = commands.add_parser("import", help="bring runs from elsewhere to a server").add_subparsers(
        required=True, metavar="KIND"
    )
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
        kind.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL)")
        kind.add_argument("--experiment", metavar="NAME", help="where the runs belong; made when it is missing")
        kind.add_argument("--dry-run", action="store_true", help="read, compare and tell; write nothing")
        kind.set_defaults(run=partial(_import, read, units))

    _add_export(commands.add_parser("export", help="write runs of a server into files"))


def _add_export(export: ArgumentParser) -> None:
    export.description = "What is there already is not written again: an export that was interrupted goes on."
    export.add_argument("form", choices=("csv", "parquet", "tensorboard"))
    export.add_argument("folder", metavar="DIR", help="made when it is missing")
    export.add_argument("runs", metavar="RUN", nargs="*", help="ids; without any, all runs")
    export.add_argument("--filter", metavar="F", default="", help="those of the runs that match, as in a search")
    export.add_argument("--experiment", metavar="NAME", help="those of the runs that belong there")
    export.add_argument("--url", metavar="URL", help="the server (STEPWELL_URL)")
    export.add_argument("--dry-run", action="store_true", help="ask and tell; write nothing")
    export.set_defaults(run=_export)


def _add_table(table: ArgumentParser) -> None:
    table.add_argument("source", metavar="FILE|DIR", help="a file, or a folder that an export has made")
    table.add_argument("--run-id", metavar="ID", help="of the one run that the file is")
    table.add_argument("--run", metavar="COLUMN", dest="run_column", help="names the run of each row")
    table.add_argument("--step", metavar="COLUMN", help="the step of each row; without one: the number of the row")
    table.add_argument(
        "--time", metavar="COLUMN", help="seconds since 1970 (NAME_ms, NAME_us: parts of it), or ISO 8601"
    )
    table.add_argument("--leave-out", metavar="COLUMN", action="append", default=[], help="is no metric")


Read = Callable[[dict[str, Any], Server, Tell, Moved], Iterator[Run]]


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
        return mlflow_server.read(source, only, moved)
    if databases.is_postgres(source):
        return mlflow_database.read(databases.postgres(source), only, moved)
    local = source.removeprefix("sqlite:///").removeprefix("file://")
    if "://" in local:
        raise ValueError(f"{databases.shown(source)}: start an MLflow server of it, and give that one's URL")
    path = Path(local)
    if path.is_dir():
        return mlflow_folder.read(path, only, tell, moved)
    return mlflow_database.read(databases.sqlite(path), only, moved)


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


def _import(read: Read, units: str, asked: dict[str, Any]) -> int:
    def bring(server: Server, tell: Tell, moved: Moved) -> str:
        imported = Import(server, tell, dry=asked["dry_run"])
        for run in read(asked, server, tell, moved):
            imported.bring(run)
        return _summary(imported.sums, dry=asked["dry_run"])

    return _run(asked, units, bring)


def _export(asked: dict[str, Any]) -> int:
    if asked["runs"] and (asked["filter"] or asked["experiment"] is not None):
        return _fail("RUN names the runs; --filter and --experiment choose among all: give one or the other", 2)
    path = Path(asked["folder"])
    tables: dict[str, Form] = {"csv": csv_files, "parquet": parquet_files}
    folder = TableFolder(tables[asked["form"]], path) if asked["form"] in tables else BoardFolder(path)

    def bring(server: Server, tell: Tell, moved: Moved) -> str:
        chosen = asked["runs"] or server.search(asked["filter"], asked["experiment"])
        export = Export(server, folder, tell, moved, dry=asked["dry_run"])
        export.bring(dict.fromkeys(chosen))
        return _told(export.sums, dry=asked["dry_run"])

    return _run(asked, "points", bring)


def _run(asked: dict[str, Any], units: str, bring: Callable[[Server, Tell, Moved], str]) -> int:
    troubles: list[str] = []
    progress = Progress(sys.stdout, units)
    try:
        where = target(url=asked["url"])
        with closing(Api(where.url, api_key=where.api_key, workspace=where.workspace)) as api:
            told = bring(Server(api), troubles.append, progress.show)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror}", 2 if error.filename else 1)
    except OverflowError as error:
        return _fail(error, 1)
    except (ValueError, LookupError, Refused) as error:
        return _fail(error, 2)
    except (Unavailable, Denied) as error:
        return _fail(f"{error}. Run this again: it goes on where it was", 1)
    except KeyboardInterrupt:
        return _fail("interrupted. Run this again: it goes on where it was", 1)
    finally:
        progress.end()
        _tell(troubles)
    print(told)
    return 1 if troubles else 0


def _told(sums: Exported, *, dry: bool) -> str:
    line = f"{sums.runs} runs with {sums.points} points; {sums.there} are in files already"
    if dry:
        return f"{line}\nnothing is written; {sums.written} points would be"
    if not sums.written:
        return f"{line}\nnothing is to be written"
    same = "the same" if str(sums.stored) == str(sums.read) else "NOT the same"
    sides = f"{sums.stored} on the server, {sums.read} in the files"
    return f"{line}\n{sums.written} points written; checksums {sides}: {same}"


def _summary(sums: Sums, *, dry: bool) -> str:
    equal = f", {sums.equal} more that equal one of them" if sums.equal else ""
    lines = [
        f"{sums.runs} runs with {sums.series} series and {sums.points} points{equal}",
        f"{sums.new_runs} runs are new, {sums.changed_runs} changed; {sums.there} points are on the server already",
    ]
    if dry:
        return "\n".join([*lines, f"nothing is written; {sums.sent} points would be sent"])
    same = "the same" if str(sums.read) == str(sums.stored) else "NOT the same"
    return "\n".join(
        [*lines, f"{sums.sent} points sent; checksums {sums.read} read, {sums.stored} on the server: {same}"]
    )


def _tell(troubles: list[str]) -> None:
    for trouble in troubles[:_TOLD]:
        print(f"stepwell: {trouble}", file=sys.stderr)
    if len(troubles) > _TOLD:
        print(f"stepwell: and {len(troubles) - _TOLD} more", file=sys.stderr)


def _fail(error: Exception | str, status: int) -> int:
    print(f"stepwell: {' '.join(str(error).split())}", file=sys.stderr)
    return status
