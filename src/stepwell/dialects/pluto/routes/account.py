"""Who is calling, and what the server says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from stepwell.core.errors import NotFound
from stepwell.dialects.pluto import names
from stepwell.dialects.pluto.routes.reading import answer
from stepwell.web.call import Call
from stepwell.web.response import Response
from stepwell.web.routing import Route

_TEXT: Final = "text/plain; charset=utf-8"


async def login(call: Call) -> Response:
    """POST /api/slug: what the client asks to see whether its key is good."""
    return answer({"organization": {"slug": call.workspace}})


async def validate(call: Call) -> Response:
    """GET /api/runs/auth/validate"""
    workspace = call.workspace
    user = call.principal.credential_id or "anyone"
    return answer({"valid": True, "organization": {"id": workspace, "slug": workspace}, "user": {"id": user}})


async def health(_call: Call) -> Response:
    """GET /api/health"""
    return Response(200, b"OK", _TEXT)


async def ready(call: Call) -> Response:
    """GET /api/health/ready and /health/ready: whether writes are taken."""
    reason = call.context.store.healthy()
    told = {"status": "unhealthy" if reason else "ok", "checks": {"storage": reason or "ok"}}
    return Response(503 if reason else 200, json.dumps(told).encode())


async def dead_letters(_call: Call) -> Response:
    """GET /health/dlq: what is acknowledged is stored, so nothing ever waits to be tried again."""
    return answer({"enabled": False, "files": 0, "bytes": 0})


async def version(call: Call) -> Response:
    """GET /api/version"""
    return answer({"version": call.context.version, "name": "stepwell"})


async def decode_id(call: Call) -> Response:
    """GET /api/runs/{sqid}: the number in a short id. It says nothing about whether there is such a run."""
    key = names.parse_short_id(call.params["sqid"])
    if key is None:
        raise NotFound("Run not found", field="runId")
    return answer({"runId": key})


def description_routes(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Where the OpenAPI document of these routes is; a browser that looks for the documents finds it too."""
    document = _description(routes)

    async def openapi(_call: Call) -> Response:
        """GET /api/openapi.json"""
        return Response(200, document)

    async def docs(call: Call) -> Response:
        """GET /api/docs"""
        return Response(307, b"", _TEXT, (("location", f"{call.prefix}/api/openapi.json"),))

    return (
        Route("GET", "/api/openapi.json", openapi, public=True),
        Route("GET", "/api/docs", docs, public=True),
    )


def _description(routes: Sequence[Route]) -> bytes:
    """Paths, verbs, and who may call."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        told: dict[str, Any] = {
            "summary": (route.endpoint.__doc__ or "").partition("\n")[0],
            "responses": {"200": {"description": "OK"}},
        }
        if parameters := list(_parameters(route.path)):
            told["parameters"] = parameters
        if route.public:
            told["security"] = []
        paths.setdefault(route.path.replace(":path}", "}"), {})[route.verb.lower()] = told
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Stepwell, as Pluto's clients speak to it", "version": "1"},
        "security": [{"bearerAuth": []}],
        "components": {"securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }
    return json.dumps(document).encode()


def _parameters(path: str) -> Iterable[dict[str, Any]]:
    for segment in path.split("/"):
        if segment.startswith("{"):
            name = segment[1:-1].removesuffix(":path")
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


ROUTES: Final = (
    Route("POST", "/api/slug", login),
    Route("GET", "/api/runs/auth/validate", validate),
    Route("GET", "/api/health", health, public=True),
    Route("GET", "/api/health/ready", ready, public=True),
    Route("GET", "/health/ready", ready, public=True),
    Route("GET", "/health/dlq", dead_letters, public=True),
    Route("GET", "/api/version", version, public=True),
    Route("GET", "/api/runs/{sqid}", decode_id, public=True),
)
