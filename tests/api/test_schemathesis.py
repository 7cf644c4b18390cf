"""Requests made from the OpenAPI document, good ones and bad ones: never a 5xx, and every answer as documented."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving import Server
from stepwell.dialects.native import openapi, raw

pytestmark = pytest.mark.slow  # some hundred requests to each route

schemathesis.serializer.alias(raw.POINTS, "application/octet-stream")

SCHEMA = schemathesis.openapi.from_dict(openapi.document())
# Without the systematic walk over every edge of every field: once, on things that exist, is enough.
AT_RANDOM = schemathesis.openapi.from_dict(
    openapi.document(), config=schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
)
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FEW = settings(
    max_examples=max(4, settings().max_examples // 10), deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def stocked(shared_server: Server) -> Server:
    """A server whose workspace "fuzz" has an experiment 1, and a run "fuzz" with points and a file."""
    headers = {"X-Stepwell-Workspace": "fuzz"}
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=headers, timeout=60) as api:
        api.post("/experiments", json={"name": "fuzz"})
        api.post("/runs", json={"id": "fuzz", "params": {"p": "1"}})
        series = {"metric": "0", "steps": [0, 1, 2], "values": [1, "NaN", "-Infinity"]}
        api.post("/runs/fuzz/points", json={"series": [series]})
        api.put("/runs/fuzz/artifacts/0", content=b"x")
    return shared_server


@AT_RANDOM.parametrize()
@FEW
def test_whatever_is_asked(case: schemathesis.Case, stocked: Server):
    case.call_and_validate(base_url=stocked.url, checks=CHECKS)


@SCHEMA.exclude(method="DELETE").parametrize()
@FEW
def test_whatever_is_asked_of_things_that_exist(case: schemathesis.Case, stocked: Server):
    places = {"run_id": "fuzz", "experiment_id": 1, "path": "0", "task": "worker-0", "view": "0"}
    case.path_parameters.update({name: places[name] for name in case.path_parameters})
    case.headers["X-Stepwell-Workspace"] = "fuzz"
    case.call_and_validate(base_url=stocked.url, checks=CHECKS)
