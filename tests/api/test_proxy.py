"""Through nginx with TLS and under a path: links, redirects, paths as they are written, streams, foreign pages."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxying import Behind, behind_proxy
from serving import HOST

pytestmark = pytest.mark.slow  # servers behind servers


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine's own address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stepwell test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


class Client:
    """A server behind nginx, and requests to it with a credential."""

    def __init__(self, behind: Behind, trusted: Path) -> None:
        self.behind = behind
        self.made = behind.credential(workspace="w")
        self.context = ssl.create_default_context(cafile=str(trusted))
        self.plain = httpx.Client(base_url=behind.url, timeout=60, verify=self.context)
        self.http = httpx.Client(
            base_url=behind.url,
            timeout=60,
            verify=self.context,
            headers={"authorization": f"Bearer {self.made['secret']}", "x-stepwell-workspace": "w"},
        )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("proxy")
    files = certificate(folder)
    with behind_proxy(folder, certificate=files) as behind:
        client = Client(behind, files[0])
        with client.plain, client.http:
            yield client


def test_links_are_those_of_the_client(client: Client) -> None:
    told = client.http.post("/api/runs/create", json={"runName": "r", "projectName": "p"}).json()
    assert told["url"].startswith(f"{client.behind.url}/#/")
    file = {"fileName": "a.txt", "fileSize": 3, "fileType": "text/plain", "time": 1, "step": 0, "logName": "a"}
    headers = {"x-run-id": str(told["runId"]), "x-project-name": "p"}
    links = client.http.post("/files", json={"files": [file]}, headers=headers).json()
    link = links["a"][0]["a.txt"]
    assert link.startswith(f"{client.behind.url}/storage/")
    assert client.plain.put(link, content=b"abc").status_code == 200
    (found,) = client.http.get("/api/runs/files", params={"runId": told["runId"], "projectName": "p"}).json()["files"]
    assert client.plain.get(found["url"]).content == b"abc"
    assert client.plain.get(found["url"] + "x").status_code in (401, 403)


@pytest.mark.parametrize("path", ["", "/"])
def test_the_root_leads_to_the_page(client: Client, path: str) -> None:
    answer = client.plain.get(client.behind.url + path, follow_redirects=True)
    assert str(answer.url) == f"{client.behind.url}/ui/"


def test_a_redirect_of_an_interface_stays_under_the_path(client: Client) -> None:
    answer = client.plain.get("/api/docs", follow_redirects=True)
    assert str(answer.url) == f"{client.behind.url}/api/openapi.json"
    assert answer.json()["openapi"]


@pytest.mark.parametrize("name", ["a b", "a%2Fb", "%25", "a//b", "é", "a%2F..%2Fb"])
def test_paths_arrive_as_they_were_written(client: Client, name: str) -> None:
    answer = client.http.get(f"/api/v1/runs/{name}")
    direct = httpx.get(
        f"{client.behind.server.url}/api/v1/runs/{name}", headers=dict(client.http.headers) | {"host": "x"}, timeout=60
    )
    assert answer.status_code == direct.status_code

    def told(answer: httpx.Response) -> dict[str, str]:
        return {key: value for key, value in answer.json()["error"].items() if key != "request_id"}

    assert told(answer) == told(direct)


def test_dots_do_not_leave_the_path(client: Client) -> None:
    """nginx decides by the path without dots, and what it hands on begins with the prefix as it was written."""
    url = httpx.URL(client.behind.url)
    assert url.port is not None
    for path in ("/team/stepwell/../elsewhere", "/elsewhere/../team/stepwell/healthz", "//team/stepwell/healthz"):
        connection = http.client.HTTPSConnection(url.host, url.port, context=client.context, timeout=60)
        connection.request("GET", path)
        assert connection.getresponse().status == 404
        connection.close()


def test_a_stream_is_stored_while_it_goes_on(client: Client) -> None:
    told = client.http.post("/api/runs/create", json={"runName": "stream", "projectName": "p"}).json()
    seen: list[int] = []
    fill = b" " * (1 << 20) + b"\n"  # lines are stored a block at a time

    def count() -> int:
        query = {"runId": told["runId"], "projectName": "p", "logName": "loss"}
        return len(client.plain.get("/api/runs/metrics", params=query, headers=client.http.headers).json()["metrics"])

    def lines() -> Iterator[bytes]:
        for step in range(3):
            yield json.dumps({"time": 1000 + step, "step": step, "data": {"loss": step}}).encode() + fill
            deadline = time.monotonic() + 60
            while count() <= step and time.monotonic() < deadline:
                time.sleep(0.02)
            seen.append(count())

    headers = {"content-type": "application/x-ndjson", "x-run-id": str(told["runId"]), "x-project-name": "p"}
    assert client.http.post("/ingest/metrics", content=lines(), headers=headers).status_code == 200
    assert seen == [1, 2, 3]


def test_numbers_are_sent_compressed_to_who_accepts_that(client: Client) -> None:
    assert client.http.post("/api/v1/runs", json={"id": "numbers"}).status_code == 201
    metrics = [{"key": "loss", "value": step / 7, "timestamp": 1000 + step, "step": step} for step in range(1000)]
    sent = client.http.post("/api/2.0/mlflow/runs/log-batch", json={"run_id": "numbers", "metrics": metrics})
    assert sent.status_code == 200
    asked = {"run_id": "numbers", "metric_key": "loss"}
    sizes = {}
    for accepted in ("gzip", "identity"):
        url, headers = "/api/2.0/mlflow/metrics/get-history", {"accept-encoding": accepted}
        with client.http.stream("GET", url, params=asked, headers=headers) as answer:
            told = json.loads(b"".join(answer.iter_bytes()))
            sizes[accepted] = answer.num_bytes_downloaded
        assert answer.headers.get("content-encoding", "identity") == accepted
        assert [each["value"] for each in told["metrics"]] == [step / 7 for step in range(1000)]
    assert 4 * sizes["gzip"] < sizes["identity"]


@pytest.mark.parametrize(("scheme", "status"), [("https", 200), ("http", 403)])
def test_a_page_of_the_same_host_is_ours_when_it_came_encrypted(client: Client, scheme: str, status: int) -> None:
    url = httpx.URL(client.behind.url)
    answer = client.plain.get(
        "/api/v1/experiments",
        auth=(client.made["id"], client.made["secret"]),
        headers={"origin": f"{scheme}://{url.host}:{url.port}"},
    )
    assert answer.status_code == status


def test_what_a_client_forwards_is_overwritten_or_left_behind(client: Client) -> None:
    forged = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http", "x-forwarded-prefix": "/evil"}
    forged["x-forwarded-for"] = "6.6.6.6"
    told = client.http.post("/api/runs/create", json={"runName": "r", "projectName": "p"}, headers=forged).json()
    assert told["url"].startswith(f"{client.behind.url}/#/")
    assert client.plain.get("/api/v1/experiments", headers=forged).status_code == 401
    assert f'"client": "{HOST}"' in client.behind.server.log()
    assert "6.6.6.6" not in client.behind.server.log()
