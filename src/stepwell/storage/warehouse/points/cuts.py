"""What of a series is not to be read any more: a cut hides rows until they are removed. Pure: no SQL is run here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.series import I64, INT64_MAX, INT64_MIN, value_key
from stepwell.core.summary import Sample
from stepwell.storage.warehouse.points.rows import Rows

Key = tuple[int, int, int, int]  # step, time, value key, occurrence
NOTHING: Final[Key] = (INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN)  # nothing comes before it
_COLUMNS: Final = ("step", "time", "value_key", "occurrence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Rows of one series that arrived before the number `before` and have a time before `since`, but for the point
    `last`, or a key before `pivot`.

    What arrives later is not cut, whatever its step and time. `made` is an arrival number that nothing has: whatever
    was summed up before it has the hidden points in it.
    """

    run: int
    series: int
    before: int
    made: int
    since: int = INT64_MIN
    last: tuple[int, int, int] = (INT64_MIN, INT64_MIN, INT64_MIN)  # step, time, value key
    pivot: Key = NOTHING

    @classmethod
    def aged(cls, *, run: int, series: int, before: int, since: int | None, last: Sample) -> Cut:
        """What is older than a time (None: nothing), but for the last point. It is not made yet."""
        kept = (last.step, last.time, value_key(last.value))
        since = INT64_MIN if since is None else since
        return cls(run=run, series=series, before=before, made=INT64_MAX, since=since, last=kept)

    @property
    def hides_anything(self) -> bool:
        """Whether it says anything at all."""
        return self.since != INT64_MIN or self.pivot != NOTHING

    @property
    def condition(self) -> str:
        """What the hidden rows are, for ClickHouse. Only whole numbers are in it."""
        step, time, key = self.last
        why = []
        if self.since != INT64_MIN:
            why.append(f"(time < {self.since} AND NOT (step = {step} AND time = {time} AND value_key = {key}))")
        if self.pivot != NOTHING:
            why.append(_before(self.pivot))
        age = INT64_MAX - self.before
        return f"(run = {self.run} AND series = {self.series} AND age > {age} AND ({' OR '.join(why)}))"

    def hides(self, rows: Rows, *, whenever: bool = False) -> NDArray[np.bool_]:
        """Which rows it hides; `whenever`: or would, had they arrived in time."""
        series, step, time, key, occurrence = rows.identities()
        kept = (step == self.last[0]) & (time == self.last[1]) & (key == self.last[2])
        found: NDArray[np.bool_] = (time < self.since) & ~kept
        equal = np.ones(len(rows), np.bool_)
        for column, bound in zip((step, time, key, occurrence), self.pivot, strict=True):
            found |= equal & (column < bound)
            equal &= column == bound
        found &= series == self.series
        if not whenever:
            found &= rows.points.arrival < self.before
        return found

    def touches(self, first_step: I64, min_time: I64) -> NDArray[np.bool_]:
        """In which stretches of the series, by their first step and least time, there may be hidden points."""
        found: NDArray[np.bool_] = min_time < self.since
        if self.pivot != NOTHING:
            found = found | (first_step <= self.pivot[0])
        return found

    def outdoes(self, other: Cut) -> bool:
        """Whether it hides all that an earlier cut of the series does."""
        kept = self.last == other.last or self.last[1] >= other.since
        return self.since >= other.since and self.pivot >= other.pivot and self.before >= other.before and kept


def hidden(rows: Rows, cuts: Iterable[Cut], *, whenever: bool = False) -> NDArray[np.bool_]:
    """Which rows some cut hides."""
    found = np.zeros(len(rows), np.bool_)
    for cut in cuts:
        found |= cut.hides(rows, whenever=whenever)
    return found


def alive(cuts: Sequence[Cut]) -> str:
    """What a statement adds to its conditions to leave out what is hidden."""
    return "".join(f" AND NOT {condition}" for condition in conditions(cuts))


def conditions(cuts: Iterable[Cut]) -> list[str]:
    """What is hidden, for ClickHouse: one condition for all series of a run that were cut at the same time."""
    found, together = [], dict[tuple[int, int, int], list[Cut]]()
    for cut in cuts:
        if cut.pivot == NOTHING:
            together.setdefault((cut.run, cut.before, cut.since), []).append(cut)
        else:
            found.append(cut.condition)
    for (run, before, since), some in together.items():
        series = ", ".join(str(cut.series) for cut in some)
        lasts = ", ".join(str((cut.series, *cut.last)) for cut in some)
        found.append(
            f"(run = {run} AND age > {INT64_MAX - before} AND time < {since} AND series IN ({series}) "
            f"AND (series, step, time, value_key) NOT IN ({lasts}))"
        )
    return found


def _before(pivot: Key) -> str:
    """`(step, ...) < pivot`, in words that old versions take."""
    *rest, (column, bound) = zip(_COLUMNS, pivot, strict=True)
    text = f"{column} < {bound}"
    for column, bound in reversed(rest):
        text = f"({column} < {bound} OR ({column} = {bound} AND {text}))"
    return text
