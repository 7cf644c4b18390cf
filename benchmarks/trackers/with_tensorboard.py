"""TensorBoard's own writer and reader of event files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import work
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class TensorBoard:
    """See work.Tracker. One event for each step: `add_scalar`, which most programs call, makes ten, and is slower."""

    def begin(self, folder: Path) -> None:  # noqa: D102
        self._writer = EventFileWriter(str(folder / "events"))

    def log(self, values: Mapping[str, float], step: int) -> None:  # noqa: D102
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))

    def end(self) -> None:  # noqa: D102
        self._writer.close()

    def read(self, folder: Path, metric: str) -> Iterable[tuple[int, float]]:  # noqa: D102
        return ((each.step, each.value) for each in _loaded(folder).Scalars(metric))


@cache
def _loaded(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "events"), size_guidance={SCALARS: 0})
    found.Reload()  # there is no other way than to read all of it
    return found


if __name__ == "__main__":
    work.main(TensorBoard())
