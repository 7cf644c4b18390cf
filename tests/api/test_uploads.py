"""Bodies that stop coming or break off, on every route that takes one: told in the vendor's shape, nothing is stored.

All connections are open at once, so that waiting for the server's patience to end costs it once.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.dialect_descriptions import PARAMETER
from api.test_bad_requests import ROUTES, refused, takes_body
from inside import Answer
from stepwell.web.routing import Route

pytestmark = pytest.mark.slow  # they wait for what a server does in time

PLATFORM = "/20260430/aiDataPlatforms/{platform}/mlops/api/2.0"
# These routes answer without the body, whatever it is.
UNREAD = {
    "POST /api/slug",
    "POST /api/v1/experiments/{experiment_id}/restore",
    "POST /api/v1/runs/{run_id}/restore",
    "POST /step",
    "POST /ajax-api/2.0/mlflow-artifacts/mpu/create/{path:path}",
    "POST /api/2.0/mlflow-artifacts/mpu/create/{path:path}",
    *(
        f"POST {base}{PLATFORM}{path}"
        for base in ("", "/api")
        for path in (
            "/mlflow/registered-models/{key}/actions/managePermission",
            "/model-deployments/{deployment}/monitoring/inferences/actions/export",
            "/model-deployments/{deployment}/monitoring/inferences/search",
            "/model-deployments/{deployment}/monitoring/logs/search",
        )
    ),
}
LINES = (b'{"time":1,"step":0,"data":{"loss":0.5}}\n' * 3, b'{"time":2,"step":1,')
FILE = (b"\x00\xff" * 500, b"")
MESSAGE = (b'{"name":"half", ', b'"experiment_id":')


@dataclass
class Half:
    """A request that began: its route, its path, and the connection."""

    dialect: str
    route: Route
    path: str
    connection: socket.socket

    @property
    def name(self) -> str:
        """The route, in words."""
        return f"{self.route.verb} {self.route.path}"

    def answer(self) -> Answer | None:
        """What came until the connection ended; None for nothing."""
        got = b""
        while piece := self.connection.recv(65_536):
            got += piece
        if not got:
            return None
        head, _, body = got.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answer(status=int(status.split()[1]), headers=headers, body=body)


class Hasty:
    """hasty_server.py as a process, with a run of the native interface and one of Pluto's."""

    def __init__(self, place: Path) -> None:
        self.place = place
        program = str(Path(__file__).with_name("hasty_server.py"))
        self.process = subprocess.Popen([sys.executable, program, str(place)], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.made("/api/v1/runs", {"id": "run"})
        key = self.made("/api/runs/create", {"runName": "r", "projectName": "p"})["runId"]
        self.made("/api/2.0/mlflow/registered-models/create", {"name": "run"})
        self.headers = {
            "AI-Resource-Group": "default",
            "X-Run-Id": str(key),
            "X-Project-Name": "p",
            "Content-Type": "application/json",
        }
        file = {"fileName": "f", "fileSize": 2000, "fileType": "text/plain", "time": 1, "step": 0, "logName": "f"}
        links = self.made("/files", {"files": [file]}, headers=self.headers)
        self.link = httpx.URL(links["f"][0]["f"]).raw_path.decode()

    def made(self, path: str, body: Any, **options: Any) -> Any:
        answer = self.http.post(path, json=body, **options)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def begin(self, dialect: str, route: Route, *, chunked: bool) -> Half:
        """Send the head and a part of the body, in two pieces where somebody waits for it."""
        place = {"project_id": "default", "workspace": "default", "platform": "default"}
        path = PARAMETER.sub(lambda match: place.get(match[1], "run"), route.path)
        if route.path.startswith("/storage/"):
            path = self.link
        sort = FILE if route.verb == "PUT" else LINES if route.path.startswith("/ingest/") else MESSAGE
        size = 2_000 if route.path.startswith("/storage/") else 10_000
        headers = {"Host": "localhost", "Connection": "close", **self.headers}
        headers |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
        head = f"{route.verb} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        first, rest = (b"%x\r\n%s\r\n" % (len(part), part) if chunked and part else part for part in sort)
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(head.encode() + b"\r\n" + first)
        half = Half(dialect, route, path.partition("?")[0], connection)
        if half.name not in UNREAD:  # those answer at once
            connection.sendall(rest)
        return half

    def stored(self) -> tuple[float, list[str]]:
        """How many commits there were, and which files of runs there are: what is stored changes one of them."""
        text = self.http.get("/metrics").text
        (commits,) = re.findall(r"^stepwell_commits(?:_total)? (\S+)$", text, re.MULTILINE)
        blobs = self.place.rglob("*")
        return float(commits), sorted(str(path) for path in blobs if path.is_file() and "blob" in str(path.parent))

    def end(self) -> None:
        self.http.close()
        self.process.terminate()
        assert self.process.wait(60) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hasty]:
    hasty = Hasty(tmp_path_factory.mktemp("hasty") / "data")
    yield hasty
    hasty.end()


@pytest.fixture
def begin(hasty: Hasty) -> Iterator[Callable[..., Half]]:
    """Begins requests; their connections are closed at the end."""
    with ExitStack() as opened:

        def begin(dialect: str, route: Route, *, chunked: bool) -> Half:
            half = hasty.begin(dialect, route, chunked=chunked)
            opened.enter_context(half.connection)
            return half

        yield begin


TAKING = [(dialect, route) for dialect, route in ROUTES if takes_body(route)]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_that_stops_coming(hasty: Hasty, begin: Callable[..., Half], chunked: bool):
    before = hasty.stored()
    halves = [begin(dialect, route, chunked=chunked) for dialect, route in TAKING]
    unread = set()
    for half in halves:
        answer = half.answer()
        assert answer is not None, half
        if answer.status == 408:
            refused(half.dialect, half.path, answer)
        else:
            unread.add(half.name)
    assert unread == UNREAD
    assert hasty.stored() == before


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("how", ["half", "whole", "reset"])
def test_a_body_that_breaks_off(hasty: Hasty, begin: Callable[..., Half], how: str, chunked: bool):
    before = hasty.stored()
    halves = [begin(dialect, route, chunked=chunked) for dialect, route in TAKING]
    for half in halves:
        if how == "half":
            half.connection.shutdown(socket.SHUT_WR)
            answer = half.answer()
            assert answer is None or answer.status >= 400 or half.name in UNREAD
        else:
            if how == "reset":
                half.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            half.connection.close()
    assert hasty.http.get("/healthz").status_code == 200
    deadline = time.monotonic() + 30
    while hasty.stored() != before and time.monotonic() < deadline:
        time.sleep(0.05)  # the server may still be throwing away what came
    assert hasty.stored() == before


def test_every_kind_of_body_of_every_dialect_is_among_them():
    assert {dialect for dialect, _ in TAKING} >= {"native", "mlflow", "oracle", "sap", "modelarts", "pluto"}
    assert {dialect for dialect, route in TAKING if route.verb == "PUT"} >= {"native", "mlflow", "pluto"}


def test_the_store_is_seen_to_change(hasty: Hasty):
    before = hasty.stored()
    hasty.made("/api/v1/runs", {"id": json.dumps(before[0])[:8]})
    commits = hasty.stored()[0]
    assert commits > before[0]
    answer = hasty.http.put("/api/v1/runs/run/artifacts/kept.bin", content=b"x" * 100_000)
    assert answer.status_code == 201
    assert len(hasty.stored()[1]) > len(before[1])
