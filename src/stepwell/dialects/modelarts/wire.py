"""The shapes of the ModelArts training-job interface, as its client reads and writes them. Times in milliseconds."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

JobName: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
Description: TypeAlias = Annotated[str, Meta(max_length=256)]
PAGE_SIZE = 50  # jobs or events where the request does not say
JOBS_PER_PAGE = 50
EVENTS_PER_PAGE = 100
NODES = 10_000
CONDITIONS = 100  # of a search


# --- requests: fields that are not named here are ignored -------------------------------------------------------------


class NewMetadata(Struct):
    """What a job is called."""

    name: JobName
    description: Description | None = None
    annotations: dict[str, str] | None = None


class NewJob(Struct):
    """POST training-jobs. Algorithm and spec are kept as they came."""

    metadata: NewMetadata
    spec: dict[str, Any]
    kind: Annotated[str, Meta(min_length=1, max_length=64)] = "job"
    algorithm: dict[str, Any] | None = None


class Parameter(Struct):
    """A hyperparameter."""

    name: Annotated[str, Meta(min_length=1)]
    value: str | None = None


class AlgorithmView(Struct):
    """What is understood of an algorithm."""

    parameters: list[Parameter] | None = None


class ResourceView(Struct):
    """How many nodes a job has, which is how many tasks."""

    node_count: Annotated[int, Meta(ge=1, le=NODES)]


class SpecView(Struct):
    """What is understood of a spec."""

    resource: ResourceView


class Action(Struct):
    """POST training-jobs/{id}/actions."""

    action_type: str


class JobChange(Struct):
    """PUT training-jobs/{id}. Priority and notifications are the service's; a description has to be there."""

    description: Description


class Condition(Struct):
    """One condition of a search."""

    key: str
    operator: str
    value: list[str]


class Search(Struct):
    """POST training-job-searches. `offset` counts pages, not jobs."""

    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=JOBS_PER_PAGE)] | None = None
    sort_by: str | None = None
    order: str | None = None
    group_by: str | None = None
    workspace_id: str | None = None
    train_type: str | None = None
    tags: list[Any] | None = None
    host_ips: list[str] | None = None
    filters: Annotated[list[Condition], Meta(max_length=CONDITIONS)] | None = None


class EventsQuery(Struct):
    """GET training-jobs/{id}/events. `offset` counts pages, not events; an empty text is the same as none."""

    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Meta(ge=1, le=EVENTS_PER_PAGE)] = PAGE_SIZE
    order: str = ""
    start_time: str = ""
    end_time: str = ""
    level: str = ""
    pattern: Annotated[str, Meta(max_length=256)] = ""


# --- answers ----------------------------------------------------------------------------------------------------------


class Metadata(Struct):
    """What a job is called, and when it was made."""

    id: str
    name: str
    description: str
    create_time: int
    annotations: dict[str, str]
    workspace_id: str = "0"
    user_name: str = ""


class Status(Struct):
    """Where a job stands. `node_count_metrics`: pairs of a time and how many nodes there are from then on."""

    phase: str
    secondary_phase: str
    duration: int
    start_time: int
    tasks: list[str]
    node_count_metrics: list[tuple[int, int]]
    task_statuses: list[Any] = []
    running_records: list[Any] = []


class Job(Struct):
    """A training job."""

    kind: str
    metadata: Metadata
    status: Status
    algorithm: dict[str, Any]
    spec: dict[str, Any]


class Jobs(Struct):
    """A page of a search; `offset` is its number."""

    total: int
    count: int
    limit: int
    offset: int
    sort_by: str
    order: str
    items: list[Job]
    group_by: str = ""
    workspace_id: str = "0"
    ai_project: str = "default-ai-project"


class Task(Struct):
    """A task and where it runs."""

    task: str
    ip: str = ""
    host_ip: str = ""
    schedule_count: int = 1


class Event(Struct):
    """Something that happened. `time` as RFC 3339."""

    message: str
    level: str
    time: str
    source: str = ""


class Events(Struct):
    """A page of events."""

    total: int
    limit: int
    offset: int
    order: str
    start_time: str
    end_time: str
    events: list[Event]


class LogPreview(Struct):
    """The newest lines of a log; sizes in bytes."""

    content: str
    current_size: int
    full_size: int


class Usage(Struct):
    """One metric of a task, one value a minute."""

    metric: str
    value: list[float]


class TaskMetrics(Struct):
    """All six metrics of a task, equally long."""

    metrics: list[Usage]


class Failure(Struct):
    """Every error."""

    error_code: str
    error_msg: str
