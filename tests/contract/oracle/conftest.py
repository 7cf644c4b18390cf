"""What the contract tests of Oracle's client share: the client, pointed at a server, and raw requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import oci
import pytest
from aidp_python_client.aidataplatform_dp import MLOpsClient
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from oci.signer import Signer

from serving import Server

PLATFORM = "ocid1.aidataplatform.oc1.iad.aaaa"
TENANCY, USER = "ocid1.tenancy.oc1..aaaa", "ocid1.user.oc1..bbbb"
FINGERPRINT = "20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34"


KEY_ID = f"{TENANCY}/{USER}/{FINGERPRINT}"


def private_key() -> str:
    """A new private key, as text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture(scope="session")
def pem() -> str:
    """The private key of an API key."""
    return private_key()


def make_client(url: str, pem: str, *, retry: Any = None) -> MLOpsClient:
    """The vendor's client; `url` may end in /api for the other base path."""
    config = {
        "tenancy": TENANCY,
        "user": USER,
        "fingerprint": FINGERPRINT,
        "region": "us-ashburn-1",
        "key_content": pem,
    }
    signer = Signer(TENANCY, USER, FINGERPRINT, private_key_file_location=None, private_key_content=pem)
    strategy = retry or oci.retry.NoneRetryStrategy()
    return MLOpsClient(config, signer=signer, service_endpoint=url, retry_strategy=strategy)


@pytest.fixture(params=["", "/api"], ids=["plain", "api"])
def client(shared_server: Server, pem: str, request: pytest.FixtureRequest) -> MLOpsClient:
    """A client of the shared server, on each of the two base paths."""
    return make_client(shared_server.url + request.param, pem)


class Raw:
    """The interface without its client."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)

    def post(self, path: str, body: Any, *, workspace: str = "w", **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(tracking(path, workspace), json=body, headers=names)

    def get(
        self, path: str, *, workspace: str = "w", headers: dict[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        return self.http.get(tracking(path, workspace), params=query, headers=headers)


def tracking(path: str, workspace: str) -> str:
    """A path of MLflow's in a workspace."""
    return f"/20260430/aiDataPlatforms/{PLATFORM}/workspaces/{workspace}/mlops/api/2.0/mlflow/{path}"


@pytest.fixture
def raw(shared_server: Server) -> Iterator[Raw]:
    """Requests to the shared server."""
    raw = Raw(shared_server.url)
    yield raw
    raw.http.close()


@pytest.fixture
def workspace(request: pytest.FixtureRequest) -> str:
    """A workspace of this test's own."""
    kept = (letter if letter.isalnum() else "-" for letter in request.node.name)
    return "ws-" + "".join(kept)[:100].strip("-")
