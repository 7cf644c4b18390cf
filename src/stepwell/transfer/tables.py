"""Runs out of a table: a row is a moment (each column a metric) or a point (columns `metric` and `value`).

Cells are texts, numbers or moments, so that CSV and Parquet are the same here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation, Overflow
from math import isinf
from typing import Any, Final

from stepwell.transfer.runs import INT64, Labels, Run, run_id

_STEPS: Final = ("step", "_step", "global_step")
_TIMES: Final = ("time_us", "time_ms", "time", "timestamp", "_timestamp", "wall_time", "Wall time")
_RUNS: Final = ("run_id", "run", "run_name")
_MICROSECONDS: Final = {"_us": 1, "_ms": 1000}  # of one unit, by the end of the column's name; else seconds
_FRACTION: Final = re.compile(r"[.,](\d+)")  # of a second
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
Cell = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of a file. place: for people. position: how far in the file it is."""

    place: str
    position: int
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a person says of a table. step, time, run: columns, found by their usual names where None.

    leave_out: columns that are no metrics. id: of the one run that the table is, where no column names runs.
    """

    step: str | None = None
    time: str | None = None
    run: str | None = None
    leave_out: Sequence[str] = ()
    experiment: str | None = None
    id: str | None = None


class Table:
    """Gathers `runs` out of rows. source: goes into the ids of runs that have none; name: of the one run.

    start: of a run by its id, for rows that tell no time. ValueError: a column that is named is not there.
    """

    def __init__(
        self, header: Sequence[str], choice: Choice, *, source: str, name: str, start: Callable[[str], int]
    ) -> None:
        if len(set(header)) != len(header):
            raise ValueError("two columns have the same name")
        self.runs: dict[str, Run] = {}
        self._choice = choice
        self._source = source
        self._name = name
        self._start = start
        self._step = _column(header, choice.step, _STEPS)
        self._time = _column(header, choice.time, _TIMES)
        self._run = _column(header, choice.run, _RUNS)
        if self._run is not None and choice.id is not None:
            raise ValueError(f"column {header[self._run]!r} names the runs: one id cannot be theirs")
        self._by_id = self._run is not None and header[self._run] == "run_id"
        unit = "" if self._time is None else header[self._time][-3:]
        self._unit = _MICROSECONDS.get(unit, 1_000_000)
        self._cells = _pointwise(header) if {"metric", "value"} <= set(header) else self._momentwise(header)
        self._rows: dict[str, int] = {}

    def add(self, row: Sequence[Cell]) -> None:
        """A row. ValueError: a cell that cannot be read; nothing of the row is kept."""
        run = self._run_of(row)
        step = self._rows.get(run.id, 0) if self._step is None else integer(row[self._step], "step")
        found = [(metric, labels, number(cell, metric)) for metric, labels, cell in self._cells(row) if filled(cell)]
        time_us = self._time_of(row, run)
        self._rows[run.id] = self._rows.get(run.id, 0) + 1
        for metric, labels, value in found:
            run.points(metric, labels).add(step, time_us, value)

    def _time_of(self, row: Sequence[Cell], run: Run) -> int:
        if self._time is not None:
            time_us = microseconds(row[self._time], self._unit)
            run.start_time_us = min(time_us, time_us if run.start_time_us is None else run.start_time_us)
            run.end_time_us = max(time_us, time_us if run.end_time_us is None else run.end_time_us)
            return time_us
        if run.start_time_us is None:
            run.start_time_us = run.end_time_us = self._start(run.id)
        return run.start_time_us

    def _run_of(self, row: Sequence[Cell]) -> Run:
        key = self._name if self._run is None else str(row[self._run])
        if self._by_id or key in self.runs:
            return self.runs.setdefault(key, Run(id=key, experiment=self._choice.experiment))
        made = self._choice.id or run_id("table", self._source, key)
        return self.runs.setdefault(key, Run(id=made, name=key, experiment=self._choice.experiment))

    def _momentwise(self, header: Sequence[str]) -> Cells:
        used = {self._step, self._time, self._run}
        unknown = set(self._choice.leave_out) - set(header)
        if unknown:
            raise ValueError(f"there is no column {min(unknown)!r}")
        metrics = [
            (at, name) for at, name in enumerate(header) if at not in used and name not in self._choice.leave_out
        ]
        if not metrics:
            raise ValueError("no column is left that could be a metric")
        return lambda row: ((name, (), row[at]) for at, name in metrics)


Cells = Callable[[Sequence[Cell]], Iterator["tuple[str, Labels, Cell]"]]


def _pointwise(header: Sequence[str]) -> Cells:
    metric, value = header.index("metric"), header.index("value")
    labels = header.index("labels") if "labels" in header else None

    def cells(row: Sequence[Cell]) -> Iterator[tuple[str, Labels, Cell]]:
        yield str(row[metric]), () if labels is None else _labels(row[labels]), row[value]

    return cells


def _labels(cell: Cell) -> Labels:
    if not filled(cell):
        return ()
    return tuple(sorted(texts(cell, "labels").items()))


def _column(header: Sequence[str], named: str | None, usual: Sequence[str]) -> int | None:
    """Its place; None where none is named and none has a usual name."""
    if named is not None:
        if named not in header:
            raise ValueError(f"there is no column {named!r}; there are {', '.join(header)}")
        return header.index(named)
    lower = {name.lower(): at for at, name in reversed(list(enumerate(header)))}
    return next((lower[name.lower()] for name in usual if name.lower() in lower), None)


def filled(cell: Cell) -> bool:
    """Whether there is something in it."""
    return cell is not None and cell != ""


def number(cell: Cell, what: str) -> float:
    """A 64-bit float, nan and inf too. ValueError: it is none, or beyond all of them."""
    try:
        found = float(_written(cell))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what}: {str(cell)[:80]!r} is no number") from None
    if isinf(found) and (re.search(r"\d", cell) if isinstance(cell, str) else cell != found):
        raise ValueError(f"{what}: {str(cell)[:80]!r} is beyond a float of 64 bits")
    return found


def _written(cell: Cell) -> Cell:
    """What Python would read as 1000, and tables know as a text (`1_000`), as what nothing reads."""
    return "" if isinstance(cell, str) and "_" in cell else cell


def integer(cell: Cell, what: str) -> int:
    """A whole number, however it is written. ValueError."""
    try:
        exact = Decimal(_written(str(cell).strip()))
        if exact == exact.to_integral_value():
            return _within(exact, what)
    except InvalidOperation:
        pass
    raise ValueError(f"{what}: {str(cell)[:80]!r} is no whole number")


def _within(exact: Decimal, what: str) -> int:
    """InvalidOperation: it is NaN."""
    if not INT64.start <= exact < INT64.stop:
        raise ValueError(f"{what}: {str(exact)[:80]} is not within 64 bits")
    return int(exact)


def microseconds(cell: Cell, unit: int) -> int:
    """Since 1970 UTC. A number counts units of so many microseconds; a moment without a zone is UTC. ValueError."""
    moment = cell if isinstance(cell, datetime) else _moment(str(cell).strip())
    if moment is not None:
        since = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    try:
        return _within((Decimal(_written(str(cell).strip())) * unit).to_integral_value(), "time in microseconds")
    except (InvalidOperation, Overflow):
        raise ValueError(f"time: {str(cell)[:80]!r} is neither a number nor a moment") from None


def _moment(text: str) -> datetime | None:
    """As ISO 8601 writes it; None for a number."""
    if not (text[:4].isdigit() and text[4:5] == "-"):
        return None
    text = _FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", text, count=1)  # Python 3.10 reads six digits only
    try:
        return datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "zZ" else text)
    except ValueError:
        return None


def texts(cell: Cell, what: str) -> Mapping[str, str]:
    """A JSON object of texts. ValueError."""
    found = json.loads(cell) if filled(cell) else {}
    if not isinstance(found, dict):
        raise ValueError(f"{what}: {str(cell)[:80]!r} is no JSON object")  # noqa: TRY004  what a cell holds, not a type
    return {name: str(text) for name, text in found.items()}
