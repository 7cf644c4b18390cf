"""Through nginx: what ModelArts' client signs is what the server checks, and what its signer signs under a path too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkmodelarts.v1 import ShowTrainingJobMetricsRequest

from contract.modelarts.conftest import Project
from contract.modelarts.test_jobs import create, details, found
from proxying import PREFIX, Behind, behind_proxy


@pytest.fixture(scope="module", params=["", PREFIX], ids=["host", "path"])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind_proxy(tmp_path_factory.mktemp("proxy"), prefix=request.param) as behind:
        yield behind


@pytest.mark.parametrize("behind", [""], indirect=True, ids=["host"])
def test_the_client(behind: Behind, open_project: Callable[..., Project]) -> None:
    made = behind.credential(workspace="w")
    project = open_project(behind, "w", key=(made["id"], made["secret"]), token=made["secret"])
    job = create(project, "signed").metadata.id
    project.post_samples(job, [{"time": 0, "cpu": 50}], start=0)
    assert details(project, job).metadata.name == "signed"
    assert found(project) == ["signed"]
    asked = ShowTrainingJobMetricsRequest(training_job_id=job, task_id="worker-0")
    usage = project.client().show_training_job_metrics(asked)
    assert {each.metric for each in usage.metrics} >= {"cpuUsage", "npuUtil"}
    project.key = (made["id"], "sw_" + "x" * 40)
    with pytest.raises(ClientRequestException) as caught:
        found(project)
    assert caught.value.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/w/training-jobs/none", 404),
        ("GET", "/v2/w/training-jobs/a%2Fb%20c%C3%A9", 404),
        ("POST", "/v2/w/training-job-searches", 200),
    ],
)
def test_signatures(behind: Behind, method: str, path: str, status: int) -> None:
    made = behind.credential(workspace="w")
    address = urlsplit(behind.url)
    body = '{"limit": 2}' if method == "POST" else ""

    def send(prefix: str, body: str) -> Any:
        request = SdkRequest(
            method=method,
            schema="http",
            host=address.netloc,
            resource_path=prefix + path,
            query_params=[],
            header_params={"Content-Type": "application/json"},
            body=body,
        )
        signed = Signer(BasicCredentials(made["id"], made["secret"], "w")).sign(request)
        return httpx.request(
            method, behind.url + path, headers=signed.header_params, content=signed.body or None, timeout=60
        )

    answer = send(address.path, body)
    assert answer.status_code == status, answer.text
    assert send("/elsewhere", body).status_code == 401
