"""workspaces: which there are. The first write to a workspace makes it, so nothing here does."""

from __future__ import annotations

from typing import Final

from stepwell.core.errors import NotFound
from stepwell.dialects.mlflow import wire
from stepwell.dialects.mlflow.routes.reading import answer
from stepwell.services import runs as service
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route


async def search(call: Call) -> Response:
    """GET workspaces: those that the credential may see"""
    names = await call.run(_names, call)
    return answer(wire.WorkspacesAnswer(workspaces=[wire.Workspace(name) for name in names]))


async def get(call: Call) -> Response:
    """GET workspaces/{workspace_name}"""
    name = call.params["workspace_name"]
    if call.workspace_named(name) not in await call.run(_names, call):
        raise NotFound(f"there is no workspace {name!r} that this credential may see", field="workspace_name")
    return answer(wire.WorkspaceAnswer(workspace=wire.Workspace(name)))


def _names(call: Call) -> list[str]:
    found = service.list_workspaces(call.context.store, workspace=call.principal.workspace)
    return sorted({each.name for each in found} | {call.principal.home})  # that is there before its first write


V3_ROUTES: Final = (
    Route("GET", "/mlflow/workspaces", search),
    Route("GET", "/mlflow/workspaces/{workspace_name}", get),
)
