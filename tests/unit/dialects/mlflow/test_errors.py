"""Errors in MLflow's words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stepwell.core import errors
from stepwell.core.errors import StepwellError
from stepwell.dialects.mlflow.errors import error_response
from stepwell.web.errors import HttpProblem, body_too_large, internal, not_found, wrong_verb

CALL = cast("Any", SimpleNamespace(path="/api/2.0/m"))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Invalid("m"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.TooLarge("m"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.BadFilter("m"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.Conflict("m"), 400, "INVALID_PARAMETER_VALUE"),
        (errors.AlreadyExists("m"), 400, "RESOURCE_ALREADY_EXISTS"),
        (errors.NotFound("m"), 404, "RESOURCE_DOES_NOT_EXIST"),
        (errors.Unauthenticated("m"), 401, "UNAUTHENTICATED"),
        (errors.Forbidden("m"), 403, "PERMISSION_DENIED"),
        (errors.Busy("m"), 503, "TEMPORARILY_UNAVAILABLE"),
        (errors.StorageFailed("m"), 503, "TEMPORARILY_UNAVAILABLE"),
        (errors.StorageFull("m"), 507, "RESOURCE_EXHAUSTED"),
        (errors.Corrupt("m"), 500, "DATA_LOSS"),
        (StepwellError("m"), 500, "INTERNAL_ERROR"),
        (not_found("/api/2.0/m"), 404, "ENDPOINT_NOT_FOUND"),
        (wrong_verb("GET", "/m", ("POST",)), 405, "BAD_REQUEST"),
        (body_too_large(5), 413, "BAD_REQUEST"),
        (internal("m"), 500, "INTERNAL_ERROR"),
        (HttpProblem(403, "foreign_host", "m"), 403, "PERMISSION_DENIED"),
    ],
)
def test_status_and_code(error: StepwellError | HttpProblem, status: int, code: str) -> None:
    response = error_response(error, CALL)
    assert response.status == status
    assert response.content_type == "application/json"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {"error_code": code, "message": error.message}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/3.0/mlflow/traces/tr-1/info", "Stepwell keeps no traces: there is nothing at "),
        ("/ajax-api/2.0/mlflow/webhooks", "Stepwell keeps no webhooks: there is nothing at "),
        ("/api/2.0/mlflow/nothing/traces", "there is nothing at "),
    ],
)
def test_what_is_not_kept_here_is_named(path: str, message: str) -> None:
    response = error_response(not_found(path), cast("Any", SimpleNamespace(path=path)))
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["message"] == message + path


def test_the_place_of_a_page_has_the_name_that_callers_know() -> None:
    response = error_response(errors.Invalid("cursor belongs to another query", field="cursor"), CALL)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["message"] == "page_token belongs to another query"
