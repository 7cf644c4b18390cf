"""Inputs and outputs of runs through the real client: data sets with their contexts, models used and made."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput

from contract.mlflow.exact import code_of

Name = Callable[[], str]

pytestmark = pytest.mark.usefixtures("tracking")


def used(name: str = "d", digest: str = "1", *, context: str | None = "train", **fields: str) -> DatasetInput:
    tags = [] if context is None else [InputTag("mlflow.data.context", context)]
    return DatasetInput(Dataset(name=name, digest=digest, source_type="http", source="{}", **fields), tags)


def names(client: MlflowClient, run_id: str) -> list[tuple[str, str, dict[str, str]]]:
    found = client.get_run(run_id).inputs.dataset_inputs
    return [(each.dataset.name, each.dataset.digest, {tag.key: tag.value for tag in each.tags}) for each in found]


@pytest.mark.filterwarnings("ignore")  # of pandas, about the client
def test_a_data_frame_is_an_input(name: Name) -> None:
    mlflow.set_experiment(name())
    frame = mlflow.data.from_pandas(pd.DataFrame({"a": [1, 2], "b": [0.5, None]}), name="table", targets="b")
    with mlflow.start_run() as active:
        mlflow.log_input(frame, context="training", tags={"owner": "me"})
    run = mlflow.get_run(active.info.run_id)
    (told,) = run.inputs.dataset_inputs
    assert (told.dataset.name, told.dataset.digest, told.dataset.source_type) == ("table", frame.digest, "code")
    assert json.loads(told.dataset.profile) == {"num_rows": 2, "num_elements": 4}
    assert {tag.key: tag.value for tag in told.tags} == {"mlflow.data.context": "training", "owner": "me"}
    assert mlflow.data.get_source(told.dataset) is not None


def test_a_data_set_is_an_input_once_in_each_context(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    both = [used("b"), used("a"), used("b", context="eval"), used("b", "2", context=None)]
    for _ in range(2):
        client.log_inputs(run, both)
    assert names(client, run) == [
        ("b", "1", {"mlflow.data.context": "train"}),
        ("a", "1", {"mlflow.data.context": "train"}),
        ("b", "1", {"mlflow.data.context": "eval"}),
        ("b", "2", {}),
    ]
    (page,) = [each for each in client.search_runs([experiment]) if each.info.run_id == run]
    assert [each.dataset.name for each in page.inputs.dataset_inputs] == ["b", "a", "b", "b"]


def test_models_are_inputs_and_outputs(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    client.log_inputs(run, models=[LoggedModelInput("m-1"), LoggedModelInput("m-2")])
    client.log_outputs(run, [LoggedModelOutput("m-3", step=-2), LoggedModelOutput("m-4", step=5)])
    client.log_outputs(run, [LoggedModelOutput("m-4", step=7)])
    found = client.get_run(run)
    assert [each.model_id for each in found.inputs.model_inputs] == ["m-1", "m-2"]
    assert sorted((each.model_id, each.step) for each in found.outputs.model_outputs) == [("m-3", -2), ("m-4", 7)]


def test_runs_are_found_by_their_data_sets(client: MlflowClient, experiment: str) -> None:
    runs = [client.create_run(experiment).info.run_id for _ in range(3)]
    client.log_inputs(runs[0], [used("imagenet", "abc")])
    client.log_inputs(runs[1], [used("imagenet", "def", context="eval"), used("Other", "abc", context=None)])

    def found(query: str) -> list[str]:
        return sorted(each.info.run_id for each in client.search_runs([experiment], query))

    assert found("dataset.name = 'imagenet'") == sorted(runs[:2])
    assert found("datasets.name = 'imagenet' AND dataset.digest = 'abc'") == sorted(runs[:2])
    assert found("dataset.digest IN ('abc', 'x') AND dataset.context = 'train'") == [runs[0]]
    assert found("dataset.context LIKE 'ev%'") == found("dataset.name ILIKE 'other'") == [runs[1]]
    assert found("dataset.context != 'train'") == [runs[1]]


def test_data_sets_of_experiments_are_listed(raw: Any, client: MlflowClient, name: Name) -> None:
    experiments = [client.create_experiment(name()) for _ in range(2)]
    for number in experiments:
        run = client.create_run(number).info.run_id
        client.log_inputs(run, [used("b"), used("a", context=None)])
        client.log_inputs(client.create_run(number).info.run_id, [used("b")])
    answer = raw.post("/ajax-api/2.0/mlflow/experiments/search-datasets", experiment_ids=experiments)
    assert answer.json() == {
        "dataset_summaries": [
            each
            for number in experiments
            for each in (
                {"experiment_id": number, "name": "b", "digest": "1", "context": "train"},
                {"experiment_id": number, "name": "a", "digest": "1"},
            )
        ]
    }
    empty = client.create_experiment(name())
    assert raw.post("experiments/search-datasets", experiment_ids=[empty]).json() == {}
    wrong: list[list[str]] = [[], [str(n) for n in range(21)], ["x"]]
    for bad in wrong:
        assert raw.post("experiments/search-datasets", experiment_ids=bad).status_code == 400


@pytest.mark.parametrize(("field", "limit"), [("name", 500), ("digest", 36), ("source", 65_535), ("schema", 1_048_575)])
def test_the_texts_of_a_data_set_have_limits(raw: Any, field: str, limit: int) -> None:
    run = raw.new_run()
    good = {"name": "d", "digest": "1", "source_type": "s", "source": "s"}
    for length, status in ((limit, 200), (limit + 1, 400)):
        answer = raw.post("runs/log-inputs", run_id=run, datasets=[{"dataset": {**good, field: "x" * length}}])
        assert answer.status_code == status, (field, length)
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert len(raw.run(run)["inputs"]["dataset_inputs"]) == 1
    for tag in ({"key": "k" * 256}, {"key": "k", "value": "v" * 501}, {"key": ""}):
        assert raw.post("runs/log-inputs", run_id=run, datasets=[{"dataset": good, "tags": [tag]}]).status_code == 400


def test_a_bad_input_stores_nothing_of_its_request(raw: Any) -> None:
    run = raw.new_run()
    good = {"dataset": {"name": "d", "digest": "1", "source_type": "s", "source": "s"}}
    wrong: list[Any] = [{"dataset": {"name": "", "digest": "1"}}, {"dataset": {"name": "d"}}, {"tags": []}, 1]
    for bad in wrong:
        answer = raw.post("runs/log-inputs", run_id=run, datasets=[good, bad])
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "datasets[1]" in answer.json()["message"]
    assert raw.post("runs/log-inputs", run_id=run, datasets=[good], models=[{"model_id": ""}]).status_code == 400
    assert raw.run(run)["inputs"] == raw.run(run)["outputs"] == {}


def test_a_run_that_is_gone_takes_no_inputs(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    assert code_of(lambda: client.log_inputs("0" * 32, [used()])) == "RESOURCE_DOES_NOT_EXIST"
    client.delete_run(run)
    assert code_of(lambda: client.log_inputs(run, [used()])) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.log_outputs(run, [LoggedModelOutput("m", step=1)])) == "INVALID_PARAMETER_VALUE"
    client.restore_run(run)
    assert names(client, run) == []


def test_models_told_in_the_old_way_are_a_tag(raw: Any) -> None:
    run = raw.new_run()
    model = {"artifact_path": "m", "flavors": {}, "utc_time_created": "now", "run_id": run}
    for path in ("m", "n"):
        text = json.dumps({**model, "artifact_path": path})
        assert raw.post("runs/log-model", run_id=run, model_json=text).json() == {}
    (tag,) = [tag for tag in raw.run(run)["data"]["tags"] if tag["key"] == "mlflow.log-model.history"]
    assert [each["artifact_path"] for each in json.loads(tag["value"])] == ["m", "n"]
    for bad in ("", "x", "[]", json.dumps({"flavors": {}})):
        assert raw.post("runs/log-model", run_id=run, model_json=bad).status_code == 400


def test_models_told_at_the_same_time_are_all_kept(raw: Any) -> None:
    run = raw.new_run()
    texts = [
        json.dumps({"artifact_path": f"m{n}", "flavors": {}, "utc_time_created": "now", "run_id": run})
        for n in range(6)
    ]
    with ThreadPoolExecutor(len(texts)) as pool:
        answers = list(pool.map(lambda text: raw.post("runs/log-model", run_id=run, model_json=text), texts))
    assert [answer.status_code for answer in answers] == [200] * len(texts)
    (tag,) = [tag for tag in raw.run(run)["data"]["tags"] if tag["key"] == "mlflow.log-model.history"]
    assert sorted(each["artifact_path"] for each in json.loads(tag["value"])) == [f"m{n}" for n in range(6)]
