"""Points of runs as one stream in Arrow's IPC format, into a file or to whoever reads what is printed.

Its columns are those of an export in files; the schema's metadata has the runs, as JSON, under `stepwell.runs`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from stepwell.transfer.arrow_columns import batches, library, schema
from stepwell.transfer.exporting import Chosen, Sums, chosen
from stepwell.transfer.runs import Moved, Point, SeriesName, Tell
from stepwell.transfer.server import Server
from stepwell.transfer.table_files import POINTS, point_rows, points

_RUNS: Final = b"stepwell.runs"


class StreamExport:
    """Writes runs into one stream. dry: counts, and writes nothing."""

    def __init__(self, server: Server, tell: Tell, moved: Moved, *, dry: bool = False) -> None:
        self.sums = Sums()
        self._server = server
        self._tell = tell
        self._moved = moved
        self._dry = dry
        self._arrow, self._ipc = library("pyarrow", "Arrow"), library("pyarrow.ipc", "Arrow")

    def into(self, path: Path, run_ids: Iterable[str]) -> None:
        """A file, which is put in its place when it is whole and was read back; one that has all of it stays.

        Denied, Refused, Unavailable, OSError.
        """
        found = self._chosen(run_ids)
        if path.exists() and self._has(path, found):
            self.sums.there = self.sums.points
            return
        if self._dry:
            self.sums.written = self.sums.points
            return
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            self._write(file, found)
        for run_id, name, point in self._read(part):
            self.sums.read.add(run_id, name, point)
        if str(self.sums.stored) != str(self.sums.read):
            self._tell(f"{part}: what was written does not read as the server has it")
            return
        part.replace(path)

    def through(self, out: IO[bytes], run_ids: Iterable[str]) -> None:
        """A pipe, which nobody can read back. Denied, Refused, Unavailable, OSError."""
        found = self._chosen(run_ids)
        if self._dry:
            self.sums.written = self.sums.points
        else:
            self._write(out, found)
            out.flush()
            self.sums.read = self.sums.stored

    def _chosen(self, run_ids: Iterable[str]) -> list[Chosen]:
        found = chosen(self._server, run_ids, self._tell)
        self.sums.runs = len(found)
        self.sums.points = sum(each.points for each in found)
        return found

    def _write(self, out: IO[bytes], found: Sequence[Chosen]) -> None:
        columns = schema(self._arrow, POINTS, words=self._arrow.dictionary(self._arrow.int32(), self._arrow.string()))
        with self._ipc.new_stream(out, columns.with_metadata({_RUNS: _told(found)})) as stream:
            for batch in batches(self._arrow, columns, self._rows(found)):
                stream.write_batch(batch)
        self.sums.written = self.sums.stored.points
        self._moved(self.sums.points, self.sums.points, "the stream")

    def _rows(self, found: Sequence[Chosen]) -> Iterator[Sequence[Any]]:
        for each in found:
            yield from point_rows(each.run.id, self._points(each))

    def _points(self, each: Chosen) -> Iterator[tuple[SeriesName, Point]]:
        for name in each.counts:
            for count, point in enumerate(self._server.points(each.run.id, name)):
                self.sums.stored.add(each.run.id, name, point)
                yield name, point
                if not count % 10_000:
                    self._moved(self.sums.stored.points, self.sums.points, each.run.name)

    def _has(self, path: Path, found: Sequence[Chosen]) -> bool:
        wanted = Counter({(each.run.id, name): count for each in found for name, count in each.counts.items()})
        try:
            with path.open("rb") as file, self._ipc.open_stream(file) as stream:
                if stream.schema.metadata != {_RUNS: _told(found)}:
                    return False
            return Counter((run_id, name) for run_id, name, _ in self._read(path)) == wanted
        except (ValueError, OSError, self._arrow.ArrowException):
            return False  # it is written anew

    def _read(self, path: Path) -> Iterator[tuple[str, SeriesName, Point]]:
        with path.open("rb") as file, self._ipc.open_stream(file) as stream:
            for batch in stream:
                yield from points(zip(*(column.to_pylist() for column in batch.columns)))  # noqa: B905


def _told(found: Sequence[Chosen]) -> bytes:
    names = "id experiment name user status start_time_us end_time_us params tags".split()
    return json.dumps([{name: getattr(each.run, name) for name in names} for each in found]).encode()
