"""MLflow's own client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from contract.cross.drivers.telling import (
    AWKWARD,
    NOTE_TAG,
    START,
    Point,
    Points,
    Run,
    added,
    awkward_points,
    curve,
    gone_run,
    means,
    odd_values,
    plain_run,
    reading,
    shared_run,
    status_runs,
    tell,
)

EXPERIMENT = "cross mlflow"


def write(url: str) -> list[Run]:
    client = MlflowClient(url)
    experiment = client.create_experiment(EXPERIMENT)
    shared = client.create_run(experiment, run_name="mlflow shared").info.run_id
    found = [_full_run(client, experiment), shared_run(shared, name="mlflow shared", experiment=EXPERIMENT)]
    gone = client.create_run(experiment, run_name="mlflow gone").info.run_id
    client.log_metric(gone, "loss", 0.5)
    client.delete_run(gone)
    found.append(gone_run(gone, name="mlflow gone", experiment=EXPERIMENT))
    for name, status in status_runs("mlflow"):
        run_id = client.create_run(experiment, run_name=name).info.run_id
        client.update_run(run_id, status=status)
        found.append(plain_run(run_id, name=name, experiment=EXPERIMENT, status=status))
    return found


def _full_run(client: MlflowClient, experiment: str) -> Run:
    made = client.create_run(experiment, run_name="mlflow full", start_time=START // 1000)
    params, tags = {"lr": "0.01", "layers": "3", "a/ä.b": AWKWARD}, {"team": "vision", "über": AWKWARD}
    cpu = [(place, at, value) for place, (at, value) in enumerate(reading(10.0, 30.0, 50.5))]
    points: Points = {
        "loss": curve(),
        "val/odd": odd_values(),
        "a.b-c d/ä:e": [(-5, START, 1.0), (2**62, START, 2.0)],
        "again": awkward_points(),
        "n" * 250: [(0, START, 3.0)],
        "system/cpu_utilization_percentage": cpu,
    }
    metrics = [Metric(key, v, at // 1000, step) for key, series in points.items() for step, at, v in series]
    batch = [Param(*each) for each in params.items()], [RunTag(*each) for each in tags.items()]
    client.log_batch(made.info.run_id, metrics, *batch)
    client.log_text(made.info.run_id, "written with MLflow", "notes/ä %41+b/mlflow.txt")
    client.set_tag(made.info.run_id, NOTE_TAG, "Written with **MLflow**,\nover two lines.")
    client.set_terminated(made.info.run_id)
    return Run(
        id=made.info.run_id,
        name="mlflow full",
        experiment=EXPERIMENT,
        status="FINISHED",
        params=params,
        tags=tags,
        note="Written with **MLflow**,\nover two lines.",
        points=points,
        usage={"cpu": means(10.0, 30.0, 50.5)},
        files=["written with MLflow"],
    )


def join(url: str, shared: list[Run]) -> list[Run]:
    client, found = MlflowClient(url), [added(run, "mlflow") for run in shared]
    for run in found:
        for key, series in run["points"].items():
            for step, at, value in series:
                client.log_metric(run["id"], key, value, timestamp=at // 1000, step=step)
        for name, text in run["tags"].items():
            client.set_tag(run["id"], name, text)
    return found


def read(url: str, asked: list[Run]) -> list[Run]:
    client = MlflowClient(url)
    experiments = {each.experiment_id: each.name for each in client.search_experiments()}
    listed = {run.info.run_id for run in client.search_runs(list(experiments))}
    return [
        Run(id=each["id"], gone=each["id"] not in listed)
        if "gone" in each
        else _read(client, each["id"], experiments, listed)
        for each in asked
    ]


def _read(client: MlflowClient, run_id: str, experiments: dict[str, str], listed: set[str]) -> Run:
    try:
        run: Any = client.get_run(run_id)
    except MlflowException as error:
        return Run(id=run_id, refused=error.message, listed=run_id in listed)
    return Run(
        id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiments[run.info.experiment_id],
        status=run.info.status,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        note=run.data.tags.get(NOTE_TAG),
        points={key: _points(client, run_id, key) for key in run.data.metrics},
        latest=dict(run.data.metrics),
        files=list(_files(client, run_id, None)),
        listed=run.info.run_id in listed,
    )


def _files(client: MlflowClient, run_id: str, folder: str | None) -> Iterator[str]:
    for each in client.list_artifacts(run_id, folder):
        if each.is_dir:
            yield from _files(client, run_id, each.path)
        else:
            yield Path(client.download_artifacts(run_id, each.path)).read_text()


def _points(client: MlflowClient, run_id: str, key: str) -> list[Point]:
    return [(m.step, m.timestamp * 1000, m.value) for m in client.get_metric_history(run_id, key)]


if __name__ == "__main__":
    tell(write, read, join)
