"""The real client makes, finds, stops and deletes jobs, and reads their tasks, events and logs."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmodelarts.v1 import (
    ChangeTrainingJobDescriptionRequest,
    CreateTrainingJobRequest,
    DeleteTrainingJobRequest,
    Filter,
    Job,
    JobActionType,
    JobAlgorithm,
    JobEngine,
    JobMetadata,
    JobSearches,
    JobUpdateRequestBody,
    ListTrainingJobEventsRequest,
    ListTrainingJobsRequest,
    ListTrainingJobStagesRequest,
    ListTrainingJobTasksRequest,
    ModelArtsAsyncClient,
    Parameters,
    ShowTrainingJobDetailsRequest,
    ShowTrainingJobLogsPreviewRequest,
    ShowTrainingJobMetricsRequest,
    Spec,
    SpecResource,
    StopTrainingJobRequest,
)

from contract.modelarts.conftest import MINUTE, START, Project


def create(project: Project, name: str = "train", *, nodes: int = 1, kind: Any = None) -> Any:
    body = Job(
        kind="job",
        metadata=JobMetadata(name=name, description="a test", annotations={"job-retry": "3"}),
        algorithm=JobAlgorithm(
            command="python train.py",
            engine=JobEngine(image_url="team/image:1"),
            environments={"LEVEL": "debug"},
            parameters=[Parameters(name="lr", value="0.1"), Parameters(name="note", value="ä")],
        ),
        spec=Spec(resource=SpecResource(flavor_id="one", node_count=nodes)),
    )
    return project.client().create_training_job(CreateTrainingJobRequest(body=body))


def details(project: Project, job: str) -> Any:
    return project.client().show_training_job_details(ShowTrainingJobDetailsRequest(training_job_id=job))


def search(project: Project, **fields: Any) -> Any:
    return project.client().list_training_jobs(ListTrainingJobsRequest(body=JobSearches(**fields)))


def found(project: Project, **fields: Any) -> list[str]:
    return [item.metadata.name for item in search(project, **fields).items]


def refused(call: Any) -> ClientRequestException:
    with pytest.raises(ClientRequestException) as caught:
        call()
    return caught.value


def test_a_job_is_kept_as_it_was_made(project: Project) -> None:
    made = create(project, nodes=2)
    assert made.status_code == 201
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made.metadata.id)
    job = details(project, made.metadata.id)
    assert (job.kind, job.metadata.name, job.metadata.description) == ("job", "train", "a test")
    assert job.metadata.annotations == {"job-retry": "3"}
    assert (job.status.phase, job.status.secondary_phase) == ("Running", "Running")
    assert job.status.tasks == ["worker-0", "worker-1"]
    assert job.status.node_count_metrics == [[job.status.start_time, 2]]
    assert job.metadata.create_time == job.status.start_time
    assert (job.algorithm.command, job.algorithm.engine.image_url) == ("python train.py", "team/image:1")
    assert job.algorithm.environments == [{"LEVEL": "debug"}]
    assert [(each.name, each.value) for each in job.algorithm.parameters] == [("lr", "0.1"), ("note", "ä")]
    assert (job.spec.resource.flavor_id, job.spec.resource.node_count) == ("one", 2)


def test_a_job_is_a_run_with_params(project: Project) -> None:
    job = create(project).metadata.id
    run = project.native("GET", f"/runs/{job}").json()
    assert (run["run"]["name"], run["run"]["status"], run["run"]["origin"]) == ("train", "RUNNING", "modelarts")
    assert run["params"] == {"lr": "0.1", "note": "ä"}


def test_a_run_is_a_job(project: Project) -> None:
    project.native("POST", "/runs", json={"id": "run", "name": "a run", "start_time_us": START * 1000 + 999})
    job = details(project, "run")
    assert (job.metadata.name, job.metadata.create_time, job.status.tasks) == ("a run", START, ["worker-0"])
    assert (job.spec.resource.node_count, job.algorithm.command) == (1, None)
    project.native("PATCH", "/runs/run", json={"status": "FINISHED", "end_time_us": (START + MINUTE) * 1000})
    job = details(project, "run")
    assert (job.status.phase, job.status.duration) == ("Completed", MINUTE)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("SCHEDULED", "Pending"),
        ("RUNNING", "Running"),
        ("FINISHED", "Completed"),
        ("FAILED", "Failed"),
        ("KILLED", "Terminated"),
    ],
)
def test_phases(project: Project, status: str, phase: str) -> None:
    project.native("POST", "/runs", json={"id": "run", "status": status})
    assert details(project, "run").status.phase == phase
    assert found(project, filters=[Filter(key="phase", operator="in", value=[phase])]) != []
    assert found(project, filters=[Filter(key="phase", operator="not", value=[phase])]) == []


def test_searching(project: Project) -> None:
    for i in range(7):
        run = {"id": f"id-{i}", "name": f"name-{i}", "start_time_us": (START + i) * 1000}
        project.native("POST", "/runs", json=run)
    first = search(project, offset=0, limit=3)
    assert (first.total, first.count, first.limit, first.offset) == (7, 3, 3, 0)
    assert (first.sort_by, first.order) == ("create_time", "desc")
    pages = [found(project, offset=page, limit=3) for page in range(4)]
    assert pages == [["name-6", "name-5", "name-4"], ["name-3", "name-2", "name-1"], ["name-0"], []]
    assert found(project, sort_by="name", order="asc", limit=2) == ["name-0", "name-1"]
    assert found(project, filters=[Filter(key="name", operator="like", value=["NAME-3"])]) == ["name-3"]
    assert found(project, filters=[Filter(key="name", operator="like", value=["%"])]) == []
    assert found(project, filters=[Filter(key="id", operator="in", value=["id-1", "id-2"])]) == ["name-2", "name-1"]
    between = Filter(key="create_time", operator="between", value=[str(START + 2), str(START + 3)])
    assert found(project, filters=[between]) == ["name-3", "name-2"]
    assert found(project, filters=[between, Filter(key="id", operator="not", value=["id-3"])]) == ["name-2"]
    assert search(project, train_type="ftjob").total == 0
    assert search(project).limit == 50


def test_an_empty_project_has_no_jobs(project: Project) -> None:
    assert (search(project).total, search(project).items) == (0, [])


def test_stopping(project: Project) -> None:
    job = create(project).metadata.id
    stop = StopTrainingJobRequest(training_job_id=job, body=JobActionType(action_type="terminate"))
    stopped = project.client().stop_training_job(stop)
    assert (stopped.status_code, stopped.status.phase) == (202, "Terminated")
    assert project.native("GET", f"/runs/{job}").json()["run"]["status"] == "KILLED"
    again = refused(lambda: project.client().stop_training_job(stop))
    assert (again.status_code, again.error_code) == (409, "ModelArts.2796")


def test_a_description_is_the_runs_note(project: Project) -> None:
    def describe(job: str, **body: Any) -> Any:
        request = ChangeTrainingJobDescriptionRequest(training_job_id=job, body=JobUpdateRequestBody(**body))
        return project.client().change_training_job_description(request)

    def note() -> str | None:
        text: str | None = project.native("GET", f"/runs/{job}").json()["note"]
        return text

    job = create(project).metadata.id
    assert note() == "a test"
    assert describe(job, description="d" * 256).status_code == 200
    assert (note(), details(project, job).metadata.description) == ("d" * 256, "d" * 256)
    assert [item.metadata.description for item in search(project).items] == ["d" * 256]
    bodies: tuple[dict[str, Any], ...] = ({"description": "d" * 257}, {}, {"spec": {}})
    for body in bodies:
        error = refused(partial(describe, job, **body))
        assert (error.status_code, error.error_code) == (400, "ModelArts.2788")
        assert "description" in error.error_msg
    project.native("PATCH", f"/runs/{job}", json={"note": "n" * 300})
    assert details(project, job).metadata.description == "n" * 300
    for _ in range(2):
        assert describe(job, description="").status_code == 200
        assert (note(), details(project, job).metadata.description) == (None, "")
    assert refused(lambda: describe("nowhere", description="x")).status_code == 404


def test_deleting_is_for_good(project: Project) -> None:
    job = create(project).metadata.id
    project.post_samples(job, [{"time": START, "cpu": 1}])
    request = DeleteTrainingJobRequest(training_job_id=job)
    assert project.client().delete_training_job(request).status_code == 202
    assert refused(lambda: project.client().delete_training_job(request)).error_code == "ModelArts.2775"
    assert refused(lambda: details(project, job)).status_code == 404
    assert project.native("GET", f"/runs/{job}").status_code == 404
    project.post_samples(job, [])  # the same id is another job now
    assert details(project, job).status.tasks == ["worker-0"]
    assert details(project, job).algorithm.command is None


def test_a_hidden_run_is_no_job(project: Project) -> None:
    project.post_samples("run", [{"time": START, "cpu": 1}])
    project.native("DELETE", "/runs/run")
    assert refused(lambda: details(project, "run")).error_code == "ModelArts.2775"
    assert search(project).total == 0
    answer = project.resources("run", {"samples": [{"time": START, "cpu": 2}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_tasks_events_and_logs(project: Project) -> None:
    job = create(project, nodes=2).metadata.id
    tasks = project.client().list_training_job_tasks(ListTrainingJobTasksRequest(training_job_id=job))
    assert [task.task for task in tasks.body] == ["worker-0", "worker-1"]
    stop = StopTrainingJobRequest(training_job_id=job, body=JobActionType(action_type="terminate"))
    project.client().stop_training_job(stop)

    def events(**fields: Any) -> list[str]:
        request = ListTrainingJobEventsRequest(training_job_id=job, **fields)
        return [event.message for event in project.client().list_training_job_events(request).events]

    every = events(order="asc")
    assert every == [
        "Training job created.",
        "Training job terminated on request.",
        "Training job ended: Terminated.",
    ]
    assert sorted(events(order="desc")) == sorted(every)
    assert events(order="asc", limit=1, offset=1) == [every[1]]
    assert events(pattern="created") == [every[0]]
    assert events(level="Error") == []
    assert events(start_time="", end_time="") != []
    assert events(start_time="0", end_time="1") == []
    assert len(events(start_time="2020-01-01T00:00:00Z", end_time="2999-01-01T00:00:00Z")) == 3
    preview = project.client().show_training_job_logs_preview(
        ShowTrainingJobLogsPreviewRequest(training_job_id=job, task_id="worker-1")
    )
    assert (preview.content, preview.current_size, preview.full_size) == ("", 0, 0)


def test_the_asynchronous_client(project: Project) -> None:
    job = create(project).metadata.id
    client = project.client(ModelArtsAsyncClient)
    request = ShowTrainingJobDetailsRequest(training_job_id=job)
    assert client.show_training_job_details_async(request).result().metadata.id == job
    invoked = client.show_training_job_details_async_invoker(request).invoke().result()
    assert invoked.metadata.id == job


def test_errors_reach_the_client_in_its_shape(project: Project) -> None:
    project.post_samples("run", [])
    client = project.client()
    for call, status, code in (
        (lambda: details(project, "nope"), 404, "ModelArts.2775"),
        (lambda: client.show_training_job_metrics(ShowTrainingJobMetricsRequest("nope", "w")), 404, "ModelArts.2775"),
        (lambda: client.show_training_job_metrics(ShowTrainingJobMetricsRequest("run", "w")), 404, "ModelArts.2788"),
        (lambda: client.list_training_job_stages(ListTrainingJobStagesRequest("run")), 404, "ModelArts.2836"),
        (lambda: search(project, limit=51), 400, "ModelArts.2788"),
        (lambda: create(project, name="a b"), 400, "ModelArts.2788"),
    ):
        error = refused(call)
        assert (error.status_code, error.error_code) == (status, code)
        assert error.error_msg
        assert error.request_id


def test_a_project_sees_its_own_jobs_only(project: Project, open_project: Any, shared_server: Any) -> None:
    other = open_project(shared_server, "b" * 32)
    job = create(project).metadata.id
    assert refused(lambda: details(other, job)).error_code == "ModelArts.2775"
    assert job not in [item.metadata.id for item in search(other).items]


def test_a_project_may_not_be_called_like_a_path_of_another_interface(open_project: Any, shared_server: Any) -> None:
    answer = open_project(shared_server, "lm").post("training-job-searches", {})
    assert answer.status_code in (400, 404)
    assert open_project(shared_server, "..").get("training-jobs/x").status_code in (400, 404)
