"""What a workspace may not have: said in the words of each of the three services; the client loses nothing by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from contract.pluto.conftest import Raw, Training
from serving import Server

PROGRAM = """
quick = {"disable_system_metrics": True, "sync_process_shutdown_timeout": 3.0}
run = pluto.init(project="p", name="n", settings=quick)
for step in range(60):
    run.log({"loss": step / 7}, step=step)
run.finish()
[kept] = Path(os.environ["PLUTO_DIR"]).rglob("sync.db")
told["number"] = run.settings._op_id
told["kept"] = str(kept)
"""
# The command takes no address of a server, from the environment neither; its settings do.
SYNC = """
import pluto.__main__
from pluto.sets import Settings
for name in ("app", "api", "ingest", "py"):
    setattr(Settings, f"url_{{name}}", os.environ[f"PLUTO_URL_{{name.upper()}}"])
sys.argv = ["pluto", "sync", "--path", {kept!r}]
pluto.__main__.main()
"""


@pytest.fixture
def own(server: Server) -> Iterator[Raw]:
    """Requests to this test's own server."""
    raw = Raw(server.url)
    yield raw
    raw.http.close()


def test_points_and_series_are_refused_by_the_ingest_service(server: Server, own: Raw) -> None:
    run = own.create("p")
    own.log(run, {0: {"a": 1.0}})
    server.set_quota("default", points=3, series=1)
    more = own.send("/ingest/metrics", run, [{"time": 1, "step": 1, "data": {"b": 1.0}}])
    assert (more.status_code, more.json()["code"]) == (507, "STORAGE_FULL")
    assert "may have 1 series (its quota series) and has 1" in more.json()["message"]
    assert "retry-after" in more.headers
    many = own.send("/ingest/metrics", run, [{"time": 1, "step": step, "data": {"a": 1.0}} for step in range(1, 5)])
    assert (many.status_code, many.json()["code"]) == (507, "STORAGE_FULL")
    assert "may have 3 points (its quota points) and has 1: 4 more were not stored" in many.json()["message"]
    own.log(run, {1: {"a": 1.0}, 2: {"a": 2.0}})
    assert [row["step"] for row in own.rows(run, "p")] == [0, 1, 2]


def test_bytes_are_refused_by_the_storage(server: Server, own: Raw) -> None:
    run = own.create("p")
    server.set_quota("default", file_bytes=5)
    for content, status in ((b"12345", 200), (b"6", 507)):
        name = f"f{len(content)}.txt"
        file = {"fileName": name, "fileSize": len(content), "fileType": "text/plain", "time": 1, "logName": name}
        headers = {"x-run-id": str(run), "x-project-name": "p"}
        links = own.http.post("/files", json={"files": [{**file, "step": 0}]}, headers=headers)
        assert links.status_code == 200, links.text
        [[link]] = [list(each.values()) for each in links.json().values() for each in each]
        sent = own.http.put(link, content=content, headers={"content-type": "text/plain"})
        assert sent.status_code == status, sent.text
    assert "may have 5 bytes of files (its quota file_bytes) and has 5" in sent.text


def test_too_many_requests_are_told_when_to_come_again(server: Server, own: Raw) -> None:
    run = own.create("p")
    server.set_quota("default", requests_per_second=1)
    asks: dict[str, Callable[[], httpx.Response]] = {  # the field with the message -> a request to that service
        "error": lambda: own.get("/api/runs/projects"),
        "message": lambda: own.send("/ingest/metrics", run, []),
        "detail": lambda: own.post("/api/runs/trigger", runId=run),
    }
    for field, ask in asks.items():
        deadline = time.monotonic() + 60
        while (answer := ask()).status_code == 200:
            assert time.monotonic() < deadline
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "may make 1 requests per second" in answer.json()[field]


def test_a_program_ends_says_so_and_what_was_refused_comes_later(server: Server, own: Raw, tmp_path: Path) -> None:
    """The client keeps what it could not send; when there is room, its own command sends it, and nothing is lost."""
    server.set_quota("default", points=10)
    training = Training(server.url, tmp_path)
    program = training.run(PROGRAM)
    assert program.status == 0, program.output
    assert "Data is preserved" in program.output  # it tries five times over some seconds before it tells the status
    number = program.told["number"]
    assert len(own.rows(number, "p")) <= 10
    server.set_quota("default", points=0)
    sent = training.run(SYNC.format(kept=program.told["kept"]))
    rows = own.rows(number, "p", logName="loss")
    assert [row["step"] for row in rows] == list(range(60)), sent.output
    assert [row["value"] for row in rows] == [step / 7 for step in range(60)]
