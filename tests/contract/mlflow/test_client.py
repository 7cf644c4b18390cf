"""The real MLflow client against a real server: training as people write it, runs and experiments."""

from __future__ import annotations

from collections.abc import Callable

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType

from contract.mlflow.exact import code_of

Name = Callable[[], str]

pytestmark = pytest.mark.usefixtures("tracking")


def test_a_training_with_the_fluent_interface(name: Name) -> None:
    title = name()
    mlflow.set_experiment(title)
    with mlflow.start_run(run_name="first", description="a test") as active:
        mlflow.log_param("lr", 0.01)
        mlflow.log_params({"layers": 3, "optimizer": "adam"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
            mlflow.log_metrics({"acc": step / 5, "f1": step / 6}, step=step)
        mlflow.set_tag("team", "vision")
        mlflow.set_tags({"a": "1", "b": "2"})
    run = mlflow.get_run(active.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "first"
    assert run.info.end_time >= run.info.start_time
    assert run.data.params == {"lr": "0.01", "layers": "3", "optimizer": "adam"}
    assert run.data.metrics == {"loss": 0.2, "acc": 0.8, "f1": 4 / 6}
    assert run.data.tags.items() >= {"team": "vision", "a": "1", "b": "2", "mlflow.note.content": "a test"}.items()
    found = mlflow.search_runs(experiment_names=[title], filter_string="metrics.loss < 0.5 and params.lr = '0.01'")
    assert found["run_id"].tolist() == [active.info.run_id]
    assert found["metrics.acc"].tolist() == [0.8]


def test_a_failed_training_is_marked(name: Name) -> None:
    mlflow.set_experiment(name())
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as active:
        mlflow.log_metric("loss", 1 / 0)
    assert mlflow.get_run(active.info.run_id).info.status == "FAILED"


def test_a_run_is_resumed(name: Name) -> None:
    mlflow.set_experiment(name())
    with mlflow.start_run() as active:
        mlflow.log_metric("loss", 1.0, step=1)
    with mlflow.start_run(run_id=active.info.run_id):
        mlflow.log_metric("loss", 0.5, step=2)
    run = mlflow.get_run(active.info.run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.5})


def test_nested_runs(name: Name) -> None:
    title = name()
    mlflow.set_experiment(title)
    with mlflow.start_run() as parent:
        children = []
        for lr in (0.1, 0.2):
            with mlflow.start_run(nested=True) as child:
                mlflow.log_metric("loss", lr)
                children.append(child.info.run_id)
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    found = mlflow.search_runs(experiment_names=[title], filter_string=query, order_by=["metrics.loss ASC"])
    assert found["run_id"].tolist() == children
    assert mlflow.get_parent_run(children[0]).info.run_id == parent.info.run_id


def test_more_params_than_one_request_takes(name: Name) -> None:
    mlflow.set_experiment(name())
    params = {f"p{i}": str(i) for i in range(250)}
    with mlflow.start_run() as active:
        mlflow.log_params(params)
        mlflow.log_metrics({f"m{i}": float(i) for i in range(2500)})
    run = mlflow.get_run(active.info.run_id)
    assert run.data.params == params
    assert run.data.metrics == {f"m{i}": float(i) for i in range(2500)}


def test_params_keep_their_value_and_tags_do_not(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment, tags={"t": "1"}).info.run_id
    client.log_param(run, "p", "1")
    client.log_param(run, "p", "1")
    assert code_of(lambda: client.log_param(run, "p", "2"), "'p'") == "INVALID_PARAMETER_VALUE"
    client.set_tag(run, "t", "2")
    client.set_tag(run, "u", "")
    assert client.get_run(run).data.params == {"p": "1"}
    assert client.get_run(run).data.tags.items() >= {"t": "2", "u": ""}.items()
    client.delete_tag(run, "t")
    assert "t" not in client.get_run(run).data.tags
    assert code_of(lambda: client.delete_tag(run, "t")) == "RESOURCE_DOES_NOT_EXIST"


def test_a_batch_with_a_changed_param_stores_nothing(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "p", "1")
    batch = [Metric("m", 1.0, 1, 1)], [Param("q", "1"), Param("p", "2")], [RunTag("t", "1")]
    assert code_of(lambda: client.log_batch(run, *batch)) == "INVALID_PARAMETER_VALUE"
    data = client.get_run(run).data
    assert (data.metrics, data.params) == ({}, {"p": "1"})
    assert "t" not in data.tags
    assert client.get_metric_history(run, "m") == []


def test_the_name_of_a_run_and_its_tag_are_one(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment, run_name="a").info.run_id

    def names() -> tuple[str, str]:
        found = client.get_run(run)
        return found.info.run_name, found.data.tags["mlflow.runName"]

    assert names() == ("a", "a")
    client.update_run(run, name="b")
    assert names() == ("b", "b")
    client.set_tag(run, "mlflow.runName", "c")
    assert names() == ("c", "c")
    client.log_batch(run, tags=[RunTag("mlflow.runName", "d")])
    assert names() == ("d", "d")
    client.set_tag(run, "mlflow.runName", "")
    client.log_batch(run, tags=[RunTag("mlflow.runName", ""), RunTag("t", "")])
    assert names() == ("d", "d")
    assert client.get_run(run).data.tags["t"] == ""
    assert client.create_run(experiment).info.run_name


def test_any_status_may_follow_any(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    assert client.get_run(run).info.status == "RUNNING"
    for status in ("SCHEDULED", "FINISHED", "RUNNING", "FAILED", "KILLED"):
        client.update_run(run, status=status)
        assert client.get_run(run).info.status == status
    client.set_terminated(run, "FINISHED", end_time=12345)
    assert client.get_run(run).info.end_time == 12345
    client.log_metric(run, "after", 1.0)
    assert client.get_run(run).info.status == RunStatus.to_string(RunStatus.FINISHED)


def test_a_deleted_run_is_read_and_not_written(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    client.log_metric(run, "k", 1.0, timestamp=1, step=1)
    client.delete_run(run)
    client.delete_run(run)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    assert len(client.get_metric_history(run, "k")) == 1
    writes: list[Callable[[], object]] = [
        lambda: client.log_metric(run, "k", 2.0),
        lambda: client.log_batch(run, [Metric("k", 2.0, 2, 2)]),
        lambda: client.log_param(run, "p", "1"),
        lambda: client.set_tag(run, "t", "1"),
        lambda: client.update_run(run, status="FAILED"),
    ]
    for write in writes:
        assert code_of(write, "deleted") == "INVALID_PARAMETER_VALUE"
    assert [r.info.run_id for r in client.search_runs([experiment])] == []
    assert [r.info.run_id for r in client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)] == [run]
    client.restore_run(run)
    client.restore_run(run)
    client.log_metric(run, "k", 2.0, timestamp=2, step=2)
    assert [r.info.run_id for r in client.search_runs([experiment])] == [run]


def test_the_default_experiment_is_there(client: MlflowClient) -> None:
    default = client.get_experiment("0")
    assert (default.name, default.lifecycle_stage) == ("Default", "active")


def test_the_life_of_an_experiment(client: MlflowClient, name: Name) -> None:
    first, second = name(), name()
    made = client.create_experiment(first, tags={"k": "v"})
    assert client.get_experiment_by_name(first).experiment_id == made
    assert client.get_experiment_by_name(name()) is None
    assert code_of(lambda: client.create_experiment(first)) == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(made, second)
    client.set_experiment_tag(made, "more", "1")
    found = client.get_experiment(made)
    assert (found.name, found.tags) == (second, {"k": "v", "more": "1"})
    assert found.artifact_location == f"mlflow-artifacts:/{made}"
    client.delete_experiment_tag(made, "more")
    assert client.get_experiment(made).tags == {"k": "v"}
    assert client.get_experiment(made).last_update_time >= client.get_experiment(made).creation_time


def test_deleting_an_experiment_hides_its_runs(client: MlflowClient, experiment: str) -> None:
    active, deleted = (client.create_run(experiment).info.run_id for _ in range(2))
    client.delete_run(deleted)
    client.delete_experiment(experiment)
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"
    assert client.get_run(active).info.lifecycle_stage == "deleted"
    name = client.get_experiment(experiment).name
    assert code_of(lambda: client.create_run(experiment)) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.rename_experiment(experiment, "other")) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.create_experiment(name)) == "RESOURCE_ALREADY_EXISTS"
    assert code_of(lambda: client.delete_experiment(experiment)) == "RESOURCE_DOES_NOT_EXIST"
    client.restore_experiment(experiment)
    stages = {run.info.run_id: run.info.lifecycle_stage for run in client.search_runs([experiment])}
    assert stages == {active: "active", deleted: "active"}


def test_experiments_are_searched_and_paged(client: MlflowClient, name: Name) -> None:
    prefix = name()
    made = [client.create_experiment(f"{prefix}-{i:02}", tags={"even": str(i % 2 == 0)}) for i in range(11)]
    found: list[str] = []
    token = None
    while True:
        page = client.search_experiments(filter_string=f"name LIKE '{prefix}-%'", max_results=4, page_token=token)
        found += [each.experiment_id for each in page]
        token = page.token
        if not token:
            break
    assert found == made[::-1]
    even = client.search_experiments(
        filter_string=f"name ILIKE '{prefix.upper()}-%' AND tags.even = 'True'", order_by=["name ASC"]
    )
    assert [each.experiment_id for each in even] == made[::2]
    client.delete_experiment(made[0])
    query = f"name = '{prefix}-00'"
    assert client.search_experiments(filter_string=query) == []
    assert len(client.search_experiments(ViewType.DELETED_ONLY, filter_string=query)) == 1
    assert len(client.search_experiments(ViewType.ALL, filter_string=query)) == 1
