"""Every error of ours has a status, a code and the vendor's shape."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stepwell.core import errors
from stepwell.core.errors import StepwellError
from stepwell.dialects.sap.errors import error_response
from stepwell.dialects.sap.rules import PayloadLimit
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem, body_too_large, internal, not_found

CALL = cast("Call", SimpleNamespace(request_id="r-1"))


def answered(error: StepwellError | HttpProblem) -> tuple[int, dict[str, Any]]:
    response = error_response(error, CALL)
    assert isinstance(response.body, bytes)
    body = json.loads(response.body)
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "requestId", "target", "details"}
    assert (body["error"]["requestId"], body["error"]["target"]) == ("r-1", "/metrics")
    (detail,) = body["error"]["details"]
    assert (detail["code"], detail["message"]) == (body["error"]["code"], error.message)
    return response.status, body["error"]


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (errors.Invalid("why"), 400, "02010001", "why"),
        (errors.TooLarge("why"), 400, "02010001", "why"),
        (errors.BadFilter("why"), 400, "02010001", "why"),
        (PayloadLimit("why"), 413, "02000005", "PayloadLimitException"),
        (body_too_large(5), 413, "02000005", "PayloadLimitException"),
        (errors.NotFound("why"), 404, "02010055", "Metrics was not found."),
        (errors.Conflict("why"), 409, "02010409", "why"),
        (errors.AlreadyExists("why"), 409, "02010409", "why"),
        (errors.Unauthenticated("why"), 401, "02000401", "why"),
        (errors.Forbidden("why"), 403, "02000403", "why"),
        (errors.Busy("why"), 503, "02000503", "why"),
        (errors.StorageFull("why"), 507, "02000507", "why"),
        (errors.StorageFailed("why"), 503, "02000503", "why"),
        (errors.Corrupt("why"), 500, "02000500", "why"),
        (StepwellError("why"), 500, "02000500", "why"),
        (not_found("/x"), 404, "02000404", "there is nothing at /x"),
        (HttpProblem(400, "malformed_query", "why"), 400, "02010001", "why"),
        (HttpProblem(408, "body_too_slow", "why"), 408, "02000408", "why"),
        (internal("r-1"), 500, "02000500", internal("r-1").message),
    ],
    ids=repr,
)
def test_an_error_has_its_status_code_and_message(error: Any, status: int, code: str, message: str) -> None:
    found, body = answered(error)
    assert (found, body["code"], body["message"]) == (status, code, message)


def test_every_error_of_the_domain_has_a_status() -> None:
    def below(kind: type[StepwellError]) -> list[type[StepwellError]]:
        # Another dialect's own errors are its own to shape.
        known = [sub for sub in kind.__subclasses__() if sub.__module__ == StepwellError.__module__]
        return [kind, *(each for sub in known for each in below(sub))]

    for kind in below(StepwellError):
        status, body = answered(kind())
        assert status >= 400
        assert len(body["code"]) == 8
