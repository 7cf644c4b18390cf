"""How a driver and the test talk: what the client of one vendor wrote or reads, in words that are no vendor's.

A driver is a module that runs where its client is installed and nothing of ours is: `python -m
contract.cross.drivers.NAME write|join|read URL`, with runs on stdin as JSON and its answer on stdout as JSON.
Nothing here imports more than the standard library.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

SECOND = 1_000_000  # microseconds
START = 1_767_323_045 * SECOND  # 2026-01-02T03:04:05Z
NOTE_TAG = "mlflow.note.content"  # of the clients that have a word for tags and none for a note
AWKWARD = "100%25/%/ä b?c#d&e=f+g;h,i'\\j"  # a text, or a name where a client lets it through
STATUSES = ("SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED")

Point = tuple[int, int, float]  # step, time in microseconds, value
Points = dict[str, list[Point]]  # by metric, whatever its labels


class Run(TypedDict, total=False):
    """A run as its writer meant it, or as a reader sees it; a reader leaves out what its client cannot tell."""

    id: str
    name: str
    experiment: str
    status: str  # one of STATUSES
    params: dict[str, str]
    tags: dict[str, str]
    note: str | None
    custom_info: dict[str, str]
    lines: list[str]  # what the run said on its console, in order
    points: Points
    latest: dict[str, float]
    files: list[str]  # their contents
    usage: dict[str, list[float]]  # means of the first worker by minute; -1: no sample
    listed: bool  # whether a search finds it
    display_id: bool  # whether its display id and its number lead to it
    refused: str  # why it cannot be read at all
    shared: bool  # whether other clients go on with it
    gone: bool  # its writer has deleted it; of a reader: it finds nothing of it


Write = Callable[[str], list[Run]]  # URL -> what was written
Act = Callable[[str, list[Run]], list[Run]]  # URL and runs -> what was read of them, or added to them


def reading(first: float, second: float, third: float, *, start: int = START) -> list[tuple[int, float]]:
    """Three samples of a worker: two in its first minute and one in its third. `means` says what a minute has."""
    return [(start + SECOND, first), (start + 20 * SECOND, second), (start + 130 * SECOND, third)]


def means(first: float, second: float, third: float) -> list[float]:
    """The minutes of `reading`."""
    return [(first + second) / 2, -1.0, third]


def curve() -> list[Point]:
    """Points as training gives them: a falling loss, and one step that was done again."""
    return [*((step, START + step * SECOND, 1 / (step + 1)) for step in range(5)), (3, START + 9 * SECOND, 0.125)]


def awkward_points() -> list[Point]:
    """One step at several times and several values at one time, of doubles that no shorter number is."""
    values = [1 / 3, 9007199254740993.0, 1.7976931348623157e308, -5e-324]
    return [(2, START + place // 2 * SECOND, value) for place, value in enumerate(values)]


def odd_values() -> list[Point]:
    """Every kind of double; the last is finite."""
    values = [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 0.1]
    return [(step, START + step * SECOND, value) for step, value in enumerate(values)]


def status_runs(name: str, statuses: Iterable[str] = STATUSES) -> list[tuple[str, str]]:
    """(name of the run, status): runs that show nothing but how it stands with them."""
    return [(f"{name} {status}", status) for status in statuses]


def plain_run(run_id: str, *, name: str, experiment: str, status: str) -> Run:
    """A run without points, params, tags and files."""
    run = Run(id=run_id, name=name, experiment=experiment, status=status)
    run["params"], run["tags"], run["points"], run["usage"], run["files"] = {}, {}, {}, {}, []
    run["custom_info"], run["lines"] = {}, []
    return run


def shared_run(run_id: str, *, name: str, experiment: str) -> Run:
    """A running run with which every other client goes on."""
    run = plain_run(run_id, name=name, experiment=experiment, status="RUNNING")
    run["shared"] = True
    return run


def gone_run(run_id: str, *, name: str, experiment: str) -> Run:
    """A run that its writer has deleted."""
    run = plain_run(run_id, name=name, experiment=experiment, status="RUNNING")
    run["gone"] = True
    return run


def own_lines(texts: Iterable[str]) -> list[str]:
    """What a program said; a client says more on the console of its run."""
    return [text for text in texts if text.startswith("said ")]


def added(run: Run, client: str, *, tag: str = "yes") -> Run:
    """What a client adds to a shared run: a point, and a tag that has a value where the client's tags have one."""
    return Run(id=run["id"], points={f"by/{client}": [(1, START, 0.5)]}, tags={f"by-{client}": tag})


def tell(write: Write, read: Act, join: Act | None = None) -> None:
    """The main program of a driver: writes runs of its own, joins the shared ones of others, reads those of all.

    What its client prints goes to stderr.
    """
    answer_to = os.dup(1)
    os.dup2(2, 1)
    verb, url = sys.argv[1:]
    runs = json.load(sys.stdin)
    acts = {"write": lambda: write(url), "read": lambda: read(url, runs), "join": lambda: join and join(url, runs)}
    found: Any = acts[verb]()
    with os.fdopen(answer_to, "w") as out:
        json.dump(found, out)
