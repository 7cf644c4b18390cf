"""MLflow's words for what can go wrong: error codes, statuses, and the body of every error."""

from __future__ import annotations

from typing import Final

from stepwell.core.errors import (
    AlreadyExists,
    Conflict,
    Corrupt,
    Forbidden,
    Invalid,
    NotFound,
    StepwellError,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from stepwell.dialects.mlflow import render, wire
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.response import Response

# The first class that fits decides. A name that is taken is 400 in this protocol, not 409.
_OF_DOMAIN: Final[tuple[tuple[type[StepwellError], int, str], ...]] = (
    (Invalid, 400, "INVALID_PARAMETER_VALUE"),
    (Conflict, 400, "INVALID_PARAMETER_VALUE"),
    (AlreadyExists, 400, "RESOURCE_ALREADY_EXISTS"),
    (NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (Unauthenticated, 401, "UNAUTHENTICATED"),
    (Forbidden, 403, "PERMISSION_DENIED"),
    (StorageFull, 507, "RESOURCE_EXHAUSTED"),
    (Unavailable, 503, "TEMPORARILY_UNAVAILABLE"),
    (Corrupt, 500, "DATA_LOSS"),
)
_NO_ENDPOINT: Final = "ENDPOINT_NOT_FOUND"
_OF_HTTP: Final = {
    403: "PERMISSION_DENIED",
    404: _NO_ENDPOINT,
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
}
# First segment below mlflow/ -> what a caller looks for there that is not kept here.
_ABSENT: Final = {
    "traces": "traces",
    "unified-traces": "traces",
    "get-online-trace-details": "traces",
    "datasets": "evaluation datasets",
    "scorers": "scorers",
    "label-schemas": "label schemas",
    "review-queues": "review queues",
    "issues": "issues",
    "prompt-optimization": "prompt optimizations",
    "gateway": "gateway endpoints",
    "webhooks": "webhooks",
}


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """The answer to a request that failed."""
    status, code = _status_and_code(error)
    message = message_of(error)
    if code == _NO_ENDPOINT and (what := _ABSENT.get(call.path.partition("/mlflow/")[2].partition("/")[0])):
        message = f"Stepwell keeps no {what}: {message}"
    return Response(status, render.encode(wire.Error(error_code=code, message=message)))


def message_of(error: StepwellError | HttpProblem) -> str:
    """What went wrong, with the field named as callers call it."""
    if isinstance(error, StepwellError) and error.field == "cursor":
        return error.message.replace("cursor", "page_token", 1)
    return error.message


def _status_and_code(error: StepwellError | HttpProblem) -> tuple[int, str]:
    if isinstance(error, HttpProblem):
        return error.status, _OF_HTTP.get(error.status, "BAD_REQUEST")
    for kind, status, code in _OF_DOMAIN:
        if isinstance(error, kind):
            return status, code
    return 500, "INTERNAL_ERROR"
