"""Logged models through the real client: made, finished, measured, described, found, deleted."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Metric

from contract.mlflow.exact import code_of

Name = Callable[[], str]
NONE = "m-" + "0" * 32

pytestmark = pytest.mark.usefixtures("tracking")


def make(client: MlflowClient, experiment: str, name: str = "m", **fields: Any) -> LoggedModel:
    return client.create_logged_model(experiment, name=name, **fields)


def test_a_model_is_made_finished_described_and_deleted(raw: Any, client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    made = make(client, experiment, source_run_id=run, tags={"a": "1"}, params={"p": "x"}, model_type="Agent")
    assert str(made.status) == "PENDING"
    assert made.artifact_location == f"mlflow-artifacts:/{experiment}/models/{made.model_id}/artifacts"
    assert made.model_id.startswith("m-")
    assert len(made.model_id) == 34
    finished = client.finalize_logged_model(made.model_id, "READY")
    assert str(finished.status) == "READY"
    assert finished.last_updated_timestamp >= made.creation_timestamp
    client.set_logged_model_tags(made.model_id, {"a": "2", "b": ""})
    client.delete_logged_model_tag(made.model_id, "a")
    assert code_of(lambda: client.delete_logged_model_tag(made.model_id, "a")) == "RESOURCE_DOES_NOT_EXIST"
    found = client.get_logged_model(made.model_id)
    assert (found.name, found.model_type, found.source_run_id) == ("m", "Agent", run)
    assert (found.tags, found.params) == ({"b": ""}, {"p": "x"})
    for _ in range(2):  # again as when an answer was lost on the way
        client.delete_logged_model(made.model_id)
    assert code_of(lambda: client.get_logged_model(made.model_id)) == "RESOURCE_DOES_NOT_EXIST"
    assert client.search_logged_models([experiment]) == []
    path = f"logged-models/{made.model_id}"
    assert raw.get(path, allow_deleted="true").json()["model"]["info"]["name"] == "m"
    assert raw.get(path, allow_deleted="maybe").status_code == 400


def test_a_model_may_fail(client: MlflowClient, experiment: str) -> None:
    made = make(client, experiment)
    assert str(client.finalize_logged_model(made.model_id, "FAILED").status) == "FAILED"


def test_params_of_a_model_keep_their_value(raw: Any, client: MlflowClient, experiment: str) -> None:
    made = make(client, experiment, params={"p": "1"})
    path = f"logged-models/{made.model_id}/params"
    assert raw.post(path, params=[{"key": "p", "value": "1"}, {"key": "q", "value": "2"}]).json() == {}
    assert raw.post(path, params=[{"key": "r", "value": "3"}, {"key": "q", "value": "x"}]).status_code == 400
    assert client.get_logged_model(made.model_id).params == {"p": "1", "q": "2"}


def test_a_model_without_a_name_gets_one(client: MlflowClient, experiment: str) -> None:
    assert client.create_logged_model(experiment).name


def test_what_is_refused(raw: Any, client: MlflowClient, name: Name) -> None:
    experiment = client.create_experiment(name())
    for bad in ("a/b", "a:b", "a.b", "a%", 'a"', "a'", "x" * 501):
        assert code_of(partial(make, client, experiment, name=bad)) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: make(client, "99999999")) == "RESOURCE_DOES_NOT_EXIST"
    made = make(client, experiment)
    path = f"/api/2.0/mlflow/logged-models/{made.model_id}"
    assert raw.http.patch(path, json={"status": "DONE"}).json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert raw.http.patch(path, json={"status": 9}).status_code == 400
    assert raw.http.patch(path, json={"status": 2}).json()["model"]["info"]["status"] == "LOGGED_MODEL_READY"
    assert raw.http.patch(f"{path}/tags", json={"tags": [{"key": ""}]}).status_code == 400
    for call in (client.delete_logged_model, client.get_logged_model):
        assert code_of(partial(call, NONE)) == "RESOURCE_DOES_NOT_EXIST"
    client.delete_experiment(experiment)
    assert code_of(lambda: make(client, experiment)) == "INVALID_PARAMETER_VALUE"


def test_points_that_measure_a_model_are_its_and_the_runs(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    one, two = make(client, experiment), make(client, experiment)
    client.log_metric(run, "acc", 0.5, timestamp=10, step=1, model_id=one.model_id)
    dataset = {"dataset_name": "test", "dataset_digest": "d1"}
    batch = [
        Metric("acc", 0.75, 20, 2, model_id=one.model_id, **dataset),
        Metric("acc", math.nan, 30, 3, model_id=two.model_id),
        Metric("loss", math.inf, 20, -1, model_id=two.model_id),
        Metric("plain", 1.0, 20, 0),
    ]
    for _ in range(2):  # the second time as a retry
        client.log_batch(run, batch)
    points = [(m.key, m.value, m.timestamp, m.step, m.dataset_name, m.dataset_digest, m.run_id)
              for m in client.get_logged_model(one.model_id).metrics]  # fmt: skip
    assert points == [("acc", 0.5, 10, 1, None, None, run), ("acc", 0.75, 20, 2, "test", "d1", run)]
    others = client.get_logged_model(two.model_id).metrics
    assert [(m.key, str(m.value), m.step) for m in others] == [("acc", "nan", 3), ("loss", "inf", -1)]
    assert [m.step for m in client.get_metric_history(run, "acc")] == [1, 2, 3]
    data = client.get_run(run).data
    assert data.metrics.keys() == {"acc", "loss", "plain"}


def test_a_model_that_nobody_knows_is_not_measured(raw: Any, client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    point = {"key": "acc", "value": 1, "timestamp": 1, "model_id": NONE}
    for answer in (
        raw.post("runs/log-metric", run_id=run, **point),
        raw.post("runs/log-batch", run_id=run, metrics=[{"key": "x", "value": 1, "timestamp": 1}, point]),
    ):
        assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert raw.run(run)["data"].get("metrics") is None


def test_points_of_a_purged_or_foreign_run_do_not_matter(client: MlflowClient, experiment: str) -> None:
    made = make(client, experiment)
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    for i, run in enumerate(runs):
        client.log_metric(run, "acc", float(i), timestamp=1, step=0, model_id=made.model_id)
    assert {m.run_id for m in client.get_logged_model(made.model_id).metrics} == set(runs)


def test_files_of_a_model(raw: Any, client: MlflowClient, experiment: str, tmp_path: Path) -> None:
    made = make(client, experiment)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/weights.bin").write_bytes(b"w" * 10)
    (tmp_path / "MLmodel").write_text("flavors: {}")
    client.log_model_artifacts(made.model_id, str(tmp_path))
    path = f"logged-models/{made.model_id}/artifacts/directories"
    answer = raw.get(path).json()
    assert answer == {
        "root_uri": made.artifact_location,
        "files": [
            {"path": "MLmodel", "is_dir": False, "file_size": 11},
            {"path": "sub", "is_dir": True},
        ],
    }
    inner = raw.get(path, artifact_directory_path="sub").json()["files"]
    assert inner == [{"path": "sub/weights.bin", "is_dir": False, "file_size": 10}]
    assert raw.get(path, artifact_directory_path="../..").status_code == 400
    file = f"/ajax-api/2.0/mlflow/logged-models/{made.model_id}/artifacts/files"
    assert raw.get(file, artifact_file_path="sub/weights.bin").content == b"w" * 10
    assert raw.get(file, artifact_file_path="none").status_code == 404
    listed = client.list_logged_model_artifacts(made.model_id)
    assert sorted(each.path for each in listed) == ["MLmodel", "sub"]


class Zoo:
    """Four models with points on two data sets."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self.client = client
        self.experiment = experiment
        self.run = client.create_run(experiment).info.run_id
        fields: list[dict[str, Any]] = [
            {"name": "cat", "params": {"lr": "0.1"}, "tags": {"team": "a"}, "source_run_id": self.run},
            {"name": "cat", "params": {"lr": "0.2"}, "model_type": "tree"},
            {"name": "dog", "tags": {"team": "b"}},
            {"name": "eel"},
        ]
        self.ids = [make(client, experiment, **each).model_id for each in fields]
        for i, (train, test) in enumerate([(0.9, 0.5), (0.8, 0.6), (0.7, 0.7)]):
            points = [
                Metric("acc", train, 10, 1, model_id=self.ids[i], dataset_name="train", dataset_digest="1"),
                Metric("acc", test, 20, 2, model_id=self.ids[i], dataset_name="test", dataset_digest="2"),
            ]
            client.log_batch(self.run, points)

    def found(self, query: str = "", **options: Any) -> list[int]:
        models = self.client.search_logged_models([self.experiment], filter_string=query or None, **options)
        return [self.ids.index(each.model_id) for each in models]


@pytest.fixture
def zoo(client: MlflowClient, experiment: str) -> Zoo:
    return Zoo(client, experiment)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name = 'cat'", {0, 1}),
        ("name != 'cat'", {2, 3}),
        ("name LIKE '%e%'", {3}),
        ("name IN ('dog', 'eel')", {2, 3}),
        ("params.lr = '0.2'", {1}),
        ("params.lr = 0.2", {1}),
        ("params.lr = 0.20", set()),
        ("tags.team != 'a'", {2}),
        ("model_type = 'tree' AND name = 'cat'", {1}),
        ("metrics.acc >= 0.7", {0, 1, 2}),
        ("metrics.acc < 0.6", {0}),
        ("metrics.none > 0", set()),
        ("status = 'PENDING'", {0, 1, 2, 3}),
        ("creation_timestamp > 0 AND last_updated_timestamp > 0", {0, 1, 2, 3}),
        ("creation_time < 1000", set()),
    ],
)
def test_models_are_searched(zoo: Zoo, query: str, expected: set[int]) -> None:
    assert set(zoo.found(query)) == expected


def test_models_are_searched_by_where_they_were_measured(zoo: Zoo) -> None:
    test, train = {"dataset_name": "test"}, {"dataset_name": "train", "dataset_digest": "1"}
    assert zoo.found(f"source_run_id = '{zoo.run}'") == [0]
    assert set(zoo.found("metrics.acc > 0.65", datasets=[test])) == {2}
    assert set(zoo.found("metrics.acc > 0.65", datasets=[test, train])) == {0, 1, 2}
    assert set(zoo.found(datasets=[train])) == {0, 1, 2}
    assert zoo.found(datasets=[{"dataset_name": "train", "dataset_digest": "9"}]) == []


def test_models_are_sorted_and_paged(zoo: Zoo) -> None:
    acc = {"field_name": "metrics.acc", "ascending": True}
    assert zoo.found(order_by=[acc]) == [0, 1, 2, 3]  # by the latest point, those without any last
    assert zoo.found(order_by=[{**acc, "ascending": False}]) == [2, 1, 0, 3]
    assert zoo.found(order_by=[{**acc, "dataset_name": "train"}]) == [2, 1, 0, 3]
    assert zoo.found(order_by=[{"field_name": "name"}, {**acc, "ascending": False}]) == [1, 0, 2, 3]
    for order in ([acc], [{**acc, "dataset_name": "train"}], [{"field_name": "name"}], None):
        paged: list[int] = []
        token = None
        while True:
            page = zoo.client.search_logged_models([zoo.experiment], order_by=order, max_results=1, page_token=token)
            paged += [zoo.ids.index(each.model_id) for each in page]
            token = page.token
            if not token:
                break
        assert paged == zoo.found(order_by=order)
        assert sorted(paged) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "body",
    [
        {"filter": "nonsense"},
        {"filter": "datasets.name = 'x'"},
        {"order_by": [{"field_name": "nothing"}]},
        {"order_by": [{"field_name": ""}]},
        {"order_by": [{"field_name": "name", "ascending": "maybe"}]},
        {"max_results": 0},
        {"datasets": [{"dataset_name": ""}]},
        {"page_token": "x"},
        {"experiment_ids": ["x"]},
    ],
)
def test_a_search_that_cannot_be_read(raw: Any, body: dict[str, Any]) -> None:
    answer = raw.post("logged-models/search", {"experiment_ids": ["0"], **body})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_searching_no_experiment_finds_nothing(raw: Any) -> None:
    assert raw.post("logged-models/search").json() == {}


def test_the_fluent_interface_measures_the_active_model(name: Name) -> None:
    mlflow.set_experiment(name())
    with mlflow.start_run():
        model = mlflow.initialize_logged_model(name="net")
        for step in range(3):
            mlflow.log_metric("acc", step / 2, step=step, model_id=model.model_id)
        mlflow.finalize_logged_model(model.model_id, "READY")
    found = mlflow.search_logged_models(filter_string="metrics.acc >= 1", output_format="list")
    assert [each.model_id for each in found] == [model.model_id]
    assert [m.step for m in found[0].metrics] == [0, 1, 2]
