"""The nouns of Stepwell as values (ARCHITECTURE.md, "Words"). Times are integer microseconds UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from stepwell.core.filters import Filter, OrderBy
from stepwell.core.page import Position
from stepwell.core.series import F64, I64, INT64_MAX, INT64_MIN, Labels
from stepwell.core.summary import NO_POINTS, LastPoints, Summary

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
DEFAULT_EXPERIMENT: Final = 0
_FIRST: Final = np.zeros(1, np.int64)  # `which` of a batch of one point
_FIRST.setflags(write=False)
_NUMBERS: Final[Mapping[str, tuple[int, type]]] = {
    "step": (0, np.int64),
    "time": (1, np.int64),
    "value": (2, np.float64),
}


class Status(StrEnum):
    """Where a run stands."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Lifecycle(StrEnum):
    """Deleted things are hidden, kept, and may be restored."""

    ACTIVE = "active"
    DELETED = "deleted"


class Visibility(StrEnum):
    """Which lifecycles a search sees."""

    ACTIVE = "active"
    DELETED = "deleted"
    ALL = "all"


class Repeats(StrEnum):
    """What an exact repeat of a stored point means."""

    RETRY = "retry"  # the same point, sent again: stored once
    APPEND = "append"  # another point that happens to be equal: takes the next free occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A tenant."""

    name: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A named group of runs. `id` counts from 0 ("Default") in each workspace and is never reused."""

    workspace: str
    id: int
    name: str
    artifact_location: str
    lifecycle: Lifecycle
    created_at: int
    updated_at: int
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExperiment:
    """`artifact_location` is stored as given and never opened."""

    name: str
    artifact_location: str = ""
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentWrite:
    """Changes to one experiment, all or none. None means unchanged.

    Deleting an experiment deletes its runs; restoring it restores all of them.
    """

    id: int
    name: str | None = None
    lifecycle: Lifecycle | None = None
    set_tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    remove_tags: tuple[str, ...] = ()
    at: int


@dataclass(slots=True, kw_only=True)
class Run:
    """One execution of training. `key` is never reused; `id` is unique in its workspace; `project_number` counts per
    experiment from 1. Not frozen, as RunWrite is not: a search makes thousands.
    """

    workspace: str
    key: int
    id: str
    experiment_id: int
    project_number: int
    name: str
    user: str
    status: Status
    status_reason: str
    lifecycle: Lifecycle
    artifact_uri: str
    origin: str  # which interface made it
    start_time: int | None
    end_time: int | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """`start_time` None means unknown. `artifact_uri` is stored as given and never opened."""

    id: str
    experiment_id: int = DEFAULT_EXPERIMENT
    name: str
    user: str = ""
    status: Status = Status.RUNNING
    artifact_uri: str = ""
    origin: str
    start_time: int | None = None
    params: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    at: int


@dataclass(slots=True, kw_only=True)
class PointBatch:
    """Points of one run on their way in: `series[which[i]]` is the series of point i.

    which: int64 indices; step: int64; time: int64 microseconds; value: float64. All columns equally long. Nobody
    changes one; it is not frozen, as RunWrite is not.
    """

    series: tuple[tuple[str, Labels], ...]  # (metric, labels), each once
    which: I64
    step: I64
    time: I64
    value: F64

    def __len__(self) -> int:
        return len(self.step)

    def used(self) -> PointBatch:
        """Without the series of which there is no point."""
        places = np.bincount(self.which, minlength=len(self.series)).nonzero()[0].tolist()
        if len(places) == len(self.series):
            return self
        which = np.searchsorted(places, self.which)
        series = tuple([self.series[place] for place in places])
        return PointBatch(series=series, which=which, step=self.step, time=self.time, value=self.value)

    @staticmethod
    def single(metric: str, *, step: int, time: int, value: float) -> PointBatch:
        """One point of a metric without labels; step and time within int64."""
        return OnePoint(metric, step, time, value)


class OnePoint(PointBatch):
    """A point alone. A column is made when somebody asks for it, which seldom happens: what is committed together is
    joined from the numbers.

    numbers: step and time (int64), value.
    """

    __slots__ = ("numbers",)

    def __init__(self, metric: str, step: int, time: int, value: float) -> None:
        self.series = ((metric, ()),)
        self.which = _FIRST
        self.numbers = (step, time, value)

    def __len__(self) -> int:
        return 1

    def __getattr__(self, name: str) -> I64 | F64:
        if name not in _NUMBERS:
            raise AttributeError(name)
        place, kind = _NUMBERS[name]
        made: I64 | F64 = np.array((self.numbers[place],), kind)
        setattr(self, name, made)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a run. `kind` is a short word, `text` is for people, `detail` is JSON text or ''."""

    time: int
    kind: str
    text: str
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class RunWrite:
    """Everything one request changes about one run, all or none. None means unchanged.

    A param once set keeps its value: setting it again to the same is nothing, to another is a Conflict. `records`
    have this run as their parent; they are inserted or replaced by (kind, id). `unchanged` are records that must be
    stored as they are here, `unchanged_tags` tags that must be (None: not there), else nothing is: a Conflict. `make`
    is the run to make first where there is none of this id, and its workspace with it. An event that is there already,
    exactly, is not stored again. `remove_tags` must be there, `clear_tags` need not be.

    Nobody changes one. It is not frozen: a frozen one takes eight times as long to make, a tenth of a small request.
    """

    run_id: str
    make: NewRun | None = None
    points: PointBatch | None = None
    repeats: Repeats = Repeats.RETRY
    params: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    set_tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    remove_tags: tuple[str, ...] = ()
    clear_tags: tuple[str, ...] = ()
    set_custom_info: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    name: str | None = None
    status: Status | None = None
    status_reason: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    lifecycle: Lifecycle | None = None
    events: tuple[Event, ...] = ()
    records: tuple[Record, ...] = ()
    unchanged: tuple[Record, ...] = ()
    unchanged_tags: Mapping[str, str | None] = field(default_factory=lambda: NOTHING)
    at: int

    @property
    def only_points(self) -> bool:
        """Whether nothing but points changes: the path that must be fast."""
        return not (
            self.make is not None
            or self.params
            or self.set_tags
            or self.remove_tags
            or self.clear_tags
            or self.set_custom_info
            or self.events
            or self.records
            or self.unchanged
            or self.unchanged_tags
            or self.name is not None
            or self.status is not None
            or self.status_reason is not None
            or self.start_time is not None
            or self.end_time is not None
            or self.lifecycle is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Series of one run: a metric, with the given labels, or (None) the union of its label sets."""

    run_id: str
    metric: str
    labels: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which points: closed intervals of steps and of times (microseconds)."""

    min_step: int = INT64_MIN
    max_step: int = INT64_MAX
    min_time: int = INT64_MIN
    max_time: int = INT64_MAX


EVERYTHING: Final = Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInfo:
    """A series of a run, and what it holds."""

    metric: str
    labels: Labels
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSet:
    """A series of a run, by its name alone."""

    run_id: str
    metric: str
    labels: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What of each run a search brings along: names, or None for all of that kind. Custom info, which may be
    megabytes, only comes when it is asked for. last: of the metrics only their last points, which cost far less than
    summaries.
    """

    metrics: tuple[str, ...] | None = None
    last: bool = False
    params: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    custom_info: tuple[str, ...] | None = ()


ALL_COLUMNS: Final = Columns()
NO_COLUMNS: Final = Columns(metrics=(), params=(), tags=())


@dataclass(slots=True, kw_only=True)  # as Run
class RunRow:
    """A run and what was asked of it. Names are sorted; a metric with labels appears as the union of its label sets.

    metrics: their summaries; last: instead of these their last points, where `Columns.last` asked for them. A store may
    give out a row again while nothing of it changed, so nobody else changes one; made: what dialects made of it, by
    their names, to be made once.
    """

    run: Run
    metrics: Mapping[str, Summary] = field(default_factory=dict)
    last: LastPoints = NO_POINTS
    params: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    custom_info: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    made: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """`experiment_ids` None searches all of the workspace. Without order: start_time descending, then id. `skip` rows
    behind `after` are left out, for numbered pages; skipping costs a look at each, so whoever can takes `after`.
    """

    experiment_ids: tuple[int, ...] | None = None
    filter: Filter = ()
    order: tuple[OrderBy, ...] = ()
    visibility: Visibility = Visibility.ACTIVE
    limit: int
    after: Position | None = None
    skip: int = 0
    columns: Columns = ALL_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentQuery:
    """Without order: created_at descending, then id descending."""

    filter: Filter = ()
    order: tuple[OrderBy, ...] = ()
    visibility: Visibility = Visibility.ACTIVE
    limit: int
    after: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A typed entity. `body` is JSON text; `unique` values are unique per (workspace, kind, name); `indexed` can be
    found by.

    `parent` ties it to a run id ("" for none): it goes when the run is purged.
    """

    kind: str
    id: str
    body: str
    parent: str = ""
    unique: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    indexed: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A console line of a run. `line` numbers rise within (run, stream)."""

    stream: str
    line: int
    time: int
    text: str
    level: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """A stored file, or (size None) a folder that holds some. `path` is relative to its owner, '/'-separated."""

    path: str
    size: int | None
    sha256: bytes = b""
    stored_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Stored bytes that fail their checksum: where, and what it costs."""

    place: str
    cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How far a copy of a store is: bytes of all, and what is being copied."""

    done: int
    total: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A run that is being written to: so many points of so many series wait in memory."""

    workspace: str
    run_id: str
    name: str
    points: int
    series: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Numbers of the engine for operators: name -> value. Names are in docs/reference/metrics.md."""

    gauges: Mapping[str, float]
    counters: Mapping[str, float]
    commit_seconds: tuple[tuple[float, int], ...]  # histogram: (upper bound, cumulative count)
    commit_seconds_sum: float
