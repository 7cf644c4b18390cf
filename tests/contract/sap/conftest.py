"""What the contract tests of SAP's clients share: a tracking client of a server, resource groups that do not meet."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving import Server

if TYPE_CHECKING:
    from ai_core_sdk.tracking import Tracking

API = "/v2/lm/metrics"
IN_CLUSTER = "/api/v1/metrics"
NUMBERS = itertools.count(1)


class Raw:
    """The REST interface without its client, in one resource group."""

    def __init__(self, url: str, group: str | None, **options: Any) -> None:
        headers = {} if group is None else {"AI-Resource-Group": group}
        self.http = httpx.Client(base_url=url, timeout=120, headers=headers, **options)

    def get(self, /, **query: Any) -> httpx.Response:
        return self.http.get(API, params=query)

    def find(self, *execution_ids: str, **query: Any) -> list[dict[str, Any]]:
        """The resources of some executions."""
        answer = self.http.get(API, params={"executionIds": ",".join(execution_ids), **query})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["count"] == len(found["resources"])
        resources: list[dict[str, Any]] = found["resources"]
        return resources

    def patch(self, body: Any, path: str = API, content_type: str = "application/json") -> httpx.Response:
        """A PATCH with a value as JSON, or with bytes or text as they are."""
        headers = {"Content-Type": content_type}
        if isinstance(body, str | bytes):
            return self.http.patch(path, content=body, headers=headers)
        return self.http.patch(path, json=body, headers=headers)

    def put(self, execution_id: str, **parts: Any) -> None:
        """A PATCH that must succeed."""
        answer = self.patch({"executionId": execution_id, **parts})
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def delete(self, /, **query: Any) -> httpx.Response:
        return self.http.delete(API, params=query)


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The client takes its settings from variables and a folder of the user's; here from the test alone."""
    for name in [name for name in os.environ if name.upper().startswith(("AICORE_", "AI-", "VCAP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AICORE_HOME", str(tmp_path_factory.getbasetemp() / "no-home"))


@pytest.fixture
def group() -> str:
    """A resource group that no other test uses."""
    return f"group-{os.getpid()}-{next(NUMBERS)}"


@pytest.fixture
def raw(shared_server: Server, group: str) -> Iterator[Raw]:
    """Requests to the shared server, in the test's own resource group."""
    raw = Raw(shared_server.url, group)
    yield raw
    raw.http.close()


def tracking_of(server: Server, group: str, client_id: str = "any", client_secret: str = "any") -> Tracking:
    """A client that fetches tokens."""
    from ai_core_sdk.tracking import Tracking

    return Tracking(
        base_url=f"{server.url}/v2",
        auth_url=f"{server.url}/oauth/token",
        client_id=client_id,
        client_secret=client_secret,
        resource_group=group,
    )


@pytest.fixture
def tracking(shared_server: Server, group: str) -> Tracking:
    """A client of the shared server, in the test's own resource group."""
    return tracking_of(shared_server, group)


@pytest.fixture
def execution(monkeypatch: pytest.MonkeyPatch, shared_server: Server) -> Callable[[str], Tracking]:
    """Makes clients as they are within an execution: everything comes from variables, and no credential is sent."""
    from ai_core_sdk.tracking import Tracking

    def inside(execution_id: str) -> Tracking:
        monkeypatch.setenv("AICORE_EXECUTION_ID", execution_id)
        monkeypatch.setenv("AICORE_TRACKING_ENDPOINT", shared_server.url)
        return Tracking()

    return inside
