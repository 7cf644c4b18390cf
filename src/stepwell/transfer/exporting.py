"""Runs of a server into files. A file is put in its place when it is whole and was read back; what is there stays.

Nothing is remembered between two exports: points are never changed on a server, so a file that has as many of each
series as the server is written, and an export that was interrupted goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stepwell.client.transport import Refused
from stepwell.transfer.file_export import FileExport
from stepwell.transfer.runs import Checksum, Moved, Point, Run, SeriesName, Tell
from stepwell.transfer.server import Server


class Folder(Protocol):
    """Files of one kind."""

    def file(self, run: Run) -> Path:
        """Where the points of a run are."""

    def files(self, run: Run) -> Path | None:
        """The folder where the files of a run are; None where there is no place for them."""

    def name(self, name: SeriesName) -> SeriesName:
        """What a series is called there."""

    def write(self, path: Path, run: Run, points: Iterable[tuple[SeriesName, Point]]) -> None:
        """Make a file of the points of a run, which come series by series."""

    def points(self, path: Path) -> Iterator[tuple[SeriesName, Point]]:
        """What a file holds. ValueError: it is none."""

    def finish(self, runs: Iterable[Run]) -> None:
        """All files are written."""


@dataclass(kw_only=True, slots=True)
class Sums:
    """What became of an export. there: points in files that were there already."""

    runs: int = 0
    points: int = 0
    there: int = 0
    written: int = 0
    stored: Checksum = field(default_factory=Checksum)
    read: Checksum = field(default_factory=Checksum)


class Export:
    """Writes the points of runs, one file each, and their files by `files`. dry: counts, and writes nothing."""

    def __init__(
        self, server: Server, folder: Folder, files: FileExport | None, tell: Tell, moved: Moved, *, dry: bool = False
    ) -> None:
        self.sums = Sums()
        self._server = server
        self._folder = folder
        self._files = files
        self._tell = tell
        self._moved = moved
        self._dry = dry
        self._done = 0
        self._total = 0

    def bring(self, run_ids: Iterable[str]) -> None:
        """These runs; `tell` hears of what cannot be. Denied, Refused, Unavailable, OSError."""
        found = chosen(self._server, run_ids, self._tell)
        self._total = sum(each.points for each in found)
        for each in found:
            self._bring(each.run, each.counts)
            place = self._folder.files(each.run)
            if self._files is not None and place is not None:
                self._files.into(place, each.run.id)
        if not self._dry and found:
            self._folder.finish(each.run for each in found)

    def _bring(self, run: Run, counts: Mapping[SeriesName, int]) -> None:
        path = self._folder.file(run)
        self.sums.runs += 1
        self.sums.points += sum(counts.values())
        if path.exists() and self._has(path, counts):
            self.sums.there += sum(counts.values())
        elif self._dry:
            self.sums.written += sum(counts.values())
        else:
            self._write(path, run, counts)
        self._done += sum(counts.values())
        self._moved(self._done, self._total, run.name)

    def _has(self, path: Path, counts: Mapping[SeriesName, int]) -> bool:
        wanted = Counter({self._folder.name(name): count for name, count in counts.items()})
        try:
            return Counter(name for name, _ in self._folder.points(path)) == wanted
        except ValueError:
            return False  # it is written anew

    def _write(self, path: Path, run: Run, counts: Mapping[SeriesName, int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        try:
            stored, read = Checksum(), Checksum()
            self._folder.write(part, run, self._points(run, counts, stored))
            for name, point in self._folder.points(part):
                read.add(run.id, name, point)
        except Refused as error:
            part.unlink(missing_ok=True)
            self._tell(f"run {run.id}: the server refuses it: {error}")
            return
        self.sums.written += read.points
        self.sums.stored.merge(stored)
        self.sums.read.merge(read)
        if str(stored) != str(read):
            self._tell(f"{part}: what was written does not read as the server has it")
            return
        part.replace(path)

    def _points(
        self, run: Run, counts: Mapping[SeriesName, int], stored: Checksum
    ) -> Iterator[tuple[SeriesName, Point]]:
        for name in counts:
            for count, point in enumerate(self._server.points(run.id, name)):
                stored.add(run.id, self._folder.name(name), point)
                yield name, point
                if not count % 10_000:
                    self._moved(self._done + stored.points - 1, self._total, run.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A run that goes out, and how many points each of its series has."""

    run: Run
    counts: Mapping[SeriesName, int]

    @property
    def points(self) -> int:
        """Of all its series."""
        return sum(self.counts.values())


def chosen(server: Server, run_ids: Iterable[str], tell: Tell) -> list[Chosen]:
    """What a server has of these runs; `tell` hears which are not there. Denied, Refused, Unavailable."""
    found = []
    for run_id in run_ids:
        there = server.run(run_id)
        if there is None:
            tell(f"there is no run {run_id!r}")
            continue
        run = _run(there, server.experiment_name(there["run"]["experiment_id"]))
        found.append(Chosen(run=run, counts=server.counts(run_id)))
    return found


def _run(there: Mapping[str, Any], experiment: str) -> Run:
    info = there["run"]
    names = ("id", "name", "user", "status", "start_time_us", "end_time_us")
    return Run(
        **{name: info[name] for name in names}, experiment=experiment, params=there["params"], tags=there["tags"]
    )
