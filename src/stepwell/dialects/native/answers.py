"""The shapes of the native API's answers. They document and check; encoding goes straight from numpy columns to JSON.

Tables are columnar: equally long lists, one per column. JSON has no NaN and no infinities: in a column such a value is
null, and `non_finite` says, column by column, in which rows and which value. A null that is not listed there means that
there is no value. So a column goes into a chart as it is, and nothing is lost.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from stepwell.dialects.native.wire import Int64, Lifecycle, RoleWord, StatusWord


class Marks(Struct):
    """Which rows of a column are not finite, and what they are."""

    at: list[int]
    value: list[Literal["NaN", "Infinity", "-Infinity"]]


class Failure(Struct):
    """`code` is one stable word, `message` is for people. The others are null where they do not apply."""

    code: str
    message: str
    field: str | None
    limit: int | None
    position: int | None
    request_id: str


class FailureAnswer(Struct):
    """Every error of this API."""

    error: Failure


class WorkspaceTable(Struct):
    """Sorted by name."""

    name: list[str]
    created_at_us: list[Int64]


class Session(Struct):
    """Who asks. `credential_id` null: the server wants no credential. `workspace` `*`: all of them."""

    credential_id: str | None
    workspace: str
    role: RoleWord


class CredentialInfo(Struct):
    """A credential without its secret. `signs`: requests may be signed with it."""

    id: str
    name: str
    workspace: str
    role: RoleWord
    created_at_us: Int64
    expires_at_us: Int64 | None
    revoked_at_us: Int64 | None
    signs: bool


class CredentialList(Struct):
    """Oldest first."""

    credentials: list[CredentialInfo]


class NewSecret(Struct):
    """A new credential with its secret, which nobody can learn again."""

    credential: CredentialInfo
    secret: str


class AuditEntry(Struct):
    """Something that was done. `workspace` is `*` where it concerns all. `via`: the dialect that was spoken, `command`
    (line) or `server` (by itself); what is not known of who did it is null."""

    number: Int64
    at_us: Int64
    action: str
    workspace: str
    subject: str
    details: dict[str, str]
    via: str
    credential_id: str | None
    address: str | None
    request_id: str | None


class AuditPage(Struct):
    """Newest first. `cursor` is null on the last page."""

    entries: list[AuditEntry]
    cursor: str | None


class RetentionRule(Struct):
    """What is kept of a workspace (`*`: of any), or of one experiment: 0 is all, null says nothing."""

    workspace: str
    experiment_id: Int64 | None
    points_days: Int64 | None
    points_per_series: Int64 | None
    deleted_runs_days: Int64 | None


class RetentionRules(Struct):
    """Sorted by workspace, then experiment."""

    rules: list[RetentionRule]


class Expiring(Struct):
    """What would go of an experiment: so many deleted runs, of which the first are named, and points of other runs."""

    workspace: str
    experiment_id: Int64
    run_count: int
    run_ids: list[str]
    points: Int64
    series: int


class RetentionPreview(Struct):
    """The first experiments of which something would go."""

    expiring: list[Expiring]


class Quota(Struct):
    """How much of each a workspace (`*`: any) may have: 0 is any number, null says nothing."""

    workspace: str
    points: Int64 | None
    series: Int64 | None
    file_bytes: Int64 | None
    requests_per_second: Int64 | None


class QuotaList(Struct):
    """Sorted by workspace."""

    quotas: list[Quota]


class Holdings(Struct):
    """Deleted runs and what is theirs counts."""

    points: Int64
    series: Int64
    runs: Int64
    file_bytes: Int64


class QuotaInForce(Struct):
    """Null: any number."""

    points: Int64 | None
    series: Int64 | None
    file_bytes: Int64 | None
    requests_per_second: Int64 | None


class WrittenRun(Struct):
    """A run that is being written to: how many points of how many series came in lately and wait in memory."""

    workspace: str
    run_id: str
    name: str
    points: int
    series: int


class Activity(Struct):
    """The runs with the most points first. `reading_only` says why nothing can be written; empty: it can."""

    writing: list[WrittenRun]
    reading_only: str


class Usage(Struct):
    """What a workspace has and what it may have."""

    workspace: str
    used: Holdings
    quota: QuotaInForce


class Experiment(Struct):
    """A named group of runs."""

    id: Int64
    name: str
    artifact_location: str
    lifecycle: Lifecycle
    created_at_us: Int64
    updated_at_us: Int64
    tags: dict[str, str]


class ExperimentTable(Struct):
    """Experiments in columns."""

    id: list[Int64]
    name: list[str]
    artifact_location: list[str]
    lifecycle: list[Lifecycle]
    created_at_us: list[Int64]
    updated_at_us: list[Int64]
    tags: list[dict[str, str]]


class ExperimentPage(Struct):
    """`cursor` null: this was the last page."""

    experiments: ExperimentTable
    cursor: str | None


class RunInfo(Struct):
    """One execution of training. `key` is never used again; `number` counts in its experiment from 1."""

    id: str
    key: Int64
    experiment_id: Int64
    number: Int64
    name: str
    user: str
    status: StatusWord
    status_reason: str
    lifecycle: Lifecycle
    artifact_uri: str
    origin: str
    start_time_us: Int64 | None
    end_time_us: Int64 | None
    created_at_us: Int64
    updated_at_us: Int64


class RunTable(Struct):
    """Runs in columns."""

    id: list[str]
    key: list[Int64]
    experiment_id: list[Int64]
    number: list[Int64]
    name: list[str]
    user: list[str]
    status: list[StatusWord]
    status_reason: list[str]
    lifecycle: list[Lifecycle]
    artifact_uri: list[str]
    origin: list[str]
    start_time_us: list[Int64 | None]
    end_time_us: list[Int64 | None]
    created_at_us: list[Int64]
    updated_at_us: list[Int64]


class MetricColumns(Struct):
    """What a search tells of one metric: a row for each run, null where the run lacks it."""

    last: list[float | None]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    count: list[int | None]
    last_step: list[Int64 | None]
    last_time_us: list[Int64 | None]
    non_finite: dict[str, Marks]


class RunPage(Struct):
    """Runs and the columns asked for, row by row the same runs. `cursor` null: this was the last page. `total` null:
    it was not asked for.
    """

    runs: RunTable
    metrics: dict[str, MetricColumns]
    params: dict[str, list[str | None]]
    tags: dict[str, list[str | None]]
    cursor: str | None
    total: int | None


class Aggregates(Struct, kw_only=True, omit_defaults=True):
    """The columns of buckets and summaries; those that were not asked for are absent.

    first and last: the ends in key order (step, time, value). min and max: the finite extremes, null when there are
    none. mean and m2 (the sum of squared deviations): of the finite values. least and greatest time: of all points.
    """

    count: list[int] = []
    first_step: list[Int64] = []
    first_time_us: list[Int64] = []
    first_value: list[float | None] = []
    last_step: list[Int64] = []
    last_time_us: list[Int64] = []
    last_value: list[float | None] = []
    min_step: list[Int64] = []
    min_time_us: list[Int64] = []
    min_value: list[float | None] = []
    max_step: list[Int64] = []
    max_time_us: list[Int64] = []
    max_value: list[float | None] = []
    finite_count: list[int] = []
    mean: list[float | None] = []
    m2: list[float | None] = []
    nan_count: list[int] = []
    pos_inf_count: list[int] = []
    neg_inf_count: list[int] = []
    least_time_us: list[Int64] = []
    greatest_time_us: list[Int64] = []
    non_finite: dict[str, Marks]


class MetricTable(Aggregates, kw_only=True):
    """The series of a run and their summaries."""

    metric: list[str]
    labels: list[dict[str, str]]


class SummaryTable(Aggregates, kw_only=True):
    """Metrics of runs, each over the union of its label sets. What a run lacks has no row."""

    run_id: list[str]
    metric: list[str]


class LabelSetTable(Struct):
    """A row for each series: run by run, sorted by metric and labels. Points without labels of a metric that has some
    are a row, too: its labels are empty."""

    run_id: list[str]
    metric: list[str]
    labels: list[dict[str, str]]


class RunDetail(Struct):
    """A run with all it has. `metrics` are over the union of each metric's label sets. `note` null: there is none; it
    is also among the tags, as `mlflow.note.content`.
    """

    run: RunInfo
    params: dict[str, str]
    tags: dict[str, str]
    note: str | None
    metrics: SummaryTable


class RunAnswer(Struct):
    """A run after a change."""

    run: RunInfo


class Deleted(Struct):
    """The hidden run; or, after a purge, null and how many runs were removed for good."""

    run: RunInfo | None
    purged: int


class Refusal(Struct):
    """A run that stays as it is. `code` and `message` are those that a request for it alone would get."""

    run_id: str
    code: str
    message: str


class RunsChanged(Struct):
    """`changed` runs are now, durably, as asked; the others are listed in the order of the request."""

    changed: int
    refused: list[Refusal]


class Stored(Struct):
    """How many points the request held; all of them are durable now. Repeats of stored points count too."""

    points: int


class StoredEvents(Struct):
    """How many events the request held; all of them are durable now. Repeats count too."""

    events: int


class PointColumns(Struct):
    """Points of one series."""

    steps: list[Int64]
    times_us: list[Int64]
    values: list[float | None]
    non_finite: dict[str, Marks]


class PointPage(PointColumns):
    """`cursor` leads to the next page; null: this was the last. `since` is given for a read with `since`, always."""

    cursor: str | None
    since: str | None


class SeriesBuckets(Struct):
    """The buckets of one series, in key order."""

    run_id: str
    metric: str
    labels: dict[str, str] | None
    buckets: Aggregates


class BucketsAnswer(Struct):
    """In the order asked for."""

    series: list[SeriesBuckets]


class Delta(Struct):
    """What is new in one series, and the cursor to ask with next time. `more`: there is more to read now."""

    run_id: str
    metric: str
    labels: dict[str, str] | None
    points: PointColumns
    since: str
    more: bool


class DeltasAnswer(Struct):
    """In the order asked for."""

    series: list[Delta]


class EventTable(Struct):
    """Oldest first. `detail` is JSON text or empty."""

    time_us: list[Int64]
    kind: list[str]
    text: list[str]
    detail: list[str]


class LineTable(Struct):
    """Sorted by stream and line."""

    stream: list[str]
    line: list[Int64]
    time_us: list[Int64]
    level: list[str]
    text: list[str]


class LinePage(Struct, omit_defaults=True):
    """`cursor`: of one stream, where to go on, also later; null: nothing yet. Of all streams null: the last page.
    `earlier`, of the newest lines: whether the stream has others before them; `before` leads to them.
    """

    lines: LineTable
    cursor: str | None
    earlier: bool = False
    before: str | None = None


class NameList(Struct):
    """Sorted. `more`: there are others behind the last."""

    names: list[str]
    more: bool


class StoredLines(Struct):
    """How many console lines were stored."""

    lines: int


class CustomInfo(Struct):
    """name -> text, sorted by name."""

    custom_info: dict[str, str]


class StreamList(Struct):
    """The streams of a run that have lines, sorted."""

    streams: list[str]


class DatasetLink(Struct):
    """A data set that a run used, and what for."""

    name: str
    digest: str
    context: str
    source_type: str
    source: str
    schema: str
    profile: str
    tags: dict[str, str]


class ModelLink(Struct):
    """A model that a run used (`step` null) or made. What is null is not known any more."""

    id: str
    step: Int64 | None
    name: str | None
    model_type: str | None
    status: str | None


class Lineage(Struct):
    """What a run used and made, oldest first."""

    datasets: list[DatasetLink]
    models_used: list[ModelLink]
    models_made: list[ModelLink]


class View(Struct):
    """A saved view of the page."""

    name: str
    address: str
    updated_at_us: Int64


class ViewList(Struct):
    """Sorted by name."""

    views: list[View]


class FileTable(Struct):
    """Files and (size null) folders, sorted by path."""

    path: list[str]
    size: list[int | None]
    sha256: list[str | None]
    stored_at_us: list[Int64 | None]


class StoredFile(Struct):
    """A file that is durable now."""

    path: str
    size: int
    sha256: str


class Removed(Struct):
    """How many files or views were removed."""

    removed: int


class Endpoint(Struct):
    """One route of a dialect. `state`: supported, or what it answers instead; `quirks`: what else to know."""

    verb: str
    path: str
    role: Literal["reader", "writer", "admin"]
    public: bool
    state: str
    quirks: str


class Refused(Struct):
    """What a vendor's interface has and this server does not, in words; `state` says what it answers."""

    what: str
    state: str
    quirks: str


class DialectInfo(Struct):
    """An interface that this server speaks."""

    name: str
    prefixes: list[str]
    endpoints: list[Endpoint]
    refused: list[Refused]


class DialectsAnswer(Struct):
    """All interfaces of this server."""

    dialects: list[DialectInfo]
