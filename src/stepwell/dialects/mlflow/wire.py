"""The shapes of MLflow's tracking REST, as its clients send and read them. Nothing of ours.

Field names, defaults and aliases are the vendor's (protobuf messages of the tracking service). Doubles that JSON cannot
write travel as the strings NaN, Infinity and -Infinity; int64 travels as a JSON number.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Raw, Struct

from stepwell.dialects.mlflow.lineage_wire import RunInputs, RunOutputs

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Word: TypeAlias = str | int  # a name of an enumeration, or its number
Double: TypeAlias = float | str  # on the way out: the string forms where JSON has no number


class Pair(Struct, gc=False):
    """A param, or a tag of a run or an experiment."""

    key: str
    value: str = ""


class MetricIn(Struct, gc=False):
    """A metric of log-batch. The run_id that the client adds is ignored."""

    key: str
    value: float
    timestamp: Int64
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogMetric(Struct):
    """POST runs/log-metric"""

    key: str
    value: float
    timestamp: Int64
    step: Int64 = 0
    run_id: str = ""
    run_uuid: str = ""
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogBatch(Struct):
    """POST runs/log-batch"""

    run_id: str
    metrics: list[MetricIn] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class SetPair(Struct):
    """POST runs/log-parameter, runs/set-tag"""

    key: str
    value: str = ""
    run_id: str = ""
    run_uuid: str = ""


class DeleteTag(Struct):
    """POST runs/delete-tag"""

    run_id: str
    key: str


class CreateRun(Struct):
    """POST runs/create"""

    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: list[Pair] = []


class UpdateRun(Struct):
    """POST runs/update"""

    run_id: str = ""
    run_uuid: str = ""
    status: Word | None = None
    end_time: Int64 | None = None
    run_name: str = ""


class RunById(Struct):
    """POST runs/delete, runs/restore"""

    run_id: str


class GetRun(Struct):
    """GET runs/get"""

    run_id: str = ""
    run_uuid: str = ""


class SearchRuns(Struct):
    """POST runs/search"""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: Word = "ACTIVE_ONLY"
    max_results: Int64 = 1000
    order_by: list[str] = []
    page_token: str = ""


class CreateExperiment(Struct):
    """POST experiments/create"""

    name: str
    artifact_location: str = ""
    tags: list[Pair] = []


class ExperimentById(Struct):
    """GET experiments/get, POST experiments/delete, experiments/restore"""

    experiment_id: str


class ExperimentByName(Struct):
    """GET experiments/get-by-name"""

    experiment_name: str


class UpdateExperiment(Struct):
    """POST experiments/update"""

    experiment_id: str
    new_name: str


class SetExperimentTag(Struct):
    """POST experiments/set-experiment-tag"""

    experiment_id: str
    key: str
    value: str = ""


class DeleteExperimentTag(Struct):
    """POST experiments/delete-experiment-tag"""

    experiment_id: str
    key: str


class SearchExperiments(Struct):
    """POST and GET experiments/search. Without max_results the vendor's default is 0, which it refuses."""

    max_results: Int64 = 0
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: Word = "ACTIVE_ONLY"


class GetHistory(Struct):
    """GET metrics/get-history"""

    metric_key: str
    run_id: str = ""
    run_uuid: str = ""
    max_results: Int64 | None = None
    page_token: str = ""


class GetHistoryBulk(Struct):
    """GET (ajax) metrics/get-history-bulk. `run_id` is repeated."""

    metric_key: str
    run_id: list[str] = []
    max_results: Int64 | None = None


class GetHistoryInterval(Struct):
    """GET metrics/get-history-bulk-interval"""

    metric_key: str
    run_ids: list[str] = []
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int64 | None = None


class ListArtifacts(Struct):
    """GET artifacts/list"""

    run_id: str = ""
    run_uuid: str = ""
    path: str = ""
    page_token: str = ""


class GetArtifact(Struct):
    """GET /get-artifact"""

    path: str
    run_id: str = ""
    run_uuid: str = ""


class ListStored(Struct):
    """GET mlflow-artifacts/artifacts"""

    path: str = ""


# --- answers ----------------------------------------------------------------------------------------------------------


class Metric(Struct, gc=False):
    """A measurement, in the vendor's order of fields."""

    key: str
    value: Double
    timestamp: int
    step: int


class MetricOfRun(Struct, gc=False):
    """A measurement in an answer about several runs."""

    key: str
    value: Double
    timestamp: int
    step: int
    run_id: str


class RunInfo(Struct, omit_defaults=True):
    """What a run is. `run_uuid` repeats `run_id` for older clients."""

    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    artifact_uri: str
    lifecycle_stage: str
    run_id: str
    start_time: int | None = None
    end_time: int | None = None


class RunData(Struct, omit_defaults=True):
    """What a run holds: the latest value of each metric, params, tags."""

    metrics: list[Metric] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class Run(Struct):
    """A run. Inputs and outputs are there even when they are empty."""

    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs


class RunAnswer(Struct):
    """Answer of runs/create and runs/get."""

    run: Run | Raw


class RunInfoAnswer(Struct):
    """Answer of runs/update."""

    run_info: RunInfo


class RunsAnswer(Struct, omit_defaults=True):
    """Answer of runs/search: of each its JSON."""

    runs: list[Raw] = []
    next_page_token: str = ""


class Experiment(Struct, omit_defaults=True):
    """A named group of runs."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[Pair] = []
    workspace: str = ""


class ExperimentAnswer(Struct):
    """Answer of experiments/get and get-by-name."""

    experiment: Experiment


class ExperimentIdAnswer(Struct):
    """Answer of experiments/create."""

    experiment_id: str


class ExperimentsAnswer(Struct, omit_defaults=True):
    """Answer of experiments/search."""

    experiments: list[Experiment] = []
    next_page_token: str = ""


class FileInfo(Struct, omit_defaults=True):
    """A file, or a folder, which has no size."""

    path: str
    is_dir: bool
    file_size: int | None = None


class FilesAnswer(Struct, omit_defaults=True):
    """Answer of artifacts/list (with root_uri) and of mlflow-artifacts/artifacts."""

    root_uri: str = ""
    files: list[FileInfo] = []


class ServerInfo(Struct):
    """Answer of server-info: what the client asks before it uses a newer feature."""

    store_type: str
    workspaces_enabled: bool
    trace_archival_enabled: bool
    multipart_uploads_enabled: bool
    multipart_downloads_enabled: bool
    artifact_serving_enabled: bool


class Workspace(Struct):
    """A tenant."""

    name: str


class WorkspaceAnswer(Struct):
    """Answer of workspaces/{workspace_name}."""

    workspace: Workspace


class WorkspacesAnswer(Struct):
    """Answer of workspaces."""

    workspaces: list[Workspace]


class Error(Struct):
    """The body of every error."""

    error_code: str
    message: str
