"""The vendor's own signer against a server that wants credentials: what it signs is let in, what was changed is not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from serving import Server

JSON = {"Content-Type": "application/json"}


class Signing:
    """A server, and requests to it signed by one credential."""

    def __init__(self, server: Server) -> None:
        self.server = server
        made = self.credential()
        self.id, self.secret = made["id"], made["secret"]
        self.http = httpx.Client(base_url=server.url, timeout=60)

    def credential(self, *flags: str) -> dict[str, str]:
        command = [str(self.server.program), "credential", "create", *self.server.place]
        command += ["--workspace", "w", "--role", "writer", *flags]
        made: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return made

    def signed(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        body: str | bytes = "",
        secret: str | None = None,
        id_: str | None = None,
    ) -> Any:
        """The request as the vendor's client would send it."""
        request = SdkRequest(
            method=method,
            schema="http",
            host=urlsplit(self.server.url).netloc,
            resource_path=path,
            query_params=query or [],
            header_params={**JSON, **(headers or {})},
            body=body,
        )
        return Signer(BasicCredentials(id_ or self.id, secret or self.secret, "project")).sign(request)

    def send(self, request: Any, *, method: str = "", uri: str = "", body: bytes | None = None) -> httpx.Response:
        content = request.body if body is None else body
        return self.http.request(
            method or request.method, uri or request.uri, headers=request.header_params, content=content or None
        )


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signing]:
    with Server(tmp_path_factory.mktemp("signing") / "data", args=["--auth", "required"]) as server:
        signing = Signing(server)
        with signing.http:
            yield signing


def test_a_signed_read_is_let_in(signing: Signing) -> None:
    answer = signing.send(signing.signed("GET", "/api/v1/experiments"))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "query",
    [
        [("limit", 5)],
        [("order_by", "name"), ("limit", 5)],
        [("filter", "name = 'a b+c/é~*%'")],
        [("filter", "name = ''"), ("limit", 7), ("order_by", "name")],
    ],
)
def test_whatever_is_in_the_query_is_signed(signing: Signing, query: list[tuple[str, Any]]) -> None:
    answer = signing.send(signing.signed("GET", "/api/v1/experiments", query=query))
    assert answer.status_code != 401, answer.text


@pytest.mark.parametrize("query", [[("x", [10, 9, 1])], [("x", ["b", "a"]), ("a", True)], [("k", "")]])
def test_lists_in_the_query_are_signed_however_they_are_sorted(signing: Signing, query: list[tuple[str, Any]]) -> None:
    answer = signing.send(signing.signed("GET", "/api/v1/experiments", query=query))
    assert answer.status_code != 401, answer.text


@pytest.mark.parametrize("run", ["plain", "a b", "a+b", "é", "a~b*c(d)", "a%2Fb", "a:b@c"])
def test_whatever_is_in_the_path_is_signed(signing: Signing, run: str) -> None:
    answer = signing.send(signing.signed("GET", f"/api/v1/runs/{run}"))
    assert answer.status_code == 404, answer.text
    assert "run" in answer.json()["error"]["message"] or "nothing" in answer.json()["error"]["message"]


def test_a_signed_body_is_let_in_and_written(signing: Signing) -> None:
    body = json.dumps({"experiment_id": "0", "start_time": 1, "run_name": "é" * 1000})
    answer = signing.send(signing.signed("POST", "/api/2.0/mlflow/runs/create", body=body))
    assert answer.status_code == 200, answer.text
    assert answer.json()["run"]["info"]["run_name"] == "é" * 1000


def test_a_changed_request_is_refused(signing: Signing) -> None:
    body = json.dumps({"name": "signed"})
    path = "/api/2.0/mlflow/experiments/create"
    request = signing.signed("POST", path, body=body)
    for answer in (
        signing.send(request, body=body.replace("signed", "forged").encode()),
        signing.send(request, uri=path + "?x=1"),
        signing.send(request, uri="/api/2.0/mlflow/experiments/search"),
        signing.send(signing.signed("POST", path, body=body, secret="sw_" + "x" * 40)),
        signing.send(signing.signed("POST", path, body=body, id_="cr_unknown")),
    ):
        assert answer.status_code == 401, answer.text
        assert answer.json()["error_code"] == "UNAUTHENTICATED"
        assert "sw_" not in answer.text
    read = signing.signed("GET", "/api/v1/experiments")
    assert signing.send(read, method="POST").status_code == 401
    for name in ("User-Agent", "X-Project-Id"):
        request = signing.signed("GET", "/api/v1/experiments", headers={name: "as-signed"})
        request.header_params[name] = "changed"
        answer = signing.send(request)
        assert answer.status_code == 401
        assert "does not match" in answer.json()["error"]["message"]


def test_a_body_that_the_client_leaves_unsigned(signing: Signing) -> None:
    run = signing.send(
        signing.signed("POST", "/api/2.0/mlflow/runs/create", body=json.dumps({"experiment_id": "0"}))
    ).json()["run"]["info"]["run_id"]
    content = b"\x00\xff" * 50_000
    request = signing.signed(
        "PUT", f"/api/v1/runs/{run}/artifacts/a.bin", headers={"Content-Type": "application/octet-stream"}, body=content
    )
    assert request.header_params["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    answer = signing.send(request)
    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == len(content)


@pytest.mark.parametrize(("minutes", "status"), [(14, 200), (-14, 200), (16, 401), (-16, 401)])
def test_the_clocks_may_differ_by_a_quarter_of_an_hour(signing: Signing, minutes: int, status: int) -> None:
    date = f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y%m%dT%H%M%SZ}"
    answer = signing.send(signing.signed("GET", "/api/v1/experiments", headers={"X-Sdk-Date": date}))
    assert answer.status_code == status, answer.text
    assert status == 200 or "15 minutes" in answer.json()["error"]["message"]


def test_a_token_beside_a_signature_decides(signing: Signing) -> None:
    request = signing.signed("GET", "/api/v1/experiments", secret="sw_" + "x" * 40)
    request.header_params["X-Auth-Token"] = signing.secret
    assert signing.send(request).status_code == 200
    request = signing.signed("GET", "/api/v1/experiments")
    request.header_params["X-Auth-Token"] = "sw_" + "x" * 40
    assert signing.send(request).status_code == 401


def test_a_credential_without_signing_is_told_why(signing: Signing) -> None:
    made = signing.credential("--no-signing")
    answer = signing.send(signing.signed("GET", "/api/v1/experiments", id_=made["id"], secret=made["secret"]))
    assert answer.status_code == 401
    assert "--no-signing" in answer.json()["error"]["message"]
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert signing.http.get("/api/v1/experiments", headers=bearer).status_code == 200


def test_no_secret_is_in_clear_anywhere(signing: Signing) -> None:
    signing.send(signing.signed("GET", "/api/v1/experiments"))
    secret = signing.secret.encode()
    places = [path for path in signing.server.data_dir.rglob("*") if path.is_file() and path.name != "reserve"]
    assert [path for path in [*places, Path(signing.server.log_file)] if secret in path.read_bytes()] == []
