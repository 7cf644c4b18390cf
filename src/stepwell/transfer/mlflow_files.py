"""Files of runs into an MLflow server that takes them itself (`mlflow-artifacts:`). Each is read back and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from stepwell.client.digests import digest
from stepwell.client.transport import Refused
from stepwell.transfer.files import Note, Stored, Sums, shown
from stepwell.transfer.mlflow_rest import Mlflow
from stepwell.transfer.runs import Tell
from stepwell.transfer.server import Server

_SERVED: Final = "mlflow-artifacts"


class MlflowFiles:
    """Brings the files of runs. dry: counts, and writes nothing."""

    def __init__(self, server: Server, target: Mlflow, tell: Tell, note: Note, *, dry: bool = False) -> None:
        self.sums = Sums()
        self._server = server
        self._mlflow = target
        self._tell = tell
        self._note = note
        self._dry = dry

    def bring(self, run_id: str, info: Mapping[str, Any]) -> None:
        """Those of a run that MLflow lacks, or has with another size. info: of the run in MLflow, {} where it is none.

        `tell` hears of what cannot be. Denied, Unavailable.
        """
        found = list(self._server.files(run_id))
        root = urlsplit(info.get("artifact_uri", ""))
        if found and info and root.scheme != _SERVED:
            self._tell(f"run {run_id}: MLflow keeps its files at {root.scheme or 'file'}:, and takes none itself")
            return
        there = dict(self._mlflow.files(info["run_id"])) if found and info else {}
        for file in found:
            self.sums.add(file.size, there=there.get(file.path) == file.size)
            if self._dry or there.get(file.path) == file.size:
                continue
            try:
                self._send(run_id, info["run_id"], f"{unquote(root.path).strip('/')}/{file.path}", file)
            except (Refused, OSError) as error:
                self._tell(f"run {run_id}, file {file.path!r}: {error}")

    def _send(self, run_id: str, number: str, place: str, file: Stored) -> None:
        self._note(shown(file.path, file.size))
        with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
            ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
            self._server.fetch(run_id, file.path, ours)
            self._mlflow.put(place, ours)
            with theirs.open("wb") as into:
                self._mlflow.fetch(number, file.path, into)
            if not digest(ours) == digest(theirs) == file.sha256:
                self._tell(f"run {run_id}, file {file.path!r}: it is not in MLflow as it is on the server")
        self.sums.moved += 1
