"""Files of runs through the native API of a real server."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import httpx
import pytest


@pytest.fixture
def files(api: httpx.Client) -> str:
    """Where the files of a new run are."""
    run_id = api.post("/runs", json={}).json()["run"]["id"]
    return f"/runs/{run_id}/artifacts"


def listed(api: httpx.Client, files: str, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = api.get(files, params={"path": path}).json()
    return found


def test_a_file_comes_back_byte_by_byte(api: httpx.Client, files: str):
    content = secrets.token_bytes(3_000_001)
    stored = api.put(f"{files}/models/net%20%C3%A9.bin", content=content)
    digest = hashlib.sha256(content).hexdigest()
    assert (stored.status_code, stored.json()) == (
        201,
        {"path": "models/net é.bin", "size": len(content), "sha256": digest},
    )
    answer = api.get(f"{files}/models/net%20%C3%A9.bin")
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert listed(api, files)["path"] == ["models"]
    assert listed(api, files)["size"] == [None]
    inside = listed(api, files, "models")
    assert (inside["path"], inside["size"], inside["sha256"]) == (["models/net é.bin"], [len(content)], [digest])


@pytest.mark.parametrize("name", ["page.html", "image.svg", "notes.txt", "script.js"])
def test_a_browser_runs_nothing(api: httpx.Client, files: str, name: str):
    api.put(f"{files}/{name}", content=b"<script>alert(1)</script>")
    headers = api.get(f"{files}/{name}").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"].startswith("sandbox")
    assert headers["content-type"].split(";")[0] in {"application/octet-stream", "text/plain"}


def test_a_later_file_replaces_an_earlier_one(api: httpx.Client, files: str):
    for content in (b"one", b"", b"three"):
        assert api.put(f"{files}/a", content=content).status_code == 201
        assert api.get(f"{files}/a").content == content
    assert listed(api, files)["size"] == [5]


def test_removing(api: httpx.Client, files: str):
    for path in ("a/1", "a/2", "b"):
        api.put(f"{files}/{path}", content=b"x")
    assert api.delete(f"{files}/a").json() == {"removed": 2}
    assert listed(api, files)["path"] == ["b"]
    assert api.delete(f"{files}/a").status_code == 404
    assert api.get(f"{files}/a/1").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["..%2F..%2Fetc", "a%2F..%2Fb", "%2Fetc", "a%2F.", "a%2F%2Fb", "a%5Cb", "a%00b"])
def test_paths_that_leave_their_run(api: httpx.Client, files: str, path: str):
    for answer in (api.put(f"{files}/{path}", content=b"x"), api.get(f"{files}/{path}")):
        assert answer.status_code in {400, 404}
        assert answer.json()["error"]["message"]
    assert listed(api, files)["path"] == []


def test_a_file_of_nobody(api: httpx.Client):
    assert api.put("/runs/nobody/artifacts/a", content=b"x").status_code == 404
