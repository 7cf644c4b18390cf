"""Aim's SDK and a repository in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import work
from aim import Repo, Run
from aim.sdk.index_manager import RepoIndexManager
from aim.storage.context import Context


class Aim:
    """See work.Tracker."""

    def begin(self, folder: Path) -> None:  # noqa: D102
        self._repo = Repo.from_path(str(folder), init=True)
        self._run = Run(repo=self._repo, system_tracking_interval=None, capture_terminal_logs=False)

    def log(self, values: Mapping[str, float], step: int) -> None:  # noqa: D102
        self._run.track(dict(values), step=step)

    def end(self) -> None:  # noqa: D102
        self._run.close()
        RepoIndexManager.get_index_manager(self._repo).index(self._run.hash)  # as `aim up` does; else nobody finds it

    def read(self, folder: Path, metric: str) -> Iterable[tuple[int, float]]:  # noqa: D102
        (run,) = Repo.from_path(str(folder)).iter_runs()
        steps, (numbers,) = run.get_metric(metric, Context({})).data.view("val").numpy()
        return zip(steps.tolist(), numbers.tolist(), strict=True)


if __name__ == "__main__":
    work.main(Aim())
