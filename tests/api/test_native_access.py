"""Which workspaces the native API shows to whom. Who may use which route: test_auth_matrix."""

from __future__ import annotations

import json
import subprocess

import httpx

from serving import Server, binary


def authorization(server: Server, role: str, workspace: str) -> dict[str, str]:
    """The header of a new credential."""
    command = [str(binary()), "credential", "create", "--data-dir", str(server.data_dir)]
    made = subprocess.run(
        [*command, "--workspace", workspace, "--role", role], capture_output=True, check=True, text=True
    )
    return {"Authorization": f"Bearer {json.loads(made.stdout)['secret']}"}


def test_a_credential_sees_its_own_workspaces(serve):
    server: Server = serve("--auth", "required")
    own, other = (authorization(server, "writer", name) for name in ("first", "second"))
    every = authorization(server, "reader", "*")
    api = f"{server.url}/api/v1"
    assert httpx.get(f"{api}/workspaces", headers=own).json()["name"] == ["first"]
    assert {"first", "second"} <= set(httpx.get(f"{api}/workspaces", headers=every).json()["name"])
    assert httpx.post(f"{api}/runs", json={"id": "r"}, headers=own).status_code == 201
    assert httpx.get(f"{api}/runs/r", headers=own).status_code == 200
    assert httpx.get(f"{api}/runs/r", headers=other).status_code == 404
    assert httpx.get(f"{api}/runs/r", headers={**other, "X-Stepwell-Workspace": "first"}).status_code == 403
    assert httpx.get(f"{api}/runs/r", headers={**every, "X-Stepwell-Workspace": "first"}).status_code == 200
