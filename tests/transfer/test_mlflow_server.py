"""MLflow servers as they are on a bad day. A real one: tests/contract/mlflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

import pytest

from stepwell.client import patience
from transfer.conftest import Program, Stored

RUN = uuid4().hex
ANSWERS = {
    "experiments/search": {"experiments": [{"experiment_id": "1", "name": RUN}]},
    "runs/search": {"runs": [{"info": {"run_id": RUN, "experiment_id": "1"}, "data": {"metrics": [{"key": "loss"}]}}]},
    "metrics/get-history": {
        "metrics": [{"key": "loss", "value": 0.5, "timestamp": at, "step": 2} for at in (1, 10**18)]
    },
}


class Handler(BaseHTTPRequestHandler):
    """Knows one run; its store of files is gone."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
        body = json.dumps(ANSWERS.get(name, {})).encode()
        self.send_response(200 if name in ANSWERS else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def mlflow() -> Iterator[str]:
    """Such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_files_that_a_server_cannot_reach_and_points_that_can_be_none_cost_no_others(
    program: Program, stored: Stored, mlflow: str
) -> None:
    done = program("import", "mlflow", mlflow)
    assert done.status == 1
    assert f"run {RUN}, metric 'loss': step 2, time {10**21} us: not within 64 bits" in done.err
    assert f"run {RUN}: its files cannot be listed: {mlflow}: HTTP status 500" in done.err
    assert stored.points(RUN, "loss") == [(2, 1000, 0.5)]
    without = program("import", "mlflow", mlflow, "--no-files")
    assert without.err.count("\n") == 1


def test_where_nobody_answers_is_said_in_the_words_of_the_system(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_TRIES", 1)
    done = program("import", "mlflow", "http://127.0.0.1:1")
    told = "[Errno 111] Connection refused. Run this again: it goes on where it was"
    assert (done.status, done.err) == (1, f"stepwell: http://127.0.0.1:1: {told}\n")
