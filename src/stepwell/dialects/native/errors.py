"""The native API's error shape: one object for every error, whatever went wrong."""

from __future__ import annotations

from typing import Final

from stepwell.core.errors import BadFilter, StepwellError
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem, status_of
from stepwell.web.response import Response, json_response

# What services call by another name than our fields have.
_FIELDS: Final = {"order": "order_by"}


def error_response(error: StepwellError | HttpProblem, call: Call) -> Response:
    """{"error": {code, message, field, limit, position, request_id}} with the status that HTTP has for it."""
    field = getattr(error, "field", None)
    message = error.message
    if field in _FIELDS:
        message = message.replace(field, _FIELDS[field], 1)
    body = {
        "code": error.code,
        "message": message,
        "field": _FIELDS.get(field, field) if field else None,
        "limit": error.limit,
        "position": error.position if isinstance(error, BadFilter) else None,
        "request_id": call.request_id,
    }
    return json_response({"error": body}, status_of(error))
