"""Retention as an admin sets and tries it, over HTTP and on the command line."""

from __future__ import annotations

import json
import subprocess
import time
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


def credential(server: Server, role: str, workspace: str) -> dict[str, str]:
    [made] = command(server, "credential", "create", "--workspace", workspace, "--role", role)
    return {"Authorization": f"Bearer {made['secret']}"}


def test_retention_is_set_tried_and_applied(serve):
    server: Server = serve("--auth", "required")
    writer, admin = credential(server, "writer", "w"), credential(server, "admin", "w")
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, headers=writer) as api:
        assert api.post("/runs", json={"id": "r"}).status_code == 201
        points = {"metric": "loss", "steps": list(range(10)), "values": [0.5] * 10}
        assert api.post("/runs/r/points", json={"series": [points]}).status_code == 200
        assert api.put("/retention", json={"points_per_series": 4}).status_code == 403
        api.headers.update(admin)
        rule = {"workspace": "w", "experiment_id": None, "points_per_series": 4}
        rule |= {"points_days": None, "deleted_runs_days": None}
        assert api.put("/retention", json={"points_per_series": 4}).json() == rule
        assert api.get("/retention").json() == {"rules": [rule]}
        assert api.put("/quotas", json={"points": 10**9}).status_code == 403, "a workspace does not set its own bounds"
        assert api.get("/usage?workspace=other").status_code == 403
        refused = api.put("/retention", json={"points_days": -1}).json()["error"]
        assert (refused["field"], refused["message"]) == (
            "points_days",
            "points_days is -1; it must be 0 (no bound) or more",
        )
        command(server, "gc")
        [would] = api.get("/retention/preview").json()["expiring"]
        assert would == {
            "workspace": "w",
            "experiment_id": 0,
            "run_count": 0,
            "run_ids": [],
            "points": 6,
            "series": 1,
        }
        dry = {"workspace": "w", "experiment_id": 0, "experiment": False, "runs": [], "points": 6, "series": 1}
        assert command(server, "retention", "apply", "--dry-run") == [dry]
        assert command(server, "retention", "apply") == [dry]
        assert command(server, "retention", "apply") == []
        assert api.get("/runs/r/points?metric=loss").json()["steps"] == [6, 7, 8, 9]
        made = command(server, "retention", "set", "--workspace", "*", "--deleted-runs-days", "30")
        assert made == command(server, "retention", "list")[:1]
        command(server, "retention", "set", "--workspace", "w", "--points-per-series", "none")
        assert api.get("/retention").json()["rules"] == made
        noted = api.get("/audit?action=points").json()["entries"]
        assert [(each["action"], each["via"], each["details"]) for each in noted] == [
            ("points.expire", "command", {"points": "6", "series": "1"})
        ]


def test_quotas_are_told_in_every_dialects_words(serve):
    """The clients get what they take as final: 507, and 429 where coming again helps, naming quota and limit."""
    server: Server = serve()
    api, mlflow = f"{server.url}/api/v1", f"{server.url}/api/2.0/mlflow"
    made = command(server, "quota", "set", "--workspace", "default", "--points", "3", "--file-bytes", "5")
    quota = {"points": 3, "series": None, "file_bytes": 5, "requests_per_second": None}
    assert made == command(server, "quota", "list") == [{"workspace": "default", **quota}]
    with httpx.Client(timeout=60) as client:
        run = client.post(f"{mlflow}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        points = {"metric": "loss", "steps": [1, 2, 3], "values": [0.5] * 3}
        assert client.post(f"{api}/runs/{run}/points", json={"series": [points]}).status_code == 200
        more = {"metric": "loss", "steps": [4], "values": [0.5]}
        said = "workspace 'default' may have 3 points (its quota points) and has 3: 1 more were not stored"

        native = client.post(f"{api}/runs/{run}/points", json={"series": [more]})
        assert native.status_code == 507
        told = native.json()["error"]
        assert (told["code"], told["field"], told["limit"], told["message"]) == ("quota_exceeded", "points", 3, said)

        metric = {"run_id": run, "key": "loss", "value": 1, "timestamp": 1, "step": 4}
        answer = client.post(f"{mlflow}/runs/log-metric", json=metric)
        assert (answer.status_code, answer.json()) == (507, {"error_code": "RESOURCE_EXHAUSTED", "message": said})

        values = [{"name": "m", "value": 1, "timestamp": "2026-01-01T00:00:00Z"}]
        body = {"executionId": run, "metrics": values}
        answer = client.patch(f"{server.url}/v2/lm/metrics", json=body, headers={"AI-Resource-Group": "default"})
        assert (answer.status_code, answer.json()["error"]["details"][0]["message"]) == (507, said)

        answer = client.put(f"{api}/runs/{run}/artifacts/a.txt", content=b"123456")
        assert (answer.status_code, answer.json()["error"]["field"]) == (507, "file_bytes")
        used = {"points": 3, "series": 1, "runs": 1, "file_bytes": 0}
        assert client.get(f"{api}/usage").json() == {"workspace": "default", "used": used, "quota": quota}
        assert command(server, "quota", "usage") == [{"workspace": "default", "used": used, "quota": quota}]

        assert client.put(f"{api}/quotas", json={"requests_per_second": 1}).json()["points"] is None
        deadline = time.monotonic() + 60
        while (answer := client.get(f"{api}/runs/{run}")).status_code == 200:
            assert time.monotonic() < deadline
        assert (answer.status_code, answer.json()["error"]["limit"]) == (429, 1)
        assert answer.headers["retry-after"] == "1"
