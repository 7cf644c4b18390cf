"""Through nginx under a path: SAP's client gets its token, logs, and learns that a body is too large."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from ai_core_sdk.models import Metric, MetricTag
from ai_core_sdk.tracking import Tracking

from proxying import Behind, behind_proxy


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind_proxy(tmp_path_factory.mktemp("proxy")) as behind:
        yield behind


def test_the_client(behind: Behind) -> None:
    made = behind.credential(workspace="team")
    tracking = Tracking(
        base_url=f"{behind.url}/v2",
        auth_url=f"{behind.url}/oauth/token",
        client_id=made["id"],
        client_secret=made["secret"],
        resource_group="team",
    )
    tracking.log_metrics(
        [Metric(name="loss", value=0.5, timestamp=datetime.now(UTC), step=1)], execution_id="execution-1"
    )
    tracking.set_tags([MetricTag(name="a", value="1")], execution_id="execution-1")
    (found,) = tracking.query(execution_ids=["execution-1"]).resources
    assert [(each.name, each.value) for each in found.metrics] == [("loss", 0.5)]
    assert [(each.name, each.value) for each in found.tags] == [("a", "1")]


def test_a_body_that_is_too_large_is_answered(behind: Behind) -> None:
    made = behind.credential(workspace="team")
    headers = {"AI-Resource-Group": "team", "Authorization": f"Bearer {made['secret']}"}
    headers["Content-Type"] = "application/json"
    answer = httpx.patch(f"{behind.url}/v2/lm/metrics", content=bytes(33 << 20), headers=headers, timeout=60)
    assert answer.status_code == 413
    assert "nginx" not in answer.text
