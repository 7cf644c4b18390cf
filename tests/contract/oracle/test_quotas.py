"""What a workspace may not have: Oracle's own words for it, which its client takes as final or waits for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import oci
import pytest
from aidp_python_client.aidataplatform_dp import MLOpsClient
from aidp_python_client.aidataplatform_dp import models as m
from oci.exceptions import ServiceError

from contract.oracle.conftest import PLATFORM, Raw, make_client
from serving import Server

NAME = "w"
START = 1_700_000_000_000


@pytest.fixture
def waiting(server: Server, pem: str) -> MLOpsClient:
    """The vendor's client as it is made by default: it comes again where that may help."""
    return make_client(server.url, pem, retry=oci.retry.DEFAULT_RETRY_STRATEGY)


@pytest.fixture
def own(server: Server) -> Iterator[Raw]:
    """Requests to this test's own server."""
    raw = Raw(server.url)
    yield raw
    raw.http.close()


def made(client: MLOpsClient) -> str:
    details = m.CreateExperimentRunDetails(experiment_id="0", start_time=START)
    return str(client.create_experiment_run(PLATFORM, NAME, details).data.run.info.run_id)


def metric(run: str, step: int, key: str = "loss") -> dict[str, Any]:
    return {"run_id": run, "key": key, "value": 1.0, "timestamp": START, "step": step}


def test_points_and_series(server: Server, own: Raw, waiting: MLOpsClient) -> None:
    """The client could send the same again for minutes; this answer it takes as final."""
    run = made(waiting)
    assert own.post("runs/log-metric", metric(run, 0)).status_code == 200
    for quota, key in (("points", "loss"), ("series", "other")):
        server.set_quota(NAME, **{"points": 0, "series": 0, quota: 1})
        said = f"may have 1 {quota} (its quota {quota}) and has 1: 1 more were not stored"
        answer = own.post("runs/log-metric", metric(run, 1, key))
        assert (answer.status_code, answer.json()["code"]) == (400, "QuotaExceeded")
        assert said in answer.json()["message"]
        details = m.LogExperimentRunMetricDetails(run_id=run, key=key, value=1.0, timestamp=START, step=2)
        with pytest.raises(ServiceError) as caught:
            waiting.log_experiment_run_metric(PLATFORM, NAME, details)
        assert (caught.value.status, caught.value.code) == (400, "QuotaExceeded")
        assert said in caught.value.message
    assert server.stop() == 0  # by then its log is whole
    assert server.log().count("log-metric 400") == 4, "the client did not come again"


def test_too_many_requests_are_waited_for(server: Server, own: Raw, waiting: MLOpsClient) -> None:
    run = made(waiting)
    server.set_quota(NAME, requests_per_second=1)
    deadline = time.monotonic() + 60
    while (answer := own.get("experiments/get", experiment_id="0", workspace=NAME)).status_code == 200:
        assert time.monotonic() < deadline
    assert (answer.status_code, answer.json()["code"]) == (429, "TooManyRequests")
    assert answer.headers["retry-after"] == "1"
    assert waiting.get_experiment_run_by_id(PLATFORM, NAME, run).data.run.info.run_id == run
