"""The server as an operator meets it: start, health, metrics, log, credentials, commands beside it, stop."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import Server, binary

pytestmark = pytest.mark.slow  # most start servers of their own

JSON = {"Content-Type": "application/json"}


def stepwell(*argv: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: PLW1510  the status is what the tests look at
        [str(binary()), *argv],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
    )


def beside(server: Server, *argv: str, stdin: str = "") -> Any:
    done = stepwell(*argv, "--data-dir", str(server.data_dir), stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def new_run(server: Server, **headers: str) -> str:
    answer = httpx.post(
        f"{server.url}/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}, headers=headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run"]["info"]["run_id"])


def log(client: httpx.Client, run_id: str, step: int) -> httpx.Response:
    point = {"run_id": run_id, "key": "loss", "value": step / 2, "timestamp": 1_700_000_000_000 + step, "step": step}
    return client.post("/api/2.0/mlflow/runs/log-metric", json=point)


def history(server: Server, run_id: str) -> list[int]:
    query = {"run_id": run_id, "metric_key": "loss"}
    answer = httpx.get(f"{server.url}/api/2.0/mlflow/metrics/get-history", params=query, timeout=60).json()
    return [int(metric["step"]) for metric in answer.get("metrics", [])]


# Start


def test_it_says_where_it_serves_and_how_to_reach_it(tmp_path: Path):
    command = [str(binary()), "serve", "--port", "0", "--data-dir", str(tmp_path / "d")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]
        found = re.fullmatch(r"Stepwell \S+ serves (http://127\.0\.0\.1:\d+)", lines[0])
        assert found is not None, lines
        url = found[1]
        assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert lines[1] == f"Data directory: {(tmp_path / 'd').resolve()}"
    assert lines[2].endswith(f'mlflow.set_tracking_uri("{url}")')
    assert lines[3].endswith(f"export MLFLOW_TRACKING_URI={url}")


def refused(*argv: str) -> str:
    """What a server that does not start says in its one line."""
    done = stepwell("serve", *argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stepwell: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_port_in_use_is_one_line(server: Server, tmp_path: Path):
    told = refused("--port", str(server.port), "--data-dir", str(tmp_path / "other"))
    assert f":{server.port}: Address already in use" in told
    assert not (tmp_path / "other").exists()


def test_a_directory_in_use_is_one_line(server: Server):
    assert str(server.data_dir) in refused("--port", "0", "--data-dir", str(server.data_dir))
    assert server.answers()


@pytest.mark.parametrize("place", ["/proc/nothing/can/be/made/here", "/dev/null", "/dev/null/below"])
def test_a_directory_that_cannot_be_made_or_written_is_one_line(place: str):
    assert "/dev/null" in refused("--port", "0", "--data-dir", place) or place.startswith("/proc")


def test_a_directory_of_something_else_is_one_line_and_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("mine")
    assert str(tmp_path) in refused("--port", "0", "--data-dir", str(tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]


def test_every_flag_is_also_a_variable(tmp_path: Path):
    done = stepwell("serve", env={"STEPWELL_PORT": "nine", "STEPWELL_DATA_DIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (2, "stepwell: STEPWELL_PORT: 'nine' is not a port from 0 to 65535\n")


# While it runs


def test_health_and_the_page(server: Server):
    assert httpx.get(f"{server.url}/healthz", timeout=60).json()["status"] == "ok"
    assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
    root = httpx.get(f"{server.url}/", timeout=60)
    assert (root.status_code, root.headers["location"]) == (307, "ui/")
    page = httpx.get(f"{server.url}/ui/", timeout=60)
    assert page.headers["content-type"].startswith("text/html")
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert any(link.endswith(".js") for link in links)
    for link in links:
        assert link.startswith("./"), "an address that works under any prefix"
        assert httpx.get(f"{server.url}/ui/{link}", timeout=60).status_code == 200, link


def test_metrics_tell_of_requests_and_commits(server: Server):
    run_id = new_run(server)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for step in range(5):
            assert log(client, run_id, step).status_code == 200
        assert log(client, "unknown", 0).status_code == 404
    text = httpx.get(f"{server.url}/metrics", timeout=60).text
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples['stepwell_requests_total{dialect="mlflow",outcome="200"}'] == "6"
    assert samples['stepwell_requests_total{dialect="mlflow",outcome="404"}'] == "1"
    assert float(samples["stepwell_points_total"]) == 5
    assert float(samples["stepwell_commit_seconds_count"]) >= 1
    assert float(samples["stepwell_process_resident_bytes"]) > 1e6
    for name in ("queue_bytes", "head_points", "wal_bytes"):
        assert f"stepwell_{name}" in samples


def test_the_log_is_json_with_request_ids(server: Server):
    answer = httpx.get(f"{server.url}/api/2.0/mlflow/nowhere", headers={"X-Request-Id": "traced-1"}, timeout=60)
    assert (answer.status_code, answer.headers["x-request-id"]) == (404, "traced-1")
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    [line] = [line for line in lines if line.get("request_id") == "traced-1"]
    assert (line["status"], line["dialect"], line["level"], line["method"]) == (404, "mlflow", "info", "GET")


@pytest.mark.parametrize(
    "path", ["/api/2.0/mlflow/experiments/search", "/api/v1/runs", "/health", "/healthz", "/", "/x"]
)
@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_without_credentials_foreign_pages_are_kept_out(shared_server: Server, path: str, header: dict[str, str]):
    answer = httpx.get(f"{shared_server.url}{path}", headers=header, timeout=60)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/x", "/api/v1/x", "/ajax-api/2.0/x", "/x", "/ui/x", "/healthz/x"])
def test_an_unknown_path_is_json_in_the_shape_of_its_dialect(shared_server: Server, path: str):
    answer = httpx.get(f"{shared_server.url}{path}", timeout=60)
    assert answer.status_code == 404
    told = answer.json()
    assert "error_code" in told if "2.0" in path else "code" in told["error"]


def test_a_body_over_the_limit_is_refused_in_the_shape_of_its_dialect(shared_server: Server):
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=60)
    body = (bytes(1 << 20) for _ in range(64))
    headers = {**JSON, "Content-Length": str(64 << 20)}
    connection.request("POST", "/api/2.0/mlflow/runs/log-batch", body, headers)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "error_code" in json.loads(answer.read())
    connection.close()
    assert shared_server.answers()


# Commands beside it


def test_credentials_are_made_and_revoked_while_it_runs(serve: Callable[..., Server]):
    server = serve("--auth", "required")
    url = f"{server.url}/api/2.0/mlflow/experiments/search"
    assert httpx.post(url, json={"max_results": 1}, timeout=60).status_code == 401
    [made] = beside(server, "credential", "create", "--workspace", "w", "--role", "reader", "--name", "ci")
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert httpx.post(url, json={"max_results": 1}, headers=bearer, timeout=60).status_code == 200
    assert httpx.post(url, json={"max_results": 1}, auth=(made["id"], made["secret"]), timeout=60).status_code == 200
    assert (
        httpx.post(f"{server.url}/api/2.0/mlflow/runs/create", json={}, headers=bearer, timeout=60).status_code == 403
    )
    assert httpx.get(f"{server.url}/metrics", timeout=60).status_code == 401
    assert httpx.get(f"{server.url}/metrics", headers=bearer, timeout=60).status_code == 200
    assert [one["name"] for one in beside(server, "credential", "list")] == ["ci"]
    beside(server, "credential", "revoke", made["id"])
    time.sleep(1)
    assert httpx.post(url, json={"max_results": 1}, headers=bearer, timeout=60).status_code == 401
    assert made["secret"] not in server.log()
    server.restart()
    assert httpx.post(url, json={"max_results": 1}, headers=bearer, timeout=60).status_code == 401


def test_a_given_secret_works_and_so_does_the_command_without_a_server(serve: Callable[..., Server], tmp_path: Path):
    place = tmp_path / "data"
    argv = ("credential", "create", "--workspace", "*", "--role", "admin", "--id", "vault", "--secret-stdin")
    done = stepwell(*argv, "--data-dir", str(place), stdin="0123456789abcdef\n")
    assert json.loads(done.stdout)["id"] == "vault", done.stderr
    server = serve("--auth", "required", data_dir=place)
    assert new_run(server, Authorization="Bearer 0123456789abcdef")
    done = stepwell(*argv, "--data-dir", str(place), stdin="0123456789abcdef\n")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_check_and_gc_while_it_runs(server: Server):
    run_id = new_run(server)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for step in range(20):
            log(client, run_id, step)
    done = stepwell("check", "--data-dir", str(server.data_dir))
    assert (done.returncode, done.stdout) == (0, "no damage found\n")
    assert stepwell("gc", "--data-dir", str(server.data_dir)).returncode == 0
    assert history(server, run_id) == list(range(20))
    server.stop()
    done = stepwell("check", "--data-dir", str(server.data_dir))
    assert (done.returncode, done.stdout) == (0, "no damage found\n")


def test_the_socket_is_the_owners_alone_and_works_below_a_long_path(serve: Callable[..., Server], tmp_path: Path):
    place = tmp_path / ("long" * 40) / ("longer" * 30)
    place.parent.mkdir()
    server = serve(data_dir=place)
    [found] = [one for one in place.iterdir() if stat.S_ISSOCK(one.stat().st_mode)]
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert beside(server, "credential", "list") == []
    server.stop()
    assert not found.exists()


def test_a_server_that_was_killed_leaves_nothing_in_the_way(server: Server):
    server.kill()
    assert beside(server, "credential", "list") == []
    server.start()
    assert beside(server, "credential", "list") == []


# Stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_before_it_is_ready_it_ends_as_ever(
    serve: Callable[..., Server], tmp_path: Path, number: signal.Signals
):
    """While it opens its store, which takes as long as there is a journal to read."""
    server = serve()
    run_id = new_run(server)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert log(client, run_id, 1).status_code == 200
    server.kill()
    lock = server.data_dir / "lock"
    lock.unlink()
    server.start(wait=False)
    assert server.process is not None
    while not lock.exists():
        assert server.running, server.log()
        time.sleep(0.0005)
    server.process.send_signal(number)
    assert server.wait() == 0, server.log()
    assert "Traceback" not in server.log()
    server.start()
    found = httpx.get(
        f"{server.url}/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=loss", timeout=60
    ).json()
    assert len(found["metrics"]) == 1


def test_told_to_stop_it_keeps_what_it_has_acknowledged(server: Server):
    run_id = new_run(server)
    acknowledged: list[int] = []
    stopping = threading.Event()

    def write() -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for step in range(1_000_000):
                try:
                    if log(client, run_id, step).status_code == 200:
                        acknowledged.append(step)
                except httpx.TransportError:
                    return
                if len(acknowledged) == 50:
                    stopping.set()

    writing = threading.Thread(target=write)
    writing.start()
    assert stopping.wait(60)
    assert server.stop() == 0
    writing.join(60)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    server.start()
    assert history(server, run_id)[: len(acknowledged)] == acknowledged
