"""Oracle's variant as the router takes it: both base paths, and whose workspace a request means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from stepwell.core.ids import check_workspace
from stepwell.dialects.mlflow.oracle.errors import error_response
from stepwell.dialects.mlflow.oracle.routes import deployments, registry, tracking
from stepwell.dialects.mlflow.oracle.routes.exchange import exchanged
from stepwell.web.call import Call
from stepwell.web.routing import Dialect, Route, readme_of

PREFIXES: Final = ("/20260430", "/api/20260430")
PLATFORM: Final = "/aiDataPlatforms/{platform}/mlops/api/2.0"
WORKSPACE: Final = "/aiDataPlatforms/{platform}/workspaces/{workspace}/mlops/api/2.0"


def workspace_of(call: Call) -> str:
    """The workspace in the path; where there is none, as in the registry, the platform has a scope of its own."""
    return check_workspace(call.workspace_named(call.params.get("workspace") or call.params["platform"]))


def dialect() -> Dialect:
    """All of it."""
    routes = (
        *_at(WORKSPACE, (*tracking.ROUTES, *registry.WORKSPACE_ROUTES)),
        *_at(PLATFORM, (*registry.ROUTES, *deployments.ROUTES)),
    )
    return Dialect(
        name="oracle",
        prefixes=PREFIXES,
        routes=tuple(replace(route, path=prefix + route.path) for prefix in PREFIXES for route in routes),
        workspace=workspace_of,
        error_response=error_response,
        readme=readme_of(__package__),
        shorthand={"W": WORKSPACE, "A": PLATFORM},
    )


def _at(base: str, routes: Iterable[Route]) -> Iterable[Route]:
    return (replace(exchanged(route), path=base + route.path) for route in routes)
