"""Files of runs out of a server, into folders. One is put in its place when it is whole and has the server's digest."""

from __future__ import annotations

from pathlib import Path

from stepwell.client.digests import digest
from stepwell.client.transport import Refused
from stepwell.transfer.files import LocalFile, Note, Stored, Sums, is_same, place_of, shown
from stepwell.transfer.runs import Tell
from stepwell.transfer.server import Server


class FileExport:
    """Writes the files of runs. dry: counts, and writes nothing."""

    def __init__(self, server: Server, tell: Tell, note: Note, *, dry: bool = False) -> None:
        self.sums = Sums()
        self._server = server
        self._tell = tell
        self._note = note
        self._dry = dry

    def into(self, folder: Path, run_id: str) -> None:
        """Those of a run, below a folder that is its own; `tell` hears of what cannot be. Denied, Unavailable."""
        for file in self._server.files(run_id):
            try:
                self._bring(run_id, file, place_of(folder, file.path))
            except (Refused, ValueError, OSError) as error:  # noqa: PERF203  each may fail alone
                self._tell(f"run {run_id}, file {file.path!r}: {error}")

    def _bring(self, run_id: str, file: Stored, place: Path) -> None:
        same = place.is_file() and is_same(LocalFile(path=file.path, place=place), file)
        self.sums.add(file.size, there=same)
        if same or self._dry:
            return
        self._note(shown(file.path, file.size))
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.part")
        try:
            self._server.fetch(run_id, file.path, part)
            if digest(part) != file.sha256:
                self._tell(f"{part}: what came is not what the server has")
                return
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        self.sums.moved += 1
