"""The real client reads what tasks use: one mean a minute, -1 where there was no sample, six metrics always."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkmodelarts.v1 import ModelArtsAsyncClient, ModelArtsClient, ShowTrainingJobMetricsRequest

from contract.modelarts.conftest import MINUTE, START, Project
from serving import Server

NAMES = ["cpuUsage", "memUsage", "gpuUtil", "gpuMemUsage", "npuUtil", "npuMemUsage"]
# The example of the vendor's page.
CPU = [-1, -1, 2.43, 4.524, 6.714, 12.422, 9.214, 5.36, 7.5, 10.088, 8.975, 11.423, 11.548, 14.563, 16.833]
MEMORY = [-1, -1, 0.04, 0.521, 1.652, 4.252, 6.433, 7.384, 7.982, 8.718, 9.365, 9.881, 10.192, 9.994, 9.005]


def asked(job: str, task: str = "worker-0") -> ShowTrainingJobMetricsRequest:
    return ShowTrainingJobMetricsRequest(training_job_id=job, task_id=task)


def table(answer: Any) -> dict[str, list[float]]:
    return {each.metric: each.value for each in answer.metrics}


def example(project: Project, job: str = "2cd88daa-31a4-40a8-a58f-d186b0e93e4f") -> str:
    samples = [
        {"time": START + i * MINUTE, "cpu": cpu, "mem": memory}
        for i, (cpu, memory) in enumerate(zip(CPU, MEMORY, strict=True))
        if cpu >= 0
    ]
    project.post_samples(job, samples)
    return job


def test_the_example_of_the_vendors_page(project: Project) -> None:
    answer = project.client().show_training_job_metrics(asked(example(project)))
    assert answer.status_code == 200
    assert [each.metric for each in answer.metrics] == NAMES
    assert table(answer) == {"cpuUsage": CPU, "memUsage": MEMORY} | {name: [-1] * len(CPU) for name in NAMES[2:]}


def test_the_ways_of_the_client_say_the_same(project: Project) -> None:
    job = example(project)
    plain = project.client().show_training_job_metrics(asked(job))
    invoked = project.client().show_training_job_metrics_invoker(asked(job)).invoke()
    awaited = project.client(ModelArtsAsyncClient).show_training_job_metrics_async(asked(job)).result()
    assert table(plain) == table(invoked) == table(awaited)
    assert plain.raw_content == invoked.raw_content


def test_a_client_with_a_region(project: Project) -> None:
    job = example(project)
    client = (
        ModelArtsClient.new_builder()
        .with_credentials(BasicCredentials("ak", "sk", project.id))
        .with_region(Region("here", project.url))
        .build()
    )
    assert table(client.show_training_job_metrics(asked(job)))["cpuUsage"] == CPU


def test_a_minute_is_the_mean_of_its_samples_over_all_devices(project: Project) -> None:
    samples: list[dict[str, Any]] = [
        {"time": START, "cpu": 10, "mem": 40.5},
        {"time": START + 59_999.999, "cpu": 20},
        {"time": START + MINUTE, "device": "0", "gpu": 100, "gpu_mem": 80},
        {"time": START + MINUTE, "device": "1", "gpu": 0, "gpu_mem": 60},
        {"time": START + MINUTE, "device": "2", "npu": 1, "npu_mem": None},
        {"time": START + 2 * MINUTE, "device": "0", "gpu": 0},
    ]
    project.post_samples("devices", samples)
    assert table(project.client().show_training_job_metrics(asked("devices"))) == {
        "cpuUsage": [15, -1, -1],
        "memUsage": [40.5, -1, -1],
        "gpuUtil": [-1, 50, 0],
        "gpuMemUsage": [-1, 70, -1],
        "npuUtil": [-1, 1, -1],
        "npuMemUsage": [-1, -1, -1],
    }


def test_minutes_count_from_the_start_and_not_from_the_clock(project: Project) -> None:
    late = START + 30_500
    project.post_samples("late", [{"time": late + MINUTE - 1, "cpu": 1}, {"time": late + MINUTE, "cpu": 3}], start=late)
    assert project.values("late")["cpuUsage"] == [1, 3]


def test_samples_before_the_start_show_in_no_minute(project: Project) -> None:
    project.post_samples("early", [{"time": START - 1, "cpu": 90}, {"time": START, "cpu": 10}])
    assert project.values("early")["cpuUsage"] == [10]
    project.post_samples("only-early", [{"time": START - 1, "cpu": 90}])
    assert project.values("only-early") == {name: [] for name in NAMES}


def test_the_first_start_stays(project: Project) -> None:
    project.post_samples("twice", [{"time": START + MINUTE, "cpu": 1}])
    project.post_samples("twice", [{"time": START + 2 * MINUTE, "cpu": 2}], start=START + MINUTE)
    assert project.values("twice")["cpuUsage"] == [-1, 1, 2]


def test_a_run_without_a_start_begins_with_its_oldest_sample(project: Project) -> None:
    project.post_samples("no-start", [{"time": START + MINUTE, "cpu": 5}], start=None, task="worker-1")
    project.post_samples("no-start", [{"time": START + 3 * MINUTE, "cpu": 7}], start=None)
    assert project.values("no-start")["cpuUsage"] == [-1, -1, 7]
    project.post_samples("no-start", [], start=START)  # now it has one
    assert project.values("no-start")["cpuUsage"] == [-1, -1, -1, 7]


def test_sending_again_changes_nothing(project: Project) -> None:
    samples = [{"time": START, "cpu": 10}, {"time": START + 1, "cpu": 40}]
    for _ in range(3):
        project.post_samples("again", samples)
    assert project.values("again")["cpuUsage"] == [25]
    assert project.native("GET", "/runs/again/series").json()["count"] == [2]


def test_an_empty_list_registers_run_and_task(project: Project) -> None:
    project.post_samples("empty", [], task="worker-3")
    assert project.values("empty", "worker-3") == {name: [] for name in NAMES}
    details = project.get("training-jobs/empty").json()
    assert (details["status"]["tasks"], details["status"]["start_time"]) == (["worker-3"], START)


def test_samples_are_ordinary_points(project: Project) -> None:
    project.post_samples("points", [{"time": START + 0.5, "device": "0", "gpu": 99.25}])
    found = project.native("GET", "/runs/points/points", params={"metric": "resource/gpu", "label": "task=worker-0"})
    assert found.json()["steps"] == []  # the label sets of a read are whole ones
    labels = ["device=0", "task=worker-0"]
    found = project.native("GET", "/runs/points/points", params={"metric": "resource/gpu", "label": labels})
    assert (found.json()["steps"], found.json()["times_us"], found.json()["values"]) == (
        [START],
        [START * 1000 + 500],
        [99.25],
    )


def test_tasks_are_apart(project: Project) -> None:
    for i in (10, 2, 0):
        project.post_samples("many", [{"time": START, "cpu": i}], task=f"worker-{i}")
    assert project.get("training-jobs/many").json()["status"]["tasks"] == ["worker-0", "worker-2", "worker-10"]
    assert [project.values("many", f"worker-{i}")["cpuUsage"] for i in (0, 2, 10)] == [[0], [2], [10]]


def test_a_wrong_clock_does_not_cost_the_rest(project: Project) -> None:
    project.post_samples("clock", [{"time": START, "cpu": 5}, {"time": 9_000_000_000_000_000, "cpu": 1}])
    assert project.values("clock")["cpuUsage"] == [5]


def test_a_day_of_samples_every_five_seconds(project: Project) -> None:
    count = 17_280
    samples = [{"time": START + 5_000 * i, "device": str(i % 8), "cpu": i % 7, "gpu": 50} for i in range(count)]
    for begin in range(0, count, 5_000):
        project.post_samples("day", samples[begin : begin + 5_000])
    found = project.values("day")
    assert [len(values) for values in found.values()] == [1440] * 6
    assert found["gpuUtil"] == [50] * 1440
    assert found["cpuUsage"] == pytest.approx([sum((12 * m + i) % 7 for i in range(12)) / 12 for m in range(1440)])


@pytest.mark.parametrize("flush", [False, True])
def test_metrics_of_other_clients_count(serve: Callable[..., Server], open_project: Any, *, flush: bool) -> None:
    server = serve()
    project = open_project(server, "p")
    project.native("POST", "/runs", json={"id": "run", "start_time_us": START * 1000})
    series = {
        "system/cpu_utilization_percentage": [10, 30],
        "system/system_memory_usage_percentage": [50, 70],
        "system/gpu_0_utilization_percentage": [100, 100],
        "system/gpu_1_utilization_percentage": [0, 50],
        "system/node-1/gpu_0_memory_usage_percentage": [20, 20],
        "system/gpu_0_memory_usage_megabytes": [9000, 9000],
        "system/system_memory_usage_megabytes": [9000, 9000],
        "system/gpu_0_power_usage_percentage": [99, 99],
    }
    times = [START * 1000, (START + MINUTE) * 1000]
    body = [{"metric": m, "steps": [0, 1], "values": v, "times_us": times} for m, v in series.items()]
    assert project.native("POST", "/runs/run/points", json={"series": body}).status_code == 200
    if flush:
        server.restart()
    assert table(project.client().show_training_job_metrics(asked("run"))) == {
        "cpuUsage": [10, 30],
        "memUsage": [50, 70],
        "gpuUtil": [50, 75],
        "gpuMemUsage": [20, 20],
        "npuUtil": [-1, -1],
        "npuMemUsage": [-1, -1],
    }
    assert project.get("training-jobs/run/metrics/worker-1").status_code == 404
    project.post_samples("run", [{"time": START, "cpu": 99}])  # measured for the task: the host's no longer count
    assert project.values("run")["cpuUsage"] == [99, -1]
    assert project.values("run")["memUsage"] == [50, 70]


def test_what_was_acknowledged_is_there_after_a_kill(serve: Callable[..., Server], open_project: Any) -> None:
    server = serve()
    project = open_project(server, "p")
    project.post_samples("run", [{"time": START, "cpu": 1}])
    server.kill()
    server.start()
    assert project.values("run")["cpuUsage"] == [1]
