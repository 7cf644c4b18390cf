"""Folders of TensorBoard: each folder that has event files is a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from stepwell.transfer.event_files import Damaged, Event, encode, events, record
from stepwell.transfer.files import files_named
from stepwell.transfer.runs import Moved, Point, Run, SeriesName, Tell, file_name, key_of, run_id, value_of

_MARK: Final = "tfevents"
_SCALARS: Final = ("", "scalars")
_OFTEN: Final = 1000  # events
_UNUSUAL: Final = re.compile(r"[^\w. =+-]")  # in the name of a folder


def read(folder: Path, experiment: str | None, tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs in the order of their folders. experiment None: called as the folder. `tell` hears of what is damaged.
    ValueError: there are none.

    A run has the same id wherever the folder lies: that of its place in the folder and the name of its first file.
    """
    groups: dict[Path, list[Path]] = {}
    for path in files_named(folder, f"*{_MARK}*", tell):
        groups.setdefault(path.parent, []).append(path)
    if not groups:
        raise ValueError(f"{folder}: no event files (*{_MARK}*) are below it")
    total = sum(path.stat().st_size for paths in groups.values() for path in paths)
    before = 0
    for parent, paths in groups.items():
        name = parent.relative_to(folder).as_posix()
        run = Run(
            id=run_id("tensorboard", name, paths[0].name),
            experiment=experiment or folder.resolve().name or None,
            name=folder.resolve().name if name == "." else name,
            status="FINISHED",
        )
        before = _read_run(run, paths, tell, moved, (before, total))
        yield run


def _read_run(run: Run, paths: Sequence[Path], tell: Tell, moved: Moved, place: tuple[int, int]) -> int:
    before, total = place
    plugins: dict[str, str] = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                for count, event in enumerate(events(file, partial(_tell, tell, path)), 1):
                    _take(run, event, plugins)
                    if not count % _OFTEN:
                        moved(before + file.tell(), total, run.name)
        except Damaged as error:
            tell(f"{path}, {error}; the rest of this file is left out")
        except OSError as error:
            tell(f"{path}: {error.strerror}")
        before += path.stat().st_size
    moved(min(before, total), total, run.name)
    return before


def _tell(tell: Tell, path: Path, what: str) -> None:
    tell(f"{path}, {what}")


def _take(run: Run, event: Event, plugins: dict[str, str]) -> None:
    """The scalars of a moment. The first value of a tag says whose it is."""
    run.start_time_us = min(event.time_us, event.time_us if run.start_time_us is None else run.start_time_us)
    run.end_time_us = max(event.time_us, event.time_us if run.end_time_us is None else run.end_time_us)
    for scalar in event.scalars:
        if plugins.setdefault(scalar.tag, scalar.plugin) in _SCALARS and scalar.value is not None:
            run.points(scalar.tag).add(event.step, event.time_us, scalar.value)


class BoardFolder:
    """What an export writes: for each run a folder with one event file. Values keep their 64 bits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, run: Run) -> Path:
        """Where the points of a run are; its folder is what TensorBoard shows as its name."""
        name = _UNUSUAL.sub("_", run.name)[:80].lstrip(".")
        seconds = (run.start_time_us or 0) // 1_000_000
        return self._folder / f"{name}-{run_id(run.id)[:8]}" / f"events.out.tfevents.{seconds}.{file_name(run.id)}"

    def files(self, run: Run) -> Path | None:
        """TensorBoard would take any for events."""

    def name(self, name: SeriesName) -> SeriesName:
        """Tags have no labels: those of a series stand behind its metric."""
        return SeriesName(name.metric + json.dumps(dict(name.labels))) if name.labels else name

    def write(self, path: Path, run: Run, points: Iterable[tuple[SeriesName, Point]]) -> None:
        """An event file: its version, then one event for each point."""
        before: SeriesName | None = None
        with path.open("wb") as file:
            file.write(record(encode(run.start_time_us or 0, 0)))
            for name, (step, time_us, key) in points:
                tag = self.name(name).metric
                file.write(record(encode(time_us, step, tag=tag, value=value_of(key), first=name != before)))
                before = name

    def points(self, path: Path) -> Iterator[tuple[SeriesName, Point]]:
        """What `write` wrote. ValueError: some of it is damaged."""
        damages: list[str] = []
        with path.open("rb") as file:
            try:
                for event in events(file, damages.append):
                    for scalar in event.scalars:
                        if scalar.value is not None:
                            yield SeriesName(scalar.tag), (event.step, event.time_us, key_of(scalar.value))
            except Damaged as error:
                raise ValueError(f"{path}, {error}") from None
        if damages:
            raise ValueError(f"{path}, {damages[0]}")

    def finish(self, runs: Iterable[Run]) -> None:
        """Nothing stands beside them."""
