"""The table of the native API: every operation with its shapes. Routes and the OpenAPI document are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from msgspec import Struct

from stepwell.core.access import Role
from stepwell.dialects.native import about, access, answers, bounds, catalog, raw, reading, wire
from stepwell.dialects.native.asking import Ask
from stepwell.dialects.native.raw import Form

PREFIX: Final = "/api/v1"
SMALL_BODY: Final = 4 << 20
POINTS_BODY: Final = 64 << 20
Handler: TypeAlias = Callable[[Ask, Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb of one path. `handler` is None where the routes have an endpoint of their own, of the name `id`.

    query, body: the shape of the query string and of the body. answer: of the answer's body; None: bytes. raw: the raw
    form of the answer, if it has one; raw_body: whether the body has one.
    """

    verb: str
    path: str
    id: str
    summary: str
    handler: Handler | None
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    answer: Any
    status: int = 200
    role: Role = Role.READER
    body_limit: int = SMALL_BODY
    raw: Form | None = None
    raw_body: bool = False


def _read(path: str, handler: Handler, answer: Any, **more: Any) -> Operation:
    return _operation("GET", path, handler, answer, **more)


def _ask(path: str, handler: Handler, answer: Any, body: type[Struct], **more: Any) -> Operation:
    """A read whose question needs a body."""
    return _operation("POST", path, handler, answer, body=body, **more)


def _write(verb: str, path: str, handler: Handler, answer: Any, **more: Any) -> Operation:
    return _operation(verb, path, handler, answer, role=Role.WRITER, **more)


def _operation(verb: str, path: str, handler: Handler, answer: Any, **more: Any) -> Operation:
    summary = (handler.__doc__ or "").splitlines()[0]
    return Operation(verb=verb, path=path, id=handler.__name__, summary=summary, handler=handler, answer=answer, **more)


def _admin(verb: str, path: str, handler: Handler, answer: Any, **more: Any) -> Operation:
    return _operation(verb, path, handler, answer, role=Role.ADMIN, **more)


OPERATIONS: Final[tuple[Operation, ...]] = (
    _read("/session", access.get_session, answers.Session),
    _admin("GET", "/credentials", access.list_credentials, answers.CredentialList),
    _admin("POST", "/credentials", access.create_credential, answers.NewSecret, body=wire.NewCredential, status=201),
    _admin("DELETE", "/credentials/{credential_id}", access.revoke_credential, answers.CredentialInfo),
    _admin("GET", "/audit", access.read_audit, answers.AuditPage, query=wire.AuditQuery),
    _admin("GET", "/retention", bounds.list_retention, answers.RetentionRules),
    _admin("PUT", "/retention", bounds.set_retention, answers.RetentionRule, body=wire.NewRetention),
    _admin("GET", "/retention/preview", bounds.preview_retention, answers.RetentionPreview),
    _admin("GET", "/quotas", bounds.list_quotas, answers.QuotaList),
    _admin("PUT", "/quotas", bounds.set_quota, answers.Quota, body=wire.NewQuota),
    _read("/usage", bounds.get_usage, answers.Usage, query=wire.UsageQuery),
    _admin("GET", "/activity", access.get_activity, answers.Activity, query=wire.ActivityQuery),
    _read("/workspaces", catalog.list_workspaces, answers.WorkspaceTable),
    _read("/experiments", catalog.list_experiments, answers.ExperimentPage, query=wire.Listing),
    _write("POST", "/experiments", catalog.create_experiment, answers.Experiment, body=wire.NewExperiment, status=201),
    _read("/experiments/{experiment_id}", catalog.get_experiment, answers.Experiment),
    _write(
        "PATCH",
        "/experiments/{experiment_id}",
        catalog.change_experiment,
        answers.Experiment,
        body=wire.ExperimentChange,
    ),
    _write("DELETE", "/experiments/{experiment_id}", catalog.delete_experiment, answers.Experiment),
    _write("POST", "/experiments/{experiment_id}/restore", catalog.restore_experiment, answers.Experiment),
    _write("POST", "/runs", catalog.create_run, answers.RunAnswer, body=wire.NewRun, status=201),
    _write("POST", "/runs/change", catalog.change_runs, answers.RunsChanged, body=wire.RunsChange),
    _ask("/runs/search", catalog.search_runs, answers.RunPage, wire.RunSearch),
    _read("/runs/{run_id}", catalog.get_run, answers.RunDetail),
    _write("PATCH", "/runs/{run_id}", catalog.change_run, answers.RunAnswer, body=wire.RunChange),
    _write("DELETE", "/runs/{run_id}", catalog.delete_run, answers.Deleted, query=wire.Deletion),
    _write("POST", "/runs/{run_id}/restore", catalog.restore_run, answers.RunAnswer),
    _read("/runs/{run_id}/events", catalog.read_events, answers.EventTable),
    _write("POST", "/runs/{run_id}/events", catalog.write_events, answers.StoredEvents, body=wire.EventsWrite),
    _read("/runs/{run_id}/custom-info", about.read_custom_info, answers.CustomInfo, query=wire.CustomInfoQuery),
    _read("/runs/{run_id}/lineage", about.read_lineage, answers.Lineage),
    _read("/runs/{run_id}/logs", about.read_lines, answers.LinePage, query=wire.LinesQuery),
    _write("POST", "/runs/{run_id}/logs", about.write_lines, answers.StoredLines, body=wire.LinesWrite),
    _read("/runs/{run_id}/logs/streams", about.list_streams, answers.StreamList),
    _read("/runs/{run_id}/series", reading.list_series, answers.MetricTable, query=wire.SeriesOfRun),
    _read("/runs/{run_id}/points", reading.read_points, answers.PointPage, query=wire.PointsQuery, raw=raw.PAGE),
    Operation(
        verb="POST",
        path="/runs/{run_id}/points",
        id="write_points",
        summary="Write points, and with them params, tags and status: all durable when this answers, or nothing.",
        handler=None,
        body=wire.PointsWrite,
        answer=answers.Stored,
        role=Role.WRITER,
        body_limit=POINTS_BODY,
        raw_body=True,
    ),
    Operation(
        verb="POST",
        path="/runs/{run_id}/tasks/{task}/resources",
        id="write_resources",
        summary="Store samples of what a task uses of its machine. Run and task are made when missing.",
        handler=None,
        body=wire.ResourcesWrite,
        answer=None,
        status=204,
        role=Role.WRITER,
        body_limit=POINTS_BODY,
    ),
    _read("/names", about.list_names, answers.NameList, query=wire.NamesQuery),
    _read("/views", about.list_views, answers.ViewList),
    _write("PUT", "/views/{view}", about.save_view, answers.View, body=wire.NewView),
    _write("DELETE", "/views/{view}", about.delete_view, answers.Removed),
    _ask("/label-sets", reading.read_label_sets, answers.LabelSetTable, wire.LabelSetsRequest),
    _ask("/summaries", reading.read_summaries, answers.SummaryTable, wire.SummariesRequest, raw=raw.SUMMARIES),
    _read("/buckets", reading.query_buckets, answers.BucketsAnswer, query=wire.BucketsQuery, raw=raw.BUCKETS),
    _ask("/buckets", reading.read_buckets, answers.BucketsAnswer, wire.BucketsRequest, raw=raw.BUCKETS),
    _ask("/deltas", reading.read_deltas, answers.DeltasAnswer, wire.DeltasRequest),
    _read("/runs/{run_id}/artifacts", reading.list_files, answers.FileTable, query=wire.FolderQuery),
    Operation(
        verb="GET",
        path="/runs/{run_id}/artifacts/{path:path}",
        id="get_file",
        summary="The content of a file of a run.",
        handler=None,
        answer=None,
    ),
    Operation(
        verb="PUT",
        path="/runs/{run_id}/artifacts/{path:path}",
        id="put_file",
        summary="Store a file of a run, replacing an older one of the same path. The body is its content.",
        handler=None,
        answer=answers.StoredFile,
        status=201,
        role=Role.WRITER,
    ),
    _write("DELETE", "/runs/{run_id}/artifacts/{path:path}", reading.delete_files, answers.Removed),
    Operation(
        verb="GET",
        path="/dialects",
        id="list_dialects",
        summary="The interfaces that this server speaks, and their endpoints.",
        handler=None,
        answer=answers.DialectsAnswer,
    ),
)
