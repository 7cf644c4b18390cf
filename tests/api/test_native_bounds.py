"""Retention as an admin sets and tries it, over HTTP and on the command line."""

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
