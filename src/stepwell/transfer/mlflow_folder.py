"""Runs out of a folder in which MLflow's client keeps them where it has no server (`mlruns`), which is only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from stepwell.transfer import mlflow, yaml_scalars
from stepwell.transfer.files import below
from stepwell.transfer.runs import Moved, Points, Run, Tell

_ABOUT: Final = "meta.yaml"
_STATUSES: Final = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
_About = Mapping[str, "str | None"]


def read(folder: Path, only: Sequence[str], tell: Tell, moved: Moved) -> Iterator[Run]:
    """The runs that are not deleted, oldest first. only: of these experiments; all where none is named. `tell` hears of
    what cannot be read. ValueError: it is no such folder, or has no such experiment.
    """
    place = folder / "mlruns" if (folder / "mlruns").is_dir() else folder
    experiments = {path: about["name"] or "" for path, about in _parts(place, tell, "name")}
    if not experiments:
        raise ValueError(f"{folder}: no folder of MLflow: none of its folders has a {_ABOUT} of an experiment")
    mlflow.check_only(only, experiments.values())
    found = [
        (path, about, name)
        for experiment, name in experiments.items()
        if not only or name in only
        for path, about in _parts(experiment, tell, "run_id", "run_uuid")
    ]
    found.sort(key=lambda each: ((each[1].get("start_time") or "").zfill(20), each[0].name))
    for count, (path, about, name) in enumerate(found):
        moved(count, len(found), about.get("run_name") or path.name)
        try:
            run = _run(path, about, name, tell)
        except (ValueError, OSError) as error:
            tell(f"{path}: {error}")
            continue
        for each in below(path / "metrics", tell):
            try:
                _take(run.points(each.path), each.place, tell)
            except OSError as error:  # noqa: PERF203  a file takes longer than any try
                tell(f"{each.place}: {error.strerror}")
        yield run
    moved(len(found), len(found), str(place))


def _parts(place: Path, tell: Tell, *named: str) -> Iterator[tuple[Path, _About]]:
    """The folders that say of themselves that they are what has such a name, without what is deleted."""
    try:
        folders = sorted(path for path in place.iterdir() if not path.name.startswith("."))
    except OSError as error:
        tell(f"{place}: {error.strerror}")
        return
    for folder in folders:
        path = folder / _ABOUT
        try:
            about = yaml_scalars.read(path.read_text(encoding="utf-8", errors="replace"))
        except (FileNotFoundError, NotADirectoryError):
            continue  # artifacts, say
        except OSError as error:
            tell(f"{path}: {error.strerror}")
            continue
        if any(about.get(name) for name in named) and about.get("lifecycle_stage", "active") == "active":
            yield folder, about


def _run(path: Path, about: _About, experiment: str, tell: Tell) -> Run:
    info = {
        "run_id": about.get("run_id") or about.get("run_uuid"),
        "name": about.get("run_name") or about.get("name"),
        "user": about.get("user_id"),
        "status": _STATUSES.get(about.get("status") or ""),
        "start_time": about.get("start_time"),
        "end_time": about.get("end_time"),
    }
    params, tags = ({each.path: _text(each.place) for each in below(path / kind, tell)} for kind in ("params", "tags"))
    run = mlflow.run(info, experiment, params, tags)
    mlflow.keep_files(run, about.get("artifact_uri") or "", tell, usual=path / "artifacts")
    return run


def _take(points: Points, path: Path, tell: Tell) -> None:
    """The points of a file: a time in milliseconds, a value and a step in each line."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for at, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return  # it is being written
            parts = line.split()
            try:
                points.add(int(parts[2]) if len(parts) > 2 else 0, int(parts[0]) * 1000, float(parts[1]))
            except (ValueError, IndexError, OverflowError):
                tell(f"{path}, line {at}: {line.strip()[:80]!r} is no point")


def _text(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()
