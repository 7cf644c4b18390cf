"""Everything that the older client is tested with, and what the successor does otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ai_core_sdk.tracking import Tracking

from contract.sap.conftest import *  # noqa: F403
from contract.sap.conftest import tracking_of
from contract.sap.test_client import *  # noqa: F403
from contract.sap.test_client import metric, resource
from serving import Server


def test_within_an_execution_an_argument_is_heard(execution: Callable[[str], Tracking]) -> None:
    inside = execution("inside-env")
    inside.log_metrics([metric("m", 1)], "inside-argument")
    assert [m.name for m in resource(inside, "inside-argument").metrics] == ["m"]
    assert inside.query(execution_ids=["inside-env"]).count == 0
    inside.delete("inside-argument")


def test_within_an_execution_a_resource_group_may_be_told(
    execution: Callable[[str], Tracking], shared_server: Server, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI-RESOURCE-GROUP", group)
    monkeypatch.setenv("AI-MAIN-TENANT", "tenant")
    inside = execution("inside-group")
    inside.log_metrics([metric("m", 1)])
    assert [m.name for m in resource(tracking_of(shared_server, group), "inside-group").metrics] == ["m"]
    assert tracking_of(shared_server, "default").query(execution_ids=["inside-group"]).count == 0
