"""Stepwell's client and a server, which STEPWELL_URL names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import work

import stepwell


class Stepwell:
    """See work.Tracker."""

    def begin(self, folder: Path) -> None:  # noqa: D102
        self._run = stepwell.init(id="only", system=False, spool=folder / "spool")

    def log(self, values: Mapping[str, float], step: int) -> None:  # noqa: D102
        self._run.log(values, step=step)

    def end(self) -> None:  # noqa: D102
        self._run.finish()

    def read(self, folder: Path, metric: str) -> Iterable[tuple[int, float]]:  # noqa: D102
        found = stepwell.query(runs=["only"], frames="columns").points(metric)
        return zip(found["step"], found["value"], strict=True)


if __name__ == "__main__":
    work.main(Stepwell())
