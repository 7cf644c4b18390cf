"""docs/howto/warehouse.md, done as it says: from empty databases to two servers behind nginx that are restarted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from proxying import Nginx
from serving import HOST, READY_WITHIN, Server, binary
from stepwell.storage.warehouse import Address
from stepwell.storage.warehouse.address import Bucket
from warehouse.making import make

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/howto/warehouse.md"
TEXT = PAGE.read_text()
MLFLOW = ROOT / ".cache/clients/mlflow/bin/python"
pytestmark = pytest.mark.slow


def page_url() -> str:
    """The URL of the store in the page."""
    [url] = re.findall(r'export STEPWELL_STORE="(.+)"', TEXT)
    return str(url)


def page_commands() -> list[list[str]]:
    """The commands of the first server: migrate, credential create, serve."""
    [block] = re.findall(r"## The first server\n\n```sh\n(.+?)```", TEXT, re.DOTALL)
    return [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("stepwell ")]


def stepwell(argv: list[str], address: Address) -> str:
    """What a command prints that finds the store in the variable of the page."""
    env = {**os.environ, "STEPWELL_STORE": address.url}
    done = subprocess.run([binary(), *argv], env=env, capture_output=True, text=True, check=True, timeout=READY_WITHIN)
    return done.stdout


def test_the_url_of_the_page_is_one() -> None:
    address = Address.of(page_url())
    assert urlsplit(address.catalog).path == "/stepwell"
    assert urlsplit(address.clickhouse).path == "/stepwell"
    assert address.files == Path("/srv/stepwell")


def test_the_bucket_of_the_page_is_one() -> None:
    [files] = re.findall(r"^files=(s3\S+)$", TEXT, re.MULTILINE)
    found = Address.of(page_url().replace("/srv/stepwell", files)).files
    assert found == Bucket(
        name="stepwell",
        prefix="files/",
        endpoint="https://objects.example.com",
        region="eu-1",
        addressing="path",
    )


def test_a_password_goes_through_the_page_s_line() -> None:
    [line] = re.findall(r"python3 -c '(.+)'", TEXT)
    password = "a@b/c&d?e%f#g:h i+ä"
    done = subprocess.run(["python3", "-c", line], input=password, capture_output=True, text=True, check=True)
    encoded = done.stdout.removeprefix("password: ").strip()
    address = Address.of(page_url().replace("stepwell@127", f"stepwell:{encoded}@127"))
    assert unquote(urlsplit(address.catalog).password or "") == password


def test_mlflow_s_client_trains_while_servers_are_restarted(
    clickhouse_server: str, postgres_server: str, tmp_path: Path
) -> None:
    address = make(clickhouse=clickhouse_server, postgres=postgres_server, files=tmp_path / "files", migrated=False)
    migrate, create, serve = page_commands()
    assert migrate == ["migrate"]
    assert "did migration" in stepwell(migrate, address)
    secret = json.loads(stepwell(create, address))["secret"]
    assert serve[0] == "serve"
    assert serve[3:5] == ["--host", "10.0.0.11"]
    flags = [*serve[1:3], *serve[5:]]
    one, two = (Server(tmp_path / name, store=address.url, args=flags) for name in ("one", "two"))
    upstreams = {f"server 10.0.0.1{n}:8585 ": f"server {HOST}:{each.port} " for n, each in ((1, one), (2, two))}
    nginx = Nginx(tmp_path / "nginx", upstreams, page=PAGE)
    with one, two, nginx.running():
        counted = train(nginx.url, secret, tmp_path / "enough", (one, two))
        headers = {"Authorization": f"Bearer {secret}"}
        for server in (one, two):
            asked = {"run_id": counted[0], "metric_key": "loss", "max_results": "20000"}
            answer = httpx.get(
                f"{server.url}/api/2.0/mlflow/metrics/get-history", params=asked, headers=headers, timeout=60
            )
            found = [(each["step"], each["value"]) for each in answer.json()["metrics"]]
            assert found == [(step, step / 7) for step in range(counted[1])]


def train(url: str, secret: str, enough: Path, restarts: tuple[Server, ...]) -> tuple[str, int]:
    """Train through all restarts; the run's id, and how many points the client logged."""
    env = {**os.environ, "MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_TOKEN": secret}
    program = Path(__file__).with_name("training.py")
    command, log = [MLFLOW, program, enough], enough.with_name("training.log")
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env) as client,
    ):
        assert client.stdout is not None
        try:
            run_id = client.stdout.readline().strip()
            for server in restarts:
                for _ in range(20):
                    assert client.stdout.readline(), log.read_text()
                server.restart()
        finally:
            enough.touch()
        steps = [line for line in client.stdout.read().splitlines() if line.isdigit()]
    assert client.returncode == 0, log.read_text()
    return run_id, int(steps[-1])
