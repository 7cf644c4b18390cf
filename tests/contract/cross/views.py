"""What the client of each vendor can say of a run, whoever wrote it. The only table of what is lost on the way.

docs/reference/names-across.md tells it to people; a test holds the two together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contract.cross.drivers.telling import Point, Points, Run

ASPECTS = (
    "points",
    "latest",
    "status",
    "name",
    "experiment",
    "params",
    "tags",
    "note",
    "custom_info",
    "lines",
    "files",
    "usage",
    "listed",
    "display_id",
)
RESOURCES = ("cpu", "mem", "gpu", "gpu_mem", "npu", "npu_mem")
TOOLS = ("mlflow.", "oracle.")
MILLISECOND = 1000  # microseconds
SAP_TIMES = range(-62_135_596_800_000_000, 253_402_300_800_000_000)  # the years 1 to 9999

Seen = Callable[[Run], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """aspect -> what is seen of a run, and aspect -> why it is not. `ids`: of which runs the client can speak."""

    seen: Mapping[str, Seen]
    lost: Mapping[str, str] = field(default_factory=dict)
    ids: re.Pattern[str] = re.compile(r".*", re.DOTALL)


def whole(aspect: str) -> Seen:
    """As it was written."""
    return lambda run: run.get(aspect)


def yes(_: Run) -> bool:
    """It is so for every run."""
    return True


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that a person gave: those of a tool's own making begin with its name."""
    return {name: value for name, value in tags.items() if not name.startswith(TOOLS)}


def status_without_waiting(run: Run) -> str:
    """A run that waits for its start counts as running."""
    return "RUNNING" if run["status"] == "SCHEDULED" else run["status"]


def tags(run: Run) -> dict[str, str]:
    return own_tags(run["tags"])


def files(run: Run) -> list[str]:
    return sorted(run["files"])


def custom_info(run: Run) -> dict[str, str]:
    return run.get("custom_info", {})


def lines(run: Run) -> list[str]:
    return run.get("lines", [])


def texts_of_tags(run: Run) -> dict[str, str]:
    """Tags as texts: a value stands behind a colon."""
    return {f"{name}:{value}" if value else name: "" for name, value in own_tags(run["tags"]).items()}


def points_to(unit: int) -> Seen:
    """Every point, its time rounded down to a unit (microseconds)."""

    def seen(run: Run) -> Points:
        return {name: [(s, t // unit * unit, v) for s, t, v in series] for name, series in run["points"].items()}

    return seen


def finite_points(run: Run) -> Points:
    """Those whose value is a JSON number and whose time has an RFC 3339 text."""
    found = {
        metric: [point for point in series if math.isfinite(point[2]) and point[1] in SAP_TIMES]
        for metric, series in run["points"].items()
    }
    return {metric: series for metric, series in found.items() if series}


def one_point_per_step(run: Run) -> Points:
    """Of a step that was logged again the newest point counts; of two with one time the one that came later."""
    found: Points = {}
    for metric, series in run["points"].items():
        newest: dict[int, Point] = {}
        for step, time, value in series:
            if step not in newest or newest[step][1] <= time:
                newest[step] = (step, time, value)
        found[metric] = [(s, t // MILLISECOND * MILLISECOND, v) for s, t, v in newest.values()]
    return found


def latest(run: Run) -> dict[str, float]:
    """The value of the greatest (step, time, value); NaN is the greatest value."""
    return {metric: max(series, key=_order)[2] for metric, series in run["points"].items()}


def latest_finite(run: Run) -> dict[str, float]:
    """Of the points that have a finite value and are the newest of their step, the one with the greatest step."""
    found = {
        metric: [point for point in series if math.isfinite(point[2])]
        for metric, series in one_point_per_step(run).items()
    }
    return {metric: max(series)[2] for metric, series in found.items() if series}


def _order(point: Point) -> tuple[int, int, bool, float]:
    step, time, value = point
    return step, time, value != value, 0.0 if value != value else value


def usage(run: Run) -> dict[str, list[float]]:
    """All six metrics, equally long; -1 in a minute without a sample."""
    given = run["usage"]
    length = max(map(len, given.values()), default=0)
    return {name: given.get(name, [-1.0] * length) for name in RESOURCES}


NO_MINUTES = "usage is points like any other here; only ModelArts has means by minute"
NO_WORD = "no word for it"
NO_NUMBERS = "only Pluto has display ids"
_TRACKER: dict[str, Seen] = {
    "latest": latest,
    "status": whole("status"),
    "name": whole("name"),
    "experiment": whole("experiment"),
    "params": whole("params"),
    "tags": tags,
    "note": whole("note"),
    "files": files,
    "listed": yes,
}
_TRACKER_LOST = {"usage": NO_MINUTES, "display_id": NO_NUMBERS}
_MLFLOW_LOST = {"custom_info": NO_WORD, "lines": NO_WORD, **_TRACKER_LOST}
_MLFLOW_SEEN: dict[str, Seen] = {**_TRACKER, "points": points_to(MILLISECOND)}
_SAP = View(
    seen={"points": finite_points, "tags": tags, "note": whole("note"), "custom_info": custom_info},
    lost={
        "latest": "every metric comes as it arrived; the reader chooses",
        "status": "executions are run by another part of the vendor's service",
        "name": "an execution has an id alone",
        "experiment": "a resource group has executions, nothing between",
        "params": NO_WORD,
        "lines": NO_WORD,
        "files": NO_WORD,
        "usage": NO_MINUTES,
        "listed": "executions are asked for by id or tag, never listed",
        "display_id": NO_NUMBERS,
    },
    ids=re.compile(r"[\w.-]{4,64}", re.ASCII),
)

VIEWS: dict[str, View] = {
    "native": View(
        seen={**_TRACKER, "points": points_to(1), "custom_info": custom_info, "lines": lines}, lost=_TRACKER_LOST
    ),
    "mlflow": View(seen=_MLFLOW_SEEN, lost=_MLFLOW_LOST, ids=re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")),
    "oracle": View(
        seen={aspect: seen for aspect, seen in _MLFLOW_SEEN.items() if aspect != "files"},
        lost={"files": "its client lists a run's files and fetches none", **_MLFLOW_LOST},
    ),
    "pluto": View(
        seen={
            "points": one_point_per_step,
            "latest": latest_finite,
            "status": status_without_waiting,
            "name": whole("name"),
            "experiment": whole("experiment"),
            "params": whole("params"),
            "tags": texts_of_tags,
            "note": whole("note"),
            "lines": lines,
            "files": files,
            "listed": yes,
            "display_id": yes,
        },
        lost={"custom_info": NO_WORD, "usage": NO_MINUTES},
    ),
    "sap": _SAP,
    "sap-sdk": _SAP,
    "modelarts": View(
        seen={
            "status": whole("status"),
            "name": whole("name"),
            "params": whole("params"),
            "note": whole("note"),
            "lines": lines,
            "usage": usage,
            "listed": yes,
        },
        lost={
            "points": "only usage can be read, as means by minute",
            "latest": "only usage can be read, as means by minute",
            "experiment": "a project has jobs, nothing between",
            "tags": "a job's annotations are settings of the service",
            "custom_info": NO_WORD,
            "files": "a job's outputs lie in another service of the vendor",
            "display_id": NO_NUMBERS,
        },
    ),
}
