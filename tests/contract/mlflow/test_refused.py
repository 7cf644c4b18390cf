"""What of MLflow is not here, as its client meets it: it falls back to what is, and training goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

pytestmark = pytest.mark.usefixtures("tracking")


def test_a_client_told_to_send_and_fetch_parts_moves_whole_files(
    client: MlflowClient, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for direction in ("UPLOAD", "DOWNLOAD"):
        monkeypatch.setenv(f"MLFLOW_ENABLE_PROXY_MULTIPART_{direction}", "true")
        monkeypatch.setenv(f"MLFLOW_MULTIPART_{direction}_MINIMUM_FILE_SIZE", "1")
        monkeypatch.setenv(f"MLFLOW_MULTIPART_{direction}_CHUNK_SIZE", str(5 << 20))
    content = bytes(range(256)) * (11 << 12)  # more than two chunks
    (tmp_path / "large.bin").write_bytes(content)
    run = client.create_run(experiment).info.run_id
    client.log_artifact(run, str(tmp_path / "large.bin"), "deep")
    client.log_artifact(run, str(tmp_path / "large.bin"))
    got = mlflow.artifacts.download_artifacts(run_id=run, artifact_path="deep/large.bin", dst_path=str(tmp_path / "x"))
    assert Path(got).read_bytes() == content
    assert {file.path: file.file_size for file in client.list_artifacts(run)} == {
        "deep": None,
        "large.bin": len(content),
    }


def test_the_server_says_that_there_are_no_parts(raw: Any) -> None:
    info = raw.get("/api/3.0/mlflow/server-info").json()
    assert (info["multipart_uploads_enabled"], info["multipart_downloads_enabled"]) == (False, False)
    answer = raw.post("/api/2.0/mlflow-artifacts/mpu/create/0/x", path="a", num_parts=2)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_a_traced_function_runs_and_its_metrics_are_kept(client: MlflowClient, name: Callable[[], str]) -> None:
    @mlflow.trace
    def train(x: int) -> int:
        with mlflow.start_span("inner"):
            mlflow.log_metric("x", x)
        return x + 1

    mlflow.set_experiment(name())
    with mlflow.start_run() as run:
        assert train(1) == 2
    mlflow.flush_trace_async_logging()
    assert [each.value for each in client.get_metric_history(run.info.run_id, "x")] == [1]
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    with pytest.raises(MlflowException, match="ENDPOINT_NOT_FOUND: Stepwell keeps no traces"):
        mlflow.search_traces(locations=[run.info.experiment_id])
