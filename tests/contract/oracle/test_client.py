"""Oracle's own MLOpsClient against a real server: all that it can call, on both base paths."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from aidp_python_client.aidataplatform_dp import MLOpsClient
from aidp_python_client.aidataplatform_dp import models as m
from oci.exceptions import ServiceError

from contract.oracle.conftest import PLATFORM, Raw

REQUEST_ID = "opc-request-id"


class Workspace:
    """The calls on one workspace, with details made from keywords."""

    def __init__(self, client: MLOpsClient, name: str) -> None:
        self.client = client
        self.name = name

    def __getattr__(self, call: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: getattr(self.client, call)(PLATFORM, self.name, *args, **kwargs)

    def experiment(self, name: str = "e", **fields: Any) -> str:
        return str(self.create_experiment(m.CreateExperimentDetails(name=name, **fields)).data.experiment_id)

    def run(self, **fields: Any) -> str:
        details = m.CreateExperimentRunDetails(**{"experiment_id": "0", "start_time": 5, **fields})
        return str(self.create_experiment_run(details).data.run.info.run_id)

    def read(self, run_id: str) -> Any:
        return self.get_experiment_run_by_id(run_id).data.run


@pytest.fixture
def ws(client: MLOpsClient, workspace: str) -> Workspace:
    return Workspace(client, workspace)


def refusal(attempt: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ServiceError) as caught:
        attempt()
    assert caught.value.message
    assert caught.value.headers[REQUEST_ID] == caught.value.request_id
    return caught.value.status, caught.value.code


def pairs(tags: list[Any]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}


def test_experiments(ws: Workspace) -> None:
    tag = m.ExperimentTag(key="a", value="1")
    answer = ws.create_experiment(m.CreateExperimentDetails(name="e", tags=[tag]), opc_request_id="ABC_1-x")
    number = answer.data.experiment_id
    assert answer.request_id == answer.headers[REQUEST_ID] == "ABC_1-x"
    assert answer.headers["etag"]
    assert ws.get_experiment_by_name("e").data.experiment.experiment_id == number
    ws.update_experiment(m.UpdateExperimentDetails(experiment_id=number, new_name="f"))
    ws.set_experiment_tag(m.SetExperimentTagDetails(experiment_id=number, key="b", value="2"))
    ws.delete_experiment_tag(m.DeleteExperimentTagDetails(experiment_id=number, key="a"))
    ws.update_experiment_tags(
        m.UpdateExperimentTagsDetails(
            experiment_id=number,
            set_tags=[m.ExperimentTag(key="c", value="3")],
            delete_tags=[m.ExperimentTagKey(key="b"), m.ExperimentTagKey(key="none")],
        )
    )
    found = ws.get_experiment_by_id(number).data.experiment
    assert (found.name, found.lifecycle_stage, pairs(found.tags)) == ("f", "active", {"c": "3"})
    ws.delete_experiment(m.DeleteExperimentDetails(experiment_id=number))
    listed = ws.list_experiments(m.ListExperimentsDetails(view_type="DELETED_ONLY")).data.experiments
    assert [each.experiment_id for each in listed] == [number]
    ws.restore_experiment(m.RestoreExperimentDetails(experiment_id=number))
    again = ws.list_experiments(m.ListExperimentsDetails(filter="name = 'f'", max_results=5)).data.experiments
    assert [each.name for each in again] == ["f"]


def test_an_experiment_is_removed_for_good(ws: Workspace) -> None:
    number = ws.experiment()
    run = ws.run(experiment_id=number)
    ws.delete_experiment(m.DeleteExperimentDetails(experiment_id=number, is_permanent=True))
    assert refusal(lambda: ws.get_experiment_by_id(number)) == (404, "NotAuthorizedOrNotFound")
    assert refusal(lambda: ws.get_experiment_run_by_id(run)) == (404, "NotAuthorizedOrNotFound")
    assert int(ws.experiment()) == int(number) + 1
    gone = m.DeleteExperimentDetails(experiment_id=number, is_permanent=True)
    assert refusal(lambda: ws.delete_experiment(gone)) == (404, "NotAuthorizedOrNotFound")
    default = m.DeleteExperimentDetails(experiment_id="0", is_permanent=True)
    assert refusal(lambda: ws.delete_experiment(default)) == (400, "InvalidParameter")


def test_experiments_come_page_by_page(ws: Workspace) -> None:
    for i in range(5):
        ws.experiment(f"e{i}")
    names: list[str] = []
    token = None
    while True:
        details = m.ListExperimentsDetails(max_results=2, page_token=token, order_by=["name ASC"])
        answer = ws.list_experiments(details)
        names += [each.name for each in answer.data.experiments]
        assert answer.next_page == answer.data.next_page_token
        assert answer.has_next_page is (answer.next_page is not None)
        token = answer.next_page
        if not token:
            break
    assert names == ["Default", "e0", "e1", "e2", "e3", "e4"]


def test_a_run(ws: Workspace) -> None:
    number = ws.experiment()
    run = ws.run(experiment_id=number, run_name="first", tags=[m.ExperimentRunTag(key="t", value="1")])
    ws.log_experiment_run_metric(
        m.LogExperimentRunMetricDetails(run_id=run, key="loss", value=0.5, timestamp=10, step=1)
    )
    ws.log_experiment_run_param(m.LogExperimentRunParamDetails(run_id=run, key="lr", value="0.1"))
    ws.log_experiment_run_batch(
        m.LogExperimentRunBatchDetails(
            run_id=run,
            metrics=[m.ExperimentRunMetric(key="loss", value=0.25, timestamp=20, step=2)],
            params=[m.ExperimentRunParam(key="depth", value="3")],
            tags=[m.ExperimentRunTag(key="u", value="2")],
        )
    )
    ws.set_experiment_run_tag(m.SetExperimentRunTagDetails(run_id=run, key="v", value="3"))
    ws.delete_experiment_run_tag(m.DeleteExperimentRunTagDetails(run_id=run, key="t"))
    ws.update_experiment_run_tags(
        m.UpdateExperimentRunTagsDetails(
            run_id=run,
            set_tags=[m.ExperimentRunTag(key="w", value="4")],
            delete_tags=[m.ExperimentRunTagKey(key="u"), m.ExperimentRunTagKey(key="none")],
        )
    )
    ended = ws.update_experiment_run(m.UpdateExperimentRunDetails(run_id=run, status="FINISHED", end_time=30))
    assert (ended.data.run_info.status, ended.data.run_info.end_time) == ("FINISHED", 30)
    found = ws.read(run)
    assert (found.info.run_name, found.info.status, found.info.start_time) == ("first", "FINISHED", 5)
    assert [(each.key, each.value, each.step) for each in found.data.metrics] == [("loss", 0.25, 2)]
    assert pairs(found.data.params) == {"lr": "0.1", "depth": "3"}
    assert pairs(found.data.tags) == {
        "v": "3",
        "w": "4",
        "mlflow.runName": "first",
        "oracle.aiDataPlatformId": PLATFORM,
    }
    details = m.ListExperimentRunsDetails(
        experiment_ids=[number], filter="metrics.loss < 0.3", run_view_type="ACTIVE_ONLY", order_by=["metrics.loss"]
    )
    assert [each.info.run_id for each in ws.list_experiment_runs(details).data.runs] == [run]


def test_a_run_is_hidden_or_removed(ws: Workspace) -> None:
    run = ws.run()
    ws.delete_experiment_run(m.DeleteExperimentRunDetails(run_id=run))
    assert ws.read(run).info.lifecycle_stage == "deleted"
    ws.restore_experiment_run(m.RestoreExperimentRunDetails(run_id=run))
    assert ws.read(run).info.lifecycle_stage == "active"
    permanent = m.DeleteExperimentRunDetails(run_id=run, is_permanent=True)
    ws.delete_experiment_run(permanent)
    for attempt in (lambda: ws.get_experiment_run_by_id(run), lambda: ws.delete_experiment_run(permanent)):
        assert refusal(attempt) == (404, "NotAuthorizedOrNotFound")


def test_the_history_of_a_metric(ws: Workspace) -> None:
    run = ws.run()
    values = [1.0, -0.0, math.nan, math.inf, -math.inf, 1e-300]
    metrics = [
        m.ExperimentRunMetric(key="loss", value=value, timestamp=10 + i, step=i) for i, value in enumerate(values)
    ]
    ws.log_experiment_run_batch(m.LogExperimentRunBatchDetails(run_id=run, metrics=metrics))

    def points(found: list[Any]) -> list[tuple[str, int, int]]:
        return [(repr(each.value), each.timestamp, each.step) for each in found]

    expected = [(repr(value), 10 + i, i) for i, value in enumerate(values)]
    whole = ws.get_experiment_run_metric_history(run, "loss")
    assert points(whole.data.metrics) == expected
    assert whole.next_page is None
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = ws.get_experiment_run_metric_history(run, "loss", max_results=2, **token)
        found += page.data.metrics
        assert page.next_page == page.data.next_page_token
        if page.next_page is None:
            break
        token = {"page_token": page.next_page}
    assert points(found) == expected
    assert ws.get_experiment_run_metric_history(run, "none").data.metrics is None


def test_a_long_history_says_its_next_page_in_the_header(ws: Workspace) -> None:
    run = ws.run()
    for start in range(0, 26_000, 1000):
        metrics = [
            m.ExperimentRunMetric(key="k", value=float(i), timestamp=i, step=i) for i in range(start, start + 1000)
        ]
        ws.log_experiment_run_batch(m.LogExperimentRunBatchDetails(run_id=run, metrics=metrics))
    page = ws.get_experiment_run_metric_history(run, "k", max_results=1_000_000)
    assert (len(page.data.metrics), page.next_page) == (25_000, page.data.next_page_token)
    rest = ws.get_experiment_run_metric_history(run, "k", max_results=1_000_000, page_token=page.next_page)
    assert ([each.step for each in rest.data.metrics], rest.next_page) == ([*range(25_000, 26_000)], None)
    assert len(ws.get_experiment_run_metric_history(run, "k").data.metrics) == 26_000


def test_the_header_of_a_page_asks_for_the_next_one_as_page(raw: Raw, ws: Workspace) -> None:
    run = ws.run()
    metrics = [m.ExperimentRunMetric(key="k", value=float(i), timestamp=i, step=i) for i in range(5)]
    ws.log_experiment_run_batch(m.LogExperimentRunBatchDetails(run_id=run, metrics=metrics))
    steps: list[int] = []
    page: dict[str, str] = {}
    for _ in range(3):
        query: dict[str, Any] = {"run_id": run, "metric_key": "k", "max_results": 2, **page}
        answer = raw.get("metrics/get-history", workspace=ws.name, **query)
        steps += [each["step"] for each in answer.json()["metrics"]]
        page = {"page": answer.headers.get("opc-next-page", "")}
    assert (steps, page) == ([0, 1, 2, 3, 4], {"page": ""})


def test_inputs_models_and_artifacts(ws: Workspace) -> None:
    run = ws.run()
    dataset = m.Dataset(name="d", digest="1", source_type="s", source="here", schema="x", profile="p")
    told = m.DatasetInput(dataset=dataset, tags=[m.InputTag(key="mlflow.data.context", value="train")])
    ws.log_experiment_run_inputs(m.LogExperimentRunInputsDetails(run_id=run, dataset_inputs=[told]))
    (found,) = ws.read(run).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.profile, pairs(found.tags)) == (
        "d",
        "p",
        {"mlflow.data.context": "train"},
    )
    listed = ws.list_experiment_runs(
        m.ListExperimentRunsDetails(experiment_ids=["0"], filter="dataset.context = 'train'")
    )
    assert [each.info.run_id for each in listed.data.runs] == [run]
    text = '{"artifact_path": "m", "flavors": {}, "utc_time_created": "now", "run_id": "r"}'
    ws.log_experiment_run_model(m.LogExperimentRunModelDetails(run_id=run, model_json=text))
    assert '"artifact_path": "m"' in pairs(ws.read(run).data.tags)["mlflow.log-model.history"]
    artifacts = ws.list_artifacts(run).data
    assert (artifacts.root_uri, artifacts.files) == (f"mlflow-artifacts:/0/{run}/artifacts", None)


def test_logged_models(ws: Workspace, raw: Raw) -> None:
    number = ws.experiment()
    made = raw.http.post(
        "/api/2.0/mlflow/logged-models",
        json={"experiment_id": number, "name": "net", "tags": [{"key": "a", "value": "b"}]},
        headers={"X-MLFLOW-WORKSPACE": ws.name},
    ).json()["model"]["info"]
    order = m.LoggedModelOrder(field_name="creation_time", ascending=False)
    details = m.ListLoggedModelsDetails(experiment_ids=[number], filter="name = 'net'", order_by=[order], max_results=5)
    (found,) = ws.list_logged_models(details).data.models
    assert (found.info.model_id, found.info.status, pairs(found.info.tags)) == (
        made["model_id"],
        "LOGGED_MODEL_PENDING",
        {"a": "b"},
    )


def test_the_registry_of_a_platform(client: MLOpsClient, ws: Workspace, workspace: str) -> None:
    name = f"main.ml.{workspace}"
    made = client.create_registered_model(
        PLATFORM,
        m.CreateRegisteredModelDetails(name=name, description="d", tags=[m.RegisteredModelTag(key="a", value="1")]),
    )
    assert made.data.registered_model.name == name
    assert made.headers["etag"]
    client.update_registered_model(PLATFORM, m.UpdateRegisteredModelDetails(name=name, description="e"))
    client.set_registered_model_tag(PLATFORM, m.SetRegisteredModelTagDetails(name=name, key="b", value="2"))
    client.delete_registered_model_tag(PLATFORM, m.DeleteRegisteredModelTagDetails(name=name, key="a"))
    client.update_registered_model_tags(
        PLATFORM,
        m.UpdateRegisteredModelTagsDetails(
            name=name,
            set_tags=[m.RegisteredModelTag(key="c", value="3")],
            delete_tags=[m.RegisteredModelTagKey(key="b"), m.RegisteredModelTagKey(key="none")],
        ),
    )
    found = client.get_registered_model(PLATFORM, name).data.registered_model
    assert (found.description, pairs(found.tags)) == ("e", {"c": "3"})
    run = ws.run()
    one = client.create_model_version(
        PLATFORM, m.CreateModelVersionDetails(name=name, source="s3://x", run_id=run, description="v")
    ).data.model_version
    assert (one.version, one.run_id, one.status, one.current_stage) == ("1", run, "READY", "None")
    two = ws.create_workspace_model_version(m.CreateModelVersionDetails(name=name, source=f"runs:/{run}/model"))
    assert two.data.model_version.version == "2"
    client.update_model_version(PLATFORM, m.UpdateModelVersionDetails(name=name, version="2", description="w"))
    client.set_model_version_tag(PLATFORM, m.SetModelVersionTagDetails(name=name, version="2", key="k", value="v"))
    client.update_model_version_tags(
        PLATFORM,
        m.UpdateModelVersionTagsDetails(
            name=name,
            version="2",
            set_tags=[m.ModelVersionTag(key="l", value="w")],
            delete_tags=[m.ModelVersionTagKey(key="none")],
        ),
    )
    client.delete_model_version_tag(PLATFORM, m.DeleteModelVersionTagDetails(name=name, version="2", key="k"))
    moved = client.transition_model_version_stage(
        PLATFORM,
        m.TransitionModelVersionStageDetails(
            name=name, version="2", stage="Production", archive_existing_versions=True
        ),
    )
    assert moved.data.model_version.current_stage == "Production"
    version = client.get_model_version(PLATFORM, name, "2").data.model_version
    assert (version.description, pairs(version.tags)) == ("w", {"l": "w"})
    listed = client.list_model_versions(PLATFORM, filter=f"name = '{name}'", max_results=1)
    assert [each.version for each in listed.data.model_versions] == ["2"]
    assert listed.next_page == listed.data.next_page_token
    sort = "name ASC, version_number ASC"
    ordered = client.list_model_versions(PLATFORM, filter=f"name = '{name}'", order_by=sort, max_results=1)
    assert [each.version for each in ordered.data.model_versions] == ["1"]
    new = f"main.other.{workspace}"
    client.rename_registered_model(PLATFORM, m.RenameRegisteredModelDetails(name=name, new_name=new))
    models = client.list_registered_models(PLATFORM, filter=f"name = '{new}'").data.registered_models
    assert [(each.name, len(each.latest_versions)) for each in models] == [(new, 2)]
    client.delete_model_version(PLATFORM, m.DeleteModelVersionDetails(name=new, version="1"))
    counted = client.get_registered_model_summary(PLATFORM, "main", f"other.{workspace[:-1]}").data
    assert counted.registered_models_count == 0
    counted = client.get_registered_model_summary(PLATFORM, "main", "other").data
    assert counted.registered_models_count >= 1
    assert counted.model_versions_count >= 1
    assert counted.active_deployment_count == 0
    assert client.list_registered_model_permissions(PLATFORM, new).data.items == []
    client.delete_registered_model(PLATFORM, m.DeleteRegisteredModelDetails(name=new))
    assert refusal(lambda: client.get_registered_model(PLATFORM, new)) == (404, "NotAuthorizedOrNotFound")


def test_a_model_of_a_workspace_in_the_registry(client: MLOpsClient, ws: Workspace, raw: Raw, workspace: str) -> None:
    made = raw.http.post(
        "/api/2.0/mlflow/logged-models",
        json={"experiment_id": ws.experiment(), "name": "net", "source_run_id": (run := ws.run())},
        headers={"X-MLFLOW-WORKSPACE": ws.name},
    ).json()["model"]["info"]
    client.create_registered_model(PLATFORM, m.CreateRegisteredModelDetails(name=workspace))
    details = m.CreateModelVersionDetails(name=workspace, source=f"models:/{made['model_id']}")
    version = ws.create_workspace_model_version(details).data.model_version
    assert (version.run_id, version.source) == (run, f"models:/{made['model_id']}")
    told = client.create_model_version(PLATFORM, details).data.model_version  # the platform does not know the model
    assert (told.version, told.run_id) == ("2", None)


def test_nothing_is_deployed(client: MLOpsClient, workspace: str) -> None:
    assert client.search_model_deployments(PLATFORM, m.SearchModelDeploymentsDetails()).data.deployments == []
    details = m.ListModelDeploymentActivitiesDetails()
    assert client.list_model_deployment_activities(PLATFORM, details).data.activities == []
    assert refusal(lambda: client.get_model_deployment(PLATFORM, "x")) == (404, "NotAuthorizedOrNotFound")
    assert refusal(lambda: client.get_deployment_log(PLATFORM, "x", "y")) == (404, "NotAuthorizedOrNotFound")
    create = m.CreateModelDeploymentDetails()
    assert refusal(lambda: client.create_model_deployment(PLATFORM, create)) == (400, "InvalidParameter")
    permission = m.ManageRegisteredModelPermissionDetails()
    manage = lambda: client.manage_registered_model_permission(PLATFORM, workspace, permission)  # noqa: E731
    assert refusal(manage) == (400, "InvalidParameter")


def test_what_is_refused(ws: Workspace) -> None:
    assert refusal(lambda: ws.get_experiment_by_id("999")) == (404, "NotAuthorizedOrNotFound")
    assert refusal(lambda: ws.get_experiment_by_id("x")) == (400, "InvalidParameter")
    number = ws.experiment("taken")
    assert refusal(lambda: ws.experiment("taken")) == (409, "NotAuthorizedOrResourceAlreadyExists")
    run = ws.run(experiment_id=number)
    ws.delete_experiment_run(m.DeleteExperimentRunDetails(run_id=run))
    param = m.LogExperimentRunParamDetails(run_id=run, key="k", value="v")
    assert refusal(lambda: ws.log_experiment_run_param(param)) == (400, "InvalidParameter")
    assert refusal(lambda: ws.get_experiment_by_id(number, opc_request_id="a b")) == (400, "InvalidParameter")


def test_workspaces_do_not_meet(client: MLOpsClient, workspace: str) -> None:
    one, other = Workspace(client, f"{workspace}-1"), Workspace(client, f"{workspace}-2")
    run = one.run()
    assert refusal(lambda: other.get_experiment_run_by_id(run)) == (404, "NotAuthorizedOrNotFound")
