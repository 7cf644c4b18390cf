"""OpenAPI 3.1 descriptions of the vendors' interfaces, made from their routes and wire shapes, for tests that fuzz.

Which shape a route takes stands in the tables here; a route that none names takes any JSON, or no arguments at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from stepwell.dialects.mlflow import lineage_wire, models_wire, registry_wire, wire
from stepwell.dialects.mlflow.oracle import wire as oracle
from stepwell.dialects.modelarts import wire as modelarts
from stepwell.dialects.pluto import wire as pluto
from stepwell.dialects.sap import wire as sap
from stepwell.web.routing import Dialect, Route

REFERENCE = "#/components/schemas/{name}"
PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
JSON = "application/json"
LINES = "application/x-ndjson"

# Verb and end of a path -> what a route reads: query arguments of a GET, else a body. Of two that fit, the longer one.
MLFLOW: Mapping[str, type[Struct]] = {
    "POST /runs/log-batch": wire.LogBatch,
    "POST /runs/log-metric": wire.LogMetric,
    "POST /runs/log-parameter": wire.SetPair,
    "POST /runs/set-tag": wire.SetPair,
    "POST /runs/delete-tag": wire.DeleteTag,
    "POST /runs/create": wire.CreateRun,
    "POST /runs/update": wire.UpdateRun,
    "POST /runs/delete": wire.RunById,
    "POST /runs/restore": wire.RunById,
    "GET /runs/get": wire.GetRun,
    "POST /runs/search": wire.SearchRuns,
    "POST /runs/log-inputs": lineage_wire.LogInputs,
    "POST /runs/outputs": lineage_wire.LogOutputs,
    "POST /runs/log-model": lineage_wire.LogModel,
    "GET /metrics/get-history": wire.GetHistory,
    "GET /metrics/get-history-bulk": wire.GetHistoryBulk,
    "GET /metrics/get-history-bulk-interval": wire.GetHistoryInterval,
    "POST /experiments/create": wire.CreateExperiment,
    "GET /experiments/get": wire.ExperimentById,
    "GET /experiments/get-by-name": wire.ExperimentByName,
    "POST /experiments/search": wire.SearchExperiments,
    "GET /experiments/search": wire.SearchExperiments,
    "POST /experiments/delete": wire.ExperimentById,
    "POST /experiments/restore": wire.ExperimentById,
    "POST /experiments/update": wire.UpdateExperiment,
    "POST /experiments/set-experiment-tag": wire.SetExperimentTag,
    "POST /experiments/delete-experiment-tag": wire.DeleteExperimentTag,
    "POST /experiments/search-datasets": lineage_wire.SearchDatasets,
    "GET /artifacts/list": wire.ListArtifacts,
    "GET /mlflow-artifacts/artifacts": wire.ListStored,
    "GET /get-artifact": wire.GetArtifact,
    "POST /logged-models": models_wire.CreateModel,
    "POST /logged-models/search": models_wire.SearchModels,
    "GET /logged-models/{model_id}": models_wire.GetModel,
    "PATCH /logged-models/{model_id}": models_wire.FinalizeModel,
    "PATCH /logged-models/{model_id}/tags": models_wire.SetModelTags,
    "POST /logged-models/{model_id}/params": models_wire.LogModelParams,
    "GET /logged-models/{model_id}/artifacts/directories": models_wire.ListModelArtifacts,
    "GET /logged-models/{model_id}/artifacts/files": models_wire.GetModelArtifact,
    "POST /registered-models/create": registry_wire.CreateRegisteredModel,
    "GET /registered-models/get": registry_wire.RegisteredModelByName,
    "POST /registered-models/rename": registry_wire.RenameRegisteredModel,
    "PATCH /registered-models/update": registry_wire.UpdateRegisteredModel,
    "DELETE /registered-models/delete": registry_wire.RegisteredModelByName,
    "GET /registered-models/search": registry_wire.Search,
    "GET /registered-models/get-latest-versions": registry_wire.GetLatestVersions,
    "POST /registered-models/get-latest-versions": registry_wire.GetLatestVersions,
    "POST /registered-models/set-tag": registry_wire.SetRegisteredModelTag,
    "DELETE /registered-models/delete-tag": registry_wire.DeleteRegisteredModelTag,
    "POST /registered-models/alias": registry_wire.SetAlias,
    "DELETE /registered-models/alias": registry_wire.AliasByName,
    "GET /registered-models/alias": registry_wire.AliasByName,
    "POST /model-versions/create": registry_wire.CreateVersion,
    "GET /model-versions/get": registry_wire.VersionByNumber,
    "GET /model-versions/get-download-uri": registry_wire.VersionByNumber,
    "PATCH /model-versions/update": registry_wire.UpdateVersion,
    "POST /model-versions/transition-stage": registry_wire.TransitionStage,
    "DELETE /model-versions/delete": registry_wire.VersionByNumber,
    "GET /model-versions/search": registry_wire.SearchVersions,
    "POST /model-versions/set-tag": registry_wire.SetVersionTag,
    "DELETE /model-versions/delete-tag": registry_wire.DeleteVersionTag,
    "GET /model-versions/get-artifact": registry_wire.GetVersionArtifact,
}
SHAPES: Mapping[str, Mapping[str, type[Struct]]] = {
    "mlflow": MLFLOW,
    "oracle": {
        **MLFLOW,
        "POST /experiments/search": oracle.SearchExperiments,
        "POST /experiments/delete": oracle.DeleteExperiment,
        "POST /internal/experiments/update-experiment-tags": oracle.UpdateExperimentTags,
        "POST /runs/delete": oracle.DeleteRun,
        "POST /runs/log-inputs": oracle.LogInputs,
        "POST /internal/runs/update-tags": oracle.UpdateRunTags,
        "POST /registered-models/update": registry_wire.UpdateRegisteredModel,
        "POST /registered-models/delete": registry_wire.RegisteredModelByName,
        "POST /registered-models/delete-tag": registry_wire.DeleteRegisteredModelTag,
        "POST /internal/registered-models/update-tags": oracle.UpdateRegisteredModelTags,
        "GET /registered-models/summary": oracle.GetSummary,
        "POST /model-versions/update": registry_wire.UpdateVersion,
        "POST /model-versions/delete": registry_wire.VersionByNumber,
        "POST /model-versions/delete-tag": registry_wire.DeleteVersionTag,
        "POST /internal/model-versions/update-tags": oracle.UpdateVersionTags,
    },
    "sap": {"PATCH /metrics": sap.MetricResource},
    "modelarts": {
        "POST /training-jobs": modelarts.NewJob,
        "POST /actions": modelarts.Action,
        "PUT /training-jobs/{training_job_id}": modelarts.JobChange,
        "POST /training-job-searches": modelarts.Search,
        "GET /events": modelarts.EventsQuery,
    },
    "pluto": {
        "POST /runs/create": pluto.CreateRun,
        "POST /runs/resume": pluto.ResumeRun,
        "POST /status/update": pluto.UpdateStatus,
        "GET /status/history": pluto.HistoryQuery,
        "POST /logName/add": pluto.AddLogNames,
        "POST /tags/update": pluto.UpdateTags,
        "POST /notes/update": pluto.UpdateNotes,
        "POST /config/update": pluto.UpdateConfig,
        "POST /modelGraph/create": pluto.CreateGraph,
        "POST /runs/trigger": pluto.Trigger,
        "POST /runs/alert": pluto.Alert,
        "GET /by-display-id/{display_id}": pluto.DisplayIdQuery,
        "GET /runs/list": pluto.ListQuery,
        "GET /runs/metrics": pluto.MetricsQuery,
        "GET /metrics/raw": pluto.RawQuery,
        "GET /statistics": pluto.OfRunQuery,
        "GET /compare": pluto.CompareQuery,
        "GET /leaderboard": pluto.LeaderboardQuery,
        "GET /metric-names": pluto.MetricNamesQuery,
        "GET /logs": pluto.LogsQuery,
        "GET /runs/files": pluto.OfRunQuery,
        "POST /files": pluto.PresignFiles,
        "POST /ingest/metrics": pluto.MetricLine,
        "POST /ingest/logs": pluto.LogRow,
        "POST /ingest/data": pluto.DataRow,
    },
}
# Arguments that no shape has: dialect -> verb and end of a path, or "" for all -> place and name -> schema.
TEXT = {"type": "string"}
RUN_HEADERS = {"header X-Run-Id": TEXT, "header X-Project-Name": TEXT}
SIGNED = {"query expires": TEXT, "query signature": TEXT, "query size": TEXT}
ARGUMENTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "mlflow": {"": {"header X-MLFLOW-WORKSPACE": TEXT}},
    "oracle": {"": {"header opc-request-id": TEXT, "header opc-retry-token": TEXT}},
    "sap": {
        "": {"header AI-Resource-Group": TEXT},
        "GET /metrics": {
            "query executionIds": TEXT,
            "query $select": TEXT,
            "query $filter": TEXT,
            "query tagFilters": TEXT,
            "query $top": {"type": "integer"},
            "query $skip": {"type": "integer"},
        },
        "DELETE /metrics": {"query executionId": TEXT},
    },
    "modelarts": {},
    "pluto": {
        **dict.fromkeys(
            ("POST /ingest/metrics", "POST /ingest/logs", "POST /ingest/data", "POST /step", "POST /files"), RUN_HEADERS
        ),
        **dict.fromkeys(("PUT /storage/{place:path}", "GET /storage/{place:path}"), SIGNED),
        "GET /multi-metric-batch-bucketed": {"query input": pluto.ChartData},
    },
}


class ApiError(Struct):
    """What Pluto's api service answers: a text, or the issues of one field."""

    error: str | dict[str, Any]


class IngestError(Struct):
    """What Pluto's ingest service answers."""

    code: str
    message: str


class PyError(Struct):
    """What Pluto's py service answers."""

    detail: str


def error_shape(dialect: str, path: str) -> type[Struct]:
    """The shape of the answer to a request that failed."""
    if dialect == "pluto":
        if not path.startswith("/api/"):
            return IngestError
        return PyError if path in {"/api/runs/trigger", "/api/runs/alert"} else ApiError
    shapes: dict[str, type[Struct]] = {
        "mlflow": wire.Error,
        "oracle": oracle.Error,
        "sap": sap.Error,
        "modelarts": modelarts.Failure,
    }
    return shapes[dialect]


def named(table: Mapping[str, Any], route: Route) -> str | None:
    """The longest key of a table that fits a route."""
    fitting = [key for key in table if (verb := key.partition(" "))[0] == route.verb and route.path.endswith(verb[2])]
    return max(fitting, key=len, default=None)


def description(dialect: Dialect, *, needed: Collection[str] = ()) -> dict[str, Any]:
    """The document, with every route of the dialect. `needed`: arguments and fields that a request never leaves out."""
    shapes = SHAPES[dialect.name]
    failures = [error_shape(dialect.name, route.path) for route in dialect.routes]
    known = list(dict.fromkeys([*shapes.values(), pluto.ChartData, *failures]))
    schemas, components = msgspec.json.schema_components(known, ref_template=REFERENCE)
    schema_of = dict(zip(known, schemas, strict=True))
    for component in components.values():
        component["required"] = [
            name for name in component["properties"] if name in component["required"] or name in needed
        ]
    paths: dict[str, dict[str, Any]] = {}
    for route in dialect.routes:
        key = named(shapes, route)
        shape = None if key is None else schema_of[shapes[key]]
        operation = {
            "parameters": [
                {**each, "required": each.get("required", False) or each["name"] in needed}
                for each in _parameters(dialect.name, route, shape, components)
            ],
            "responses": _responses(schema_of[error_shape(dialect.name, route.path)]),
        }
        if route.verb != "GET":
            operation |= _body(route, shape, required=bool(needed))
        paths.setdefault(PARAMETER.sub(r"{\1}", route.path), {})[route.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": dialect.name, "version": "1"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _parameters(dialect: str, route: Route, shape: Any, components: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in PARAMETER.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    if route.verb == "GET" and shape is not None:
        read = components[shape["$ref"].rpartition("/")[2]]
        for name, schema in read["properties"].items():
            yield {"name": name, "in": "query", "required": name in read["required"], "schema": schema}
    tables = ARGUMENTS[dialect]
    key = named({key: 1 for key in tables if key}, route)
    for place_and_name, schema in {**tables.get("", {}), **(tables[key] if key else {})}.items():
        place, _, name = place_and_name.partition(" ")
        if isinstance(schema, dict):
            yield {"name": name, "in": place, "schema": schema}
        else:  # JSON in an argument
            inner = {"$ref": REFERENCE.format(name=schema.__name__)}
            yield {"name": name, "in": place, "content": {JSON: {"schema": inner}}}


def _body(route: Route, shape: Any, *, required: bool) -> dict[str, Any]:
    if route.verb == "PUT":
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    elif route.path.startswith("/ingest/"):
        content = {LINES: {"schema": {"type": "array", "items": shape}}}
    elif route.verb == "DELETE" and shape is None:
        return {}
    else:
        content = {JSON: {"schema": shape or {}}}
    return {"requestBody": {"required": required, "content": content}}


def _responses(failure: Any) -> dict[str, Any]:
    failed = {JSON: {"schema": failure}}
    by_design = {str(status): {"description": "not now"} for status in (501, 503, 507)}
    return {"2XX": {"description": "done"}, "4XX": {"description": "refused", "content": failed}, **by_design}
