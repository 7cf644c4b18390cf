"""Which workspaces the native API shows to whom. Who may use which route: test_auth_matrix."""

from __future__ import annotations

import json
import subprocess
import time

import httpx
import pytest

from serving import Server, binary

pytestmark = pytest.mark.slow  # servers of their own, and a wait until a revoked credential is forgotten


def authorization(server: Server, role: str, workspace: str) -> dict[str, str]:
    """The header of a new credential."""
    command = [str(binary()), "credential", "create", *server.place]
    made = subprocess.run(
        [*command, "--workspace", workspace, "--role", role], capture_output=True, check=True, text=True
    )
    return {"Authorization": f"Bearer {json.loads(made.stdout)['secret']}"}


def test_a_credential_sees_its_own_workspaces(serve):
    server: Server = serve("--auth", "required")
    own, other = (authorization(server, "writer", name) for name in ("first", "second"))
    every = authorization(server, "reader", "*")
    api = f"{server.url}/api/v1"
    assert httpx.get(f"{api}/workspaces", headers=own, timeout=60).json()["name"] == ["first"]
    assert {"first", "second"} <= set(httpx.get(f"{api}/workspaces", headers=every, timeout=60).json()["name"])
    assert httpx.post(f"{api}/runs", json={"id": "r"}, headers=own, timeout=60).status_code == 201
    assert httpx.get(f"{api}/runs/r", headers=own, timeout=60).status_code == 200
    assert httpx.get(f"{api}/runs/r", headers=other, timeout=60).status_code == 404
    assert httpx.get(f"{api}/runs/r", headers={**other, "X-Stepwell-Workspace": "first"}, timeout=60).status_code == 403
    assert httpx.get(f"{api}/runs/r", headers={**every, "X-Stepwell-Workspace": "first"}, timeout=60).status_code == 200


def test_who_asks(serve):
    server: Server = serve("--auth", "required")
    asked = httpx.get(
        f"{server.url}/api/v1/session", headers=authorization(server, "writer", "first"), timeout=60
    ).json()
    assert (asked["workspace"], asked["role"]) == ("first", "writer")
    assert asked["credential_id"]


def test_an_admin_makes_and_ends_credentials_of_its_workspace(serve):
    server: Server = serve("--auth", "required")
    api = f"{server.url}/api/v1"
    admin, other = authorization(server, "admin", "first"), authorization(server, "admin", "second")
    body = {"role": "reader", "name": "ada", "expires": "90d"}
    made = httpx.post(f"{api}/credentials", json=body, headers=admin, timeout=60)
    assert made.status_code == 201, made.text
    told, secret = made.json()["credential"], made.json()["secret"]
    assert (told["workspace"], told["role"], told["name"], told["signs"]) == ("first", "reader", "ada", False)
    assert told["expires_at_us"] == told["created_at_us"] + 90 * 86_400 * 10**6
    reader = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{api}/session", headers=reader, timeout=60).json()["credential_id"] == told["id"]
    assert httpx.get(f"{api}/credentials", headers=reader, timeout=60).status_code == 403
    listed = httpx.get(f"{api}/credentials", headers=admin, timeout=60)
    assert secret not in listed.text
    assert told in listed.json()["credentials"]
    assert {each["workspace"] for each in listed.json()["credentials"]} == {"first"}
    for foreign in ("second", "*"):
        refused = httpx.post(
            f"{api}/credentials", json={"role": "reader", "workspace": foreign}, headers=admin, timeout=60
        )
        assert refused.status_code == 403
    assert httpx.delete(f"{api}/credentials/{told['id']}", headers=other, timeout=60).status_code == 404
    assert httpx.get(f"{api}/session", headers=reader, timeout=60).status_code == 200
    ended = httpx.delete(f"{api}/credentials/{told['id']}", headers=admin, timeout=60)
    assert ended.json()["revoked_at_us"] is not None
    assert httpx.delete(f"{api}/credentials/{told['id']}", headers=admin, timeout=60).json() == ended.json()
    deadline = time.monotonic() + 30
    while httpx.get(f"{api}/session", headers=reader, timeout=60).status_code != 401:
        assert time.monotonic() < deadline, "the revoked credential is still taken"


def test_a_server_that_wants_no_credentials_makes_none(api: httpx.Client):
    assert api.get("/session").json() == {"credential_id": None, "workspace": "*", "role": "admin"}
    assert api.get("/credentials").json() == {"credentials": []}
    assert api.post("/credentials", json={"role": "admin"}).status_code == 409
    assert api.delete("/credentials/any").status_code == 409
