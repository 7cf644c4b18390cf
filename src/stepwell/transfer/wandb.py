"""Folders that W&B's client has written, offline or not: what is in them of each run, without W&B's server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from stepwell.transfer.files import LocalFile, below, files_named
from stepwell.transfer.runs import Moved, Run, Tell, microseconds, run_id
from stepwell.transfer.wandb_files import Began, Ended, Values, decode, records

_FILES: Final = "run-*.wandb"
_OFTEN: Final = 1000  # records
_NOTES: Final = "mlflow.note.content"  # the tag that is shown as a run's notes
_WORDS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def read(place: Path, experiment: str | None, tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs of a file or of all files below a folder, those of one run together. experiment None: W&B's project.
    `tell` hears of what is damaged. ValueError: there are none.
    """
    paths = [place] if place.is_file() else sorted(files_named(place, _FILES, tell), key=_when)
    if not paths:
        raise ValueError(f"{place}: no files of W&B ({_FILES}) are below it")
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(path.name, []).append(path)
    total, before = sum(path.stat().st_size for path in paths), 0
    for group in groups.values():
        yield from _read_group(group, experiment, tell, moved, (before, total))
        before += sum(path.stat().st_size for path in group)
        moved(min(before, total), total, group[-1].name)


def _when(path: Path) -> tuple[str, str]:
    """A run that was resumed has a folder for each time, named by the moment."""
    return path.parent.name.removeprefix("offline-"), str(path)


def _read_group(
    paths: Sequence[Path], experiment: str | None, tell: Tell, moved: Moved, place: tuple[int, int]
) -> Iterator[Run]:
    """Files of one name are of one run, unless they are of two projects."""
    found: dict[str, _Reading] = {}
    before, total = place
    for path in paths:
        reading: _Reading | None = None
        try:
            with path.open("rb") as file:
                for count, data in enumerate(records(file, partial(_tell, tell, path)), 1):
                    try:
                        told = decode(data)
                        if isinstance(told, Began):
                            id_ = run_id("wandb", told.entity, told.project, told.id)
                            reading = found.setdefault(id_, _Reading(id_))
                            reading.files.update({each.path: each for each in below(path.parent / "files", tell)})
                        if reading is not None and told is not None:
                            reading.take(told)
                    except (ValueError, IndexError, OverflowError):
                        tell(f"{path}, before byte {file.tell()}: a record is damaged")
                    if not count % _OFTEN:
                        moved(before + file.tell(), total, path.name)
        except (ValueError, OSError) as error:
            tell(f"{path}: {error}")
        before += path.stat().st_size
    for reading in found.values():
        yield reading.run(experiment)


def _tell(tell: Tell, path: Path, what: str) -> None:
    tell(f"{path}, {what}")


class _Reading:
    """One run while its records come."""

    def __init__(self, id: str) -> None:
        self._run = Run(id=id, status="RUNNING")
        self._project = ""
        self._params: dict[str, str] = {}
        self._summary: dict[str, Any] = {}
        self._last = (0, 0)
        self.files: dict[str, LocalFile] = {}

    def take(self, told: Values | Began | Ended) -> None:
        """The next record. OverflowError: a step or time beyond 64 bits."""
        if isinstance(told, Began):
            self._begin(told)
        elif isinstance(told, Ended):
            self._run.status = "FAILED" if told.code else "FINISHED"
        elif told.kind == "history":
            self._add(told)
        elif told.kind == "system":
            self._last = (self._last[0], max(self._last[1], told.time_us))
            for path, value in told.set:
                self._point("system/" + ".".join(path), told.time_us // 1000, told.time_us, value)
        else:
            kept = self._params if told.kind == "config" else self._summary
            _change(kept, told, _text if told.kind == "config" else _number)

    def run(self, experiment: str | None) -> Run:
        """What has come. A number that only the summary has is a point at the end of a run that has ended."""
        run, (step, time_us) = self._run, self._last
        run.experiment = experiment or self._project or None
        run.params = dict(self._params)
        run.files = self.files.values()
        if run.status == "RUNNING":
            return run
        run.end_time_us = time_us or run.start_time_us
        logged = {name.metric for name in run.series}
        for key, value in self._summary.items():
            if key not in logged:
                self._point(key, step, time_us, value)
        return run

    def _begin(self, told: Began) -> None:
        run = self._run
        run.status = "RUNNING"
        run.name = told.name or run.name or told.id
        if told.start_us is not None:
            run.start_time_us = min(told.start_us, told.start_us if run.start_time_us is None else run.start_time_us)
            self._last = (self._last[0], max(self._last[1], told.start_us))
        about = {"wandb.id": told.id, "wandb.entity": told.entity, "wandb.project": told.project}
        about |= {f"wandb.{name}": text for name, text in told.about.items()}
        about[_NOTES] = told.notes
        run.tags = {**run.tags, **{name: text for name, text in about.items() if text}, **dict.fromkeys(told.tags, "")}
        self._project = told.project or self._project
        if told.config is not None:
            _change(self._params, told.config, _text)

    def _add(self, told: Values) -> None:
        values = {".".join(path): value for path, value in told.set}
        step, seconds = values.get("_step"), values.get("_timestamp")
        step = step if isinstance(step, int) else told.step
        time_us = microseconds(seconds) if isinstance(seconds, (int, float)) else self._last[1]
        self._last = max(self._last[0], step), max(self._last[1], time_us)
        for path, value in told.set:
            for key, number in _flat(path, value, _number):
                self._point(key, step, time_us, number)

    def _point(self, key: str, step: int, time_us: int, value: Any) -> None:
        number = _number(value)
        if number is not None and not key.startswith("_"):
            self._run.points(key).add(step, time_us, number)


def _change(kept: dict[str, Any], told: Values, form: Any) -> None:
    """Set what is told in place of what was below its path."""
    gone = [".".join(path) for path in told.removed] + [".".join(path) for path, _ in told.set]
    for key in [key for key in kept if any(key == each or key.startswith(each + ".") for each in gone)]:
        del kept[key]
    for path, value in told.set:
        if not path[0].startswith("_"):
            kept.update(_flat(path, value, form))


def _flat(path: Iterable[str], value: Any, form: Any) -> Iterator[tuple[str, Any]]:
    """The values inside of a value by the names on the way to them. What has a type of W&B's own, a picture say, is
    none."""
    if isinstance(value, dict) and value:
        if "_type" not in value:
            for name, inner in value.items():
                yield from _flat((*path, name), inner, form)
        return
    found = form(value)
    if found is not None:
        yield ".".join(path), found


def _number(value: Any) -> float | None:
    """True is 1. None: it is no number, or one beyond the range of 64 bits."""
    if isinstance(value, str):
        return _WORDS.get(value)
    if not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
