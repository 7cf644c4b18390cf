"""Reads that take every thread there is for reading delay no acknowledgement."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from inside import Inside
from stepwell.app import build_app
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web.work import Work

RUN = "/api/2.0/mlflow/runs/"
JSON = {"content-type": "application/json"}


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """Every reading thread is taken, by what ends only when something gives up waiting."""
    store, work, go = open_store(tmp_path / "data", clock=lambda: 1_700_000_000_000_000), Work(), threading.Event()
    inside = Inside(build_app(Settings(data_dir=tmp_path / "data"), store, work=work))
    long = [work.readers.submit(go.wait, 120) for _ in range(work.readers.threads)]
    try:
        yield inside
        assert not any(future.done() for future in long), "a write had to wait for a read"
    finally:
        go.set()
        wait(long)
        inside.close()
        work.close()
        store.close()


def make_run(inside: Inside) -> str:
    made = inside.ask("POST", f"{RUN}create", headers=JSON, body=b'{"experiment_id": "0"}')
    assert made.status == 200, made.body
    return str(made.json["run"]["info"]["run_id"])


def large(run_id: str) -> bytes:
    """More than is parsed on the event loop."""
    metrics = [{"key": f"{'m' * 240}{n}", "value": n, "timestamp": n, "step": n} for n in range(1000)]
    return json.dumps({"run_id": run_id, "metrics": metrics}).encode()


def test_a_large_batch(inside: Inside) -> None:
    answer = inside.ask("POST", f"{RUN}log-batch", headers=JSON, body=large(make_run(inside)))
    assert answer.status == 200, answer.body


def test_a_compressed_batch(inside: Inside) -> None:
    body = gzip.compress(large(make_run(inside)))
    answer = inside.ask("POST", f"{RUN}log-batch", headers={**JSON, "content-encoding": "gzip"}, body=body)
    assert answer.status == 200, answer.body


def test_points_of_a_model(inside: Inside) -> None:
    body = {"run_id": make_run(inside), "key": "loss", "value": 1, "timestamp": 1, "model_id": "m-1"}
    answer = inside.ask("POST", f"{RUN}log-metric", headers=JSON, body=json.dumps(body).encode())
    assert answer.status in {200, 404}, answer.body


def test_a_large_patch(inside: Inside) -> None:
    point = {"name": "m" * 250, "value": 1, "timestamp": "2024-01-01T00:00:00Z", "step": 1}
    body = json.dumps({"executionId": "execution-1", "metrics": [{**point, "step": n} for n in range(1_000)]}).encode()
    headers = {"content-type": "application/merge-patch+json", "ai-resource-group": "default"}
    answer = inside.ask("PATCH", "/v2/lm/metrics", headers=headers, body=body)
    assert answer.status == 204, answer.body
