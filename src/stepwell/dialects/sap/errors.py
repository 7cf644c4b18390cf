"""The vendor's error bodies: eight-digit codes, a message, the request's id, a detail that says what was wrong."""

from __future__ import annotations

from typing import Final

import msgspec

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
from stepwell.dialects.sap import wire
from stepwell.dialects.sap.rules import PayloadLimit
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.response import Response

TARGET: Final = "/metrics"
NOT_FOUND: Final = "Metrics was not found."
PAYLOAD_LIMIT: Final = "PayloadLimitException"
_PAYLOAD: Final = (413, "02000005")
_BAD_REQUEST: Final = (400, "02010001")

# The first class that fits decides. The vendor publishes the codes of 404 and 413 alone; the others are ours, and stay.
_OF_DOMAIN: Final[tuple[tuple[type[StepwellError], tuple[int, str]], ...]] = (
    (PayloadLimit, _PAYLOAD),
    (Invalid, _BAD_REQUEST),
    (NotFound, (404, "02010055")),
    (AlreadyExists, (409, "02010409")),
    (Conflict, (409, "02010409")),
    (Unauthenticated, (401, "02000401")),
    (Forbidden, (403, "02000403")),
    (StorageFull, (507, "02000507")),
    (Unavailable, (503, "02000503")),
    (Corrupt, (500, "02000500")),
)


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """The answer to a request that failed. Clients look for fixed messages where something is missing or too large."""
    status, code = _status_and_code(error)
    message = error.message
    if status == 413:
        message = PAYLOAD_LIMIT
    elif isinstance(error, NotFound):
        message = NOT_FOUND
    problem = wire.Problem(
        code=code,
        message=message,
        requestId=call.request_id,
        target=TARGET,
        details=[wire.Detail(code=code, message=error.message)],
    )
    return Response(status, msgspec.json.encode(wire.Error(error=problem)))


def _status_and_code(error: StepwellError | HttpProblem) -> tuple[int, str]:
    if isinstance(error, HttpProblem):
        if error.status == 413:
            return _PAYLOAD
        return _BAD_REQUEST if error.status == 400 else (error.status, f"02000{error.status}")
    return next((found for kind, found in _OF_DOMAIN if isinstance(error, kind)), (500, "02000500"))
