"""Oracle's words for what can go wrong: codes, statuses, and the body of every error."""

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
    QuotaExceeded,
    StepwellError,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from stepwell.dialects.mlflow.errors import message_of
from stepwell.dialects.mlflow.oracle import headers, wire
from stepwell.services.retries import RETRY_FIELD
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.response import Response

# The first class that fits decides.
_OF_DOMAIN: Final[tuple[tuple[type[StepwellError], int, str], ...]] = (
    (Invalid, 400, "InvalidParameter"),
    (NotFound, 404, "NotAuthorizedOrNotFound"),
    (AlreadyExists, 409, "NotAuthorizedOrResourceAlreadyExists"),
    (Conflict, 400, "InvalidParameter"),  # a 409 would be tried again, and nothing would change
    (Unauthenticated, 401, "NotAuthenticated"),
    (Forbidden, 403, "NotAuthorized"),
    (QuotaExceeded, 400, "QuotaExceeded"),  # the client would send any 5xx again for minutes
    (StorageFull, 507, "ServiceUnavailable"),
    (Unavailable, 503, "ServiceUnavailable"),
    (Corrupt, 500, "InternalServerError"),
)
_OF_HTTP: Final = {
    403: "NotAuthorized",
    404: "NotAuthorizedOrNotFound",
    405: "MethodNotAllowed",
    409: "InvalidatedRetryToken",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
}


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """The answer to a request that failed."""
    status, code = _status_and_code(error)
    body = msgspec.json.encode(wire.Error(code=code, message=message_of(error)))
    return Response(status, body, headers=(headers.request_id(call),))


def _status_and_code(error: StepwellError | HttpProblem) -> tuple[int, str]:
    if isinstance(error, HttpProblem):
        return error.status, _OF_HTTP.get(error.status, "InvalidParameter")
    if isinstance(error, Conflict) and error.field == RETRY_FIELD:
        return 409, _OF_HTTP[409]
    for kind, status, code in _OF_DOMAIN:
        if isinstance(error, kind):
            return status, code
    return 500, "InternalServerError"
