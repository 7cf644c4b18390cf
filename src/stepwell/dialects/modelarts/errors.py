"""ModelArts' words for what can go wrong: error codes, statuses, and the body of every error."""

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
from stepwell.dialects.modelarts import wire
from stepwell.dialects.modelarts.decoding import BadBody, BadQuery, encode
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.response import Response

# The first class that fits decides. 401 and a caller's lack of a role are the gateway's words in the real service.
_OF_DOMAIN: Final[tuple[tuple[type[StepwellError], int, str], ...]] = (
    (BadBody, 400, "ModelArts.2787"),
    (BadQuery, 400, "ModelArts.2764"),
    (Invalid, 400, "ModelArts.2788"),
    (NotFound, 404, "ModelArts.2775"),
    (AlreadyExists, 409, "ModelArts.2788"),
    (Conflict, 409, "ModelArts.2796"),
    (Unauthenticated, 401, "APIGW.0301"),
    (Forbidden, 403, "APIGW.0302"),
    (StorageFull, 507, "ModelArts.0010"),
    (Unavailable, 503, "ModelArts.0010"),
    (Corrupt, 500, "ModelArts.0010"),
)
_OF_HTTP: Final = {
    403: "APIGW.0302",
    404: "ModelArts.2836",
    405: "ModelArts.2836",
    413: "APIGW.0201",
    429: "APIGW.0308",
    500: "ModelArts.0010",
}


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """The answer to a request that failed."""
    status, code, message = _shape(error, call)
    return Response(status, encode(wire.Failure(error_code=code, error_msg=message)))


def _shape(error: StepwellError | HttpProblem, call: Call) -> tuple[int, str, str]:
    if isinstance(error, HttpProblem):
        message = "Path not found." if error.status == 404 else error.message
        return error.status, _OF_HTTP.get(error.status, "ModelArts.2788"), message
    field = error.field
    if isinstance(error, NotFound):
        if field == "task":
            return 404, "ModelArts.2788", f"Invalid parameter({call.params.get('task_id', field)})."
        return 404, "ModelArts.2775", f"Training job (ID: {call.params.get('training_job_id', '')}) not found."
    if isinstance(error, Forbidden) and field == "workspace":
        return 403, "ModelArts.0210", error.message
    if isinstance(error, Unauthenticated):
        return 401, "APIGW.0301", f"Incorrect IAM authentication information: {error.message}"
    status, code = next(((status, code) for kind, status, code in _OF_DOMAIN if isinstance(error, kind)), (500, ""))
    if isinstance(error, Invalid) and field and not isinstance(error, BadBody):
        return status, code, f"Invalid parameter({field}). {error.message}"
    return status, code or "ModelArts.0010", error.message
