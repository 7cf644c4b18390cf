"""What spans workspaces changes nothing of another's: many runs at once, retention, quotas."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from serving import Server, binary


def credential(server: Server, role: str, workspace: str) -> dict[str, str]:
    asked = [str(binary()), "credential", "create", "--workspace", workspace, "--role", role, *server.place]
    made: dict[str, Any] = json.loads(subprocess.run(asked, check=True, capture_output=True, timeout=120).stdout)
    return {"authorization": f"Bearer {made['secret']}"}


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve("--auth", "required")


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as client:
        yield client


def test_what_spans_workspaces_ends_at_ours(server: Server, api: httpx.Client) -> None:
    ours, theirs, root = (credential(server, "admin", name) for name in ("ours", "theirs", "*"))
    for name, headers in (("a", ours), ("b", theirs)):
        assert api.post("/runs", json={"id": name}, headers=headers).status_code == 201
        points = {"metric": "loss", "steps": [1], "values": [0.5]}
        assert api.post(f"/runs/{name}/points", json={"series": [points]}, headers=headers).status_code == 200

    answer = api.post("/runs/change", json={"run_ids": ["a", "b"], "purge": True}, headers=ours).json()
    assert answer["changed"] == 1
    assert [(each["run_id"], each["code"]) for each in answer["refused"]] == [("b", "not_found")]
    assert api.get("/runs/b", headers=theirs).status_code == 200

    for path, bound in (("/retention", {"points_per_series": 1}), ("/quotas", {"points": 1})):
        refused = api.put(path, json={**bound, "workspace": "theirs"}, headers=ours)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert api.put(path, json={**bound, "workspace": "*"}, headers=ours).status_code == 403
    assert api.get("/usage?workspace=theirs", headers=ours).status_code == 403
    assert api.get("/retention", headers=root).json() == {"rules": []}
