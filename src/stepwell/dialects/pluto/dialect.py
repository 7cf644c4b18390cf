"""The Pluto dialect as the router takes it: which endpoint is where, and whose workspace a request means."""

from __future__ import annotations

from typing import Final

from stepwell.dialects.pluto.errors import error_response
from stepwell.dialects.pluto.routes import (
    account,
    analysis,
    changing,
    console,
    ingest,
    listing,
    metrics,
    runs,
    signs,
    starting,
)
from stepwell.dialects.pluto.routes.files import Files
from stepwell.services.sealing import ServerKey
from stepwell.web.call import Call
from stepwell.web.routing import Dialect, readme_of

NAME: Final = "pluto"
PREFIXES: Final = (
    "/api/runs",
    "/api/slug",
    "/api/chart-data",
    "/api/health",
    "/api/version",
    "/api/openapi.json",
    "/api/docs",
    "/ingest",
    "/files",
    "/storage",
    "/step",
    "/health/ready",
    "/health/dlq",
)


def workspace_of(call: Call) -> str:
    """The credential's own; a key belongs to one organisation."""
    return call.principal.home


def dialect(key: ServerKey) -> Dialect:
    """All of it. `key` signs the links to files."""
    routes = (
        *account.ROUTES,
        *starting.ROUTES,
        *runs.ROUTES,
        *changing.ROUTES,
        *listing.ROUTES,
        *metrics.ROUTES,
        *analysis.ROUTES,
        *console.ROUTES,
        *ingest.ROUTES,
        *signs.ROUTES,
        *Files(key).routes(),
    )
    routes = (*routes, *account.description_routes(routes))
    return Dialect(
        name=NAME,
        prefixes=PREFIXES,
        routes=routes,
        workspace=workspace_of,
        error_response=error_response,
        readme=readme_of(__package__),
    )
