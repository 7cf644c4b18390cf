"""The real client with credentials: signatures, tokens, roles and projects."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmodelarts.v1 import (
    CreateTrainingJobRequest,
    Job,
    JobMetadata,
    JobSearches,
    ListTrainingJobEventsRequest,
    ListTrainingJobsRequest,
    ModelArtsAsyncClient,
    ShowTrainingJobMetricsRequest,
    Spec,
    SpecResource,
)

from contract.modelarts.conftest import START, Project
from serving import Server

METRICS = ShowTrainingJobMetricsRequest(training_job_id="run", task_id="worker-0")
NEW = CreateTrainingJobRequest(
    body=Job(kind="job", metadata=JobMetadata(name="n"), spec=Spec(resource=SpecResource(node_count=1)))
)
SEARCH = ListTrainingJobsRequest(body=JobSearches(limit=1))


@pytest.fixture
def locked(serve: Callable[..., Server]) -> Server:
    return serve("--auth", "required")


@pytest.fixture
def credential(locked: Server) -> Callable[..., tuple[str, str]]:
    """credential(role, workspace): its id and its secret."""

    def make(role: str, workspace: str = "mine") -> tuple[str, str]:
        command = [locked.program, "credential", "create", *locked.place]
        made = subprocess.run(
            [*map(str, command), "--workspace", workspace, "--role", role], capture_output=True, check=True, text=True
        )
        found = json.loads(made.stdout)
        return found["id"], found["secret"]

    return make


def code(call: Any) -> tuple[int, str]:
    with pytest.raises(ClientRequestException) as caught:
        call()
    assert caught.value.request_id
    return caught.value.status_code, caught.value.error_code


def stocked(server: Server, open_project: Callable[..., Project], writer: tuple[str, str]) -> Project:
    project = open_project(server, "mine", key=writer, token=writer[1])
    project.post_samples("run", [{"time": START, "cpu": 7}])
    return project


def test_signed_requests(locked: Server, open_project: Any, credential: Callable[..., tuple[str, str]]) -> None:
    writer, reader = credential("writer"), credential("reader")
    client = stocked(locked, open_project, writer).client()
    assert client.show_training_job_metrics(METRICS).metrics[0].value == [7]
    assert client.show_training_job_metrics_invoker(METRICS).invoke().metrics[0].value == [7]
    assert client.create_training_job(NEW).status_code == 201  # a signed body
    assert client.list_training_jobs(SEARCH).total == 2
    request = ListTrainingJobEventsRequest(training_job_id="run", offset=0, limit=5, pattern="ä b/c", order="asc")
    assert client.list_training_job_events(request).events == []  # a signed query

    asynchronous = open_project(locked, "mine", key=reader).client(ModelArtsAsyncClient)
    assert asynchronous.show_training_job_metrics_async(METRICS).result().metrics[0].value == [7]


def test_tokens(locked: Server, open_project: Any, credential: Callable[..., tuple[str, str]]) -> None:
    writer, reader = credential("writer"), credential("reader")
    stocked(locked, open_project, writer)
    client = open_project(locked, "mine", key=("no", "such key")).client()
    assert code(lambda: client.show_training_job_metrics(METRICS)) == (401, "APIGW.0301")
    client.preset_headers = {"X-Auth-Token": reader[1]}  # beside a signature that is wrong
    assert client.show_training_job_metrics(METRICS).metrics[0].value == [7]
    client.preset_headers = {"X-Auth-Token": "sw_" + "x" * 40}
    assert code(lambda: client.show_training_job_metrics(METRICS)) == (401, "APIGW.0301")


def test_roles_and_projects(locked: Server, open_project: Any, credential: Callable[..., tuple[str, str]]) -> None:
    writer, reader, other = credential("writer"), credential("reader"), credential("admin", "theirs")
    stocked(locked, open_project, writer)
    client = open_project(locked, "mine", key=reader).client()
    assert client.show_training_job_metrics(METRICS).metrics[0].value == [7]
    assert client.list_training_jobs(SEARCH).total == 1
    assert code(lambda: client.create_training_job(NEW)) == (403, "APIGW.0302")
    stranger = open_project(locked, "mine", key=other).client()
    assert code(lambda: stranger.show_training_job_metrics(METRICS)) == (403, "ModelArts.0210")
    wrong = open_project(locked, "mine", key=(reader[0], writer[1])).client()
    assert code(lambda: wrong.show_training_job_metrics(METRICS)) == (401, "APIGW.0301")


def test_nobody(locked: Server, open_project: Any) -> None:
    answer = open_project(locked, "mine").get("training-jobs/run")
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
    assert answer.json().keys() == {"error_code", "error_msg"}


def test_a_project_that_is_joined_to_a_workspace(locked: Server, open_project: Any, credential: Any) -> None:
    writer = credential("writer")
    stocked(locked, open_project, writer)
    project = "0123456789abcdef0123456789abcdef"
    command = [locked.program, "workspace", "alias", "modelarts", project, "mine", *locked.place]
    subprocess.run(list(map(str, command)), capture_output=True, check=True)
    client = open_project(locked, project, key=writer).client()
    answer = None
    deadline = time.monotonic() + 30  # a new alias holds within a second; a loaded machine is slow
    while answer is None:
        try:
            answer = client.show_training_job_metrics(METRICS)
        except ClientRequestException as error:
            assert (error.status_code, time.monotonic() < deadline) == (403, True)  # noqa: PT017
            time.sleep(0.05)
    assert answer.metrics[0].value == [7]
