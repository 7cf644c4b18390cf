"""Which endpoint is where, who may call it, and whose workspace a request means."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stepwell.core.access import ANYONE, Principal, Role
from stepwell.core.errors import Invalid
from stepwell.dialects.mlflow.dialect import PREFIXES, dialect, workspace_of
from stepwell.web.call import Call
from stepwell.web.routing import Router

WRITES = {
    "runs/log-batch",
    "runs/log-metric",
    "runs/log-parameter",
    "runs/set-tag",
    "runs/delete-tag",
    "runs/create",
    "runs/update",
    "runs/delete",
    "runs/restore",
    "experiments/create",
    "experiments/delete",
    "experiments/restore",
    "experiments/update",
    "experiments/set-experiment-tag",
    "experiments/delete-experiment-tag",
    "runs/log-inputs",
    "runs/outputs",
    "runs/log-model",
    "logged-models",
    "logged-models/{model_id}/params",
    "registered-models/create",
    "registered-models/rename",
    "registered-models/set-tag",
    "registered-models/alias",
    "model-versions/create",
    "model-versions/transition-stage",
    "model-versions/set-tag",
}


def call(workspace: str | None = None, principal: Principal = ANYONE) -> Call:
    held = {"header": lambda name: workspace, "principal": principal, "workspace_named": lambda name: name}
    return cast("Call", SimpleNamespace(**held))


def test_what_writes_needs_a_writer_and_nothing_else_does() -> None:
    for route in dialect().routes:
        named = any(route.path.endswith(f"/mlflow/{path}") for path in WRITES) or "/mpu/" in route.path
        writes = route.verb in {"PUT", "PATCH", "DELETE"} or (route.verb == "POST" and named)
        assert route.role is (Role.WRITER if writes else Role.READER), route.path


def test_only_health_and_version_are_public() -> None:
    assert {route.path for route in dialect().routes if route.public} == {"/health", "/version"}


def test_every_route_is_below_a_prefix_and_found() -> None:
    router = Router([dialect()], fallback=dialect())
    for route in dialect().routes:
        assert any(route.path == prefix or route.path.startswith(f"{prefix}/") for prefix in PREFIXES)
        path = re.sub(r"\{\w+\}", "m-1", route.path.replace("{path:path}", "a/b"))
        assert router.find(route.verb, path.encode()).route.endpoint is route.endpoint


def test_both_prefixes_have_the_same_but_for_what_the_vendors_page_asks() -> None:
    paths: dict[str, set[tuple[str, str]]] = {"/api/2.0": set(), "/ajax-api/2.0": set()}
    for route in dialect().routes:
        for prefix, found in paths.items():
            if route.path.startswith(f"{prefix}/"):
                found.add((route.verb, route.path.removeprefix(prefix)))
    assert paths["/ajax-api/2.0"] - paths["/api/2.0"] == {
        ("GET", "/mlflow/metrics/get-history-bulk"),
        ("GET", "/mlflow/logged-models/{model_id}/artifacts/files"),
    }
    assert paths["/api/2.0"] <= paths["/ajax-api/2.0"]


def test_a_workspace_is_the_headers_or_the_credentials() -> None:
    member = Principal(credential_id="c", workspace="team", role=Role.WRITER)
    assert workspace_of(call()) == workspace_of(call("")) == "default"
    assert workspace_of(call(None, member)) == "team"
    assert workspace_of(call("other", member)) == "other"  # and the router refuses it


@pytest.mark.parametrize("name", ["../x", "a b", "lm", "x" * 256])
def test_a_bad_workspace_name_is_refused(name: Any) -> None:
    with pytest.raises(Invalid):
        workspace_of(call(name))
