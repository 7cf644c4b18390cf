"""Pluto's words for what can go wrong: each of its three services has an error shape of its own."""

from __future__ import annotations

from typing import Any, Final

from stepwell.core.errors import (
    Forbidden,
    NotFound,
    StepwellError,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from stepwell.dialects.pluto.decoding import BadFields
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem, status_of
from stepwell.web.response import Response, json_response

_INGEST: Final = ("/ingest", "/files", "/step", "/storage", "/health")
_PY: Final = ("/api/runs/trigger", "/api/runs/alert")


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """The answer to a request that failed."""
    if call.path.startswith(_INGEST):
        return json_response(*_of_ingest(error, call))
    if call.path in _PY:
        return json_response({"detail": error.message}, status_of(error))
    return json_response(_of_api(error), status_of(error))


def _of_api(error: StepwellError | HttpProblem) -> dict[str, Any]:
    """Clients show `message` where `error` only repeats the status."""
    if isinstance(error, Unauthenticated):
        return {"error": "Unauthorized", "message": error.message}
    if isinstance(error, Forbidden):
        return {"error": "Forbidden", "message": error.message}
    if isinstance(error, BadFields):
        issue = error.issue
        issues = [{"code": issue.code, "path": list(issue.path), "message": issue.message}]
        return {"success": False, "error": {"issues": issues, "name": "ZodError"}}
    return {"error": error.message}


def _of_ingest(error: StepwellError | HttpProblem, call: Call) -> tuple[dict[str, Any], int]:
    status = status_of(error)
    code = _code(error, status)
    if code == "PROCESSING_FAILED" and call.path.startswith("/ingest"):
        status = 422  # to this client 422 is final, and what came before the bad line is stored
    return {"code": code, "message": error.message}, status


def _code(error: StepwellError | HttpProblem, status: int) -> str:
    if isinstance(error, HttpProblem):
        return error.code.upper()
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return "PROCESSING_FAILED" if status < 500 else "INTERNAL_ERROR"


class BadHeader(HttpProblem):
    """A header that a stream needs is missing or makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "invalid_header_format", message)


_CODES: Final[tuple[tuple[type[StepwellError], str], ...]] = (
    (Unauthenticated, "UNAUTHORIZED"),
    (Forbidden, "FORBIDDEN"),
    (NotFound, "NOT_FOUND"),
    (StorageFull, "STORAGE_FULL"),
    (Unavailable, "SERVICE_UNAVAILABLE"),
)
