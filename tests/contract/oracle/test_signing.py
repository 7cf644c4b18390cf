"""The vendor's own signer against a server that wants credentials: what it signs is let in, what was changed is not."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from oci._vendor import requests
from oci.signer import Signer

from serving import Server

TENANCY, USER = "ocid1.tenancy.oc1..aaaa", "ocid1.user.oc1..bbbb"
FINGERPRINT = "20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34"
READ = "/api/v1/experiments"
WRITE = "/api/2.0/mlflow/experiments/create"


class Signing:
    """A server, a credential with an uploaded key, and a session."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.http = requests.Session()
        self.http.trust_env = False
        self.signer = self.make_signer(FINGERPRINT)
        self.credential(FINGERPRINT)

    def make_signer(self, fingerprint: str, *, user: str = USER) -> Any:
        """A signer with a new key, whose public half lies in the folder."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.public_file(fingerprint).write_bytes(public)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        return Signer(TENANCY, user, fingerprint, private_key_file_location=None, private_key_content=pem)

    def public_file(self, fingerprint: str) -> Path:
        return self.folder / f"{fingerprint.replace(':', '')}.pem"

    def credential(self, fingerprint: str) -> dict[str, str]:
        command = [str(self.server.program), "credential", "create", *self.server.place]
        command += ["--workspace", "w", "--role", "writer", "--oci-key-id", f"{TENANCY}/{USER}/{fingerprint}"]
        command += ["--public-key", str(self.public_file(fingerprint))]
        made: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return made

    def prepared(self, method: str, path: str, *, signer: Any = None, **options: Any) -> Any:
        """A signed request that has not gone out yet."""
        request = requests.Request(method, self.server.url + path, auth=signer or self.signer, **options)
        return self.http.prepare_request(request)

    def send(self, method: str, path: str, **options: Any) -> Any:
        return self.http.send(self.prepared(method, path, **options), timeout=60)


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signing]:
    folder = tmp_path_factory.mktemp("signing")
    with Server(folder / "data", args=["--auth", "required"]) as server:
        signing = Signing(server, folder)
        with signing.http:
            yield signing


def test_a_signed_read_is_let_in(signing: Signing) -> None:
    answer = signing.send("GET", READ)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("query", [{"limit": 5}, {"filter": "name = 'a b+c/é~*%'", "limit": 2}, {"filter": ""}])
def test_whatever_is_in_the_query_is_signed(signing: Signing, query: dict[str, object]) -> None:
    assert signing.send("GET", READ, params=query).status_code != 401


@pytest.mark.parametrize("run", ["plain", "a b", "a+b", "é", "a~b*c(d)", "a%2Fb", "a:b@c"])
def test_whatever_is_in_the_path_is_signed(signing: Signing, run: str) -> None:
    assert signing.send("GET", f"/api/v1/runs/{run}").status_code == 404


def test_a_signed_body_is_let_in_and_written(signing: Signing) -> None:
    answer = signing.send("POST", "/api/2.0/mlflow/runs/create", json={"experiment_id": "0", "run_name": "é" * 1000})
    assert answer.status_code == 200, answer.text
    assert answer.json()["run"]["info"]["run_name"] == "é" * 1000


def test_a_stream_of_a_file_is_let_in(signing: Signing) -> None:
    created = signing.send("POST", "/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()
    path = f"/api/v1/runs/{created['run']['info']['run_id']}/artifacts/a.bin"
    content = b"\x00\xff" * 500_000
    answer = signing.send("PUT", path, data=io.BytesIO(content))
    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == len(content)
    forged = signing.prepared("PUT", path, data=content)
    forged.body = content[::-1]
    answer = signing.http.send(forged, timeout=60)
    assert answer.status_code == 401, answer.text
    assert signing.send("GET", path).content == content, "what came last was not stored"


def test_a_changed_request_is_refused(signing: Signing) -> None:
    forged_body = signing.prepared("POST", WRITE, json={"name": "signed"})
    forged_body.body = forged_body.body.replace(b"signed", b"forged")
    unsigned_body = signing.prepared(
        "POST", WRITE, json={"name": "signed"}, signer=signing.signer.without_content_headers
    )
    other_path = signing.prepared("GET", READ)
    other_path.url += "/0"
    other_query = signing.prepared("GET", READ)
    other_query.url += "?limit=1"
    other_verb = signing.prepared("GET", READ)
    other_verb.method = "POST"
    other_date = signing.prepared("GET", READ)
    other_date.headers["date"] = formatdate(time() - 60, usegmt=True)
    other_host = signing.prepared("GET", READ)
    other_host.headers["host"] = "localhost"
    for request in (forged_body, unsigned_body, other_path, other_query, other_verb, other_date, other_host):
        answer = signing.http.send(request, timeout=60)
        assert answer.status_code == 401, answer.text
    found = signing.send("POST", "/api/2.0/mlflow/experiments/search", json={"max_results": 100}).json()
    assert [each["name"] for each in found["experiments"]] == ["Default"]


def test_another_key_under_the_same_name_is_refused(signing: Signing) -> None:
    answer = signing.send("GET", READ, signer=signing.make_signer("another"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "the signature's key id is unknown")
    kept = signing.public_file(FINGERPRINT).read_bytes()
    impostor = signing.make_signer(FINGERPRINT)
    signing.public_file(FINGERPRINT).write_bytes(kept)
    answer = signing.send("GET", READ, signer=impostor)
    assert answer.status_code == 401
    assert "does not match" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("minutes", "status"), [(14, 200), (-14, 200), (16, 401), (-16, 401)])
def test_the_clocks_may_differ_by_a_quarter_of_an_hour(signing: Signing, minutes: int, status: int) -> None:
    date = formatdate(time() + minutes * 60, usegmt=True)
    answer = signing.send("GET", READ, headers={"date": date})
    assert answer.status_code == status, answer.text
    assert status == 200 or "15 minutes" in answer.json()["error"]["message"]


def test_a_credential_with_a_key_works_in_the_other_ways_too(signing: Signing) -> None:
    signer = signing.make_signer("of:another")
    made = signing.credential("of:another")
    assert signing.send("GET", READ, signer=signer).status_code == 200
    assert signing.http.get(signing.server.url + READ, auth=(made["id"], made["secret"])).status_code == 200


def test_a_revoked_key_is_refused_and_told_so(signing: Signing) -> None:
    signer = signing.make_signer("to:revoke")
    made = signing.credential("to:revoke")
    command = [str(signing.server.program), "credential", "revoke", *signing.server.place, made["id"]]
    subprocess.run(command, capture_output=True, check=True)
    answer = signing.send("GET", READ, signer=signer)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["error"]["message"]
