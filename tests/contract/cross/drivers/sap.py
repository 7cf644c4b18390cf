"""Both of SAP's clients for Python: they share their names, and each is installed in an environment of its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ai_core_sdk.models import Metric, MetricCustomInfo, MetricLabel, MetricTag
from ai_core_sdk.tracking import Tracking

from contract.cross.drivers.telling import (
    AWKWARD,
    NOTE_TAG,
    SECOND,
    START,
    Point,
    Points,
    Run,
    added,
    awkward_points,
    curve,
    gone_run,
    plain_run,
    shared_run,
    tell,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXECUTION_ID = re.compile(r"[\w.-]{4,64}", re.ASCII)  # the contract's; the client lets any text through


def client_of(url: str) -> Tracking:
    return Tracking(
        base_url=f"{url}/v2",
        auth_url=f"{url}/oauth/token",
        client_id="any",
        client_secret="any",
        resource_group="default",
    )


def client_name() -> str:
    """sap or sap-sdk: which of the two this environment has."""
    try:
        version("sap-ai-sdk-core")
    except PackageNotFoundError:
        return "sap"
    return "sap-sdk"


def write(url: str) -> list[Run]:
    """Four executions, one of them deleted. Their names are their ids; they have no status and no experiment."""
    client = client_of(url)
    dotted = f"{client_name()}.execution.2"
    client.log_metrics([_metric("loss", (0, START, 0.5))], dotted)
    second = plain_run(dotted, name=dotted, experiment="Default", status="RUNNING")
    second["points"] = {"loss": [(0, START, 0.5)]}
    third = f"{client_name()}-execution-3"
    client.modify(third)
    shared = shared_run(third, name=third, experiment="Default")
    fourth = f"{client_name()}-execution-4"
    client.log_metrics([_metric("loss", (0, START, 0.5))], fourth)
    client.delete(fourth)
    gone = gone_run(fourth, name=fourth, experiment="Default")
    return [_full_run(client, f"{client_name()}-execution-1"), second, shared, gone]


def _full_run(client: Tracking, run_id: str) -> Run:
    points: Points = {"loss": curve(), "(Val) Fold R2": [(0, START, -0.0)], "Error Rate": [(0, START, 0.5)] * 2}
    points[AWKWARD] = awkward_points()
    client.log_metrics([_metric(name, point) for name, series in points.items() for point in series], run_id)
    folds = [_metric("acc", (7, START, value), fold=fold) for fold, value in (("0", 0.5), ("1", 0.75))]
    client.log_metrics(folds, run_id, artifact_name="model")
    points["acc"] = [(7, START, 0.5), (7, START, 0.75)]
    tags = {"Artifact Group": "RFC-1", "team": "vision", AWKWARD: AWKWARD}
    client.set_tags([MetricTag(*each) for each in {**tags, NOTE_TAG: "Written with SAP's client."}.items()], run_id)
    info = {"Confusion Matrix": "[[1, 2], [3, 4]]", "classification report": "ä" * 1000, AWKWARD: AWKWARD}
    client.set_custom_info([MetricCustomInfo(*each) for each in info.items()], run_id)
    run = plain_run(run_id, name=run_id, experiment="Default", status="RUNNING")
    run["points"], run["tags"], run["note"] = points, tags, "Written with SAP's client."
    run["custom_info"] = info
    return run


def _metric(name: str, point: Point, **labels: str) -> Metric:
    step, at, value = point
    moment = EPOCH + timedelta(microseconds=at)
    pairs = [MetricLabel(*each) for each in labels.items()]
    return Metric(name=name, value=value, timestamp=moment, step=step, labels=pairs)


def join(url: str, shared: list[Run]) -> list[Run]:
    """A run that another client began is an execution with the run's id."""
    client, found = client_of(url), [added(run, client_name()) for run in shared]
    for run in found:
        metrics = [_metric(name, point) for name, series in run["points"].items() for point in series]
        client.modify(run["id"], metrics=metrics, tags=[MetricTag(*each) for each in run["tags"].items()])
    return found


def read(url: str, asked: list[Run]) -> list[Run]:
    client = client_of(url)
    return [
        Run(id=each["id"], gone=client.query(execution_ids=[each["id"]]).count == 0)
        if "gone" in each
        else _read(client, each["id"])
        for each in asked
    ]


def _read(client: Tracking, run_id: str) -> Run:
    if not EXECUTION_ID.fullmatch(run_id):
        return Run(id=run_id, refused=_refusal(client, run_id))
    (resource,) = client.query(execution_ids=[run_id]).resources
    points: Points = {}
    for metric in resource.metrics:
        points.setdefault(metric.name, []).append((metric.step, _micros(metric.timestamp), metric.value))
    tags = {tag.name: tag.value for tag in resource.tags}
    info = {each.name: each.value for each in resource.custom_info or ()}
    return Run(id=resource.execution_id, points=points, tags=tags, note=tags.get(NOTE_TAG), custom_info=info)


def _refusal(client: Tracking, run_id: str) -> str:
    """What the server says to an id that no execution can have."""
    from ai_api_client_sdk.exception import AIAPIInvalidRequestException

    try:
        found: Any = client.query(execution_ids=[run_id])
    except AIAPIInvalidRequestException as error:
        return str(error)
    return f"an answer: {found}"


def _micros(moment: datetime) -> int:
    whole = moment - EPOCH
    return (whole.days * 86_400 + whole.seconds) * SECOND + whole.microseconds


if __name__ == "__main__":
    tell(write, read, join)
