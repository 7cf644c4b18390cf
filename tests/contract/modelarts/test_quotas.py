"""What a project may not have: told as the vendor tells errors, with its own client and without."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmodelarts.v1 import ShowTrainingJobDetailsRequest

from contract.modelarts.conftest import START, Project
from serving import Server

PROJECT = "p" * 32
JOB = {"metadata": {"name": "a-job"}, "spec": {"resource": {"node_count": 1}}}


@pytest.fixture
def own(server: Server, open_project: Callable[..., Project]) -> Project:
    """A project on a server of this test's own, whose quotas nobody else sees."""
    return open_project(server, PROJECT)


def made(own: Project) -> str:
    answer = own.post("training-jobs", JOB)
    assert answer.status_code == 201, answer.text
    job: str = answer.json()["metadata"]["id"]
    return job


def test_samples_beyond_it_are_refused_whole(server: Server, own: Project) -> None:
    """Samples come through the native interface, and so does the word that they do not fit."""
    job = made(own)
    own.post_samples(job, [{"time": START, "cpu": 1}, {"time": START + 1, "cpu": 1}])
    for quota, limit in (("points", 2), ("series", 1)):
        server.set_quota(PROJECT, **{"points": 0, "series": 0, quota: limit})
        answer = own.resources(job, {"samples": [{"time": START + 2, "cpu": 1}, {"time": START + 2, "mem": 1}]})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"], error["limit"]) == (
            507,
            "quota_exceeded",
            quota,
            limit,
        )
        assert f"workspace '{PROJECT}' may have {limit} {quota} (its quota {quota}) and has {limit}" in error["message"]
        assert "retry-after" in answer.headers
    kept = own.native("GET", f"/runs/{job}/points", params={"metric": "resource/cpu"}).json()
    assert kept["steps"] == [START, START + 1], "nothing is stored of what was refused, and reads go on"
    assert made(own) != job, "jobs hold no points"


def test_too_many_requests_are_the_gateways_word_and_its_client_says_so(server: Server, own: Project) -> None:
    job = made(own)
    server.set_quota(PROJECT, requests_per_second=1)
    deadline = time.monotonic() + 60
    while (answer := own.get(f"training-jobs/{job}")).status_code == 200:
        assert time.monotonic() < deadline
    assert (answer.status_code, answer.json()["error_code"]) == (429, "APIGW.0308")
    assert "may make 1 requests per second" in answer.json()["error_msg"]
    assert answer.headers["retry-after"] == "1"
    request = ShowTrainingJobDetailsRequest(training_job_id=job)
    server.set_quota(PROJECT, requests_per_second=1)
    client = own.client()
    with pytest.raises(ClientRequestException) as caught:
        _ask_until(client, request, deadline)
    assert caught.value.status_code == 429  # what the body says of it the client does not read
    assert "429" in caught.value.error_msg
    while True:
        with suppress(ClientRequestException):
            assert client.show_training_job_details(request).metadata.id == job
            return
        assert time.monotonic() < deadline
        time.sleep(1)  # as Retry-After says


def _ask_until(client: Any, request: ShowTrainingJobDetailsRequest, deadline: float) -> None:
    while time.monotonic() < deadline:
        client.show_training_job_details(request)
