"""The real MLflow client against a real server: every point comes back exactly, once, in order."""

from __future__ import annotations

import math
import random
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from contract.mlflow.exact import bits, code_of, points
from serving import Server


def test_every_double_comes_back_exactly(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    values = [
        0.0,
        -0.0,
        5e-324,
        -5e-324,
        1.7976931348623157e308,
        0.1,
        1 / 3,
        math.nan,
        math.inf,
        -math.inf,
        2.0**53 + 2,
    ]
    values += [struct.unpack("<d", random.Random(7).randbytes(8))[0] for _ in range(50)]
    client.log_batch(run, [Metric("v", value, 1000 + i, i) for i, value in enumerate(values)])
    for i, value in enumerate(values):
        client.log_metric(run, "one", value, timestamp=1000 + i, step=i)
    sent = [(1000 + i, i, bits(value)) for i, value in enumerate(values)]
    assert points(client.get_metric_history(run, "v")) == sent
    assert points(client.get_metric_history(run, "one")) == sent
    latest = client.get_run(run).data.metrics
    assert bits(latest["v"]) == bits(latest["one"]) == bits(values[-1])


def test_history_is_ordered_by_time_then_step_then_value(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    rows = [
        (t, s, v) for t in (5, 3, 4) for s in (2, -9, 2**63 - 1, -(2**63)) for v in (1.0, -1.0, math.inf, -0.0, 0.0)
    ]
    random.Random(1).shuffle(rows)
    client.log_batch(run, [Metric("k", v, t, s) for t, s, v in rows])
    ordered = sorted(rows, key=lambda row: (row[0], row[1], row[2], math.copysign(1, row[2])))
    assert points(client.get_metric_history(run, "k")) == [(t, s, bits(v)) for t, s, v in ordered]


def test_the_latest_value_is_that_of_the_greatest_step(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    client.log_metric(run, "k", 1.0, timestamp=10, step=7)
    client.log_metric(run, "k", 2.0, timestamp=99, step=3)
    assert client.get_run(run).data.metrics == {"k": 1.0}
    client.log_metric(run, "k", 3.0, timestamp=11, step=7)
    client.log_metric(run, "k", 2.5, timestamp=11, step=7)
    assert client.get_run(run).data.metrics == {"k": 3.0}


def test_a_repeat_is_stored_once_and_another_value_beside_it(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    batch = [Metric("k", 1.0, 1, 1), Metric("k", 1.0, 1, 1), Metric("k", 2.0, 1, 1), Metric("k", math.nan, 1, 1)]
    for _ in range(3):
        client.log_batch(run, batch)
    client.log_metric(run, "k", math.nan, timestamp=1, step=1)
    assert points(client.get_metric_history(run, "k")) == [(1, 1, bits(v)) for v in (1.0, 2.0, math.nan)]


def test_a_history_of_many_pages(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    sent = [Metric("loss", math.sin(i), 1_700_000_000_000 + i, i) for i in range(60_000)]
    for start in range(0, len(sent), 1000):
        client.log_batch(run, sent[start : start + 1000])
    assert points(client.get_metric_history(run, "loss")) == points(sent)


def test_unknown_metrics_and_runs_have_no_history(client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    assert client.get_metric_history(run, "none") == []
    assert code_of(lambda: client.log_metric("0" * 32, "k", 1.0)) == "RESOURCE_DOES_NOT_EXIST"


def test_a_batch_that_was_stored_but_not_acknowledged_is_retried(
    shared_server: Server, client: MlflowClient, experiment: str
) -> None:
    run = client.create_run(experiment).info.run_id
    batch = [Metric("k", float(i), i, i) for i in range(500)]
    with Forgetful(shared_server.url) as proxy:
        through = MlflowClient(proxy.url)
        through.log_batch(run, batch, [Param("p", "1")], [RunTag("t", "1")])
        through.log_metric(run, "one", 1.0, timestamp=1, step=1)
    assert proxy.forgotten == 2
    assert points(client.get_metric_history(run, "k")) == points(batch)
    assert len(client.get_metric_history(run, "one")) == 1
    assert client.get_run(run).data.params == {"p": "1"}


class Forgetful:
    """A proxy that passes each write on and then, the first time, answers that the server is not available."""

    def __init__(self, target: str) -> None:
        self.forgotten = 0
        proxy = self
        seen: set[bytes] = set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {"content-type": self.headers["content-type"]}
                answer = httpx.post(target + self.path, content=body, headers=headers, timeout=60)
                status, content = answer.status_code, answer.content
                if "/runs/log-" in self.path and body not in seen:
                    seen.add(body)
                    proxy.forgotten += 1
                    status, content = 503, b'{"error_code":"TEMPORARILY_UNAVAILABLE","message":"forgotten"}'
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Forgetful:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


WRITER = """
import sys
from mlflow import MlflowClient
from mlflow.entities import Metric
url, run, own, number = sys.argv[1:]
client = MlflowClient(url)
for batch in range(5):
    steps = range(batch * 200, batch * 200 + 200)
    client.log_batch(run, [Metric("shared", float(s), s, s) for s in steps])
    client.log_batch(run, [Metric(f"of-{number}", float(s), s, s) for s in steps])
    client.log_batch(own, [Metric("loss", float(s), s, s) for s in steps])
"""


def test_several_writers_at_once(shared_server: Server, client: MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment).info.run_id
    own = [client.create_run(experiment).info.run_id for _ in range(3)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, shared_server.url, run, each, str(i)])
        for i, each in enumerate(own)
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    expected = [(s, s, bits(float(s))) for s in range(1000)]
    for key in ("shared", "of-0", "of-1", "of-2"):
        assert points(client.get_metric_history(run, key)) == expected
    for each in own:
        assert points(client.get_metric_history(each, "loss")) == expected
