"""Training with scikit-learn's autologging, as people write it: run, inputs, outputs, model, files, and back again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

pytestmark = [
    pytest.mark.usefixtures("tracking"),
    pytest.mark.filterwarnings("ignore"),  # of the client and of scikit-learn, about each other
]


@pytest.fixture(autouse=True)
def _logging_by_itself(tracking: None) -> object:
    mlflow.sklearn.autolog(log_datasets=True, silent=True)
    yield
    mlflow.sklearn.autolog(disable=True, silent=True)


def test_a_training_logs_itself(name: Callable[[], str], tmp_path: Path) -> None:
    title = name()
    mlflow.set_experiment(title)
    x, y = load_iris(return_X_y=True, as_frame=True)
    with mlflow.start_run() as active:
        trained = LogisticRegression(max_iter=200).fit(x, y)
        score = trained.score(x, y)
    run = mlflow.get_run(active.info.run_id)
    assert run.data.params["max_iter"] == "200"
    assert run.data.metrics["training_accuracy_score"] == score
    assert run.data.tags["estimator_name"] == "LogisticRegression"
    (used,) = run.inputs.dataset_inputs
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "train")]
    assert '"num_rows": 150' in used.dataset.profile
    (made,) = run.outputs.model_outputs
    model = mlflow.get_logged_model(made.model_id)
    assert (model.name, model.source_run_id, str(model.status)) == ("model", active.info.run_id, "READY")
    assert model.params["max_iter"] == "200"
    assert {m.key: m.value for m in model.metrics} == run.data.metrics
    for uri in (f"models:/{made.model_id}", f"runs:/{active.info.run_id}/model"):
        loaded = mlflow.sklearn.load_model(uri)
        assert np.array_equal(loaded.predict(x), trained.predict(x))
    listed = mlflow.artifacts.list_artifacts(f"models:/{made.model_id}")
    assert {"MLmodel", "model.pkl"} <= {Path(file.path).name for file in listed}
    fetched = Path(mlflow.artifacts.download_artifacts(f"models:/{made.model_id}", dst_path=str(tmp_path)))
    assert f"model_id: {made.model_id}" in (fetched / "MLmodel").read_text()
    for query in ("datasets.context = 'train'", "dataset.name LIKE 'data%' AND metrics.training_score > 0.9"):
        assert mlflow.search_runs(experiment_names=[title], filter_string=query).run_id.tolist() == [run.info.run_id]
    # predicting with the model that was trained, as above, used the same data for something else
    evaluated = mlflow.search_runs(experiment_names=[title], filter_string="datasets.context = 'eval'")
    assert evaluated.run_id.tolist() == [run.info.run_id]
    contexts = [tag.value for each in mlflow.get_run(run.info.run_id).inputs.dataset_inputs for tag in each.tags]
    assert contexts == ["train", "eval"]


def test_a_model_is_registered_while_it_is_logged(name: Callable[[], str]) -> None:
    title = name()
    mlflow.sklearn.autolog(disable=True, silent=True)
    mlflow.set_experiment(title)
    x, y = load_iris(return_X_y=True)
    with mlflow.start_run() as active:
        trained = LogisticRegression(max_iter=200).fit(x, y)
        info = mlflow.sklearn.log_model(trained, name="iris", registered_model_name=title, input_example=x[:2])
    client = mlflow.MlflowClient()
    version = client.get_model_version(title, "1")
    assert (version.run_id, version.status) == (active.info.run_id, "READY")
    client.set_registered_model_alias(title, "best", 1)
    for uri in (f"models:/{title}/1", f"models:/{title}@best", f"models:/{title}/latest"):
        assert np.array_equal(mlflow.pyfunc.load_model(uri).predict(x), trained.predict(x))
    assert client.get_model_version_download_uri(title, "1") == mlflow.get_logged_model(info.model_id).artifact_location
