"""Which endpoint is where, who may call it, and whose workspace a request means."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from stepwell.core.access import ANYONE, Principal, Role
from stepwell.core.errors import Invalid
from stepwell.dialects.sap.dialect import API, IN_CLUSTER_PATH, dialect, workspace_of
from stepwell.web.call import Call
from stepwell.web.routing import Router

MEMBER = Principal(credential_id="c", workspace="team", role=Role.WRITER)


def call(group: str | None, path: str = f"{API}/metrics", principal: Principal = ANYONE) -> Call:
    joined = {"of SAP's": "team"}
    return cast(
        "Call",
        SimpleNamespace(
            header=lambda name: group,
            path=path,
            principal=principal,
            workspace_named=lambda id_: joined.get(id_, id_),
        ),
    )


def test_reading_needs_a_reader_and_changing_a_writer() -> None:
    roles = {(route.verb, route.path): route.role for route in dialect().routes}
    for path in (f"{API}/metrics", IN_CLUSTER_PATH):
        assert roles.pop(("GET", path)) is Role.READER
        assert roles.pop(("PATCH", path)) is Role.WRITER
        assert roles.pop(("DELETE", path)) is Role.WRITER
    assert roles == {}
    assert not any(route.public for route in dialect().routes)


def test_only_its_paths_are_its_own() -> None:
    other = replace(dialect(), name="other", prefixes=("/api/v1", "/v2"), paths=(), routes=())
    router = Router([dialect(), other], fallback=other)
    for path in ("/v2/lm", "/v2/lm/metrics", "/v2/lm/executions/x", "/v2/admin/resourceGroups/x", "/api/v1/metrics"):
        assert router.dialect_of(path).name == "sap"
    for path in (
        "/v2",
        "/v2/lmx",
        "/v2/admin",
        "/v2/admin/training-jobs",
        "/api/v1",
        "/api/v1/metrics/x",
        "/api/v1/metricsx",
    ):
        assert router.dialect_of(path).name == "other"


def test_a_workspace_is_the_resource_group() -> None:
    assert workspace_of(call("default")) == "default"
    assert workspace_of(call("other", principal=MEMBER)) == "other"  # and the router refuses it
    assert workspace_of(call("of SAP's")) == "team"
    assert workspace_of(call("other", IN_CLUSTER_PATH, MEMBER)) == "other"


@pytest.mark.parametrize("group", [None, ""])
def test_without_a_resource_group(group: str | None) -> None:
    with pytest.raises(Invalid, match="AI-Resource-Group is missing") as caught:
        workspace_of(call(group))
    assert caught.value.field == "AI-Resource-Group"
    assert workspace_of(call(group, IN_CLUSTER_PATH)) == "default"
    assert workspace_of(call(group, IN_CLUSTER_PATH, MEMBER)) == "team"


@pytest.mark.parametrize("group", ["../x", "a b", "lm", "x" * 256])
def test_a_resource_group_that_names_no_workspace(group: str) -> None:
    with pytest.raises(Invalid, match=r"^AI-Resource-Group: workspace name") as caught:
        workspace_of(call(group))
    assert caught.value.field == "AI-Resource-Group"
