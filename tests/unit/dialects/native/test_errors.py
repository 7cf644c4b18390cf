"""One shape for every error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import orjson
import pytest

from stepwell.core.errors import BadFilter, Busy, Conflict, Invalid, NotFound, StepwellError, TooLarge
from stepwell.dialects.native import answers
from stepwell.dialects.native.errors import error_response
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem, body_too_large

CALL = cast("Call", SimpleNamespace(request_id="q1"))


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (NotFound("no run 'x'", field="run_id"), 404, {"code": "not_found", "field": "run_id"}),
        (TooLarge("too many", field="points", limit=5), 400, {"code": "too_large", "field": "points", "limit": 5}),
        (BadFilter("here", position=3), 400, {"code": "bad_filter", "field": "filter", "position": 3}),
        (BadFilter("order 1: no", field="order"), 400, {"field": "order_by", "message": "order_by 1: no"}),
        (Invalid("cursor is bad", field="cursor"), 400, {"field": "cursor", "message": "cursor is bad"}),
        (Conflict("deleted"), 409, {"code": "conflict", "field": None}),
        (Busy(), 503, {"code": "busy"}),
        (body_too_large(9), 413, {"code": "body_too_large", "limit": 9, "field": None}),
        (HttpProblem(405, "wrong_verb", "no"), 405, {"code": "wrong_verb", "message": "no"}),
    ],
)
def test_the_shape(error: StepwellError | HttpProblem, status: int, expected: dict[str, Any]):
    response = error_response(error, CALL)
    assert response.status == status
    assert isinstance(response.body, bytes)
    msgspec.json.decode(response.body, type=answers.FailureAnswer)
    read = orjson.loads(response.body)["error"]
    assert set(read) == {"code", "message", "field", "limit", "position", "request_id"}
    assert read["request_id"] == "q1"
    assert {name: read[name] for name in expected} == expected
