"""What MLflow says of runs, in our words: for its servers, databases and folders alike."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from stepwell.transfer.files import below
from stepwell.transfer.runs import Point, Run, Tell, key_of

_STATUSES: Final = frozenset({"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"})
_NAME_TAG: Final = "mlflow.runName"  # holds the name once more, or alone in old versions
_USER_TAG: Final = "mlflow.user"
_INFINITY: Final = sys.float_info.max


def run(info: Mapping[str, Any], experiment: str, params: Mapping[str, str], tags: Mapping[str, str]) -> Run:
    """A run, without points and files. info: run_id, name, user, status; in milliseconds start_time and end_time."""
    status = info["status"]
    return Run(
        id=info["run_id"],
        experiment=experiment,
        name=info["name"] or tags.get(_NAME_TAG, ""),
        user=info["user"] or tags.get(_USER_TAG, ""),
        status=status if status in _STATUSES else None,
        start_time_us=microseconds(info["start_time"]),
        end_time_us=microseconds(info["end_time"]),
        params=params,
        tags={name: text for name, text in tags.items() if name != _NAME_TAG},
    )


def take(run: Run, key: str, found: Point, tell: Tell) -> None:
    """A point of a metric. `tell` hears of a time that was logged in nanoseconds, say: there are none so late."""
    try:
        run.points(key).append(found)
    except OverflowError as error:
        tell(f"run {run.id}, metric {key!r}: {error}")


def keep_files(run: Run, artifact_uri: str, tell: Tell, usual: Path | None = None) -> None:
    """Give a run the files that its client has kept on this machine, or tell that it has kept them elsewhere.

    usual: where they are too, if their folder was moved after they were written. `tell` hears of folders that cannot
    be read.
    """
    parts = urlsplit(artifact_uri)
    if parts.scheme not in ("", "file"):
        run.elsewhere = artifact_uri
        return
    folder = Path(unquote(parts.path) if parts.scheme else artifact_uri)
    if artifact_uri and folder.is_dir():
        run.files = below(folder, tell)
    elif usual is not None:
        run.files = below(usual, tell)


def check_only(only: Collection[str], names: Collection[str]) -> None:
    """ValueError: an experiment was asked for that is none of these."""
    missing = set(only) - set(names)
    if missing:
        raise ValueError(f"there is no experiment {min(missing)!r}")


def microseconds(milliseconds: Any) -> int | None:
    """None and 0 are no time."""
    return int(milliseconds) * 1000 if milliseconds else None


def point(told: Mapping[str, Any]) -> Point:
    """Of a metric, as its server tells it."""
    return int(told.get("step", 0)), int(told["timestamp"]) * 1000, key_of(value(told.get("value", 0.0)))


def value(stored: Any) -> float:
    """Of a metric: MLflow's databases have the largest floats where infinities were logged."""
    found = float(stored)
    return found if abs(found) != _INFINITY else float("inf") if found > 0 else float("-inf")
