"""What the contract tests of ModelArts share: a client of a server in a project of the test's own, and raw requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from serving import Server

if TYPE_CHECKING:
    from huaweicloudsdkmodelarts.v1 import ModelArtsClient

START = 1_700_000_000_000  # milliseconds
MINUTE = 60_000


class Project:
    """A server as one project sees it: its own client, and requests without it."""

    def __init__(self, url: str, project: str, *, key: tuple[str, str] = ("any", "key"), token: str = "") -> None:
        self.url = url
        self.id = project
        self.key = key
        headers = {"X-Auth-Token": token} if token else {}
        self.http = httpx.Client(base_url=url, timeout=60, headers=headers)

    def client(self, kind: Any = None) -> ModelArtsClient:
        """The vendor's client, or the asynchronous one."""
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
        from huaweicloudsdkcore.http.http_config import HttpConfig
        from huaweicloudsdkmodelarts.v1 import ModelArtsClient

        builder = (kind or ModelArtsClient).new_builder()
        config = HttpConfig.get_default_config()
        config.ignore_ssl_verification = True
        found: ModelArtsClient = (
            builder.with_credentials(BasicCredentials(*self.key, self.id))
            .with_endpoint(self.url)
            .with_http_config(config)
            .build()
        )
        return found

    def post_samples(
        self, job: str, samples: list[dict[str, Any]], *, task: str = "worker-0", start: int | None = START
    ) -> None:
        """Samples through the native interface."""
        answer = self.resources(job, {"start_time": start, "samples": samples}, task=task)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""

    def resources(self, job: str, body: Any, *, task: str = "worker-0", **headers: str) -> httpx.Response:
        return self.http.post(
            f"/api/v1/runs/{job}/tasks/{task}/resources",
            json=body,
            headers={"X-Stepwell-Workspace": self.id, **headers},
        )

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(f"/v2/{self.id}/{path}", params=query)

    def post(self, path: str, body: Any = None, *, content: bytes | None = None) -> httpx.Response:
        if content is not None:
            return self.http.post(f"/v2/{self.id}/{path}", content=content)
        return self.http.post(f"/v2/{self.id}/{path}", json=body)

    def native(self, verb: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(verb, f"/api/v1{path}", headers={"X-Stepwell-Workspace": self.id}, **options)

    def values(self, job: str, task: str = "worker-0") -> dict[str, list[float]]:
        """The six metrics of a task as JSON."""
        answer = self.get(f"training-jobs/{job}/metrics/{task}")
        assert answer.status_code == 200, answer.text
        return {each["metric"]: each["value"] for each in answer.json()["metrics"]}


@pytest.fixture
def open_project() -> Iterator[Callable[..., Project]]:
    """Projects: open_project(server, id, key=(ak, sk), token=...)."""
    opened: list[Project] = []

    def make(server: Server, project: str, **options: Any) -> Project:
        opened.append(Project(server.url, project, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.http.close()


@pytest.fixture
def project(shared_server: Server, open_project: Callable[..., Project]) -> Project:
    """A project of this test's own on the shared server."""
    return open_project(shared_server, secrets.token_hex(16))
