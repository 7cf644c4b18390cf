"""What writers remember of their runs, and how it is compared with what the server shows. Lost and double are counted.

A run's points are made by a rule, so that millions are remembered as one number: how many were acknowledged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import quote, urlencode

import numpy as np
from numpy.typing import NDArray

from crash.soak.talking import Secured

BEGIN: Final = 1_600_000_000_000_000  # microseconds: the time of the first point of every run
SECOND: Final = 10**6
DAY: Final = 86_400 * SECOND
PAGE: Final = 100_000
Columns = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]  # steps, values, times in microseconds


class Fate(Enum):
    """What was asked about a run, and whether that was acknowledged."""

    KEPT = auto()
    LEAVING = auto()  # deleted or purged was asked; it may have happened
    DELETED = auto()
    PURGED = auto()


@dataclass(slots=True)
class Remembered:
    """A run: of each of its series `sure` points were acknowledged, and those up to `asked` have been asked for."""

    id: str
    seed: int
    metrics: tuple[str, ...]
    secret: str
    labels: tuple[str, ...] = ()
    by_time: bool = False  # whether a point's step is its time in milliseconds
    most: int | None = None  # so many points of a series are kept
    sure: int = 0
    asked: int = 0
    whole: bool = True  # whether that holds for its requests
    stops: set[int] = field(default_factory=lambda: {0})  # where requests end: each is stored whole or not at all
    files: dict[str, str] = field(default_factory=dict)  # path -> SHA-256 of the content
    file_asked: tuple[str, str] | None = None
    fate: Fate = Fate.KEPT
    fate_at: int = 0
    silent_since: int | None = None  # nobody gives a sign of life any more

    def points(self, metric: int, start: int, stop: int) -> Columns:
        """Points of a metric, by its number in `metrics`."""
        numbers = np.arange(start, stop, dtype=np.int64)
        times = BEGIN + numbers * SECOND
        values = (numbers * 2_654_435_761 + self.seed * 7_919 + metric * 104_729) % 999_983 / 9_999.83
        return (times // 1_000 if self.by_time else numbers), values, times


@dataclass(slots=True)
class Found:
    """What checks have seen."""

    runs: int = 0
    points: int = 0
    files: int = 0
    lost: int = 0
    double: int = 0
    wrong: list[str] = field(default_factory=list)


def compare(talk: Secured, run: Remembered, found: Found, *, latest: int) -> None:
    """Look for everything of a run while its writer goes on. `latest`: the latest time that the server's clock showed.

    What was acknowledged before the looking must be there; what is there must have been asked for when it is over.
    """
    fate = run.fate
    sure, files = run.sure, dict(run.files)
    status = talk.ask("GET", f"/api/v1/runs/{quote(run.id)}", secret=run.secret).status
    if status == 404:
        gone = fate is Fate.PURGED or run.fate in {Fate.LEAVING, Fate.PURGED}
        if not gone and not (fate is Fate.DELETED and latest - run.fate_at > DAY):
            found.lost += sure * len(run.metrics)
            found.wrong.append(f"run {run.id} is gone with {sure} points a series; {fate}")
        return
    if status != 200:
        raise AssertionError(f"run {run.id}: {status}")
    if fate is Fate.PURGED:
        found.double += 1
        found.wrong.append(f"the purged run {run.id} is back")
    found.runs += 1
    for number, metric in enumerate(run.metrics):
        shown = _shown(talk, run, metric)
        if shown is None:  # purged meanwhile
            return
        _compare(run, number, shown, sure, found)
    _compare_files(talk, run, files, found)


def _compare(run: Remembered, number: int, shown: Columns, sure: int, found: Found) -> None:
    times = shown[2]
    asked = max(run.asked, run.sure)
    indexes = (times - BEGIN) // SECOND
    unique = np.unique(indexes)
    first = 0 if run.most is None else max(0, sure - run.most)
    if run.most is not None and unique.size:  # older ones may be there still, without a hole
        first = min(first, int(unique[0]))
    lost = np.setdiff1d(np.arange(first, sure), unique).size
    double = indexes.size - unique.size + np.count_nonzero((unique < 0) | (unique >= asked))
    right = run.points(number, 0, max(asked, 1))
    within = indexes[(indexes >= 0) & (indexes < asked)]
    kept = (indexes >= 0) & (indexes < asked)
    different = sum(int(np.count_nonzero(mine[within] != told[kept])) for mine, told in zip(right, shown, strict=True))
    part = run.whole and run.most is None and unique.size not in run.stops
    found.points += indexes.size
    found.lost += int(lost)
    found.double += int(double)
    if lost or double or different or part:
        found.wrong.append(
            f"run {run.id} {run.metrics[number]}: {lost} lost, {double} too many, {different} changed; "
            f"{unique.size} of {sure} to {asked}"
        )


def _shown(talk: Secured, run: Remembered, metric: str) -> Columns | None:
    """All points of a series, page by page; none where the run has gone."""
    pages: list[Any] = []
    cursor = ""
    while True:
        query = [("metric", metric), ("limit", str(PAGE)), *(("label", each) for each in run.labels)]
        if cursor:
            query.append(("cursor", cursor))
        answer = talk.ask("GET", f"/api/v1/runs/{quote(run.id)}/points?{urlencode(query)}", secret=run.secret)
        if answer.status == 404 and run.fate is not Fate.KEPT:
            return None
        assert answer.status == 200, f"run {run.id}: {answer.status} {answer.body[:300]!r}"
        page = answer.json
        pages.append(page)
        cursor = page["cursor"] or ""
        if not cursor:
            break
    return (
        np.concatenate([np.array(each["steps"], np.int64) for each in pages]),
        np.concatenate([np.array(each["values"], np.float64) for each in pages]),
        np.concatenate([np.array(each["times_us"], np.int64) for each in pages]),
    )


def _compare_files(talk: Secured, run: Remembered, files: dict[str, str], found: Found) -> None:
    for path, digest in files.items():
        before = run.file_asked
        answer = talk.ask("GET", f"/api/v1/runs/{quote(run.id)}/artifacts/{path}", secret=run.secret)
        if answer.status == 404 and run.fate is not Fate.KEPT:
            return
        shown = hashlib.sha256(answer.body).hexdigest()
        right = {
            digest,
            run.files.get(path),
            *(each[1] for each in (before, run.file_asked) if each and each[0] == path),
        }
        if answer.status != 200 or shown not in right:
            found.lost += 1
            found.wrong.append(f"run {run.id}: the file {path}: {answer.status}")
        found.files += 1
