"""The named statements of the points, and whose points a statement is asked for. No statement is written here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stepwell.core.model import Window
from stepwell.core.series import I64, INT64_MAX, Points, values_of
from stepwell.storage.warehouse.points.cuts import Cut, alive, hidden
from stepwell.storage.warehouse.points.rows import Rows
from stepwell.storage.warehouse.points.server import Server
from stepwell.storage.warehouse.points.waiting import Waiting

_NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_PARTS: Final = _NAME.split(files(__package__).joinpath("queries.sql").read_text("utf-8"))
SQL: Final[Mapping[str, str]] = dict(zip(_PARTS[1::2], _PARTS[2::2], strict=True))


def select(server: Server, name: str, width: int, values: Mapping[str, Any], cuts: Sequence[Cut] = ()) -> list[I64]:
    """The columns of a named statement's answer, `width` of them, as int64."""
    columns = server.select(SQL[name].replace("{alive}", alive(cuts)), values, [np.int64] * width)
    return [column.astype(np.int64, copy=False) for column in columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How many rows there are, repeats included, and between which numbers they lie."""

    count: int
    min_step: int
    max_step: int
    min_time: int
    max_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Some series of one run in a window, as of the moment at which `waiting` was taken."""

    server: Server
    run: int
    series: tuple[int, ...] | None  # None: all of the run
    window: Window
    waiting: Rows  # of these series, in the window, with an arrival below `end`, and not hidden
    cuts: tuple[Cut, ...]  # of these series
    end: int
    at_once: int  # rows that are read into memory together

    @classmethod
    def of(
        cls,
        server: Server,
        *,
        run: int,
        series: Sequence[int] | None,
        window: Window,
        waiting: Waiting,
        at_once: int,
    ) -> Scope:
        """The scope of a read."""
        rows = waiting.rows
        rows = rows.take(rows.run == run) if series is None else rows.of_series(series)
        rows = rows.take(rows.points.arrival < waiting.end)
        cuts = tuple(cut for cut in waiting.cuts if cut.run == run and (series is None or cut.series in series))
        rows = rows.take(~hidden(rows, cuts))
        return cls(
            server=server,
            run=run,
            series=None if series is None else tuple(series),
            window=window,
            waiting=rows.take(within(rows.points, window)),
            cuts=cuts,
            end=waiting.end,
            at_once=at_once,
        )

    def narrowed(self, window: Window) -> Scope:
        """The same in a window that lies in this one."""
        rows = self.waiting.take(within(self.waiting.points, window))
        return replace(self, window=window, waiting=rows)

    def select(self, name: str, width: int, **values: Any) -> list[I64]:
        """The columns of a statement about this scope."""
        window = self.window
        return select(
            self.server,
            name,
            width,
            {
                "run": self.run,
                "series": self.series or (),
                "min_step": window.min_step,
                "max_step": window.max_step,
                "min_time": window.min_time,
                "max_time": window.max_time,
                "end_age": age_of(self.end),
                **values,
            },
            () if self.series is None else self.cuts,  # too many to be named where the whole run is asked for
        )

    def extent(self) -> Extent:
        """Between which steps and times the stored rows lie, and how many there are, repeats included."""
        numbers = (int(column[0]) for column in self.select("extent", 5))
        count, min_step, max_step, min_time, max_time = numbers
        return Extent(count=count, min_step=min_step, max_step=max_step, min_time=min_time, max_time=max_time)

    def least(self, name: str) -> int | None:
        """The number that a statement answers behind a count; None when the count is 0."""
        count, number = (int(column[0]) for column in self.select(name, 2))
        return number if count else None

    def rows(self, name: str, **values: Any) -> Rows:
        """The rows of a statement that answers series, step, time, value key, occurrence and age."""
        return rows_of(self.select(name, 6, **values), self.run)


def within(points: Points, window: Window) -> NDArray[np.bool_]:
    """Which points are in the window."""
    mask: NDArray[np.bool_] = (points.step >= window.min_step) & (points.step <= window.max_step)
    mask &= (points.time >= window.min_time) & (points.time <= window.max_time)
    return mask


def rows_of(columns: Sequence[I64], run: int | I64) -> Rows:
    """Rows from the columns series, step, time, value key, occurrence and age."""
    series, step, time, value_key, occurrence, age = columns
    return Rows(
        run=run if isinstance(run, np.ndarray) else np.full(len(series), run, np.int64),
        series=series,
        points=Points(step=step, time=time, value=values_of(value_key), occurrence=occurrence, arrival=INT64_MAX - age),
    )


def age_of(arrival: int) -> int:
    """What is stored for an arrival number: the lesser it is the greater, as the row with the greatest age is kept."""
    return INT64_MAX - arrival


def arrival_of(age: int) -> int:
    """The arrival number that was stored as `age`."""
    return INT64_MAX - age
