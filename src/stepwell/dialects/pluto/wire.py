"""The shapes of Pluto's interface, as its clients send and read them. Nothing of ours.

Field names and defaults are the vendor's, written with underscores here. On the way in null is the same as absent
wherever a default is None. Times are milliseconds since 1970; JSON inside JSON strings stays text here.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Filled: TypeAlias = Annotated[str, Meta(min_length=1)]
Millis: TypeAlias = int | float


class Shape(Struct, rename="camel"):
    """An object whose names are written run_id here and runId on the wire."""


# --- requests of the api service --------------------------------------------------------------------------------------


class CreateRun(Shape):
    """POST /api/runs/create"""

    run_name: Filled
    project_name: Filled
    external_id: Filled | None = None
    tags: list[str] | None = None
    config: str | None = None
    logger_settings: str | None = None
    system_metadata: str | None = None
    created_at: Millis | None = None
    updated_at: Millis | None = None
    fork_run_id: Int64 | None = None
    fork_step: Count | None = None
    inherit_config: bool | None = None
    inherit_tags: bool | None = None


class ResumeRun(Shape):
    """POST /api/runs/resume"""

    run_id: Int64 | None = None
    display_id: str | None = None
    external_id: str | None = None
    project_name: str | None = None


class UpdateStatus(Shape):
    """POST /api/runs/status/update"""

    run_id: Int64
    status: str
    status_metadata: str | None = None
    logger_settings: str | None = None
    status_updated: Millis | None = None


class AddLogNames(Shape):
    """POST /api/runs/logName/add"""

    run_id: Int64
    log_name: list[str]
    log_type: str


class UpdateTags(Shape):
    """POST /api/runs/tags/update"""

    run_id: Int64
    tags: list[str]


class UpdateNotes(Shape):
    """POST /api/runs/notes/update"""

    run_id: Int64
    notes: str | None


class UpdateConfig(Shape):
    """POST /api/runs/config/update"""

    run_id: Int64
    config: str | None


class Graph(Shape):
    """The layers of a model."""

    format: str
    nodes: dict[str, dict[str, Any]]


class CreateGraph(Shape):
    """POST /api/runs/modelGraph/create"""

    run_id: Int64
    graph: Graph


# --- requests of the py service ---------------------------------------------------------------------------------------


class Trigger(Shape):
    """POST /api/runs/trigger"""

    run_id: Int64


class AlertBody(Shape):
    """What to tell somebody."""

    timestamp: Millis
    title: str
    level: str | None = None
    body: str | None = None
    email: Any = None
    url: str | None = None


class Alert(Shape):
    """POST /api/runs/alert"""

    run_id: Int64
    alert: AlertBody


# --- requests of the ingest service -----------------------------------------------------------------------------------


class MetricLine(Shape, forbid_unknown_fields=True, gc=False):
    """A line of POST /ingest/metrics. A value may be null, or NaN, Infinity, -Infinity in quotes."""

    time: Annotated[int, Meta(ge=0)]
    step: Count
    data: dict[str, float | str | None]


class LogRow(Shape, gc=False):
    """A line of POST /ingest/logs."""

    time: Annotated[int, Meta(ge=0)]
    message: str
    line_number: Annotated[int, Meta(ge=0, le=2**31 - 2)]
    log_type: str | None = None


class DataRow(Shape, gc=False):
    """A line of POST /ingest/data."""

    time: Annotated[int, Meta(ge=0)]
    data: str
    data_type: str
    log_name: str
    step: Count | None = None


class FileEntry(Shape):
    """A file that a client wants to send."""

    file_name: Filled
    log_name: Filled
    file_size: Count
    file_type: str
    time: Annotated[int, Meta(ge=0)]
    step: Count | None = None
    caption: str | None = None
    sample_index: Count | None = None
    annotations: Any = None


class PresignFiles(Shape):
    """POST /files"""

    files: list[FileEntry]


class ChartData(Shape):
    """`input` of GET /api/chart-data/multi-metric-batch-bucketed"""

    organization_id: str
    project_name: str
    run_ids: Annotated[list[str], Meta(min_length=1, max_length=200)]
    log_names: Annotated[list[str], Meta(min_length=1, max_length=200)]
    buckets: Annotated[int, Meta(ge=10, le=20_000)] | None = None
    step_min: Count | None = None
    step_max: Count | None = None


class FieldFilter(Shape):
    """One of `fieldFilters` of GET /api/runs/list"""

    source: str
    key: str
    operator: str
    data_type: str = "text"
    values: list[Any] = []


# --- queries: name, kind, limits. `None` as default means that the argument is required -------------------------------


class MetricsQuery(Shape):
    """GET /api/runs/metrics"""

    run_id: Int64
    project_name: Filled
    log_name: str | None = None
    log_group: str | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 2_000
    step_min: Count | None = None
    step_max: Count | None = None


class RawQuery(Shape):
    """GET /api/runs/metrics/raw"""

    run_id: Int64
    project_name: Filled
    log_name: Filled
    limit: Annotated[int, Meta(ge=1, le=50_000)] = 50_000
    step_min: Count | None = None
    step_max: Count | None = None


class OfRunQuery(Shape):
    """GET /api/runs/statistics and /api/runs/files"""

    run_id: Int64
    project_name: Filled
    log_name: str | None = None
    log_group: str | None = None


class CompareQuery(Shape):
    """GET /api/runs/compare"""

    run_ids: str
    project_name: Filled
    log_name: Filled


class LeaderboardQuery(Shape):
    """GET /api/runs/leaderboard"""

    project_name: Filled
    log_name: Filled
    aggregation: str = "LAST"
    direction: str = "ASC"
    limit: Annotated[int, Meta(ge=1)] = 20
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class MetricNamesQuery(Shape):
    """GET /api/runs/metric-names"""

    project_name: Filled
    search: str | None = None
    run_ids: str | None = None
    limit: Annotated[int, Meta(ge=1)] = 500


class LogsQuery(Shape):
    """GET /api/runs/logs"""

    run_id: Int64
    project_name: Filled
    log_type: str | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class HistoryQuery(Shape):
    """GET /api/runs/status/history"""

    run_id: Int64


class ListQuery(Shape):
    """GET /api/runs/list"""

    project_name: str | None = None
    search: str | None = None
    tags: str | None = None
    status: str | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Annotated[int, Meta(ge=0, le=100_000)] = 0
    sort: str | None = None
    filter: str | None = None
    field_filters: str | None = None
    include_field_values: str | None = None
    visible_columns: str | None = None
    heartbeat_after: str | None = None
    heartbeat_before: str | None = None
    konduktor_job_prefix: str | None = None


class DisplayIdQuery(Shape):
    """GET /api/runs/details/by-display-id/{displayId}"""

    project_name: str | None = None
