"""Trackio's SDK, with its database in a folder (TRACKIO_DIR)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import trackio
import work
from trackio.sqlite_storage import SQLiteStorage


class Trackio:
    """See work.Tracker."""

    def begin(self, folder: Path) -> None:  # noqa: D102
        trackio.init("work", name="only", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log(self, values: Mapping[str, float], step: int) -> None:  # noqa: D102
        trackio.log(dict(values), step=step)

    def end(self) -> None:  # noqa: D102
        trackio.finish()

    def read(self, folder: Path, metric: str) -> Iterable[tuple[int, float]]:  # noqa: D102
        return ((each["step"], each["value"]) for each in SQLiteStorage.get_metric_values("work", "only", metric))


if __name__ == "__main__":
    work.main(Trackio())
