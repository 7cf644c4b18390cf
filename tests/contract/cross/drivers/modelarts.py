"""ModelArts' own client. It makes and stops jobs and reads usage; samples come in through the native interface.

It can add nothing to a job that another client shares, so there is nothing to join.
"""

from __future__ import annotations

from typing import Any

import httpx
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkmodelarts.v1 import (
    ChangeTrainingJobDescriptionRequest,
    CreateTrainingJobRequest,
    DeleteTrainingJobRequest,
    Job,
    JobActionType,
    JobAlgorithm,
    JobMetadata,
    JobSearches,
    JobUpdateRequestBody,
    ListTrainingJobsRequest,
    ModelArtsClient,
    Parameters,
    ShowTrainingJobDetailsRequest,
    ShowTrainingJobLogsPreviewRequest,
    ShowTrainingJobMetricsRequest,
    Spec,
    SpecResource,
    StopTrainingJobRequest,
)

from contract.cross.drivers.telling import AWKWARD, SECOND, Run, means, own_lines, plain_run, tell

PROJECT = "default"
PAGE = 50  # jobs
PHASES = {
    "Pending": "SCHEDULED",
    "Running": "RUNNING",
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "Terminated": "KILLED",
}
USAGE = {
    "cpuUsage": "cpu",
    "memUsage": "mem",
    "gpuUtil": "gpu",
    "gpuMemUsage": "gpu_mem",
    "npuUtil": "npu",
    "npuMemUsage": "npu_mem",
}


def client_of(url: str) -> ModelArtsClient:
    config = HttpConfig.get_default_config()
    config.ignore_ssl_verification = True
    builder = ModelArtsClient.new_builder().with_credentials(BasicCredentials("any", "key", PROJECT))
    return builder.with_endpoint(url).with_http_config(config).build()


def write(url: str) -> list[Run]:
    """A job that runs and has samples, one that was stopped, one that others go on with, one that was deleted."""
    client = client_of(url)
    running = _create(client, "modelarts-full", "To be described.")
    stopped = _create(client, "modelarts-KILLED", "Described when it was made.")
    client.stop_training_job(
        StopTrainingJobRequest(training_job_id=stopped["id"], body=JobActionType(action_type="terminate"))
    )
    stopped["status"], stopped["note"] = "KILLED", "Described when it was made."
    described = JobUpdateRequestBody(description="Described later.")
    client.change_training_job_description(
        ChangeTrainingJobDescriptionRequest(training_job_id=running["id"], body=described)
    )
    running["note"] = described.description
    start = _details(client, running["id"]).status.start_time  # milliseconds
    samples = [(start + 1000, 10.0), (start + 20_000, 30.0), (start + 130_000, 50.5)]
    answer = httpx.post(
        f"{url}/api/v1/runs/{running['id']}/tasks/worker-0/resources",
        json={"samples": [{"time": at, "npu": value} for at, value in samples]},
        headers={"X-Stepwell-Workspace": PROJECT},
        timeout=60,
    )
    assert answer.status_code == 204, answer.text
    running["points"] = {"resource/npu": [(at, at * (SECOND // 1000), value) for at, value in samples]}
    running["usage"] = {"npu": means(10.0, 30.0, 50.5)}
    shared = _create(client, "modelarts-shared")
    shared["shared"] = True
    gone = _create(client, "modelarts-gone")
    client.delete_training_job(DeleteTrainingJobRequest(training_job_id=gone["id"]))
    gone["gone"] = True
    return [running, stopped, shared, gone]


def _create(client: ModelArtsClient, name: str, description: str | None = None) -> Run:
    params = {"lr": "0.01", "note": AWKWARD, AWKWARD: "ä"}
    body = Job(
        kind="job",
        metadata=JobMetadata(name=name, description=description),
        algorithm=JobAlgorithm(command="python train.py", parameters=[Parameters(*each) for each in params.items()]),
        spec=Spec(resource=SpecResource(flavor_id="one", node_count=1)),
    )
    made = client.create_training_job(CreateTrainingJobRequest(body=body))
    run = plain_run(made.metadata.id, name=name, experiment="Default", status="RUNNING")
    run["params"] = params
    return run


def read(url: str, asked: list[Run]) -> list[Run]:
    client = client_of(url)
    listed = _listed(client)
    return [
        _gone(client, each["id"], listed) if "gone" in each else _read(client, each["id"], listed) for each in asked
    ]


def _listed(client: ModelArtsClient) -> set[str]:
    found: set[str] = set()
    for page in range(1000):
        body = JobSearches(limit=PAGE, offset=page)
        items = client.list_training_jobs(ListTrainingJobsRequest(body=body)).items
        found |= {item.metadata.id for item in items}
        if len(items) < PAGE:
            break
    return found


def _read(client: ModelArtsClient, run_id: str, listed: set[str]) -> Run:
    try:
        job = _details(client, run_id)
    except ClientRequestException as error:
        return Run(id=run_id, refused=error.error_msg)
    asked = ShowTrainingJobMetricsRequest(training_job_id=run_id, task_id=job.status.tasks[0])
    usage = {USAGE[each.metric]: each.value for each in client.show_training_job_metrics(asked).metrics}
    return Run(
        id=job.metadata.id,
        name=job.metadata.name,
        status=PHASES[job.status.phase],
        params={each.name: each.value for each in (job.algorithm and job.algorithm.parameters) or ()},
        note=job.metadata.description or None,
        lines=_lines(client, run_id, job.status.tasks[0]),
        usage={name: [float(value) for value in values] for name, values in usage.items()},
        listed=job.metadata.id in listed,
    )


def _lines(client: ModelArtsClient, run_id: str, task: str) -> list[str]:
    asked = ShowTrainingJobLogsPreviewRequest(training_job_id=run_id, task_id=task)
    return own_lines(client.show_training_job_logs_preview(asked).content.splitlines())


def _gone(client: ModelArtsClient, run_id: str, listed: set[str]) -> Run:
    try:
        _details(client, run_id)
    except ClientRequestException as error:
        return Run(id=run_id, gone=error.status_code == 404 and run_id not in listed)
    return Run(id=run_id, gone=False)


def _details(client: ModelArtsClient, run_id: str) -> Any:
    return client.show_training_job_details(ShowTrainingJobDetailsRequest(training_job_id=run_id))


if __name__ == "__main__":
    tell(write, read)
