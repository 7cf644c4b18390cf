"""The model registry through the real client: models, versions, stages, aliases, tags, searches, renames, deletion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from contract.mlflow.exact import code_of

Name = Callable[[], str]


@pytest.fixture
def model(client: MlflowClient, name: Name) -> str:
    """A registered model of this test's own, without versions."""
    return str(client.create_registered_model(name().replace("/", "-"), tags={"t": "1"}, description="first").name)


def version(client: MlflowClient, model: str, **fields: Any) -> int:
    return int(client.create_model_version(model, source="s3://bucket/model", **fields).version)


def test_a_model_is_made_read_changed_and_deleted(client: MlflowClient, model: str) -> None:
    found = client.get_registered_model(model)
    assert (found.name, found.description, found.tags, found.aliases) == (model, "first", {"t": "1"}, {})
    assert found.latest_versions == []
    assert found.creation_timestamp == found.last_updated_timestamp > 10**12
    assert client.update_registered_model(model, "second").description == "second"
    client.set_registered_model_tag(model, "u", "x" * 100_000)
    client.set_registered_model_tag(model, "t", "2")
    client.delete_registered_model_tag(model, "u")
    client.delete_registered_model_tag(model, "u")
    assert client.get_registered_model(model).tags == {"t": "2"}
    assert code_of(lambda: client.create_registered_model(model)) == "RESOURCE_ALREADY_EXISTS"
    client.delete_registered_model(model)
    assert code_of(lambda: client.get_registered_model(model)) == "RESOURCE_DOES_NOT_EXIST"
    client.create_registered_model(model)
    assert client.get_registered_model(model).tags == {}


def test_versions_count_from_one_and_are_never_used_again(client: MlflowClient, model: str) -> None:
    run = client.create_run("0").info.run_id
    one = client.create_model_version(
        model, "s3://a/b", run_id=run, tags={"k": "v"}, run_link="http://x", description="d"
    )
    assert (one.version, one.source, one.run_id, one.run_link) == (1, "s3://a/b", run, "http://x") or one.version == "1"
    assert (one.description, one.tags, one.current_stage, one.status) == ("d", {"k": "v"}, "None", "READY")
    assert version(client, model) == 2
    client.delete_model_version(model, "2")
    assert code_of(lambda: client.get_model_version(model, "2")) == "RESOURCE_DOES_NOT_EXIST"
    assert version(client, model) == 3
    assert client.get_model_version_download_uri(model, "1") == "s3://a/b"
    assert client.update_model_version(model, "1", "new").description == "new"
    client.set_model_version_tag(model, "1", "k", "w")
    client.set_model_version_tag(model, "1", "l", "")
    client.delete_model_version_tag(model, "1", "k")
    assert client.get_model_version(model, "1").tags == {"l": ""}


def test_a_renamed_model_keeps_its_versions(client: MlflowClient, model: str, name: Name) -> None:
    version(client, model)
    client.set_registered_model_alias(model, "best", 1)
    other, new = client.create_registered_model(name()).name, name()
    assert code_of(lambda: client.rename_registered_model(model, other)) == "RESOURCE_ALREADY_EXISTS"
    client.rename_registered_model(model, new)
    renamed = client.get_registered_model(new)
    assert (renamed.name, renamed.tags, renamed.aliases) == (new, {"t": "1"}, {"best": "1"})
    assert client.get_model_version(new, "1").name == new
    assert client.get_model_version_by_alias(new, "best").name == new
    assert code_of(lambda: client.get_registered_model(model)) == "RESOURCE_DOES_NOT_EXIST"
    assert version(client, new) == 2


def test_aliases_point_at_versions(client: MlflowClient, model: str) -> None:
    for _ in range(3):
        version(client, model)
    client.set_registered_model_alias(model, "champion", 1)
    client.set_registered_model_alias(model, "also", "1")
    client.set_registered_model_alias(model, "champion", 2)
    assert client.get_model_version_by_alias(model, "champion").version in (2, "2")
    assert client.get_model_version(model, "1").aliases == ["also"]
    assert client.get_registered_model(model).aliases == {"champion": "2", "also": "1"}
    assert str(client.get_model_version_by_alias(model, "latest").version) == "3"
    client.delete_registered_model_alias(model, "also")
    client.delete_registered_model_alias(model, "also")
    client.delete_model_version(model, "2")
    assert client.get_registered_model(model).aliases == {}
    assert code_of(lambda: client.get_model_version_by_alias(model, "champion")) == "INVALID_PARAMETER_VALUE"
    assert code_of(lambda: client.set_registered_model_alias(model, "x", 9)) == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.filterwarnings("ignore:.*stages.*")
def test_stages(client: MlflowClient, model: str) -> None:
    for _ in range(3):
        version(client, model)
    moved = client.transition_model_version_stage(model, "1", "production")
    assert moved.current_stage == "Production"
    client.transition_model_version_stage(model, "2", "Production", archive_existing_versions=True)
    assert [client.get_model_version(model, n).current_stage for n in "123"] == ["Archived", "Production", "None"]
    latest = {v.current_stage: str(v.version) for v in client.get_latest_versions(model)}
    assert latest == {"None": "3", "Production": "2", "Archived": "1"}
    assert [str(v.version) for v in client.get_latest_versions(model, ["production", "Staging"])] == ["2"]
    listed = client.get_registered_model(model).latest_versions
    assert {v.current_stage: str(v.version) for v in listed} == latest
    for stage, archive in (("Nowhere", False), ("Archived", True)):
        call = lambda: client.transition_model_version_stage(model, "3", stage, archive)  # noqa: E731, B023
        assert code_of(call) == "INVALID_PARAMETER_VALUE"


def test_registered_models_are_searched(client: MlflowClient, name: Name) -> None:
    prefix = name()
    names = [f"{prefix}-{letter}" for letter in "BaC"]
    for i, each in enumerate(names):
        client.create_registered_model(each, tags={"n": str(i)})
    mine = f"name LIKE '{prefix}%'"

    def found(query: str = mine, **options: Any) -> list[str]:
        return [each.name.removeprefix(f"{prefix}-") for each in client.search_registered_models(query, **options)]

    assert found() == ["B", "C", "a"]
    assert found(order_by=["name DESC"]) == ["a", "C", "B"]
    assert found(order_by=["timestamp ASC"]) == ["B", "a", "C"]
    assert found(order_by=["last_updated_timestamp DESC"]) == ["C", "a", "B"]
    assert found(f"name ILIKE '{prefix.upper()}-A'") == found(f"{mine} AND tags.n = '1'") == ["a"]
    assert found(f"name = '{names[0]}'") == ["B"]
    assert found(f"{mine} AND tag.n != '1'") == ["B", "C"]
    first = client.search_registered_models(mine, max_results=2)
    assert [each.name for each in client.search_registered_models(mine, page_token=first.token)] == [names[1]]
    for call in (
        lambda: client.search_registered_models("run_id = 'x'"),
        lambda: client.search_registered_models("name <= 'x'"),
        lambda: client.search_registered_models(mine, page_token="x"),
        lambda: client.search_registered_models(mine, order_by=["nothing"]),
        lambda: client.search_registered_models(mine, max_results=1001),
    ):
        assert code_of(call) == "INVALID_PARAMETER_VALUE"


def test_versions_are_searched(client: MlflowClient, model: str, name: Name) -> None:
    other = client.create_registered_model(name()).name
    run = client.create_run("0").info.run_id
    for where, fields in ((model, {"run_id": run, "tags": {"k": "1"}}), (model, {}), (other, {"run_id": run})):
        version(client, where, **fields)

    def found(query: str, **options: Any) -> list[tuple[str, int]]:
        return [(each.name, int(each.version)) for each in client.search_model_versions(query, **options)]

    assert found(f"name = '{model}'") == [(model, 2), (model, 1)]
    assert found(f"name = '{model}'", order_by=["version_number ASC"]) == [(model, 1), (model, 2)]
    assert sorted(found(f"run_id = '{run}'")) == sorted([(model, 1), (other, 1)])
    assert found(f"name = '{model}' AND run_id IN ('{run}', 'x')") == [(model, 1)]
    assert found(f"name = '{model}' AND tags.k = '1'") == [(model, 1)]
    assert found(f"name = '{model}' AND version_number > 1") == [(model, 2)]
    assert found(f"name = '{model}' AND version_number = '1' AND tags.'k' = '1'") == [(model, 1)]
    assert found(f"name = '{model}' AND run_id != '{run}'") == [(model, 2)]
    assert found(f"name = '{model}' AND source_path = 's3://bucket/model'", max_results=1) == [(model, 2)]
    page = client.search_model_versions(f"name = '{model}'", max_results=1)
    rest = client.search_model_versions(f"name = '{model}'", max_results=1, page_token=page.token)
    assert ([int(each.version) for each in rest], rest.token) == ([1], None) or not rest.token
    assert found("name = 'none'") == []


def test_prompts_are_found_by_those_who_ask(raw: Any, client: MlflowClient, name: Name) -> None:
    prefix = name()
    client.create_registered_model(f"{prefix}-model")
    tag = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    assert raw.post("registered-models/create", name=f"{prefix}-prompt", tags=[tag]).status_code == 200

    def found(query: str) -> list[str]:
        models = client.search_registered_models(f"name LIKE '{prefix}%'{query}")
        return [each.name.removeprefix(f"{prefix}-") for each in models]

    assert found("") == found(" AND tags.`mlflow.prompt.is_prompt` != 'true'") == ["model"]
    assert found(" AND tags.`mlflow.prompt.is_prompt` = 'false'") == ["model"]
    assert found(" AND tags.`mlflow.prompt.is_prompt` = 'true'") == ["prompt"]


def test_a_version_of_a_model_that_a_run_made(raw: Any, client: MlflowClient, model: str, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    logged = client.create_logged_model(experiment, name="net", source_run_id=run)
    made = client.create_model_version(model, f"models:/{logged.model_id}", model_id=logged.model_id)
    assert made.run_id == run
    told = raw.get("model-versions/get", name=model, version=1).json()["model_version"]  # the client leaves it out
    assert told["model_id"] == logged.model_id
    assert client.get_model_version_download_uri(model, "1") == logged.artifact_location
    copied = client.create_model_version(model, f"models:/{model}/1")
    assert client.get_model_version_download_uri(model, copied.version) == logged.artifact_location
    told = raw.get("model-versions/get", name=model, version=copied.version).json()["model_version"]
    assert (told["run_id"], told["model_id"]) == (run, logged.model_id)
    for source in (f"models:/{model}/9", "models:/m-none"):
        call = lambda: client.create_model_version(model, source)  # noqa: E731, B023
        assert code_of(call) == "RESOURCE_DOES_NOT_EXIST"


def test_a_model_knows_the_versions_that_it_became(client: MlflowClient, model: str, experiment: str) -> None:
    logged = client.create_logged_model(experiment, name="net")

    def known() -> list[tuple[str, str]]:
        found = json.loads(client.get_logged_model(logged.model_id).tags.get("mlflow.modelVersions", "[]"))
        return [(each["name"], str(each["version"])) for each in found]

    source = f"models:/{logged.model_id}"
    version(client, model)
    assert known() == []
    client.create_model_version(model, source, model_id=logged.model_id)
    assert known() == [(model, "2")]
    mlflow.register_model(source, model)  # the client adds what is there already
    assert known() == [(model, "2"), (model, "3")]
    found = client.search_logged_models([experiment], filter_string=f"tags.`mlflow.modelVersions` LIKE '%{model}%'")
    assert [each.model_id for each in found] == [logged.model_id]
    for text in ("no list", '[{"name": []}, 1]'):
        client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": text})
        assert client.get_logged_model(logged.model_id).tags["mlflow.modelVersions"] == text
    client.create_model_version(model, source, model_id=logged.model_id)
    assert known() == [(model, "4")]
    client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": "x" * 65_536})
    client.create_model_version(model, source, model_id=logged.model_id)
    assert known() == [(model, "5")]


def test_a_file_of_a_version(raw: Any, client: MlflowClient, model: str, experiment: str) -> None:
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "weights", "model/w.txt")
    for source in (f"{run.info.artifact_uri}/model", f"runs:/{run.info.run_id}/model"):
        made = client.create_model_version(model, source, run_id=run.info.run_id)
        answer = raw.get("/model-versions/get-artifact", name=model, version=made.version, path="w.txt")
        assert (answer.status_code, answer.content) == (200, b"weights")
        assert answer.headers["content-disposition"].startswith("attachment")
    version(client, model)
    for number, path in ((3, "w.txt"), (1, "none"), (9, "w.txt")):
        answer = raw.get("/model-versions/get-artifact", name=model, version=number, path=path)
        assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert raw.get("/model-versions/get-artifact", name=model, version=1, path="../x").status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("registered-models/create", {"name": ""}),
        ("registered-models/create", {"name": " "}),
        ("registered-models/create", {"name": "a/b"}),
        ("registered-models/create", {"name": "a:b"}),
        ("registered-models/create", {"name": ".."}),
        ("registered-models/create", {"name": "x" * 257}),
        ("registered-models/create", {"name": "x", "tags": [{"key": ""}]}),
        ("registered-models/create", {"name": "x", "tags": [{"key": "k" * 251}]}),
        ("registered-models/create", {"name": "x", "tags": [{"key": "k", "value": "v" * 100_001}]}),
        ("registered-models/rename", {"name": "MODEL", "new_name": ""}),
        ("registered-models/rename", {"name": "MODEL"}),
        ("registered-models/alias", {"name": "MODEL", "alias": "latest", "version": "1"}),
        ("registered-models/alias", {"name": "MODEL", "alias": "v1", "version": "1"}),
        ("registered-models/alias", {"name": "MODEL", "alias": "a b", "version": "1"}),
        ("registered-models/alias", {"name": "MODEL", "alias": "x" * 256, "version": "1"}),
        ("registered-models/alias", {"name": "MODEL", "alias": "x", "version": "one"}),
        ("model-versions/create", {"name": "MODEL", "source": ""}),
        ("model-versions/create", {"name": "MODEL"}),
        ("model-versions/create", {"name": "MODEL", "source": "models:/a/b/c"}),
        ("model-versions/set-tag", {"name": "MODEL", "version": "", "key": "k"}),
        ("model-versions/transition-stage", {"name": "MODEL", "version": "1", "stage": ""}),
    ],
)
def test_what_is_refused(raw: Any, model: str, path: str, body: dict[str, Any]) -> None:
    filled = {key: model if value == "MODEL" else value for key, value in body.items()}
    answer = raw.post(path, filled)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_versions_made_at_once_get_numbers_of_their_own(raw: Any, model: str, pool: ThreadPoolExecutor) -> None:
    def made(i: int) -> int:
        answer = raw.post("model-versions/create", name=model, source="s")
        raw.post("registered-models/set-tag", name=model, key=f"k{i}", value=str(i))
        return int(answer.json()["model_version"]["version"])

    assert sorted(pool.map(made, range(24))) == list(range(1, 25))
    tags = raw.get("registered-models/get", name=model).json()["registered_model"]["tags"]
    assert {tag["key"] for tag in tags} == {"t", *(f"k{i}" for i in range(24))}
