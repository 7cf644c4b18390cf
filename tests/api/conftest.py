"""Talking to a server in a workspace that no other test uses."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest

from serving import Server


@pytest.fixture
def api(shared_server: Server) -> Iterator[httpx.Client]:
    """The native API, in a workspace of the test's own."""
    headers = {"X-Stepwell-Workspace": f"w-{secrets.token_hex(8)}"}
    with httpx.Client(base_url=f"{shared_server.url}/api/v1", headers=headers, timeout=60) as client:
        yield client
