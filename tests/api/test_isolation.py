"""Every route asked by one workspace about what another has: answered as if that were nowhere, and nothing changes.

Requests are made from the shapes that routes read, with the names of the other workspace's things wherever a field, a
parameter or a header can name one. A route that forgets a workspace tells what is not there from what is.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin
from urllib.parse import quote, urlencode

import msgspec
import pytest

from api.dialect_descriptions import ARGUMENTS, SHAPES, named
from inside import Answer, Inside
from stepwell.app import build_app, dialects
from stepwell.core.access import Role
from stepwell.dialects.native.operations import OPERATIONS
from stepwell.dialects.native.operations import PREFIX as NATIVE
from stepwell.services import credentials
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web.routing import Route
from stepwell.web.work import Work

NOW = 1_700_000_000_000_000
HOUR = 3600 * 10**6
OURS, THEIRS, OTHER = "ours", "zebra", "other"  # workspaces
Known: TypeAlias = Mapping[str, Any]
ROUTES = [(each.name, route) for each in dialects() for route in each.routes if not route.public]
READING = [pair for pair in ROUTES if pair[1].verb == "GET"]
# Where nothing is kept, whatever is asked.
NOTHING_THERE = ("/model-deployments/", "/managePermission", "/mpu/create/")
MEANT = (b"exists already", b"Fork parent run not found")  # a request was understood, though the vendor says 400
# What fields of one route alone must say: its verb and the end of its path.
ALONE: Mapping[str, Known] = {
    "PATCH {model_id}": {"status": "LOGGED_MODEL_READY"},
    "POST add": {"logType": "METRIC"},
    "POST create": {"model_id": None},
    "GET artifacts": {"path": None},
}
UUID = rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MADE = re.compile(  # anew each time; the audit log of all workspaces has one row of numbers
    rb"(signature|expires)=[\w=-]+|\b(cr|sw)_[\w-]+|%b|\b(m-)?[0-9a-f]{32}\b|[\w=-]{60,}|(?<=\"number\":)\d+" % UUID
)


@dataclass
class Clock:
    """A second goes by with each request, so that no two things are of one moment."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class World:
    """A server with several workspaces; `names`: what one of each thing is called in the other one."""

    inside: Inside
    secrets: Mapping[str, str]
    names: Known
    clock: Clock

    def ask(self, who: str, verb: str, target: str, body: Any = b"", **headers: str) -> Answer:
        self.clock.now += 1_000_000
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        shown = {"authorization": f"Bearer {self.secrets[who]}", "x-request-id": "same"}
        return self.inside.ask(
            verb, target, headers={**shown, "content-type": "application/json", **headers}, body=sent
        )

    def about(self, who: str, dialect: str, route: Route, known: Known) -> Answer:
        """A request to a route, as somebody, that names what is known wherever it can."""
        own = dict.fromkeys(("workspace", "platform", "project_id"), who) if dialect != "native" else {}
        known = {**known, **own, **ALONE.get(f"{route.verb} {route.path.rpartition('/')[2]}", {})}
        target = re.sub(
            r"\{(\w+)(:path)?\}", lambda hole: quote(str(known[hole[1]]), safe="/" if hole[2] else ""), route.path
        )
        query, shape = _shapes(dialect, route)
        asked = filled(query, known) if query else {}
        headers: dict[str, str] = {}
        for place, name, kind in _arguments(dialect, route):
            if (value := known.get(name)) is None:
                continue
            if isinstance(kind, type):  # JSON in an argument
                value = msgspec.json.encode(filled(kind, known)).decode()
            (headers if place == "header" else asked)[name] = str(value)
        body: Any = b"" if shape is None else filled(shape, known)
        if route.verb == "PUT" and shape is None:
            body = b"content"
        if dialect == "sap":
            headers["AI-Resource-Group"] = who
        query_text = urlencode({name: _text(value) for name, value in asked.items()}, doseq=True)
        return self.ask(who, route.verb, f"{target}?{query_text}" if query_text else target, body, **headers)


def _text(value: Any) -> Any:
    return value if isinstance(value, str | int | float | list) else json.dumps(value)


def _shapes(dialect: str, route: Route) -> tuple[Any, Any]:
    """What a route reads of its query and of its body."""
    if dialect == "native":
        found = next((each for each in OPERATIONS if (each.verb, NATIVE + each.path) == (route.verb, route.path)), None)
        return (found.query, found.body) if found else (None, None)
    key = named(SHAPES[dialect], route)
    shape = None if key is None else SHAPES[dialect][key]
    return (shape, None) if route.verb == "GET" else (None, shape)


def _arguments(dialect: str, route: Route) -> Iterator[tuple[str, str, Any]]:
    tables = ARGUMENTS.get(dialect, {})
    key = named({key: 1 for key in tables if key}, route)
    for place_and_name, kind in (tables[key] if key else {}).items():
        place, _, name = place_and_name.partition(" ")
        yield place, name, kind


def filled(kind: Any, known: Known, name: str = "") -> Any:
    """A value of a type in which every field that is known says what is known, and others only what they must."""
    if get_origin(kind) is Annotated:
        return filled(get_args(kind)[0], known, name)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = [each for each in msgspec.structs.fields(kind) if known.get(each.encode_name, ...) is not None]
        wanted = [each for each in fields if each.required or each.encode_name in known or _structs(each.type)]
        return {each.encode_name: filled(each.type, known, each.encode_name) for each in wanted}
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        return filled(next((each for each in kinds if get_origin(each) is list), kinds[0]), known, name)
    if get_origin(kind) in (list, tuple) or kind is list:
        inner = get_args(kind)[0] if get_args(kind) else str
        value = known.get(name)
        return value if isinstance(value, list) else [filled(inner, known, name)]
    if get_origin(kind) is Literal:
        return known[name] if known.get(name) in get_args(kind) else get_args(kind)[0]
    if (get_origin(kind) is dict or kind is dict) and not isinstance(known.get(name), dict):
        return {known["*"]: filled(get_args(kind)[1], {"*": known["*"]}) if get_args(kind) else 1}
    if name not in known:
        return {int: 1, float: 1.0, bool: False}.get(kind, "x")
    return str(known[name]) if kind is str else 1 if kind in (int, float) and known[name] == known["*"] else known[name]


def _structs(kind: Any) -> bool:
    return (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or any(map(_structs, get_args(kind)))


def stock(world: World, who: str) -> Known:
    """One of each thing in a workspace, by way of several dialects, all of the same name; its ids and numbers."""

    def post(target: str, body: Any, verb: str = "POST", **headers: str) -> Any:
        answer = world.ask(who, verb, target, body, **headers)
        assert answer.status < 300, (target, answer.body)
        return json.loads(answer.body) if answer.body.startswith(b"{") else None

    mlflow, name = "/api/2.0/mlflow", THEIRS
    for number in range(60):  # so that none of ours has its number
        post("/api/v1/experiments", {"name": f"{name}-{number}"})
    experiment = post(f"{mlflow}/experiments/create", {"name": name, "tags": [{"key": name, "value": name}]})
    number = int(experiment["experiment_id"])
    run = {"id": name, "experiment_id": number, "name": name, "params": {name: name}, "tags": {name: name}}
    post("/api/v1/runs", run)
    post("/api/v1/runs", {"id": f"{name}-deleted", "name": name, "experiment_id": number})
    post(f"{mlflow}/runs/delete", {"run_id": f"{name}-deleted"})
    post(f"/api/v1/runs/{name}/points", {"series": [{"metric": name, "steps": [1, 2], "values": [0.5, "NaN"]}]})
    post(f"/api/v1/runs/{name}/logs", {"lines": [{"text": name, "stream": name, "line": 1}]})
    post(f"/api/v1/runs/{name}/events", {"events": [{"kind": name, "text": name, "time_us": 1}]})
    post(f"/api/v1/runs/{name}/artifacts/{name}", name.encode(), "PUT")
    post(f"/api/2.0/mlflow-artifacts/artifacts/{name}", name.encode(), "PUT")
    post(f"/api/v1/runs/{name}/tasks/{name}/resources", {"samples": [{"time": 1_700_000_000_000, "cpu": 5}]})
    post(f"/api/v1/views/{name}", {"address": "#/runs"}, "PUT")
    post(f"{mlflow}/registered-models/create", {"name": name, "tags": [{"key": name, "value": name}]})
    post(f"{mlflow}/model-versions/create", {"name": name, "source": "mlflow-artifacts:/x", "run_id": name})
    post(f"{mlflow}/registered-models/alias", {"name": name, "alias": name, "version": "1"})
    model = post(f"{mlflow}/logged-models", {"experiment_id": str(number), "name": name, "source_run_id": name})
    for place in (f"{number}/models/{model['model']['info']['model_id']}/artifacts", "x"):
        post(f"/api/2.0/mlflow-artifacts/artifacts/{place}/{name}", name.encode(), "PUT")
    dataset = {"name": name, "digest": name, "source_type": name, "source": name}
    post(f"{mlflow}/runs/log-inputs", {"run_id": name, "datasets": [{"dataset": dataset}]})
    post("/v2/lm/metrics", {"executionId": name, "customInfo": [{"name": name, "value": name}]}, "PATCH",
         **{"AI-Resource-Group": who})  # fmt: skip
    started = post("/api/runs/create", {"runName": name, "projectName": name, "externalId": name})
    key = {"x-run-id": str(started["runId"]), "x-project-name": name}
    post("/ingest/metrics", {"time": 1, "step": 0, "data": {name: 1.5}}, **key)
    post("/ingest/logs", {"time": 1, "message": name, "lineNumber": 1, "logType": "INFO"}, **key)
    post("/files", {"files": [{"logName": name, "fileName": name, "fileType": "txt", "fileSize": 1, "time": 1}]}, **key)
    made = post("/api/v1/credentials", {"role": "reader", "name": name})["credential"]["id"]
    return {
        "experiment_id": number,
        "run": started["runId"],
        "display": started["displayId"],
        "model": model["model"]["info"]["model_id"],
        "credential": made,
    }


def known_of(dialect: str, name: str, names: Known) -> Known:
    """What the fields of a dialect's requests must say to mean what a name stands for."""
    shared = {
        "*": name,
        "run_id": name,
        "run_ids": [name],
        "name": name,
        "key": name,
        "metric": name,
        "path": name,
        "value": name,
    }
    number = names["experiment_id"]
    pages = dict.fromkeys(("cursor", "since", "filter", "order_by", "page_token", "label", "columns", "labels"))
    if dialect == "native":
        return {
            **shared, **pages, "experiment_id": number, "experiment_ids": [number], "credential": names["credential"],
            "credential_id": names["credential"], "workspace": name, "task": name, "view": name, "id": f"{name}-new",
            "parent_run_id": None, "metrics": [name], "role": "reader", "steps": [1], "values": [1], "times_us": [1],
            "kind": "metrics", "contains": name, "prefixes": None, "window": None, "purge": False, "status": None,
            "lifecycle": None, "address": "#/runs", "text": name, "stream": name, "time_us": None, "samples": [],
            "order": None,
        }  # fmt: skip
    if dialect in ("mlflow", "oracle"):
        return {
            **shared, **pages, "experiment_id": str(number), "experiment_ids": [str(number)], "experiment_name": name,
            "metric_key": name, "new_name": f"{name}-new", "version": "1", "model_id": names["model"], "alias": name,
            "run_uuid": None, "max_results": 10, "status": None, "run_view_type": None, "view_type": None,
            "stage": "Staging", "artifact_path": name, "digest": name, "source_run_id": name, "run_name": name,
            "deployment": name, "log": name, "request": name, "source": f"runs:/{name}/x", "artifact_file_path": name,
            "artifact_directory_path": None, "start_step": None, "end_step": None, "tag_key": name, "value": "1",
            "workspace_name": name, "model_json": json.dumps({"run_id": name, "artifact_path": name}),
        }  # fmt: skip
    if dialect == "sap":
        return {"*": name, "executionIds": name, "executionId": name, "name": name, "value": 1.5, "timestamp": None}
    if dialect == "modelarts":
        return {"*": name, "training_job_id": name, "task_id": name, "name": name, "filters": None,
                "action_type": "terminate", "spec": {"resource": {"node_count": 1}}}  # fmt: skip
    lists = dict.fromkeys(("logGroup", "loggerSettings", "statusMetadata", "sort", "filter", "fieldFilters"))
    more = dict.fromkeys(("includeFieldValues", "visibleColumns", "displayId", "heartbeatAfter", "heartbeatBefore"))
    return {
        **lists, **more, "*": name, "runId": names["run"], "run_id": names["run"], "runIds": str(names["run"]),
        "projectName": name, "logName": name, "X-Run-Id": names["run"], "X-Project-Name": name, "runName": name,
        "display_id": names["display"], "aggregation": "MAX", "direction": "DESC", "status": "RUNNING", "level": "INFO",
        "logType": None, "config": "{}", "input": True, "externalId": None, "forkRunId": names["run"], "forkStep": 1,
        "fileName": name, "organizationId": name, "fileType": "txt", "tags": [name], "notes": name, "graph": {},
        "title": name, "message": name, "metricName": name, "search": name,
    }  # fmt: skip


@contextmanager
def opened(place: Path) -> Iterator[World]:
    """A new world."""
    clock = Clock()
    store, work, key = open_store(place, clock=clock), Work(), ServerKey(new_key())
    try:
        secrets = {
            name: credentials.create(store, key, workspace=name, role="admin", now=NOW)[1]
            for name in (OURS, THEIRS, OTHER)
        }
        settings = Settings(data_dir=place, auth="required")
        inside = Inside(build_app(settings, store, work=work, key=key, clock=clock))
        yield World(inside, secrets, {}, clock)
        inside.close()
    finally:
        work.close()
        store.close()


@contextmanager
def stocked(place: Path) -> Iterator[World]:
    """One in which the other workspace has one of each thing."""
    with opened(place) as world:
        world.names = stock(world, THEIRS)
        yield world


def plain(answer: Answer) -> tuple[int, list[bytes]]:
    """What an answer says but for what is made anew each time, and for the order, which such ids may decide."""
    return answer.status, sorted(re.split(rb"[][{},]", MADE.sub(b"", answer.body)))


def seen(world: World) -> list[tuple[int, list[bytes]]]:
    """All that the other workspace reads of itself."""
    names, world.clock.now = world.names, NOW + 2 * HOUR
    return [plain(world.about(THEIRS, kind, route, known_of(kind, THEIRS, names))) for kind, route in READING]


def asked(world: World, names: Known | None) -> list[tuple[int, list[bytes]]]:
    """What every route answers to us, later, about things of these names; None: about our own."""
    world.clock.now = NOW + HOUR
    names = stock(world, OURS) if names is None else names
    return [plain(world.about(OURS, kind, route, known_of(kind, THEIRS, names))) for kind, route in ROUTES]


@pytest.mark.parametrize("own", [False, True], ids=["asked about it", "asked about our own of the same name"])
def test_what_another_workspace_has_makes_no_difference(tmp_path: Path, own: bool) -> None:
    """The same requests in two worlds: in one there is what another workspace has, in the other it has nothing."""
    with stocked(tmp_path / "with") as world:
        names, before = world.names, seen(world)
        there = asked(world, None if own else names)
        assert seen(world) == before, "what another workspace has was changed"
    with opened(tmp_path / "without") as world:
        for number in range(names["run"]):  # runs of all workspaces have one row of keys
            world.ask(OTHER, "POST", "/api/v1/runs", {"id": f"run-{number}"})
        nowhere = asked(world, None if own else names)
    for (dialect, route), *found in zip(ROUTES, there, nowhere, strict=True):
        assert found[0] == found[1], f"{dialect}: {route.verb} {route.path}"


@pytest.mark.parametrize("dialect", sorted({*SHAPES, "native"}))
def test_every_request_is_understood(tmp_path: Path, dialect: str) -> None:
    """Else the test above would ask about nothing: who has the things reads them all, and no write is malformed."""
    with stocked(tmp_path / "data") as world:
        known = known_of(dialect, THEIRS, world.names)
        found = {}
        for name, route in ROUTES:
            if name == dialect and not any(part in route.path for part in NOTHING_THERE):
                who = THEIRS if route.verb == "GET" or route.role is Role.READER else OURS
                answer = world.about(who, dialect, route, known)
                found[f"{route.verb} {route.path}"] = answer.status, answer.body
    malformed = {label: told for label, told in found.items() if told[0] in (400, 405, 415, 422, 501)}
    assert {label: told for label, told in malformed.items() if not any(each in told[1] for each in MEANT)} == {}
    assert {label: told for label, told in found.items() if label.startswith("GET ") and told[0] >= 400} == {}
