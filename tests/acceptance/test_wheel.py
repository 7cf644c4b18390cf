"""The built wheel in an empty environment, as someone has it who installs Stepwell without its repository."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from serving import HOST, Server, free_port

ROOT = Path(__file__).resolve().parents[2]
MLFLOW = "/api/2.0/mlflow"


def pip(*arguments: str | Path, python: str | Path = sys.executable) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = folder.glob("stepwell-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """Built from the sdist, which has the page and needs no Node.js for it."""
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", sdist.parent, sdist)
    (built,) = sdist.parent.glob("stepwell-*.whl")
    return built


@pytest.fixture(scope="module")
def stepwell(wheel: Path) -> Path:
    """The `stepwell` program of an environment with the wheel and its pinned requirements."""
    home = wheel.parent / "env"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip("install", "--require-hashes", "--requirement", "requirements/serve.txt", python=python)
    pip("install", "--no-deps", wheel, python=python)
    pip("check", python=python)
    return home / "bin" / "stepwell"


@pytest.fixture(scope="module")
def client(wheel: Path) -> Path:
    """The `stepwell` program of an environment with the wheel alone: no index is asked, as it depends on nothing."""
    home = wheel.parent / "client"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip("install", "--no-index", wheel, python=python)
    pip("check", python=python)
    return home / "bin" / "stepwell"


def run(program: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def call(server: Server, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(verb, MLFLOW + path, payload, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    assert answer.status == 200, text
    decoded: dict[str, Any] = json.loads(text)
    return decoded


def test_the_sources_hold_the_page_as_it_was_built(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert "src/stepwell/web/static/index.html" in names
    assert {name.partition("/")[0] for name in names} - {"PKG-INFO", ".gitignore"} == {
        "CHANGELOG.md",
        "LICENSE",
        "hatch_build.py",
        "pyproject.toml",
        "src",
    }


def test_it_holds_the_package_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*") if path.is_file()}
    expected = {name for name in shipped if "__pycache__" not in name}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_says_its_version(stepwell: Path, wheel: Path) -> None:
    result = run(stepwell, "version")
    assert result.returncode == 0, result.stderr
    assert wheel.name.split("-")[1] in result.stdout


def test_the_client_alone_logs_and_sends(client: Path, stepwell: Path, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    text = (
        "import stepwell\n"
        f"with stepwell.init(id='alone', mode='offline', spool={str(spool)!r}) as run:\n"
        "    run.log({'loss': 0.5}, step=1)\n"
    )
    logged = subprocess.run([client.with_name("python"), "-c", text], capture_output=True, text=True, check=False)
    assert (logged.returncode, logged.stderr) == (0, "")
    with Server(tmp_path / "data", program=stepwell) as server:
        sent = run(client, "sync", spool, "--url", server.url)
        assert (sent.returncode, sent.stderr) == (0, "")
        assert sent.stdout.splitlines()[-1].startswith("1 points")
        again = run(stepwell, "sync", spool, "--url", server.url)  # the same command where the server is
        assert again.stdout == "nothing to send\n"
        history = call(server, "GET", "/metrics/get-history?run_id=alone&metric_key=loss")
        assert [(each["step"], each["value"]) for each in history["metrics"]] == [(1, 0.5)]


def test_the_client_alone_says_what_the_server_needs(client: Path, tmp_path: Path) -> None:
    result = run(client, "serve", "--data-dir", tmp_path / "data")
    assert result.returncode == 2
    (complaint,) = result.stderr.splitlines()
    assert "pip install 'stepwell[server]'" in complaint
    assert run(client, "--version").stdout.startswith("stepwell ")


def test_it_serves_and_remembers(stepwell: Path, tmp_path: Path) -> None:
    point = {"key": "loss", "value": 0.25, "timestamp": 1_700_000_000_000, "step": 3}
    with Server(tmp_path / "data", program=stepwell) as server:
        experiment = call(server, "POST", "/experiments/create", {"name": "wheel"})["experiment_id"]
        made = call(server, "POST", "/runs/create", {"experiment_id": experiment, "start_time": 1_700_000_000_000})
        run_id = made["run"]["info"]["run_id"]
        call(server, "POST", "/runs/log-metric", {"run_id": run_id, **point})
        server.restart()
        history = call(server, "GET", f"/metrics/get-history?run_id={run_id}&metric_key=loss")
        found = [
            {**metric, "timestamp": int(metric["timestamp"]), "step": int(metric["step"])}
            for metric in history["metrics"]
        ]
        assert [{name: metric[name] for name in point} for metric in found] == [point]
    assert run(stepwell, "check", "--data-dir", tmp_path / "data").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [["--port", "70000"], ["--no-such-flag"], ["--auth", "perhaps"], ["--data-dir", "/proc/nowhere"]],
    ids=lambda arguments: arguments[0],
)
def test_a_mistake_is_one_clear_line(stepwell: Path, tmp_path: Path, arguments: list[str]) -> None:
    usual = ["--data-dir", str(tmp_path / "data"), "--port", str(free_port())]
    result = run(stepwell, "serve", *usual, *arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    (complaint,) = result.stderr.splitlines()
    assert arguments[-1].lstrip("-") in complaint


def test_a_port_in_use_is_one_clear_line(stepwell: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "first", program=stepwell) as server:
        result = run(stepwell, "serve", "--data-dir", tmp_path / "second", "--port", str(server.port))
    assert result.returncode == 2
    (complaint,) = result.stderr.splitlines()
    assert re.search(rf"\b{server.port}\b", complaint)
