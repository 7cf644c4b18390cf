"""Through nginx under a path: MLflow's client logs, searches, and moves files."""

from __future__ import annotations

import random
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from proxying import behind_proxy


def test_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = random.Random(5).randbytes(8 << 20)
    (tmp_path / "ü 100% + x.bin").write_bytes(content)
    with behind_proxy(tmp_path) as behind:
        made = behind.credential(workspace="w")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", made["secret"])
        monkeypatch.setenv("MLFLOW_TRACKING_URI", behind.url)
        client = MlflowClient(behind.url, behind.url)
        experiment = client.create_experiment("behind")
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "loss", 0.5, step=3)
        client.log_artifact(run, str(tmp_path / "ü 100% + x.bin"), "deep")
        assert [each.value for each in client.get_metric_history(run, "loss")] == [0.5]
        assert [each.info.run_id for each in client.search_runs([experiment], "metrics.loss = 0.5")] == [run]
        assert [each.path for each in client.list_artifacts(run, "deep")] == ["deep/ü 100% + x.bin"]
        got = mlflow.artifacts.download_artifacts(
            run_id=run, artifact_path="deep/ü 100% + x.bin", dst_path=str(tmp_path / "got"), tracking_uri=behind.url
        )
        assert Path(got).read_bytes() == content
        client.create_registered_model("model")
        assert [each.name for each in client.search_registered_models()] == ["model"]
