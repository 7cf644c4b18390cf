"""A Stepwell server whose store forgets points: requests are read, checked, translated and answered, and that is all.

    null_server.py DATA_DIR PORT

What it costs is what the real one can at best cost.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

from stepwell import app
from stepwell.core.clock import Clock
from stepwell.core.model import RunWrite
from stepwell.settings import Settings
from stepwell.storage.embedded import EmbeddedStore
from stepwell.storage.promise import Promise


class ForgetfulStore(EmbeddedStore):
    """Keeps everything but points, and of each run that is written to what comes first."""

    def __init__(self, directory: Path, *, clock: Clock) -> None:
        super().__init__(directory, clock=clock)
        self._seen: set[str] = set()

    def write(self, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
        """Done at once when it has points for runs that were written to before."""
        ids = {write.run_id for write in writes if write.points is not None}
        if len(ids) < len(writes) or not ids <= self._seen:
            self._seen |= ids
            return super().write(workspace=workspace, writes=[replace(write, points=None) for write in writes])
        done: Promise[None] = Promise()
        done.set_result(None)
        return done


def open_store(directory: Path, *, clock: Clock) -> ForgetfulStore:
    """As the real one is opened."""
    return ForgetfulStore(directory, clock=clock)


if __name__ == "__main__":
    app.open_store = open_store  # type: ignore[assignment]
    app.serve(Settings(data_dir=Path(sys.argv[1]), port=int(sys.argv[2])), ready=partial(print, flush=True))
