"""The client of Oracle's AI Data Platform."""

from __future__ import annotations

from typing import Any

from aidp_python_client.aidataplatform_dp import MLOpsClient, models
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from oci.retry import NoneRetryStrategy
from oci.signer import Signer

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

EXPERIMENT = "cross oracle"
PLACE = ("ocid1.aidataplatform.oc1..cross", "default")  # platform, workspace


class Platform:
    """The client, and what it answers instead of the wrapping."""

    def __init__(self, url: str) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        tenancy, user, fingerprint = "ocid1.tenancy.oc1..a", "ocid1.user.oc1..b", ":".join(["00"] * 16)
        config = {"tenancy": tenancy, "user": user, "fingerprint": fingerprint, "region": "x", "key_content": pem}
        signer = Signer(tenancy, user, fingerprint, private_key_file_location=None, private_key_content=pem)
        self._client = MLOpsClient(config, signer=signer, service_endpoint=url, retry_strategy=NoneRetryStrategy())

    def ask(self, operation: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self._client, operation)(*PLACE, *arguments, **options).data


def write(url: str) -> list[Run]:
    platform = Platform(url)
    details = models.CreateExperimentDetails(name=EXPERIMENT)
    experiment = platform.ask("create_experiment", details).experiment_id
    shared = _create(platform, experiment, "oracle shared")
    found = [_full_run(platform, experiment), shared_run(shared, name="oracle shared", experiment=EXPERIMENT)]
    gone = _create(platform, experiment, "oracle gone")
    platform.ask("delete_experiment_run", models.DeleteExperimentRunDetails(run_id=gone))
    found.append(gone_run(gone, name="oracle gone", experiment=EXPERIMENT))
    for name, status in status_runs("oracle"):
        run_id = _create(platform, experiment, name)
        platform.ask("update_experiment_run", models.UpdateExperimentRunDetails(run_id=run_id, status=status))
        found.append(plain_run(run_id, name=name, experiment=EXPERIMENT, status=status))
    return found


def _create(platform: Platform, experiment: str, name: str) -> str:
    details = models.CreateExperimentRunDetails(run_name=name, experiment_id=experiment, start_time=START // 1000)
    return str(platform.ask("create_experiment_run", details).run.info.run_id)


def _full_run(platform: Platform, experiment: str) -> Run:
    run_id = _create(platform, experiment, "oracle full")
    params, tags = {"lr": "0.01", "a/ä.b": AWKWARD}, {"team": "vision", "stable": AWKWARD}
    memory = [(place, at, value) for place, (at, value) in enumerate(reading(10.0, 30.0, 50.5))]
    points: Points = {
        "loss": curve(),
        "val/odd": odd_values(),
        "again": awkward_points(),
        "system/system_memory_usage_percentage": memory,
    }
    _log(platform, run_id, points, params, {**tags, NOTE_TAG: "Written with Oracle's client."})
    platform.ask("update_experiment_run", models.UpdateExperimentRunDetails(run_id=run_id, status="FINISHED"))
    run = plain_run(run_id, name="oracle full", experiment=EXPERIMENT, status="FINISHED")
    run["params"], run["tags"], run["points"] = params, tags, points
    run["note"] = "Written with Oracle's client."
    run["usage"] = {"mem": means(10.0, 30.0, 50.5)}
    return run


def _log(platform: Platform, run_id: str, points: Points, params: dict[str, str], tags: dict[str, str]) -> None:
    metrics = [
        models.ExperimentRunMetric(key=key, value=value, timestamp=at // 1000, step=step)
        for key, series in points.items()
        for step, at, value in series
    ]
    batch = models.LogExperimentRunBatchDetails(
        run_id=run_id,
        metrics=metrics,
        params=[models.ExperimentRunParam(key=key, value=value) for key, value in params.items()],
        tags=[models.ExperimentRunTag(key=key, value=value) for key, value in tags.items()],
    )
    platform.ask("log_experiment_run_batch", batch)


def join(url: str, shared: list[Run]) -> list[Run]:
    platform, found = Platform(url), [added(run, "oracle") for run in shared]
    for run in found:
        _log(platform, run["id"], run["points"], {}, run["tags"])
    return found


def read(url: str, asked: list[Run]) -> list[Run]:
    platform = Platform(url)
    found = platform.ask("list_experiments", models.ListExperimentsDetails(max_results=1000)).experiments
    experiments = {each.experiment_id: each.name for each in found}
    search = models.ListExperimentRunsDetails(experiment_ids=list(experiments), max_results=1000)
    listed = {run.info.run_id for run in platform.ask("list_experiment_runs", search).runs}
    return [
        Run(id=each["id"], gone=each["id"] not in listed)
        if "gone" in each
        else _read(platform, each["id"], experiments, listed)
        for each in asked
    ]


def _read(platform: Platform, run_id: str, experiments: dict[str, str], listed: set[str]) -> Run:
    run = platform.ask("get_experiment_run_by_id", run_id).run
    latest = {each.key: float(each.value) for each in run.data.metrics or ()}
    return Run(
        id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiments[run.info.experiment_id],
        status=run.info.status,
        params={each.key: each.value for each in run.data.params or ()},
        tags={each.key: each.value for each in run.data.tags or ()},
        note=next((each.value for each in run.data.tags or () if each.key == NOTE_TAG), None),
        points={key: _points(platform, run_id, key) for key in latest},
        latest=latest,
        listed=run.info.run_id in listed,
    )


def _points(platform: Platform, run_id: str, key: str) -> list[Point]:
    found = platform.ask("get_experiment_run_metric_history", run_id, key, allow_control_chars=True).metrics
    return [(each.step, each.timestamp * 1000, float(each.value)) for each in found]


if __name__ == "__main__":
    tell(write, read, join)
