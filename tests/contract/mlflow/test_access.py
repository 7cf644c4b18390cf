"""The real MLflow client against a real server: workspaces, credentials, and what is there after a restart."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from contract.mlflow.exact import code_of, points
from serving import Server

Name = Callable[[], str]


def credential(server: Server, role: str, workspace: str = "w") -> dict[str, str]:
    """The id and the secret of a new credential."""
    command = [server.program, "credential", "create", *server.place, "--workspace", workspace, "--role", role]
    out = subprocess.run([*map(str, command)], capture_output=True, check=True, text=True).stdout
    found: dict[str, str] = httpx.Response(200, text=out).json()
    return found


def test_a_workspace_is_a_world_of_its_own(client: MlflowClient, name: Name) -> None:
    title = name()
    mlflow.set_workspace("team-a")
    try:
        made = client.create_experiment(title)
        run = client.create_run(made).info.run_id
        client.log_metric(run, "k", 1.0)
        client.log_text(run, "text", "x.txt")
        assert client.get_experiment_by_name(title).experiment_id == made
        assert mlflow.artifacts.load_text(f"runs:/{run}/x.txt") == "text"
    finally:
        mlflow.set_workspace(None)
    assert client.get_experiment_by_name(title) is None
    assert client.get_metric_history(run, "k") == []
    assert code_of(lambda: client.get_run(run)) == "RESOURCE_DOES_NOT_EXIST"


def test_workspaces_are_those_that_the_credential_may_see(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve("--auth", "required")
    client = MlflowClient(server.url)

    def seen() -> list[str]:
        return [workspace.name for workspace in client.list_workspaces()]

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", credential(server, "writer", "team-a")["secret"])
    assert seen() == ["team-a"]
    assert client.get_workspace("team-a").name == "team-a"
    assert code_of(lambda: client.get_workspace("default")) == "RESOURCE_DOES_NOT_EXIST"
    client.create_run("0")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", credential(server, "reader", "*")["secret"])
    assert seen() == ["default", "team-a"]
    assert client.get_workspace("default").name == "default"
    assert code_of(lambda: client.get_workspace("team-b")) == "RESOURCE_DOES_NOT_EXIST"
    answer = httpx.post(f"{server.url}/api/3.0/mlflow/workspaces", json={"name": "team-b"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_credentials(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve("--auth", "required")
    client = MlflowClient(server.url)
    writer, reader = credential(server, "writer"), credential(server, "reader")

    assert code_of(client.search_experiments) == "UNAUTHENTICATED"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "sw_" + "x" * 40)
    assert code_of(client.search_experiments) == "UNAUTHENTICATED"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", writer["secret"])
    run = client.create_run("0").info.run_id
    client.log_metric(run, "k", 1.0)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", reader["secret"])
    assert client.get_run(run).data.metrics == {"k": 1.0}
    assert code_of(lambda: client.log_metric(run, "k", 2.0)) == "PERMISSION_DENIED"
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", writer["id"])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", writer["secret"])
    client.log_metric(run, "k", 3.0, step=1)
    assert client.get_run(run).data.metrics == {"k": 3.0}


def test_all_is_there_after_a_restart_and_after_a_kill(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve()
    client = MlflowClient(server.url)
    experiment = client.create_experiment("e")
    run = client.create_run(experiment, run_name="n").info.run_id
    client.log_batch(run, [Metric("k", float(i), i, i) for i in range(1000)], [Param("p", "1")], [RunTag("t", "1")])
    client.log_text(run, "text", "x.txt")
    expected = points(client.get_metric_history(run, "k"))
    token = client.search_runs([experiment]).token
    assert token is None
    for stop in (server.stop, server.kill):
        stop()
        server.start()
        assert points(client.get_metric_history(run, "k")) == expected
        found = client.get_run(run)
        assert (found.info.run_name, found.data.params, found.data.tags["t"]) == ("n", {"p": "1"}, "1")
        assert found.data.metrics == {"k": 999.0}
        assert Path(client.download_artifacts(run, "x.txt", str(tmp_path))).read_text() == "text"
        client.log_batch(run, [Metric("k", float(i), i, i) for i in range(1000)])
