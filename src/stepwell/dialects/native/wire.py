"""The shapes of requests to the native API v1, from which the OpenAPI document is made. Nothing of ours but names.

Points travel in columns: equally long lists. Times are integer microseconds UTC in fields that end in `_us`. A value
that is not a finite number is written as a string: "NaN", "Infinity" or "-Infinity". The answers live in `answers`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, extra_json_schema={"format": "int64"})]
Number: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]
# The last time of core.limits is odd, and no double: this is the greatest double below it.
Milliseconds: TypeAlias = Annotated[float, Meta(ge=0, le=9_223_372_036_854_774)]
Percent: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000)]
StatusWord: TypeAlias = Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]
Visibility: TypeAlias = Literal["active", "deleted", "all"]
RoleWord: TypeAlias = Literal["reader", "writer", "admin"]
Lifecycle: TypeAlias = Literal["active", "deleted"]
Note: TypeAlias = Annotated[str, Meta(max_length=65_536)]
Names: TypeAlias = Annotated[list[str], Meta(max_length=1000)] | Literal["*"]
PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=50_000)]
Skip: TypeAlias = Annotated[int, Meta(ge=0, le=2**31)]
PointLimit: TypeAlias = Annotated[int, Meta(ge=1, le=100_000)]
LineLimit: TypeAlias = Annotated[int, Meta(ge=1, le=10_000)]
NameLimit: TypeAlias = Annotated[int, Meta(ge=1, le=10_000)]
Budget: TypeAlias = Annotated[int, Meta(ge=1, le=10_000)]
SummaryColumn: TypeAlias = Literal[
    "count",
    "first_step",
    "first_time_us",
    "first_value",
    "last_step",
    "last_time_us",
    "last_value",
    "min_step",
    "min_time_us",
    "min_value",
    "max_step",
    "max_time_us",
    "max_value",
    "finite_count",
    "mean",
    "m2",
    "nan_count",
    "pos_inf_count",
    "neg_inf_count",
    "least_time_us",
    "greatest_time_us",
]
SummaryColumns: TypeAlias = Annotated[list[SummaryColumn], Meta(max_length=21)]


class Request(Struct, forbid_unknown_fields=True):
    """What a request may carry: nothing else."""


class Nothing(Request):
    """No fields."""


# --- query strings --------------------------------------------------------------------------------------------------


class Listing(Request):
    """Which experiments, in which order."""

    filter: str = ""
    order_by: list[str] = []
    visibility: Visibility = "active"
    limit: PageSize = 1000
    cursor: str = ""


class Deletion(Request):
    """`purge` removes for good; without it the run is hidden, kept and can be restored."""

    purge: bool = False


class AuditQuery(Request):
    """Which entries of the audit log: those that fit all that is given. Without `workspace`: of all that the credential
    may see. `credential`: an id. `action`: one, such as `run.purge`, or all of a kind, such as `run`."""

    workspace: str | None = None
    credential: str | None = None
    action: str | None = None
    since_us: Int64 | None = None
    until_us: Int64 | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100
    cursor: str = ""


class NewRetention(Request):
    """What is kept. Without `workspace`: the request's. `points_days`: points not older than so many days by their own
    time, and the last of each series. `points_per_series`: the latest so many. `deleted_runs_days`: deleted runs. 0:
    all, for ever, whatever a wider rule says; null or absent: as that says."""

    workspace: str | None = None
    experiment_id: Int64 | None = None
    points_days: Int64 | None = None
    points_per_series: Int64 | None = None
    deleted_runs_days: Int64 | None = None


class UsageQuery(Request):
    """Of which workspace; without it of the request's."""

    workspace: str | None = None


class ActivityQuery(Request):
    """How many runs at most."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 20


class NewQuota(Request):
    """How much of each a workspace may have. Without `workspace`: the request's. 0: any number, whatever the quota of
    `*` says; null or absent: as that says."""

    workspace: str | None = None
    points: Int64 | None = None
    series: Int64 | None = None
    file_bytes: Int64 | None = None
    requests_per_second: Int64 | None = None


class SeriesOfRun(Request):
    """One metric, or all."""

    metric: str | None = None


class PointsQuery(Request):
    """A page of one metric's points.

    Without `label`: the union of its label sets; with one empty `label=`: the series without labels. With `since`
    the answer holds what arrived after that cursor, in the order of arrival; empty: from the beginning.
    """

    metric: str
    label: list[str] = []
    order: Literal["key", "time"] = "key"
    min_step: Int64 | None = None
    max_step: Int64 | None = None
    min_time_us: Int64 | None = None
    max_time_us: Int64 | None = None
    cursor: str = ""
    since: str | None = None
    limit: PointLimit = 10_000


class BucketsQuery(Request):
    """Buckets of every named metric of every named run."""

    run_id: Annotated[list[str], Meta(min_length=1, max_length=1000)]
    metric: Annotated[list[str], Meta(min_length=1, max_length=1000)]
    min_step: Int64 | None = None
    max_step: Int64 | None = None
    min_time_us: Int64 | None = None
    max_time_us: Int64 | None = None
    budget: Budget = 1000
    column: SummaryColumns = []


class NamesQuery(Request):
    """Names that contain a text, in any case of ASCII letters."""

    kind: Literal["metrics", "params", "tags"]
    contains: str = ""
    experiment_id: Annotated[list[Int64], Meta(max_length=1000)] = []
    limit: NameLimit = 100


class LinesQuery(Request):
    """Console lines: of one stream, or of all. `newest`: the last ones of a stream instead of the first. `before`: the
    last ones before a cursor."""

    stream: str | None = None
    cursor: str = ""
    limit: LineLimit = 1000
    newest: bool = False
    before: str = ""


class CustomInfoQuery(Request):
    """The named texts, or all. They may be megabytes."""

    name: Annotated[list[str], Meta(max_length=1000)] = []


class FolderQuery(Request):
    """A folder of a run's files; empty is the root."""

    path: str = ""


# --- bodies ---------------------------------------------------------------------------------------------------------


class NewCredential(Request):
    """`workspace` absent: the caller's; `*`: all. `expires`: a number with s, m, h, d or w (90d); absent: never."""

    role: RoleWord
    name: str = ""
    workspace: str | None = None
    expires: str | None = None


class NewExperiment(Request):
    """`artifact_location` is kept as given and never opened."""

    name: str
    artifact_location: str = ""
    tags: dict[str, str] = {}


class ExperimentChange(Request):
    """What is absent stays as it is."""

    name: str | None = None
    set_tags: dict[str, str] = {}
    remove_tags: list[str] = []


class NewRun(Request):
    """Without `id` and `name` the server makes them; without `start_time_us` the run starts now."""

    id: str | None = None
    experiment_id: Int64 = 0
    name: str | None = None
    user: str = ""
    status: StatusWord = "RUNNING"
    artifact_uri: str = ""
    start_time_us: Int64 | None = None
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    note: Note | None = None


class NewView(Request):
    """`address`: the part of the page's address that says what it shows."""

    address: str


class RunChange(Request):
    """What is absent stays as it is. FINISHED, FAILED and KILLED without `end_time_us` end the run now.

    A param keeps its first value: the same again is nothing, another is a conflict. An empty `note` removes the note.
    """

    name: str | None = None
    status: StatusWord | None = None
    status_reason: str | None = None
    start_time_us: Int64 | None = None
    end_time_us: Int64 | None = None
    params: dict[str, str] = {}
    set_tags: dict[str, str] = {}
    remove_tags: list[str] = []
    set_custom_info: dict[str, str] = {}
    note: Note | None = None


class RunsChange(Request):
    """The same change of many runs. A tag in `remove_tags` need not be there. `lifecycle` deletes or restores, `purge`
    removes for good and stands alone."""

    run_ids: Annotated[list[str], Meta(max_length=1000)]
    set_tags: dict[str, str] = {}
    remove_tags: list[str] = []
    lifecycle: Lifecycle | None = None
    purge: bool = False


class NewEvent(Request):
    """Something that happened: `kind` is a short word, `text` for people, `detail` JSON text. Without a time: now."""

    kind: Annotated[str, Meta(min_length=1)]
    text: str = ""
    detail: Annotated[str, Meta(max_length=65_536)] = ""
    time_us: Int64 | None = None


class NewLine(Request):
    """A console line, by its number in the stream. A stream `worker-1/...` is of that task. Without a time: now."""

    stream: Annotated[str, Meta(min_length=1)]
    line: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    text: str
    level: str = ""
    time_us: Int64 | None = None


class LinesWrite(Request):
    """Console lines of one run. A number that is there already in its stream is replaced."""

    lines: Annotated[list[NewLine], Meta(max_length=10_000)]


class EventsWrite(Request):
    """Events of one run. One that is there already, exactly, is not stored again."""

    events: Annotated[list[NewEvent], Meta(max_length=1000)]


class ColumnChoice(Request):
    """What comes along with each run: names, or "*" for all; nothing by default."""

    metrics: Names = []
    params: Names = []
    tags: Names = []


class RunSearch(Request):
    """`experiment_ids` absent or null searches the whole workspace. Times in the filter are microseconds. `skip` runs
    behind the cursor are left out, for jumps in a long list. With `total` the answer says how many runs match in all.
    """

    experiment_ids: Annotated[list[Int64], Meta(max_length=10_000)] | None = None
    filter: str = ""
    order_by: list[str] = []
    visibility: Visibility = "active"
    limit: PageSize = 1000
    cursor: str = ""
    skip: Skip = 0
    total: bool = False
    columns: ColumnChoice = field(default_factory=ColumnChoice)


class SeriesPoints(Request):
    """Points of one series, as equally long columns. Without `times_us` all of them were measured now."""

    metric: str
    steps: list[Int64]
    values: list[Number]
    times_us: list[Int64] | None = None
    labels: dict[str, str] = {}


class PointsWrite(RunChange):
    """Points and whatever else changes with them: all is stored, or nothing."""

    series: list[SeriesPoints] = []


class RawSeries(Request):
    """In the raw form: how many rows of the columns are of this series, and whether it has times among them."""

    metric: str
    rows: Annotated[int, Meta(ge=0)]
    times_us: bool = True
    labels: dict[str, str] = {}


class RawPointsWrite(RunChange):
    """The head of the raw form of PointsWrite."""

    series: list[RawSeries] = []


class ResourceSample(Request):
    """The usage of one moment in percent; what is absent or null was not measured. `time`: milliseconds since 1970."""

    time: Milliseconds
    device: str | None = None
    cpu: Percent | None = None
    mem: Percent | None = None
    gpu: Percent | None = None
    gpu_mem: Percent | None = None
    npu: Percent | None = None
    npu_mem: Percent | None = None


class ResourcesWrite(Request):
    """Samples of one task. `start_time` (milliseconds) becomes the run's start if it has none."""

    start_time: Milliseconds | None = None
    samples: list[ResourceSample] = []


class SeriesChoice(Request):
    """A metric of a run. `labels` absent or null: the union of its label sets; {}: the one without labels."""

    run_id: str
    metric: str
    labels: dict[str, str] | None = None


class Window(Request):
    """Closed intervals of steps and of times; what is absent is open."""

    min_step: Int64 | None = None
    max_step: Int64 | None = None
    min_time_us: Int64 | None = None
    max_time_us: Int64 | None = None


class BucketsRequest(Request):
    """At most `budget` buckets for each series. `columns` empty: all of them."""

    series: Annotated[list[SeriesChoice], Meta(max_length=1000)]
    window: Window = field(default_factory=Window)
    budget: Budget = 1000
    columns: SummaryColumns = []


class Follow(SeriesChoice):
    """`since`: the cursor of the last answer. Absent: from the beginning, or from `min_step` on."""

    since: str = ""
    min_step: Int64 | None = None


class DeltasRequest(Request):
    """At most `limit` points of each series."""

    series: Annotated[list[Follow], Meta(max_length=1000)]
    limit: PointLimit = 1000


class LabelSetsRequest(Request):
    """Of which runs."""

    run_ids: Annotated[list[str], Meta(max_length=1000)]


class SummariesRequest(Request):
    """`metrics` absent or null: all. `columns` empty: all of them."""

    run_ids: Annotated[list[str], Meta(max_length=1000)]
    metrics: Annotated[list[str], Meta(max_length=1000)] | None = None
    columns: SummaryColumns = []
