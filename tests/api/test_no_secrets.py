"""Secrets, tokens and keys are in no log, no error and no file of a server on which they were used in every way."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from serving import Server
from signing import PrivateKey, shared

pytestmark = pytest.mark.slow  # a server of its own that does everything

PRIVATE = PrivateKey()
TYPED_WRONG = "sw_" + "typed0wrong" * 4  # not a secret here, but perhaps one elsewhere
PATHS = (
    "/api/v1/experiments",
    "/api/2.0/mlflow/experiments/get?experiment_id=0",
    "/metrics",
    "/nowhere",
    "/api/2.0/none",
)


@dataclass
class Used:
    """What was used, and what was answered."""

    server: Server
    secrets: set[str] = field(default_factory=set)
    answers: list[httpx.Response] = field(default_factory=list)
    printed: str = ""

    def credential(self, *argv: str) -> dict[str, str]:
        command = [str(self.server.program), "credential", *argv, "--data-dir", str(self.server.data_dir)]
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
        self.printed += done.stderr + (done.stdout if argv[0] != "create" else "")
        made: dict[str, str] = json.loads(done.stdout.splitlines()[0])
        self.secrets.add(made.get("secret", TYPED_WRONG))
        return made


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Used]:
    folder: Path = tmp_path_factory.mktemp("secrets")
    (folder / "public.pem").write_text(PRIVATE.pem)
    key = ("--oci-key-id", PRIVATE.key_id, "--public-key", str(folder / "public.pem"))
    with Server(folder / "data", args=["--auth", "required", "--log-level", "debug"]) as server:
        used = Used(server, {TYPED_WRONG})
        made = used.credential("create", "--workspace", "w", "--role", "admin", *key)
        gone = used.credential("create", "--workspace", "w", "--role", "admin")
        used.credential("create", "--workspace", "w", "--role", "reader", "--no-signing")
        used.credential("list")
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for each in (made, gone):
                use(used, client, each["id"], each["secret"])
            used.credential("revoke", gone["id"])
            time.sleep(1)
            use(used, client, gone["id"], gone["secret"])
            use(used, client, made["id"], TYPED_WRONG)
            use(used, client, TYPED_WRONG, TYPED_WRONG)
        yield used


def use(used: Used, client: httpx.Client, id_: str, secret: str) -> None:
    """Every way to show a credential, on routes of several dialects, good and bad."""
    host = httpx.URL(used.server.url).netloc.decode()
    form = {"grant_type": "client_credentials", "client_id": id_, "client_secret": secret}
    issued = client.post("/oauth/token", data=form)
    if issued.status_code == 200:
        used.secrets.add(issued.json()["access_token"])
    else:
        used.answers.append(issued)
    for data in ({**form, "grant_type": secret}, {**form, "scope": "%"}, {"client_secret": secret}):
        answer = client.post("/oauth/token", data=data)
        used.answers.append(answer) if answer.status_code != 200 else used.secrets.add(answer.json()["access_token"])
    pair = base64.b64encode(f"{id_}:{secret}".encode()).decode()
    used.secrets.add(pair)
    shown = [
        {"authorization": f"Bearer {secret}"},
        {"authorization": f"Basic {pair}"},
        {"authorization": f"Basic {secret}"},
        {"authorization": secret},
        {"authorization": f"Digest {secret}"},
        {"authorization": f"SDK-HMAC-SHA256 Access={secret}"},
        {"authorization": f'Signature keyId="{secret}",algorithm="rsa-sha256"'},
        {"x-auth-token": secret},
        {"authorization": f"Bearer {issued.json().get('access_token', 'none')}"},
    ]
    for path in PATHS:
        for headers in shown:
            used.answers.append(client.get(path, headers=headers))
            used.answers.append(client.post(path, headers=headers, content=b"{"))
        signed = shared(id_, secret, "GET", path, at=time.time_ns() // 1000, host=host)
        used.answers.append(client.get(path, headers=signed))
        used.answers.append(
            client.get(path, headers=PRIVATE.headers("GET", path, at=time.time_ns() // 1000, host=host))
        )


def holding(content: bytes, secrets: set[str]) -> list[str]:
    """Those of the secrets that are in there, plainly, percent-encoded, or in hexadecimal digits."""
    forms = {form: secret for secret in secrets for form in (secret, quote(secret, safe=""), secret.encode().hex())}
    return [secret for form, secret in forms.items() if form.encode() in content]


def test_the_ways_were_let_in_and_refused(used: Used) -> None:
    statuses = {answer.status_code for answer in used.answers}
    assert {200, 400, 401, 404, 405} <= statuses
    assert max(statuses) < 500
    assert len(used.secrets) >= 8


def test_no_answer_repeats_a_secret(used: Used) -> None:
    for answer in used.answers:
        told = answer.content + repr(answer.headers).encode()
        assert holding(told, used.secrets) == [], answer.request.url


def test_the_log_holds_no_secret(used: Used) -> None:
    log = used.server.log()
    assert "debug" in log, "requests are logged"
    assert holding(log.encode(), used.secrets) == []


def test_no_file_holds_a_secret(used: Used) -> None:
    files = [path for path in used.server.data_dir.rglob("*") if path.is_file() and path.name != "reserve"]
    assert {"server.key", "stepwell.db", "stepwell.db-wal"} <= {path.name for path in files}
    assert {path.name: found for path in files if (found := holding(path.read_bytes(), used.secrets))} == {}


def test_the_server_key_is_in_its_own_file_alone(used: Used) -> None:
    path = used.server.data_dir / "keys" / "server.key"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text().strip()
    others = [
        each for each in used.server.data_dir.rglob("*") if each.is_file() and each.name != "reserve" and each != path
    ]
    for content in [used.server.log().encode(), *(each.read_bytes() for each in others)]:
        assert text.encode() not in content
        assert bytes.fromhex(text) not in content


def test_no_command_but_create_prints_one(used: Used) -> None:
    assert holding(used.printed.encode(), used.secrets) == []
