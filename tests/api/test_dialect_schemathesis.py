"""Requests made from a description of each vendor's interface, good ones and bad ones: never a 5xx.

What is refused is refused in the vendor's shape, and what the description does not say is not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from api.dialect_descriptions import LINES, PARAMETER, SHAPES, description, named
from serving import Server
from stepwell.app import dialects

pytestmark = pytest.mark.slow  # a minute of requests: `make test` asks them, `make test-fast` does not

VENDORS = {each.name: each for each in dialects() if each.name != "native"}
DESCRIPTIONS = {name: description(dialect) for name, dialect in VENDORS.items()}
MANY = settings().max_examples > 50
# The same endpoints under another prefix: their turn comes where there is time.
AGAIN = "^/(ajax-api|api/20260430)/" if not MANY else "^$"
FEW = settings(
    max_examples=max(4, settings().max_examples // 12), deadline=None, suppress_health_check=list(HealthCheck)
)
Stocked: TypeAlias = tuple[Server, Mapping[str, Mapping[str, Any]]]
# What names a thing; where it may be left out, a request about what is there says it all the same.
TRACKED = {"run_id", "run_ids", "experiment_id", "experiment_ids", "experiment_name", "metric_key", "name", "version"}
NEEDED = {
    "mlflow": TRACKED,
    "oracle": TRACKED,
    "sap": {"AI-Resource-Group", "executionIds", "executionId"},
    "modelarts": set[str](),
    "pluto": {"runId", "runIds", "projectName", "logName", "input", "X-Run-Id", "X-Project-Name"},
}
MEANT = (501, 503, 507)


@schemathesis.serializer(LINES)
def lines(_: schemathesis.SerializationContext, rows: Any) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows) if isinstance(rows, list) else b"{"


@schemathesis.check
def no_failure(_: schemathesis.CheckContext, response: schemathesis.Response, __: schemathesis.Case) -> None:
    assert response.status_code < 500 or response.status_code in MEANT, response.text


CHECKS: list[CheckFunction] = [no_failure, status_code_conformance, response_schema_conformance]

# Routes whose body is not looked into, and so has no shape.
UNREAD = {"POST /step", "POST /api/slug"}
UNREAD_PART = ("/model-deployments/", "/actions/managePermission", "/mpu/create/")


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    """A server with one of each thing, and what a dialect's arguments must say to mean it."""
    with (
        Server(tmp_path_factory.mktemp("dialects") / "data") as server,
        httpx.Client(base_url=server.url, timeout=60) as api,
    ):
        yield server, _stock(api)


def _stock(api: httpx.Client) -> Mapping[str, Mapping[str, Any]]:
    def post(path: str, body: Any) -> Any:
        answer = api.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    mlflow = "/api/2.0/mlflow"
    experiment = post(f"{mlflow}/experiments/create", {"name": "fuzz"})["experiment_id"]
    post("/api/v1/runs", {"id": "fuzz", "experiment_id": int(experiment), "params": {"p": "1"}})
    series = {"metric": "m", "steps": [0, 1, 2], "values": [1, "NaN", "-Infinity"]}
    post("/api/v1/runs/fuzz/points", {"series": [series]})
    sample = {"time": 1_700_000_000_000, "cpu": 12.5}
    post("/api/v1/runs/fuzz/tasks/worker-0/resources", {"start_time": 1_700_000_000_000, "samples": [sample]})
    post(f"{mlflow}/registered-models/create", {"name": "fuzz"})
    post(f"{mlflow}/model-versions/create", {"name": "fuzz", "source": "mlflow-artifacts:/x", "run_id": "fuzz"})
    model = post(f"{mlflow}/logged-models", {"experiment_id": experiment})["model"]["info"]["model_id"]
    started = post("/api/runs/create", {"runName": "fuzz", "projectName": "fuzz"})
    key = started["runId"]
    chart = {"organizationId": "default", "projectName": "fuzz", "runIds": [str(key)], "logNames": ["m"]}
    line = {"time": 1, "step": 0, "data": {"m": 1.5, "n": "NaN"}}
    headers = {"X-Run-Id": str(key), "X-Project-Name": "fuzz"}
    assert api.post("/ingest/metrics", json=line, headers=headers).status_code == 200
    tracked = {
        "run_id": "fuzz",
        "run_ids": "fuzz",
        "experiment_id": experiment,
        "experiment_ids": experiment,
        "experiment_name": "fuzz",
        "metric_key": "m",
        "name": "fuzz",
        "new_name": "fuzz",
        "version": "1",
        "model_id": model,
        "platform": "default",
        "workspace": "default",
        "key": "fuzz",
        "X-MLFLOW-WORKSPACE": "default",
        "opc-request-id": "fuzz",
        "max_results": 10,
        "status": "FINISHED",
        "run_view_type": "ALL",
        "view_type": "ALL",
        "stage": "Staging",
        **dict.fromkeys(("page_token", "filter", "order_by", "run_uuid", "opc-retry-token")),
    }
    return {
        "mlflow": tracked,
        "oracle": tracked,
        "sap": {"AI-Resource-Group": "default", "executionIds": "fuzz", "executionId": "fuzz", "$filter": None},
        "modelarts": {
            "project_id": "default",
            "training_job_id": "fuzz",
            "task_id": "worker-0",
            "filters": None,
            "action_type": "terminate",
        },
        "pluto": {
            "runId": key,
            "run_id": str(key),
            "runIds": str(key),
            "projectName": "fuzz",
            "logName": "m",
            "X-Run-Id": str(key),
            "X-Project-Name": "fuzz",
            "display_id": started["displayId"],
            "aggregation": "MAX",
            "direction": "DESC",
            "status": "RUNNING",
            "level": "INFO",
            "logType": "METRIC",
            "config": "{}",
            "input": msgspec.json.encode(chart).decode(),
            **dict.fromkeys(("logGroup", "loggerSettings", "statusMetadata", "sort", "filter", "displayId")),
            **dict.fromkeys(("fieldFilters", "includeFieldValues", "visibleColumns", "forkRunId", "externalId")),
            **dict.fromkeys(("heartbeatAfter", "heartbeatBefore")),
        },
    }


def _means(case: schemathesis.Case, known: Mapping[str, Any]) -> None:
    """Let the arguments that a request has name what is there; those that are known as None are left out."""
    waiting: list[Any] = [case.path_parameters, case.query, case.headers, case.body]
    while waiting:
        match waiting.pop():
            case MutableMapping() as found:
                for name in [name for name in found if name in known]:
                    if known[name] is None:
                        del found[name]
                    else:
                        found[name] = [known[name]] if isinstance(found[name], list) else known[name]
                waiting += found.values()
            case list(found):
                waiting += found
            case _:
                pass


def fuzzing(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """The two tests of a dialect: requests at random, and requests about what is there."""
    phases = {"coverage": {"enabled": MANY}}

    def asked(document: dict[str, Any], **more: Any) -> Any:
        config = schemathesis.Config.from_dict({"phases": phases, **more})
        return schemathesis.openapi.from_dict(document, config=config).exclude(path_regex=AGAIN)

    @asked(DESCRIPTIONS[name]).parametrize()
    @FEW
    def at_random(case: schemathesis.Case, stocked: Stocked) -> None:
        case.call_and_validate(base_url=stocked[0].url, checks=CHECKS)

    document = description(VENDORS[name], needed=NEEDED[name])
    lasting = asked(document, generation={"mode": "positive"}).exclude(path_regex="delete|rename|restore")

    @lasting.exclude(method="DELETE").parametrize()
    @FEW
    def about_what_is_there(case: schemathesis.Case, stocked: Stocked) -> None:
        _means(case, stocked[1][name])
        case.call_and_validate(base_url=stocked[0].url, checks=CHECKS)

    return at_random, about_what_is_there


test_mlflow, test_mlflow_known = fuzzing("mlflow")
test_oracle, test_oracle_known = fuzzing("oracle")
test_sap, test_sap_known = fuzzing("sap")
test_modelarts, test_modelarts_known = fuzzing("modelarts")
test_pluto, test_pluto_known = fuzzing("pluto")


def test_every_dialect_is_asked():
    assert set(VENDORS) == {"mlflow", "oracle", "sap", "modelarts", "pluto"} == set(SHAPES)


@pytest.mark.parametrize("name", VENDORS)
def test_no_route_is_missing(name: str):
    described = {(verb, path) for path, verbs in DESCRIPTIONS[name]["paths"].items() for verb in verbs}
    assert described == {(route.verb.lower(), PARAMETER.sub(r"{\1}", route.path)) for route in VENDORS[name].routes}


def test_every_shape_is_of_a_route_and_every_body_has_one():
    fitting = {name: {named(SHAPES[name], route) for route in VENDORS[name].routes} for name in VENDORS}
    fitting["oracle"] |= fitting["mlflow"]  # its table begins with all of theirs
    assert all(set(SHAPES[name]) <= fitting[name] for name in VENDORS)
    bodies = [(name, route) for name in VENDORS for route in VENDORS[name].routes if route.verb in {"POST", "PATCH"}]
    bare = [f"{route.verb} {route.path}" for name, route in bodies if named(SHAPES[name], route) is None]
    assert [each for each in bare if each not in UNREAD and not any(part in each for part in UNREAD_PART)] == []
