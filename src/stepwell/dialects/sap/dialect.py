"""The SAP dialect as the router takes it: its two paths, and whose workspace a request means."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stepwell.core.errors import Invalid
from stepwell.core.ids import check_workspace
from stepwell.dialects.sap.errors import error_response
from stepwell.dialects.sap.routes import ROUTES
from stepwell.web.call import Call
from stepwell.web.routing import Dialect, readme_of

API: Final = "/v2/lm"
ELSEWHERE: Final = (  # what else its clients ask for; nothing of it is here, and a project of another's may be `admin`
    "/v2/admin/applications",
    "/v2/admin/dockerRegistrySecrets",
    "/v2/admin/objectStoreSecrets",
    "/v2/admin/repositories",
    "/v2/admin/resourceGroups",
    "/v2/admin/secrets",
    "/v2/analytics/kpis",
)
IN_CLUSTER_PATH: Final = "/api/v1/metrics"  # what executions use; nothing below it is this dialect's
GROUP_HEADER: Final = "AI-Resource-Group"


def workspace_of(call: Call) -> str:
    """The resource group, or the workspace that it is joined to. Invalid: it is missing, or no name of a workspace.

    Clients within an execution send none: there it is the credential's own.
    """
    group = call.header(GROUP_HEADER)
    if not group:
        if call.path.startswith(API):
            raise Invalid(f"the header {GROUP_HEADER} is missing", field=GROUP_HEADER)
        return call.principal.home
    try:
        return check_workspace(call.workspace_named(group))
    except Invalid as error:
        raise Invalid(f"{GROUP_HEADER}: {error.message}", field=GROUP_HEADER) from None


def dialect() -> Dialect:
    """All of it, under both paths."""
    return Dialect(
        name="sap",
        prefixes=(API, *ELSEWHERE),
        paths=(IN_CLUSTER_PATH,),
        routes=tuple(replace(route, path=path) for path in (f"{API}/metrics", IN_CLUSTER_PATH) for route in ROUTES),
        workspace=workspace_of,
        error_response=error_response,
        readme=readme_of(__package__),
    )
