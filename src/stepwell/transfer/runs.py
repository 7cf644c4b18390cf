"""A run on its way: what a source says of it, and its points in columns. Nothing here knows of files or servers."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from stepwell.transfer.files import File

Labels: TypeAlias = tuple[tuple[str, str], ...]  # sorted by name
Point: TypeAlias = tuple[int, int, int]  # step, time in microseconds, key of the value: points sort as the server's do
Tell: TypeAlias = Callable[[str], None]
Moved: TypeAlias = Callable[[int, int, str], None]  # how much of how much has been read, and what is being read

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
INT64: Final = range(-(2**63), 2**63)
_LOW63: Final = 2**63 - 1
_NAN: Final = 0x7FF8000000000000
_INT, _DOUBLE, _ROW = struct.Struct("<q"), struct.Struct("<d"), struct.Struct("<qqq")


@dataclass(frozen=True, slots=True, order=True)
class SeriesName:
    """Which series of a run."""

    metric: str
    labels: Labels = ()


class Points:
    """Points of one series, three columns of 64 bits each, in any order until they are `settled`."""

    __slots__ = ("keys", "steps", "times")

    def __init__(self) -> None:
        self.steps = array("q")
        self.times = array("q")
        self.keys = array("q")

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Point]:
        return zip(self.steps, self.times, self.keys)  # noqa: B905  `add` keeps them equally long

    def add(self, step: int, time_us: int, value: float) -> None:
        """OverflowError: a step or time beyond 64 bits."""
        self.append((step, time_us, key_of(value)))

    def append(self, point: Point) -> None:
        """As `add`."""
        step, time_us, key = point
        if step not in INT64 or time_us not in INT64:
            raise OverflowError(f"step {step}, time {time_us} us: not within 64 bits")
        self.steps.append(step)
        self.times.append(time_us)
        self.keys.append(key)

    def settled(self) -> Points:
        """In the server's order, equal points once: itself where it is so already."""
        before: Point | None = None
        for point in self:
            if before is not None and before >= point:
                return of(sorted(set(self)))
            before = point
        return self


def of(points: Iterable[Point]) -> Points:
    """Points in columns."""
    found = Points()
    for point in points:
        found.append(point)
    return found


def key_of(value: float) -> int:
    """The integer that sorts as the value does: -Inf < -0.0 < 0.0 < +Inf < NaN; there is one NaN."""
    bits: int = _INT.unpack(_DOUBLE.pack(value))[0] if value == value else _NAN
    return bits ^ _LOW63 if bits < 0 else bits


def value_of(key: int) -> float:
    """The value behind `key_of`, bit by bit."""
    found: float = _DOUBLE.unpack(_INT.pack(key ^ _LOW63 if key < 0 else key))[0]
    return found


@dataclass(kw_only=True, slots=True)
class Run:
    """A run with all that a source has of it.

    id: what it is called on the server. experiment None: the default one. status, start_time_us, end_time_us None: the
    source does not know. files: may be asked for once. elsewhere: where its files are, if the source has not got them.
    """

    id: str
    experiment: str | None = None
    name: str = ""
    user: str = ""
    status: str | None = None
    start_time_us: int | None = None
    end_time_us: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    series: dict[SeriesName, Points] = field(default_factory=dict)
    files: Iterable[File] = ()
    elsewhere: str = ""

    def points(self, metric: str, labels: Labels = ()) -> Points:
        """Those of a series, which is made when it is missing."""
        return self.series.setdefault(SeriesName(metric, labels), Points())


def microseconds(seconds: float) -> int:
    """The nearest to a time in seconds; the product of both would be rounded twice. ValueError, OverflowError: it is
    NaN, or beyond 64 bits."""
    whole = math.floor(seconds)
    found = whole * 1_000_000 + round((seconds - whole) * 1e6)
    if found not in INT64:
        raise OverflowError(f"{seconds!r} seconds: not within 64 bits")
    return found


def run_id(*parts: str) -> str:
    """The id that the same source always gets: 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def file_name(run: str, end: str = "") -> str:
    """A name for a file of a run: its id where that can be one."""
    return (run if _PLAIN.fullmatch(run) else run_id(run)) + end


class Checksum:
    """SHA-256 over series and their points, in the order in which they are added."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._series: tuple[str, SeriesName] | None = None
        self.points = 0

    def add(self, run: str, name: SeriesName, point: Point) -> None:
        """Take in a point of a series of a run."""
        if self._series != (run, name):
            self._series = (run, name)
            self._hash.update(json.dumps([run, name.metric, name.labels]).encode())
        self._hash.update(_ROW.pack(*point))
        self.points += 1

    def merge(self, other: Checksum) -> None:
        """Take in another one, whole."""
        self._hash.update(str(other).encode())
        self.points += other.points

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]
