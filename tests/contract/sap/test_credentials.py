"""The real client against a server that wants credentials: it exchanges id and secret for a token, and uses that."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from ai_api_client_sdk.exception import AIAPIAuthenticatorAuthorizationException, AIAPIAuthorizationException
from ai_core_sdk.models import Metric
from ai_core_sdk.tracking import Tracking

from serving import Server

GROUP = "team"


class Locked:
    """A server that wants credentials."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def credential(self, *argv: str) -> dict[str, str]:
        command = [str(self.server.program), *argv, *self.server.place]
        done: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        return done

    def create(self, role: str = "writer", workspace: str = GROUP) -> dict[str, str]:
        return self.credential("credential", "create", "--workspace", workspace, "--role", role)

    def tracking(self, client: dict[str, str], *, group: str = GROUP, secret: str | None = None) -> Any:
        return Tracking(
            base_url=f"{self.server.url}/v2",
            auth_url=f"{self.server.url}/oauth/token",
            client_id=client["id"],
            client_secret=secret or client["secret"],
            resource_group=group,
        )


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    with Server(tmp_path_factory.mktemp("locked") / "data", args=["--auth", "required"]) as server:
        yield Locked(server)


def one(value: float) -> list[Any]:
    return [Metric(name="loss", value=value, timestamp=None, step=1, labels=[])]


def test_the_client_writes_and_reads_with_a_token(locked: Locked) -> None:
    tracking = locked.tracking(locked.create())
    tracking.log_metrics(one(0.5), execution_id="run-1")
    found = tracking.query(execution_ids=["run-1"]).resources
    assert [metric.value for metric in found[0].metrics] == [0.5]


def test_a_wrong_secret_gets_no_token(locked: Locked) -> None:
    with pytest.raises(AIAPIAuthenticatorAuthorizationException) as caught:
        locked.tracking(locked.create(), secret="sw_" + "x" * 40).query(execution_ids=["run-1"])
    assert "unknown or its secret is wrong" in str(caught.value)


def test_revoking_ends_a_token_that_the_client_holds(locked: Locked) -> None:
    client = locked.create()
    tracking = locked.tracking(client)
    tracking.query(execution_ids=["run-2"])
    locked.credential("credential", "revoke", client["id"])
    time.sleep(1)
    with pytest.raises(AIAPIAuthorizationException) as caught:
        tracking.query(execution_ids=["run-2"])
    assert "revoked" in str(caught.value)


def test_a_reader_and_another_group_are_refused_in_the_vendors_shape(locked: Locked) -> None:
    for tracking in (locked.tracking(locked.create("reader")), locked.tracking(locked.create(workspace="other"))):
        with pytest.raises(Exception, match="this credential is") as caught:
            tracking.log_metrics(one(1.0), execution_id="run-3")
        assert caught.value.status_code == 403  # type: ignore[attr-defined]


def test_a_group_may_be_joined_to_a_workspace(locked: Locked) -> None:
    tracking = locked.tracking(locked.create(workspace="ours"), group="their-group")
    with pytest.raises(Exception, match="not for workspace"):
        tracking.query(execution_ids=["run-4"])
    locked.credential("workspace", "alias", "sap", "their-group", "ours")
    time.sleep(1)
    tracking.log_metrics(one(2.0), execution_id="run-4")
    headers = {"Authorization": f"Bearer {locked.create('reader', 'ours')['secret']}"}
    answer = httpx.get(f"{locked.server.url}/api/v1/runs/run-4", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
