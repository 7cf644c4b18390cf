"""The tables of the variant's README are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from stepwell.core import errors
from stepwell.core.access import Role
from stepwell.core.errors import StepwellError
from stepwell.dialects.mlflow import oracle
from stepwell.dialects.mlflow.oracle.dialect import PLATFORM, PREFIXES, WORKSPACE
from stepwell.dialects.mlflow.oracle.errors import error_response
from stepwell.services.retries import RETRY_FIELD
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem

README = Path(oracle.__file__).with_name("README.md").read_text()
ENDPOINTS = set(re.findall(r"^\| `((?:GET|POST) [WA]/\S+)` \|", README, re.MULTILINE))
CODES = {
    (code, int(status))
    for code, statuses in re.findall(r"^\| `(\w+)` \| ([0-9, ]+) \|", README, re.MULTILINE)
    for status in statuses.split(",")
}
CALL = cast("Call", SimpleNamespace(header=lambda name: None, request_id="r-1"))


def test_every_endpoint_is_in_the_readme_and_nothing_else() -> None:
    served: dict[str, set[str]] = {prefix: set() for prefix in PREFIXES}
    for route in oracle.dialect().routes:
        (prefix,) = [each for each in PREFIXES if route.path.startswith(f"{each}/")]
        path = route.path.removeprefix(prefix)
        place = "W" if path.startswith(WORKSPACE) else "A"
        served[prefix].add(f"{route.verb} {place}{path.removeprefix(WORKSPACE if place == 'W' else PLATFORM)}")
    assert list(served.values()) == [ENDPOINTS, ENDPOINTS]


def test_a_get_or_a_search_needs_a_reader_and_nothing_else_does() -> None:
    for route in oracle.dialect().routes:
        reads = route.verb == "GET" or route.path.endswith("/search") or "/inferences/actions/" in route.path
        assert (route.role is Role.READER) is reads, route.path
        assert not route.public


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.TooLarge("x"), 400, "InvalidParameter"),
        (errors.BadFilter("x"), 400, "InvalidParameter"),
        (errors.Conflict("x"), 400, "InvalidParameter"),
        (errors.Conflict("x", field=RETRY_FIELD), 409, "InvalidatedRetryToken"),
        (errors.AlreadyExists("x"), 409, "NotAuthorizedOrResourceAlreadyExists"),
        (errors.NotFound("x"), 404, "NotAuthorizedOrNotFound"),
        (errors.Unauthenticated("x"), 401, "NotAuthenticated"),
        (errors.Forbidden("x"), 403, "NotAuthorized"),
        (errors.Busy("x"), 503, "ServiceUnavailable"),
        (errors.StorageFull("x"), 507, "ServiceUnavailable"),
        (errors.Corrupt("x"), 500, "InternalServerError"),
        (errors.StepwellError("x"), 500, "InternalServerError"),
        (HttpProblem(404, "unknown_path", "x"), 404, "NotAuthorizedOrNotFound"),
        (HttpProblem(405, "wrong_verb", "x"), 405, "MethodNotAllowed"),
        (HttpProblem(413, "body_too_large", "x"), 413, "RequestEntityTooLarge"),
        (HttpProblem(429, "too_many_requests", "x"), 429, "TooManyRequests"),
        (HttpProblem(400, "malformed_query", "x"), 400, "InvalidParameter"),
        (HttpProblem(500, "internal", "x"), 500, "InternalServerError"),
    ],
)
def test_an_error_has_the_code_that_the_readme_says(error: StepwellError | HttpProblem, status: int, code: str) -> None:
    response = error_response(error, CALL)
    assert isinstance(response.body, bytes)
    assert (response.status, msgspec.json.decode(response.body)) == (status, {"code": code, "message": "x"})
    assert ("opc-request-id", "r-1") in response.headers
    assert (code, status) in CODES


def test_the_table_of_codes_was_found() -> None:
    assert len(CODES) == 13
