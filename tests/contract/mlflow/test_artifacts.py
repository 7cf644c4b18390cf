"""The real MLflow client against a real server: files of runs, up and down."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

Name = Callable[[], str]

pytestmark = pytest.mark.usefixtures("tracking")


def test_artifacts_up_and_down(client: MlflowClient, experiment: str, tmp_path: Path) -> None:
    run = client.create_run(experiment).info.run_id
    folder = tmp_path / "up"
    (folder / "sub" / "deep").mkdir(parents=True)
    files = {
        "a.txt": b"a",
        "sub/b.bin": bytes(range(256)) * 10,
        "sub/deep/ü 100% + x.json": b"{}",
        "sub/empty": b"",
        "big.bin": random.Random(3).randbytes(20 << 20),
    }
    for path, content in files.items():
        (folder / path).write_bytes(content)
    client.log_artifacts(run, str(folder))
    client.log_artifact(run, str(folder / "a.txt"), "copy/of")
    client.log_text(run, "text", "notes/hello.md")
    client.log_dict(run, {"k": [1, 2]}, "notes/data.json")

    def listed(path: str | None = None) -> list[tuple[str, bool, int | None]]:
        return [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run, path)]

    assert listed() == [
        ("a.txt", False, 1),
        ("big.bin", False, 20 << 20),
        ("copy", True, None),
        ("notes", True, None),
        ("sub", True, None),
    ]
    assert listed("sub/deep") == [("sub/deep/ü 100% + x.json", False, 2)]
    assert listed("a.txt") == listed("none") == []
    got = Path(client.download_artifacts(run, "", str(tmp_path)))
    for path, content in files.items():
        assert (got / path).read_bytes() == content, path
    assert (got / "copy/of/a.txt").read_bytes() == b"a"
    one = Path(client.download_artifacts(run, "sub/b.bin", str(tmp_path)))
    assert one.read_bytes() == files["sub/b.bin"]
    assert mlflow.artifacts.load_text(f"runs:/{run}/notes/hello.md") == "text"
    assert mlflow.artifacts.load_dict(client.get_run(run).info.artifact_uri + "/notes/data.json") == {"k": [1, 2]}


def test_an_artifact_is_replaced_and_deleted(raw: Any, client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    for text in ("first", "second"):
        client.log_text(run, text, "notes/x.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run}/notes/x.txt") == "second"
    place = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts"
    answer = raw.get(f"{place}/notes/x.txt")
    assert answer.content == raw.get("/get-artifact", run_id=run, path="notes/x.txt").content == b"second"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-length"] == "6"
    head = raw.http.head(f"{place}/notes/x.txt")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "6")
    assert raw.http.delete(f"{place}/notes").json() == {}
    assert client.list_artifacts(run) == []
    assert raw.get(f"{place}/notes/x.txt").json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_all_files_of_a_run_are_deleted_at_once(client: MlflowClient, experiment: str) -> None:
    emptied, other = (client.create_run(experiment).info for _ in range(2))
    for run in (emptied, other):
        for path in ("a.txt", "sub/b.txt", "sub/deep/c.txt"):
            client.log_text(run.run_id, path, path)
    files = get_artifact_repository(emptied.artifact_uri)
    files.delete_artifacts("sub/deep/")
    assert [f.path for f in files.list_artifacts("sub")] == ["sub/b.txt"]
    for _ in range(2):  # a client that lost the answer asks again
        files.delete_artifacts("a.txt")
        files.delete_artifacts()
        assert files.list_artifacts() == []
    assert [f.path for f in client.list_artifacts(other.run_id)] == ["a.txt", "sub"]


def test_artifacts_of_an_experiment_with_a_place_of_its_own(client: MlflowClient, name: Name) -> None:
    experiment = client.create_experiment(name(), artifact_location="mlflow-artifacts:/my/place")
    run = client.create_run(experiment)
    assert run.info.artifact_uri == f"mlflow-artifacts:/my/place/{run.info.run_id}/artifacts"
    client.log_text(run.info.run_id, "text", "a/b.txt")
    assert [f.path for f in client.list_artifacts(run.info.run_id, "a")] == ["a/b.txt"]
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a/b.txt") == "text"


def test_files_that_belong_to_no_run(raw: Any) -> None:
    place = "/api/2.0/mlflow-artifacts/artifacts"
    assert raw.http.put(f"{place}/shared/a/b.txt", content=b"x").status_code == 200
    assert raw.get(place, path="shared").json() == {"files": [{"path": "a", "is_dir": True}]}
    assert raw.get(place, path="shared/a/").json() == {"files": [{"path": "b.txt", "is_dir": False, "file_size": 1}]}
    assert raw.get(f"{place}/shared/a/b.txt").content == b"x"
