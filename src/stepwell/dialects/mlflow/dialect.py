"""The MLflow dialect as the router takes it: which endpoint is where, and whose workspace a request means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from stepwell.core.ids import check_workspace
from stepwell.dialects.mlflow.errors import error_response
from stepwell.dialects.mlflow.routes import (
    artifacts,
    experiments,
    lineage,
    metrics,
    model_versions,
    models,
    registered_models,
    runs,
    server,
    workspaces,
)
from stepwell.web.call import Call
from stepwell.web.routing import Dialect, Route, readme_of

API: Final = "/api/2.0"
AJAX: Final = "/ajax-api/2.0"
WORKSPACE_HEADER: Final = "x-mlflow-workspace"
PREFIXES: Final = (
    "/api/2.0",
    "/api/3.0",
    "/ajax-api",
    "/health",
    "/version",
    "/get-artifact",
    "/model-versions/get-artifact",
)


def workspace_of(call: Call) -> str:
    """The header's workspace, else the credential's own."""
    named = call.header(WORKSPACE_HEADER)
    return check_workspace(call.workspace_named(named)) if named else call.principal.home


def dialect() -> Dialect:
    """All of it. What is in 2.0 answers under /api and /ajax-api; what the vendor's page alone asks, only there."""
    both = (
        *runs.ROUTES,
        *metrics.ROUTES,
        *experiments.ROUTES,
        *artifacts.ROUTES,
        *lineage.ROUTES,
        *models.ROUTES,
        *registered_models.ROUTES,
        *model_versions.ROUTES,
    )
    newer = (*server.V3_ROUTES, *workspaces.V3_ROUTES)
    routes = (
        *_at(API, both),
        *_at(AJAX, both),
        *_at(AJAX, (*metrics.AJAX_ROUTES, *models.AJAX_ROUTES)),
        *_at("/api/3.0", newer),
        *_at("/ajax-api/3.0", newer),
        *artifacts.ROOT_ROUTES,
        *model_versions.ROOT_ROUTES,
        *server.ROOT_ROUTES,
    )
    return Dialect(
        name="mlflow",
        prefixes=PREFIXES,
        routes=routes,
        workspace=workspace_of,
        error_response=error_response,
        readme=readme_of(__package__),
    )


def _at(prefix: str, routes: Iterable[Route]) -> Iterable[Route]:
    return (replace(route, path=prefix + route.path) for route in routes)
