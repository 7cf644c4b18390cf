"""A request, its work and its commit as spans; without the setting nothing of OpenTelemetry is loaded."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from inside import Answer, Inside
from serving import Server
from stepwell.app import build_app
from stepwell.core.clock import system_clock
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.web.otel import Tracing
from stepwell.web.work import Work


class Traced:
    """A server whose spans are kept."""

    def __init__(self, directory: Path) -> None:
        self.kept = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.store, self.work = open_store(directory, clock=system_clock), Work()
        traces = Tracing(provider, "1")
        app = build_app(
            Settings(data_dir=directory), self.store, work=self.work, key=ServerKey(new_key()), traces=traces
        )
        self.inside = Inside(app)

    def ask(self, verb: str, path: str, body: bytes = b"", **headers: str) -> tuple[Answer, dict[str, ReadableSpan]]:
        """The answer, and the spans that it led to by their names."""
        self.kept.clear()
        answer = self.inside.ask(verb, path, headers={"content-type": "application/json", **headers}, body=body)
        return answer, {span.name: span for span in self.kept.get_finished_spans()}

    def close(self) -> None:
        self.inside.close()
        self.work.close()
        self.store.close()


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    found = Traced(tmp_path / "data")
    yield found
    found.close()


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def test_a_write_is_a_request_and_its_commit(traced: Traced):
    traced.ask("POST", "/api/v1/runs", b'{"id": "secret-name"}')
    body = b'{"series": [{"metric": "loss", "steps": [1], "values": [0.5]}]}'
    answer, spans = traced.ask("POST", "/api/v1/runs/secret-name/points", body)
    assert answer.status == 200
    request = spans["POST /api/v1/runs/{run_id}/points"]
    told = dict(request.attributes or {})
    assert told == {
        "http.request.method": "POST",
        "http.route": "/api/v1/runs/{run_id}/points",
        "http.response.status_code": 200,
        "stepwell.dialect": "native",
        "stepwell.workspace": "default",
        "stepwell.request_id": answer.headers["x-request-id"],
    }
    assert parent_of(request) is None
    assert parent_of(spans["commit"]) == id_of(request)
    assert (request.start_time or 0) <= (spans["commit"].start_time or 0) <= (spans["commit"].end_time or 0)
    assert "secret-name" not in "".join(span.to_json() for span in spans.values())


def test_work_in_a_pool_lies_between_request_and_commit(traced: Traced):
    _, spans = traced.ask("POST", "/api/v1/runs", b'{"id": "r"}')
    assert parent_of(spans["writer"]) == id_of(spans["POST /api/v1/runs"])
    assert parent_of(spans["commit"]) == id_of(spans["writer"])
    _, spans = traced.ask("GET", "/api/v1/runs/r")
    assert parent_of(spans["reader"]) == id_of(spans["GET /api/v1/runs/{run_id}"])
    assert "commit" not in spans


def test_an_error_is_told_by_its_kind_alone(traced: Traced):
    answer, spans = traced.ask("GET", "/api/v1/runs/nobody")
    assert answer.status == 404
    reader, request = spans["reader"], spans["GET /api/v1/runs/{run_id}"]
    assert (reader.attributes or {})["error.type"] == "not_found"
    assert reader.status.status_code is StatusCode.ERROR
    assert request.status.status_code is StatusCode.UNSET, "a refusal is no failure of the server"
    assert not reader.events
    _, spans = traced.ask("GET", "/nothing/here")
    assert list(spans) == ["GET"]


def test_a_caller_s_trace_goes_on(traced: Traced):
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    _, spans = traced.ask("GET", "/api/v1/workspaces", traceparent=f"00-{trace}-{span}-01")
    request = spans["GET /api/v1/workspaces"]
    assert request.context is not None
    assert (f"{request.context.trace_id:032x}", parent_of(request)) == (trace, int(span, 16))
    answer, _ = traced.ask("GET", "/api/v1/workspaces", traceparent="nonsense")
    assert answer.status == 200


def test_nothing_of_it_is_loaded_without_the_setting():
    program = "import sys, stepwell.app; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_a_server_sends_its_traces(tmp_path: Path):
    got: list[tuple[str, Any, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, self.headers["content-type"], body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{collector.server_port}/v1/traces"
        with Server(tmp_path / "data", args=["--trace-to", address]) as server:
            assert httpx.get(f"{server.url}/api/v1/workspaces", timeout=60).status_code == 200
        assert got, "what waits is sent at the end"
        path, kind, _ = got[0]
        assert (path, kind) == ("/v1/traces", "application/x-protobuf")
        assert any(b"GET /api/v1/workspaces" in body for _, _, body in got)
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()
