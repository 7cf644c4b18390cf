"""The audit log as an admin reads it, over HTTP and on the command line."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx
import pytest

from serving import Server, binary

pytestmark = pytest.mark.slow  # servers of their own, and programs beside them


def command(server: Server, *argv: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [str(binary()), *argv, "--data-dir", str(server.data_dir)], capture_output=True, check=True, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def credential(server: Server, role: str, workspace: str) -> tuple[str, dict[str, str]]:
    """The id of a new credential, and its header."""
    [made] = command(server, "credential", "create", "--workspace", workspace, "--role", role)
    return made["id"], {"Authorization": f"Bearer {made['secret']}"}


def test_who_deleted_what_in_whatever_dialect_and_from_where(serve):
    server: Server = serve("--auth", "required")
    api = f"{server.url}/api/v1"
    writer_id, writer = credential(server, "writer", "first")
    _, admin = credential(server, "admin", "first")
    _, other = credential(server, "admin", "second")
    _, root = credential(server, "admin", "*")
    for run_id in ("a", "b", "c"):
        assert httpx.post(f"{api}/runs", json={"id": run_id}, headers=writer, timeout=60).status_code == 201
    mlflow = f"{server.url}/api/2.0/mlflow/runs/delete"
    asked = {**writer, "X-Request-Id": "through-mlflow"}
    assert httpx.post(mlflow, json={"run_id": "a"}, headers=asked, timeout=60).status_code == 200
    assert httpx.delete(f"{api}/runs/b?purge=true", headers=writer, timeout=60).status_code == 200
    told = httpx.get(f"{api}/audit?action=run", headers=admin, timeout=60).json()
    assert [(each["action"], each["subject"], each["via"]) for each in told["entries"]] == [
        ("run.purge", "b", "native"),
        ("run.delete", "a", "mlflow"),
    ]
    deleted = told["entries"][1]
    assert (deleted["credential_id"], deleted["address"]) == (writer_id, "127.0.0.1")
    assert (deleted["request_id"], deleted["workspace"]) == ("through-mlflow", "first")

    assert httpx.get(f"{api}/audit", headers=writer, timeout=60).status_code == 403
    assert httpx.get(f"{api}/audit?workspace=first", headers=other, timeout=60).status_code == 403
    seen = httpx.get(f"{api}/audit", headers=other, timeout=60).json()["entries"]
    assert {each["workspace"] for each in seen} == {"second"}
    everything = httpx.get(f"{api}/audit", headers=root, timeout=60).json()
    assert {"first", "second", "*"} <= {each["workspace"] for each in everything["entries"]}
    assert everything["cursor"] is None
    assert httpx.get(f"{api}/audit?action=nothing", headers=root, timeout=60).status_code == 400
    asked = {"workspace": "first", "credential": writer_id}
    narrowed = httpx.get(f"{api}/audit", params=asked, headers=root, timeout=60).json()["entries"]
    assert {each["credential_id"] for each in narrowed} == {writer_id}

    page = httpx.get(f"{api}/audit?limit=2", headers=root, timeout=60).json()
    rest = httpx.get(f"{api}/audit", params={"cursor": page["cursor"]}, headers=root, timeout=60).json()
    assert page["entries"] + rest["entries"] == everything["entries"]
    elsewhere = {"workspace": "first", "cursor": page["cursor"]}
    assert httpx.get(f"{api}/audit", params=elsewhere, headers=root, timeout=60).status_code == 400


def test_the_command_line_tells_the_same_with_and_without_a_server(serve, tmp_path):
    server: Server = serve()
    assert httpx.post(f"{server.url}/api/v1/runs", json={"id": "r"}, timeout=60).status_code == 201
    assert httpx.delete(f"{server.url}/api/v1/runs/r", timeout=60).status_code == 200
    command(server, "workspace", "alias", "native", "x", "default")
    subprocess.run(
        [str(binary()), "backup", str(tmp_path / "copy"), "--data-dir", str(server.data_dir)],
        check=True,
        capture_output=True,
    )
    told = command(server, "audit")
    assert [(each["action"], each["via"]) for each in told] == [
        ("store.backup", "command"),
        ("alias.put", "command"),
        ("run.delete", "native"),
        ("workspace.create", "native"),
    ]
    assert told[2]["credential"] is None
    assert command(server, "audit", "--action", "run.delete") == told[2:3]
    assert command(server, "audit", "--since", "1d", "--limit", "1") == told[:1]
    server.stop()
    assert command(server, "audit") == told
    command(server, "workspace", "unalias", "native", "x")
    assert command(server, "audit", "--limit", "1")[0]["action"] == "alias.delete"
