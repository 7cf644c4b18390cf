"""Every operation for every kind of caller, on a server that asks for credentials."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import Server, binary
from stepwell.core.access import Role
from stepwell.dialects.native.operations import OPERATIONS, PREFIX, Operation

WORDS = {"{experiment_id}": "1", "{run_id}": "r", "{path:path}": "f"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with authentication."""
    with Server(tmp_path_factory.mktemp("guarded") / "data", args=("--auth", "required")) as server:
        yield server


@pytest.fixture(scope="module")
def secret(guarded: Server) -> Callable[[str, str], str]:
    """secret(role, workspace): that of a new credential."""

    def make(role: str, workspace: str) -> str:
        directory: Path = guarded.data_dir
        command = [str(binary()), "credential", "create", "--data-dir", str(directory)]
        made = subprocess.run(
            [*command, "--workspace", workspace, "--role", role], capture_output=True, check=True, text=True
        )
        return str(json.loads(made.stdout)["secret"])

    return make


def status(server: Server, operation: Operation, secret: str, **headers: str) -> int:
    path = operation.path
    for name, value in WORDS.items():
        path = path.replace(name, value)
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    answer = httpx.request(operation.verb, f"{server.url}{PREFIX}{path}", headers=headers, timeout=60)
    if answer.status_code in {401, 403}:
        error: dict[str, Any] = answer.json()["error"]
        assert error["code"] == {401: "unauthenticated", 403: "forbidden"}[answer.status_code]
    return answer.status_code


def test_who_may_do_what(guarded: Server, secret: Callable[[str, str], str]):
    roles = {Role.READER: secret("reader", "mine"), Role.WRITER: secret("writer", "mine")}
    for operation in OPERATIONS:
        assert status(guarded, operation, "") == 401, operation.id
        assert status(guarded, operation, "sw_" + "x" * 40) == 401, operation.id
        assert (status(guarded, operation, roles[Role.READER]) == 403) == (operation.role > Role.READER), operation.id
        assert status(guarded, operation, roles[Role.WRITER]) not in {401, 403}, operation.id
        foreign = status(guarded, operation, roles[Role.WRITER], **{"X-Stepwell-Workspace": "other"})
        assert foreign == 403, operation.id


def test_a_credential_sees_its_own_workspace(guarded: Server, secret: Callable[[str, str], str]):
    secret("writer", "first"), secret("writer", "second")
    own = {"Authorization": f"Bearer {secret('reader', 'first')}"}
    every = {"Authorization": f"Bearer {secret('reader', '*')}"}
    url = f"{guarded.url}{PREFIX}/workspaces"
    assert httpx.get(url, headers=own).json()["name"] == ["first"]
    assert {"first", "second"} <= set(httpx.get(url, headers=every).json()["name"])
