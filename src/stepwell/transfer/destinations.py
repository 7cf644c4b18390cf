"""Where runs go to: the kinds of `stepwell export`, with their flags."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from stepwell.client.printing import stop_printing
from stepwell.client.progress import Progress
from stepwell.transfer import csv_files, mlflow_export, parquet_files
from stepwell.transfer.arrow_stream import StreamExport
from stepwell.transfer.exporting import Export, Folder, Sums
from stepwell.transfer.file_export import FileExport
from stepwell.transfer.mlflow_export import MlflowExport
from stepwell.transfer.mlflow_files import MlflowFiles
from stepwell.transfer.mlflow_rest import Mlflow
from stepwell.transfer.runs import Tell
from stepwell.transfer.server import Server
from stepwell.transfer.table_files import TableFolder
from stepwell.transfer.tensorboard import BoardFolder

STDOUT = "-"
Bring: TypeAlias = Callable[[dict[str, Any], Server, Tell, Progress], str]


def add(kinds: Any) -> Iterator[tuple[ArgumentParser, Bring]]:
    """Each kind: its parser, and what writes the runs and says what became of them."""
    folders = (
        ("csv", "a table of runs, and one of the points of each", partial(TableFolder, csv_files)),
        ("parquet", "as csv, in Parquet files; needs pyarrow", partial(TableFolder, parquet_files)),
        ("tensorboard", "an event file for each run", BoardFolder),
    )
    for name, told, form in folders:
        folder = kinds.add_parser(name, help=told)
        folder.add_argument("place", metavar="DIR", help="made when it is missing")
        yield _finished(folder), partial(_into_folder, form)
    arrow = kinds.add_parser("arrow", help="one stream of all points, in Arrow's format; needs pyarrow")
    arrow.add_argument("place", metavar="FILE", help=f"{STDOUT} prints it")
    yield _finished(arrow), _into_stream
    mlflow = kinds.add_parser("mlflow", help="an MLflow server")
    mlflow.add_argument("--to", metavar="URL", required=True, help="of that server")
    yield _finished(mlflow), _to_mlflow


def _finished(kind: ArgumentParser) -> ArgumentParser:
    kind.description = "What is there already is not written again: an export that was interrupted goes on."
    kind.add_argument("runs", metavar="RUN", nargs="*", default=[], help="ids; without any, all runs")
    kind.add_argument("--filter", metavar="F", default="", help="those of the runs that match, as in a search")
    kind.add_argument("--experiment", metavar="NAME", help="those of the runs that belong there")
    kind.add_argument("--no-files", action="store_true", help="leave the files of runs where they are")
    return kind


def _chosen(asked: dict[str, Any], server: Server) -> dict[str, None]:
    if asked["runs"] and (asked["filter"] or asked["experiment"] is not None):
        raise ValueError("RUN names the runs; --filter and --experiment choose among all: give one or the other")
    return dict.fromkeys(asked["runs"] or server.search(asked["filter"], asked["experiment"]))


def _into_folder(
    form: Callable[[Path], Folder], asked: dict[str, Any], server: Server, tell: Tell, progress: Progress
) -> str:
    dry = asked["dry_run"]
    files = FileExport(server, tell, progress.note, dry=dry)
    folder = form(Path(asked["place"]))
    export = Export(server, folder, None if asked["no_files"] else files, tell, progress.show, dry=dry)
    export.bring(_chosen(asked, server))
    return "\n".join(filter(None, [files.sums.line("there", "written", dry=dry), _told(export.sums, dry=dry)]))


def _into_stream(asked: dict[str, Any], server: Server, tell: Tell, progress: Progress) -> str:
    export = StreamExport(server, tell, progress.show, dry=asked["dry_run"])
    if asked["place"] != STDOUT:
        export.into(Path(asked["place"]), _chosen(asked, server))
    elif sys.stdout.isatty():
        raise ValueError("a stream of Arrow's is nothing to look at: name a file, or give it to a program")
    else:
        _print(export, _chosen(asked, server))
    return _told(export.sums, dry=asked["dry_run"])


def _print(export: StreamExport, run_ids: Iterable[str]) -> None:
    try:
        export.through(sys.stdout.buffer, run_ids)
    except BrokenPipeError:
        stop_printing()
        raise


def _to_mlflow(asked: dict[str, Any], server: Server, tell: Tell, progress: Progress) -> str:
    mlflow, dry = Mlflow(asked["to"]), asked["dry_run"]
    files = None if asked["no_files"] else MlflowFiles(server, mlflow, tell, progress.note, dry=dry)
    export = MlflowExport(server, mlflow, files, tell, progress.show, dry=dry)
    export.bring(_chosen(asked, server))
    told = files.sums.line("in MLflow", "sent", dry=dry) if files is not None else ""
    return "\n".join(filter(None, [told, _told_of_mlflow(export.sums, dry=dry)]))


def _told(sums: Sums, *, dry: bool) -> str:
    line = f"{sums.runs} runs with {sums.points} points; {sums.there} are in files already"
    if dry:
        return f"{line}\nnothing is written; {sums.written} points would be"
    if not sums.written:
        return f"{line}\nnothing is to be written"
    same = "the same" if str(sums.stored) == str(sums.read) else "NOT the same"
    sides = f"{sums.stored} on the server, {sums.read} in the files"
    return f"{line}\n{sums.written} points written; checksums {sides}: {same}"


def _told_of_mlflow(sums: mlflow_export.Sums, *, dry: bool) -> str:
    lines = [
        f"{sums.runs} runs with {sums.points} points; {sums.new_runs} runs are new, {sums.changed_runs} changed; "
        f"{sums.there} points are in MLflow already"
    ]
    if any(sums.changed.values()):
        others = (f"{how}: {count}" for how, count in sorted(sums.changed.items()) if count)
        lines.append(f"points that MLflow cannot hold as they are: {'; '.join(others)}")
    if dry:
        return "\n".join([*lines, f"nothing is written; {sums.sent} points would be sent"])
    same = "the same" if str(sums.ours) == str(sums.theirs) else "NOT the same"
    return "\n".join([*lines, f"{sums.sent} points sent; checksums {sums.ours} sent, {sums.theirs} in MLflow: {same}"])
