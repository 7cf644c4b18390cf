"""Tables in files: one of any origin, or a folder as `stepwell export` makes it: a table of runs, and one of points for
each run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from stepwell.transfer.files import below
from stepwell.transfer.runs import Labels, Moved, Point, Run, SeriesName, Tell, file_name, key_of, value_of
from stepwell.transfer.tables import Choice, Row, Table, filled, integer, number, texts

Start: TypeAlias = Callable[[str], "int | None"]

FILES: Final = "files"  # the folder of all files; those of a run lie in one of its own
_OFTEN: Final = 1000  # rows
POINTS: Final = "run_id metric labels step time_us value".split()
_RUNS: Final = "run_id experiment name user status start_time_us end_time_us params tags".split()


class Form(Protocol):
    """How rows stand in a file: `csv_files` and `parquet_files`."""

    SUFFIX: str

    def rows(self, path: Path) -> Iterator[Row]:
        """The names of the columns, then each row."""

    def write(self, path: Path, header: Sequence[str], found: Iterable[Sequence[Any]]) -> None:
        """Make a file of them."""


def read(form: Form, source: Path, choice: Choice, start: Start, tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs of a file or folder. ValueError: it is no table. `tell` hears of each row that cannot be read.

    start: of a run that is there already. Runs whose rows tell no time begin then, new ones when the file last changed.
    """
    if not source.is_dir():
        yield from _read_file(form, source, choice, start, tell, (moved, 0, source.stat().st_size)).values()
        return
    told = dict(_runs(form, source))
    paths = [source / "points" / file_name(run_id, form.SUFFIX) for run_id in told]
    total = sum(path.stat().st_size for path in paths)
    before = 0
    for (run_id, run), path in zip(told.items(), paths):  # noqa: B905  one is made of the other
        found = _read_file(form, path, Choice(), start, tell, (moved, before, total))
        before += path.stat().st_size
        run.series = found[run_id].series if run_id in found else {}
        run.experiment = choice.experiment or run.experiment
        run.files = below(source / FILES / file_name(run_id), tell)
        yield run


def _read_file(
    form: Form, path: Path, choice: Choice, start: Start, tell: Tell, progress: tuple[Moved, int, int]
) -> Mapping[str, Run]:
    moved, before, total = progress
    rows = form.rows(path)
    header = next(rows, None)
    if header is None:
        raise ValueError(f"{path}: there is no line with the names of the columns")
    table = _table(path, header.cells, choice, start)
    for count, row in enumerate(rows, 1):
        if not count % _OFTEN:
            moved(before + row.position, total, path.name)
        if len(row.cells) != len(header.cells):
            tell(f"{row.place}: {len(row.cells)} cells under {len(header.cells)} columns")
            continue
        try:
            table.add(row.cells)
        except (ValueError, OverflowError) as error:
            tell(f"{row.place}: {error}")
    moved(before + path.stat().st_size, total, path.name)
    return table.runs


def _table(path: Path, header: Sequence[str], choice: Choice, start: Start) -> Table:
    changed = path.stat().st_mtime_ns // 1000

    def begun(run_id: str) -> int:
        there = start(run_id)
        return changed if there is None else there

    try:
        return Table(header, choice, source=os.fspath(path.resolve()), name=path.stem, start=begun)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _runs(form: Form, folder: Path) -> Iterator[tuple[str, Run]]:
    """What a folder says of its runs. ValueError: it is none."""
    path = folder / f"runs{form.SUFFIX}"
    if not path.is_file():
        raise ValueError(f"{folder}: no folder that `stepwell export` has made: {path.name} is missing")
    rows = form.rows(path)
    if list(next(rows, Row(place="", position=0, cells=())).cells) != _RUNS:
        raise ValueError(f"{path}: its columns are not {', '.join(_RUNS)}")
    for row in rows:
        try:
            run = _run(dict(zip(_RUNS, row.cells)))  # noqa: B905  a short row lacks a name, which is said
        except (KeyError, ValueError) as error:
            raise ValueError(f"{row.place}: {error}") from None
        yield run.id, run


def _run(cells: Mapping[str, Any]) -> Run:
    return Run(
        id=cells["run_id"],
        experiment=cells["experiment"] or None,
        name=cells["name"] or "",
        user=cells["user"] or "",
        status=cells["status"] or None,
        start_time_us=_moment(cells["start_time_us"]),
        end_time_us=_moment(cells["end_time_us"]),
        params=texts(cells["params"], "params"),
        tags=texts(cells["tags"], "tags"),
    )


def _moment(cell: Any) -> int | None:
    return integer(cell, "time") if filled(cell) else None


class TableFolder:
    """What an export writes: a folder with a file of runs, and of each run a file of points."""

    def __init__(self, form: Form, folder: Path) -> None:
        self._form = form
        self._folder = folder

    def file(self, run: Run) -> Path:
        """Where the points of a run are."""
        return self._folder / "points" / file_name(run.id, self._form.SUFFIX)

    def files(self, run: Run) -> Path | None:
        """Where the files of a run are."""
        return self._folder / FILES / file_name(run.id)

    def name(self, name: SeriesName) -> SeriesName:
        """What a series is called there."""
        return name

    def write(self, path: Path, run: Run, points: Iterable[tuple[SeriesName, Point]]) -> None:
        """The points of a run, series by series."""
        self._form.write(path, POINTS, point_rows(run.id, points))

    def points(self, path: Path) -> Iterator[tuple[SeriesName, Point]]:
        """What `write` wrote. ValueError."""
        rows = self._form.rows(path)
        next(rows, None)
        return ((name, point) for _, name, point in points(row.cells for row in rows))

    def finish(self, runs: Iterable[Run]) -> None:
        """Tell of the runs, and of those that were here before."""
        path = self._folder / f"runs{self._form.SUFFIX}"
        before = _runs(self._form, self._folder) if path.exists() else ()
        known = {run.id: run for run in chain((run for _, run in before), runs)}
        part = path.with_name(f"{path.name}.part")
        self._form.write(part, _RUNS, (_cells(known[run_id]) for run_id in sorted(known)))
        part.replace(path)


def points(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[str, SeriesName, Point]]:
    """Points by their runs and series, out of the rows of `point_rows`. ValueError."""
    names: dict[tuple[str, str], SeriesName] = {}
    for run_id, metric, labels, step, time_us, value in rows:
        name = names.get((metric, labels))
        if name is None:
            name = SeriesName(metric, tuple(sorted(texts(labels, "labels").items())))
            names[metric, labels] = name
        yield run_id, name, (int(step), int(time_us), key_of(number(value, metric)))


def point_rows(run_id: str, found: Iterable[tuple[SeriesName, Point]]) -> Iterator[Sequence[Any]]:
    """A row for each point of a run, under POINTS."""
    labels: dict[Labels, str] = {}
    for name, (step, time_us, key) in found:
        if name.labels not in labels:
            labels[name.labels] = _json(dict(name.labels)) if name.labels else ""
        yield run_id, name.metric, labels[name.labels], step, time_us, value_of(key)


def _cells(run: Run) -> Sequence[Any]:
    moments = ("" if moment is None else moment for moment in (run.start_time_us, run.end_time_us))
    return (
        run.id,
        run.experiment or "",
        run.name,
        run.user,
        run.status or "",
        *moments,
        _json(run.params),
        _json(run.tags),
    )


def _json(texts_: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(texts_.items())), ensure_ascii=False)
