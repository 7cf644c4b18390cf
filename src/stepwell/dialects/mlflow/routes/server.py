"""What the server says of itself."""

from __future__ import annotations

from typing import Final

from stepwell.dialects.mlflow import wire
from stepwell.dialects.mlflow.routes.reading import answer
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

MLFLOW_VERSION: Final = "3.18.0"  # whose interface this is; clients compare it to decide what to ask
_TEXT: Final = "text/plain; charset=utf-8"


async def health(call: Call) -> Response:
    """GET /health"""
    return Response(200, b"OK", _TEXT)


async def version(call: Call) -> Response:
    """GET /version"""
    return Response(200, MLFLOW_VERSION.encode(), _TEXT)


async def server_info(call: Call) -> Response:
    """GET server-info: only what is here, so that the client asks for nothing else."""
    return answer(
        wire.ServerInfo(
            store_type="Stepwell",
            workspaces_enabled=True,  # with this the client sends the workspace that it was told to use
            trace_archival_enabled=False,
            multipart_uploads_enabled=False,
            multipart_downloads_enabled=False,
            artifact_serving_enabled=True,
        )
    )


V3_ROUTES: Final = (Route("GET", "/mlflow/server-info", server_info),)
ROOT_ROUTES: Final = (
    Route("GET", "/health", health, public=True),
    Route("GET", "/version", version, public=True),
)
